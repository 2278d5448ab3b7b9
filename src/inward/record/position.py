"""Positions: how far a log has been read, as it stands in every entry's `src`.

A log is a row of numbered files that are written one after another: `orders/access` is `access-00000001.log`,
`access-00000002.log` and so on in the log folder of the service `orders`. A position is written
`orders/access-00000007.log:1234`: everything before byte 1,234 of that file has been read. A file that begins
anew (truncated, or replaced under its name) counts its lives: `orders/access-00000007.log~1:66`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from inward.errors import InwardError

_DIGITS = 18  # so that every number fits 64 bits
_FILE = re.compile(r"(?P<log>[^\s/:]{1,255}/[a-z]{1,32})-(?P<number>[0-9]{8,18})\.log(?:~(?P<life>[1-9][0-9]{0,17}))?")


class InvalidPositionError(InwardError):
    """A text is no position."""

    code = "invalid_position"


class Position(NamedTuple):
    """How far a log has been read. Only positions of one log may be compared."""

    log: str  # `<service>/<kind of log>`
    number: int  # of the file, from 1
    life: int = 0  # how often the file has begun anew
    offset: int = 0  # of the first byte that is not read yet

    @classmethod
    def parse(cls, text: str) -> Position:
        """Parse what `str(position)` gives, or raise `InvalidPositionError`."""
        file, _, offset = text.rpartition(":")
        log, number, life = _parse_file(file)
        if not (offset.isascii() and offset.isdigit() and len(offset) <= _DIGITS):
            raise InvalidPositionError(f"`{text}` has no offset")
        return cls(log, number, life, int(offset))

    @property
    def file(self) -> str:
        """The text before the offset."""
        return f"{self.log}-{self.number:08d}.log" + (f"~{self.life}" if self.life else "")

    @property
    def service(self) -> str:
        """The service whose log it is."""
        return self.log.partition("/")[0]

    def __str__(self) -> str:
        return f"{self.file}:{self.offset}"


@lru_cache(maxsize=4096)
def _parse_file(file: str) -> tuple[str, int, int]:
    found = _FILE.fullmatch(file)
    if found is None:
        raise InvalidPositionError(f"`{file}` names no log file")
    return found["log"], int(found["number"]), int(found["life"] or 0)
