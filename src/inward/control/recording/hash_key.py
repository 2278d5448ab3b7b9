"""The key that hashes what the record is not to keep as it is: made at random, in use for a while, then gone.

One private file has the key of now and the day from which it is; the next key takes its place, and no other copy is
kept. So nobody can tell any more what was hashed before, nor whether a hash of then and one of now are of one text.
Rules:

1. A key is in use until it is `days` old by the clock. One that is from the future by more than a day is not used: a
   clock that was set wrong once must not make a key last for years. None that was replaced ever comes back.
2. Processes that share the file use one key: a new one is made under a lock, by the first that needs it.
3. A file that is missing, damaged or open to others is replaced by a new key, which is told unless there was none yet.
   Where it cannot be written, a key that is in no file hashes until the process ends.

It leaves out what a disk keeps of a file that was replaced: on an encrypted file system, nothing that can be read.
"""

from __future__ import annotations

import contextlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from inward.errors import InwardError
from inward.identity.private_files import one_at_a_time, private_folder, read_private, write_private
from inward.record.call import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY_BYTES = 32
MAX_FILE_BYTES = 4096
_FUTURE = timedelta(days=1)  # by which a clock may jump back without a new key


class _Kept(msgspec.Struct, frozen=True):
    """The file's content."""

    since: datetime
    key: bytes  # base64 in JSON


class HashKey:
    """The key in the file `path`, whose folder is private. `told` is told in words what went wrong."""

    def __init__(
        self, path: Path, told: Callable[[str], None], clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._path = path
        self._told = told
        self._clock = clock
        self._kept: _Kept | None = None

    def current(self, days: int) -> bytes:
        """Return the key that hashes now, of which none is used for longer than `days`."""
        now = self._clock()
        if self._kept is None or not _holds(self._kept, now, days):
            self._kept = self._renewed(now, days)
        return self._kept.key

    def _renewed(self, now: datetime, days: int) -> _Kept:
        """Return the key of the file, or a new one that has taken its place."""
        made, found = _Kept(now, secrets.token_bytes(KEY_BYTES)), None
        try:
            private_folder(self._path.parent)
            with one_at_a_time(self._path.with_suffix(".lock")):
                found = self._read()
                if found is not None and _holds(found, now, days):
                    return found
                write_private(self._path, msgspec.json.encode(made))
        except (OSError, InwardError) as error:
            why = error.message if isinstance(error, InwardError) else (error.strerror or str(error)).lower()
            self._told(f"the key that hashes for the record cannot be kept, and is another one after a restart: {why}")
            if found is not None:  # its time is over, whatever takes its place
                with contextlib.suppress(OSError):
                    self._path.unlink()
        return made

    def _read(self) -> _Kept | None:
        try:
            content = read_private(self._path, limit=MAX_FILE_BYTES)
            if content is None:
                return None
            kept = msgspec.json.decode(content, type=_Kept)
            if len(kept.key) != KEY_BYTES or kept.since.tzinfo is None:
                raise ValueError("no key")  # noqa: TRY301 - all end in the same way
        except (InwardError, ValueError) as error:
            why = error.message if isinstance(error, InwardError) else "it is damaged"
            self._told(
                f"`{self._path}` is no key that can be used ({why}): "
                f"a new one hashes for the record from {timestamp(self._clock())} on"
            )
            return None
        return kept


def _holds(kept: _Kept, now: datetime, days: int) -> bool:
    try:
        return kept.since - _FUTURE <= now < kept.since + timedelta(days=days)
    except OverflowError:
        return False
