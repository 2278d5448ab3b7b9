"""The tailer: reads every line of one Envoy's log once, over all of its numbered files (`log_folder`).

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
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from inward.envoy.log_folder import LogError, LogFolder
from inward.record.call import Gap, timestamp
from inward.record.log_line import remains_of
from inward.record.position import Position

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MAX_LINE_BYTES = 1 << 20
READ_BYTES = 1 << 20
GRACE_SECONDS = 1.0  # after Envoy has ended, until its files are taken for finished
FASTEST_POLL_SECONDS = 0.01
SLOWEST_POLL_SECONDS = 0.2


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
            detail = remains_of(bytes(self._held))
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
        return self._gap("a line of the log is too long", lost_bytes=length, lost_lines=1, detail=remains_of(data))

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
