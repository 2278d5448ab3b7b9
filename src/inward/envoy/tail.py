"""The log of one Envoy: its numbered files, and the tailer that reads every line of them once.

Envoy writes to a symlink (`access.log`) that leads to the newest numbered file (`access-00000007.log`). Every
start of Envoy and every rotation begins the next file, so each file has one name from its birth, and a last
line that a killed Envoy left without an end is never continued by somebody else.

INVARIANT: one Envoy at a time writes to a folder. It goes on to a newer file for good (`POST /reopen_logs`),
so once a newer file has content, the older ones do not grow.

What it leaves out: what a line means. Whoever reads turns each line into a call or a gap with the line's
`src`, hands them to the recorder together with `Tailer.position`, and deletes files
(`LogFolder.delete_before`) once the recorder's *checkpointed* position has passed them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from inward.errors import InwardError
from inward.record.call import Gap, beginning, timestamp
from inward.record.position import Position

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

MAX_LINE_BYTES = 1 << 20
READ_BYTES = 1 << 20
GRACE_SECONDS = 1.0  # after Envoy has ended, until its files are taken for finished
FASTEST_POLL_SECONDS = 0.01
SLOWEST_POLL_SECONDS = 0.2


class LogError(InwardError):
    """The log folder cannot be used."""

    code = "log"


class LogFolder:
    """The numbered files of one log in the folder `path` (which exists), and the symlink that Envoy opens."""

    def __init__(self, path: Path, kind: str = "access") -> None:
        self.path = path
        self.kind = kind
        self.symlink = path / f"{kind}.log"
        self._name = re.compile(re.escape(kind) + r"-([0-9]{8,18})\.log")
        self._reopened = 0  # the file that Envoy was last told to go on to, and said that it would

    def file(self, number: int) -> Path:
        """Return the path of a numbered file."""
        return self.path / f"{self.kind}-{number:08d}.log"

    def numbers(self) -> list[int]:
        """Return the numbers of the files that are there, rising."""
        found = (self._name.fullmatch(path.name) for path in self.path.iterdir())
        return sorted(int(match[1]) for match in found if match)

    def current(self) -> int | None:
        """Return the number of the file that the symlink leads to; None where there is no such symlink."""
        try:
            match = self._name.fullmatch(self.symlink.readlink().name)
        except OSError:
            return None
        return int(match[1]) if match else None

    def size(self, number: int) -> int:
        """Return a file's size in bytes; 0 where there is none."""
        try:
            return self.file(number).stat().st_size
        except FileNotFoundError:
            return 0

    def switch(self, after: int = 0) -> int:
        """Begin the next file and lead the symlink there, atomically; return its number. Raises `LogError`.

        `after` is the number of the recorded position (0: none): no number is used twice, even if all files
        are gone. A regular file in the symlink's place, which Envoy makes where there is none, becomes a
        numbered file too.
        """
        try:
            number = max([after, self.current() or 0, *self.numbers()]) + 1
            if self.symlink.exists() and not self.symlink.is_symlink():
                self.symlink.rename(self.file(number))
                number += 1
            os.close(os.open(self.file(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            new = self.path / f".{self.kind}.log.new"
            new.unlink(missing_ok=True)
            new.symlink_to(self.file(number).name)
            new.replace(self.symlink)
        except OSError as error:
            raise LogError(f"the log folder `{self.path}` cannot be used: {error.strerror}") from error
        return number

    def due(self, max_bytes: int) -> bool:
        """Return whether to `rotate`: the file that Envoy writes to has reached `max_bytes`, or is gone."""
        current = self.current()
        if current is None or not self.file(current).exists():
            return True
        size = self.size(current)
        if size:
            return size >= max_bytes
        older = (self.size(number) for number in reversed(self.numbers()) if number < current)
        return self._reopened != current and next(filter(None, older), 0) >= max_bytes

    async def rotate(self, reopen: Callable[[], Awaitable[None]], after: int = 0) -> int:
        """Make a running Envoy go on to the next file; return its number.

        `reopen` asks Envoy to open the symlink again, and raises if that fails. After such a failure Envoy
        goes on writing to the older file and nothing is lost; `due` stays true, and the next `rotate` asks
        again for the file that is still empty.
        """
        current = self.current()
        if current is None or not self.file(current).exists() or self.size(current):
            current = self.switch(after)
        await reopen()
        self._reopened = current
        return current

    def delete_before(self, number: int) -> list[int]:
        """Delete the files before that of a *checkpointed* position; return their numbers."""
        done = [each for each in self.numbers() if each < number and each != self.current()]
        for each in done:
            self.file(each).unlink(missing_ok=True)
        return done


class Line(NamedTuple):
    """One line of a log, without its line feed."""

    data: bytes
    src: str  # the position after it, as text
    torn: bool = False  # the file ends in it without a line feed, and will not be continued


class Tailer:
    """Reads the log of `service` in `folder` from `position` on (None: from the oldest file), each line once.

    `read` never waits and `wait` never reads. Not for several threads at once.
    """

    def __init__(
        self,
        folder: LogFolder,
        service: str,
        position: Position | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.folder = folder
        self.log = f"{service}/{folder.kind}"
        self._service = service
        self._clock = clock
        self._now = now
        self._number, self._life, self._done = (
            (position.number, position.life, position.offset) if position else (0, 0, 0)
        )
        self._descriptor = -1
        self._held = bytearray()  # the beginning of an unfinished line: what was read behind `_done`, bounded
        self._seen = self._done  # offset of what has not been read from the file yet
        self._ended = 0  # files up to this number were written by an Envoy that has ended
        self._ended_at = 0.0
        self._grown_at = clock()
        self._left: dict[int, int] = {}  # sizes of the files that were left as finished

    @property
    def position(self) -> Position:
        """How far has been read: after everything that `read` has returned."""
        return Position(self.log, self._number, self._life, self._done)

    def writer_ended(self) -> None:
        """Say that Envoy has ended and no next one has started: what is there now does not grow again."""
        self._ended = max(self.folder.numbers(), default=0)
        self._ended_at = self._clock()

    def read(self, max_bytes: int = READ_BYTES) -> list[Line | Gap]:
        """Return the next complete lines, in order, and the gaps between them; empty: no more yet.

        Reads about `max_bytes` at a time. Raises `LogError`; what was read before it is not lost.
        """
        found: list[Line | Gap] = []
        try:
            while not found and (self._descriptor >= 0 or self._begin(found)):
                if self._read_chunk(max_bytes, found) or self._begin_anew(max_bytes, found):
                    continue
                if not self._finished():
                    break
                # Only now, when it is known that the file does not grow any more, its end is its end.
                if not self._read_chunk(max_bytes, found) and not self._leave(found):
                    break
        except OSError as error:
            raise LogError(f"the log in `{self.folder.path}` cannot be read: {error.strerror}") from error
        return found

    async def wait(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Return when `read` may find something; looks every 10 ms after growth, every 200 ms at rest."""
        while not self.ready():
            idle = self._clock() - self._grown_at
            await sleep(min(SLOWEST_POLL_SECONDS, max(FASTEST_POLL_SECONDS, idle / 50)))

    def ready(self) -> bool:
        """Return whether `read` may find something; costs a few system calls, and never raises."""
        try:
            if self._descriptor < 0:
                return any(number >= self._number for number in self.folder.numbers())
            if os.fstat(self._descriptor).st_size != self._seen or self._is_replaced():
                return True
            return self._finished() and (bool(self._held) or self._next() is not None)
        except OSError:
            return True  # `read` says why

    def late(self) -> list[Gap]:
        """Return a gap for each file that grew after it was left, unread. Ask before deleting."""
        gaps: list[Gap] = []
        for number, size in list(self._left.items()):
            lost = self.folder.size(number) - size
            if lost > 0:
                why = f"`{self.folder.file(number).name}` grew after a newer file did"
                # Its position has been passed long ago: it has no `src`.
                gaps.append(msgspec.structs.replace(self._gap(why, lost_bytes=lost), src=None))
                self._left[number] += lost
            elif lost < 0:  # deleted
                del self._left[number]
        return gaps

    def close(self) -> None:
        """Close the file; `read` would open it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
        self._held.clear()
        self._seen = self._done

    def _begin(self, found: list[Line | Gap]) -> bool:
        """Open the file to go on with, reporting what is missing before it; false where there is none yet."""
        number = next((each for each in self.folder.numbers() if each >= self._number), None)
        if number is None:
            return False
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self._descriptor = os.open(self.folder.file(number), flags)
        if 0 < self._number < number:
            names = " to ".join(dict.fromkeys(self.folder.file(each).name for each in (self._number, number - 1)))
            self._go_to(number, 0, 0)
            found.append(self._gap(f"{names} gone before all of it was read"))
        elif self._number == 0:
            self._go_to(number, 0, 0)
        elif (size := os.fstat(self._descriptor).st_size) < self._done:
            # It was read before: after a power failure the record may know more than the log does.
            why = f"`{self.folder.file(number).name}` is shorter than what was read of it, and was skipped"
            self._go_to(number, self._life + 1, size)
            found.append(self._gap(why))
        return True

    def _begin_anew(self, max_bytes: int, found: list[Line | Gap]) -> bool:
        """Go to the beginning of a file that was truncated or replaced; false where it was not."""
        name = self.folder.file(self._number).name
        if os.fstat(self._descriptor).st_size < self._seen:
            detail = beginning(bytes(self._held)) or None
            self._go_to(self._number, self._life + 1, 0)
            found.append(self._gap(f"`{name}` was truncated", detail=detail))
            return True
        if not self._is_replaced():
            return False
        if not self._read_chunk(max_bytes, found):
            self._deliver_torn(found)
            self.close()
            self._descriptor = os.open(self.folder.file(self._number), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            self._go_to(self._number, self._life + 1, 0)
            found.append(self._gap(f"`{name}` was replaced by another file"))
        return True

    def _is_replaced(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            there, here = self.folder.file(self._number).stat(), os.fstat(self._descriptor)
            return there.st_size > 0 and (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)
        return False

    def _read_chunk(self, max_bytes: int, found: list[Line | Gap]) -> bool:
        """Read on and add the lines that are complete; false at the end of the file."""
        chunk = os.pread(self._descriptor, max_bytes, self._seen)
        if not chunk:
            return False
        self._grown_at = self._clock()
        *ended, rest = chunk.split(b"\n")
        prefix = f"{self.position.file}:"
        for piece in ended:
            self._seen += len(piece) + 1
            length = self._seen - 1 - self._done
            self._done = self._seen
            if length > MAX_LINE_BYTES:
                found.append(self._too_long(length, bytes(self._held) + piece))
            else:
                found.append(Line(bytes(self._held) + piece if self._held else piece, f"{prefix}{self._done}"))
            self._held.clear()
        self._seen += len(rest)
        self._held += rest[: max(0, MAX_LINE_BYTES - len(self._held))]
        return True

    def _next(self) -> int | None:
        return next((number for number in self.folder.numbers() if number > self._number), None)

    def _finished(self) -> bool:
        """Whether the file does not grow again: a newer one has content, or its writer has ended."""
        if self._number <= self._ended and self._clock() - self._ended_at >= GRACE_SECONDS:
            return True
        if self.folder.current() == self._number:
            return False
        return any(self.folder.size(number) for number in self.folder.numbers() if number > self._number)

    def _leave(self, found: list[Line | Gap]) -> bool:
        """Deliver what ends a finished file, and go on to the next; false where there is none."""
        self._deliver_torn(found)
        if self._next() is None:
            return False
        self._left[self._number] = self._seen
        self.close()
        self._go_to(self._number + 1, 0, 0)
        return True

    def _deliver_torn(self, found: list[Line | Gap]) -> None:
        length = self._seen - self._done
        if not length:
            return
        self._done = self._seen
        data = bytes(self._held)
        self._held.clear()
        found.append(
            self._too_long(length, data) if length > MAX_LINE_BYTES else Line(data, str(self.position), torn=True)
        )

    def _go_to(self, number: int, life: int, offset: int) -> None:
        self._number, self._life, self._done, self._seen = number, life, offset, offset
        self._held.clear()

    def _too_long(self, length: int, data: bytes) -> Gap:
        return self._gap("a line of the log is too long", lost_bytes=length, lost_lines=1, detail=beginning(data))

    def _gap(
        self,
        why: str,
        *,
        lost_bytes: int | None = None,
        lost_lines: int | None = None,
        detail: str | None = None,
    ) -> Gap:
        return Gap(
            time=timestamp(self._now()),
            why=why,
            service=self._service,
            lost_bytes=lost_bytes,
            lost_lines=lost_lines,
            detail=detail,
            src=str(self.position),
        )
