"""The files of one Envoy's log: numbered ones, and the symlink by which Envoy finds the newest.

Envoy writes to a symlink (`access.log`) that leads to the newest numbered file (`access-00000007.log`). Every start of
Envoy and every rotation begins the next file, so each file has one name from its birth, and a last line that a killed
Envoy left without an end is never continued by somebody else.
"""

from __future__ import annotations

import math
import os
import re
import time
from typing import TYPE_CHECKING

from inward.errors import InwardError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path


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
        self._begun = 0  # the file that Envoy was last told to go on to
        self._reopened = 0  # the same, once it said that it would
        self._filling = (0, 0.0)  # the file that has had content since some moment

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

    def due(self, max_bytes: int, max_seconds: float = math.inf) -> bool:
        """Return whether to `rotate`: the file that Envoy writes to has reached `max_bytes`, or is gone.

        Or it was seen with content `max_seconds` ago: what is in the record already must not lie there for long.
        """
        current = self.current()
        if current is None or not self.file(current).exists():
            return True
        size = self.size(current)
        if size:
            now = time.monotonic()
            if self._filling[0] != current:
                self._filling = (current, now)
            return size >= max_bytes or now - self._filling[1] >= max_seconds
        if self._begun == current:
            return self._reopened != current
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
        self._begun = current
        await reopen()
        self._reopened = current
        return current

    def delete_before(self, number: int) -> list[int]:
        """Delete the files before that of a *checkpointed* position; return their numbers."""
        done = [each for each in self.numbers() if each < number and each != self.current()]
        for each in done:
            self.file(each).unlink(missing_ok=True)
        return done
