"""The lock on a folder: one process at a time, and the second is told who holds it.

The kernel's lock (flock) is the truth and ends with its holder, however it ends; the file's text only says
who that is.
"""

from __future__ import annotations

import fcntl
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

import msgspec

from inward.record.call import timestamp
from inward.record.disk import RecordError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

_MAX_BYTES = 4096


class Holder(msgspec.Struct, frozen=True):
    """Who holds a folder: the process id, and since when (RFC 3339, UTC)."""

    pid: int
    since: str


class FolderLockedError(RecordError):
    """Another process holds the folder; `holder` is None where it has not said yet who it is."""

    code = "locked"

    def __init__(self, folder: Path, holder: Holder | None) -> None:
        self.holder = holder
        who = f"process {holder.pid} since {holder.since}" if holder else "another process"
        super().__init__(f"the folder `{folder}` is held by {who}", hint="stop it first, or use another folder")


class FolderLock:
    """Holds `folder`, which exists, until `release`. Raises `FolderLockedError` or `RecordError`."""

    def __init__(self, folder: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        path = folder / "lock"
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise RecordError(f"the lock `{path}` cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, msgspec.json.encode(Holder(os.getpid(), timestamp(now()))), 0)
        except BlockingIOError:
            holder = _read_holder(self._descriptor)
            self.release()
            raise FolderLockedError(folder, holder) from None
        except OSError as error:
            self.release()
            raise RecordError(f"the lock `{path}` cannot be taken: {error.strerror}") from error

    @property
    def released(self) -> bool:
        """Whether the folder has been let go."""
        return self._descriptor < 0

    def release(self) -> None:
        """Let the folder go. The file stays: else two processes could hold two files of one name."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _read_holder(descriptor: int) -> Holder | None:
    try:
        return msgspec.json.decode(os.pread(descriptor, _MAX_BYTES, 0), type=Holder)
    except (OSError, msgspec.MsgspecError, ValueError):
        return None
