"""Segments: the files that hold the record, `calls-<UTC date>-<number>.ndjson`, ordered by number.

The date is that of the first append, for people and for skipping what is too old; the number alone orders, so
a clock that goes back does no harm. Reading keeps to complete lines and to memory of a fixed size.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from inward.record.call import MAX_LINE_BYTES
from inward.record.disk import RecordError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK_BYTES = 1 << 20
_NAME = re.compile(r"calls-(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})-(?P<number>[0-9]{8,18})\.ndjson")


class Segment(NamedTuple):
    """One file of the record."""

    number: int  # from 1, rising by one
    day: date  # UTC
    path: Path

    @classmethod
    def make(cls, folder: Path, number: int, day: date) -> Segment:
        """Name a segment; nothing is created."""
        return cls(number, day, folder / f"calls-{day.isoformat()}-{number:08d}.ndjson")

    @classmethod
    def of(cls, path: Path) -> Segment | None:
        """Return the segment with that path, or None where it is some other file's."""
        found = _NAME.fullmatch(path.name)
        try:
            return cls(int(found["number"]), date.fromisoformat(found["day"]), path) if found else None
        except ValueError:  # such as the 31st of February
            return None


def list_segments(folder: Path) -> list[Segment]:
    """Return the segments in `folder` in order; none where there is no folder. Raises `RecordError`."""
    try:
        return sorted(segment for path in folder.iterdir() if (segment := Segment.of(path)))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RecordError(f"the record in `{folder}` cannot be read: {error.strerror}") from error


def read_lines(file: BinaryIO, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int]]:
    """Yield each complete line from offset `start` to `end`, without its line feed, and the offset after it.

    A line of more than `MAX_LINE_BYTES`, which no recorder writes, comes as its first bytes: they are no
    entry.
    """
    file.seek(start)
    offset = start
    held = bytearray()  # a line's beginning, no more of it than a line may hold
    while block := file.read(BLOCK_BYTES if end is None else max(0, min(BLOCK_BYTES, end - offset))):
        first, *rest = block.split(b"\n")
        position = offset + len(first)
        offset += len(block)
        held += first[: max(0, MAX_LINE_BYTES - len(held))]
        for piece in rest:
            position += 1
            yield bytes(held), position
            held[:] = piece
            position += len(piece)


def read_lines_backwards(file: BinaryIO, size: int, wanted: bytes) -> Iterator[list[bytes]]:
    """Yield, block by block from offset `size` back, lists of lines in their order: those that hold `wanted`.

    The first line of each block is always among them, so that the caller sees the time pass. Lines without an
    end and lines of more than `MAX_LINE_BYTES` are left out.
    """
    end = size
    tail = b""  # what the block after this one begins with, up to its first line feed
    complete = False  # whether `tail` is ended by a line feed
    while end > 0:
        start = max(0, end - BLOCK_BYTES)
        file.seek(start)
        block = file.read(end - start)
        if len(block) < end - start:  # cut off meanwhile
            end, tail, complete = start + len(block), b"", False
            continue
        end = start
        head, found, rest = block.partition(b"\n")
        if not found:
            tail = head + tail if len(head) + len(tail) <= MAX_LINE_BYTES else b""
            complete = complete and bool(tail)
            continue
        body, _, last = rest.rpartition(b"\n")
        lines = body.split(b"\n") if body else []
        if complete:
            lines.append(last + tail)
        yield [line for index, line in enumerate(lines) if index == 0 or wanted in line]
        tail, complete = head, True
    if complete and tail:
        yield [tail]
