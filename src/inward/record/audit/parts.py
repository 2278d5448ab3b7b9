"""The parts of the log: where its entries are, in their order, and the hashes of them.

A part is a segment that the notary has read. Where a segment was deleted, the hashes of its entries are left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.record.audit.hashes import leaves_file, read_hashes
from inward.record.audit.notary import load_state
from inward.record.segment import read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Part:
    """Entries of the log that lie in one file: `count` of them, from index `first` on, in its first `size` bytes."""

    path: Path
    first: int
    count: int
    size: int

    @property
    def end(self) -> int:
        """The index after its last entry."""
        return self.first + self.count

    @property
    def gone(self) -> bool:
        """Whether the file is not there any more."""
        return not self.path.exists()

    def lines(self) -> Iterator[tuple[bytes, int]]:
        """Yield each line that is there, without its line feed, and the offset after it. Raises `OSError`."""
        with self.path.open("rb") as file:
            yield from read_lines(file, 0, self.size)


def list_parts(folder: Path) -> list[Part]:
    """Return the parts of the log of the record in `folder`, in the order of their entries. Raises `RecordError`."""
    segments = load_state(folder).segments
    found = [Part(folder / name, known.first, known.count, known.size) for name, known in segments.items()]
    return sorted(found, key=lambda part: part.first)


def leaves_of(folder: Path, parts: list[Part], begin: int, end: int) -> bytes:
    """Return the kept hashes of the entries from `begin` to before `end`, one after the other. Raises `HashesError`."""
    found = b""
    for part in parts:
        first, last = max(begin, part.first), min(end, part.end)
        if first < last:
            found += read_hashes(leaves_file(folder, part.path.name), first - part.first, last - part.first)
    return found
