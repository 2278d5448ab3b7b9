"""The parts of the log: where its entries are, in their order, and the hashes of them.

A part is a segment that the notary has read: open, or sealed since. Of one that was deleted, hashes are left.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from inward.record.audit.hashes import (
    HashesError,
    each_hash,
    edges,
    edges_file,
    leaves_file,
    read_hashes,
)
from inward.record.audit.notary import load_state
from inward.record.recovery import load_cuts
from inward.record.sealed.shelf import list_all
from inward.record.segment import Segment, list_segments, read_lines
from inward.tlog.merkle import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inward.record.sealed.files import Sealed


class Leaf(NamedTuple):
    """An entry as a leaf of the log: its index, its line, and the hash. No line: retention dropped it."""

    entry: int
    line: bytes | None
    digest: bytes
    start: int | None = None  # how the hash began when the segment was sealed: two bytes

    @property
    def begins_as_sealed(self) -> bool:
        """Whether the hash still begins as it did when the segment was sealed."""
        return self.start == int.from_bytes(self.digest[:2], "big")


@dataclass(frozen=True, slots=True)
class Part:
    """Entries of the log that lie in one file: `count` of them, from index `first` on.

    `name` is that of the segment, and `size` how many of its bytes they are; `sealed` is what has become of it.
    """

    folder: Path
    name: str
    first: int
    count: int
    size: int
    sealed: Sealed | None = None

    @property
    def end(self) -> int:
        """The index after its last entry."""
        return self.first + self.count

    @property
    def path(self) -> Path:
        """Where the segment is, or was."""
        return self.folder / self.name

    @property
    def file(self) -> str:
        """The name of the file that has its entries."""
        return self.sealed.name if self.sealed is not None else self.name

    @property
    def gone(self) -> bool:
        """Whether no file is there any more."""
        return self.sealed is None and not self.path.exists()

    def lines(self) -> Iterator[tuple[bytes, int]]:
        """Yield each line of the segment that is there, and the offset after it. Raises `OSError`."""
        with self.path.open("rb") as file:
            yield from read_lines(file, 0, self.size)

    def leaves(self, begin: int, end: int) -> Iterator[Leaf]:
        """Yield the entries from index `begin` to before `end`, as the file has them now; some may be missing.

        Raises `OSError` and `RecordError`.
        """
        if self.sealed is None:
            for index, (line, _) in enumerate(self.lines(), self.first):
                if index >= min(end, self.end):
                    return
                if index >= begin:
                    yield Leaf(index, line, leaf_hash(line))
            return
        from inward.record.sealed.reading import rows_in  # noqa: PLC0415 - DuckDB is needed for sealed segments only

        for row in rows_in(self.sealed, begin, end):
            digest = row.leaf if row.line is None else leaf_hash(row.line)
            yield Leaf(row.entry, row.line, digest or b"", row.start)

    def kept(self, begin: int, end: int) -> list[bytes | None]:
        """Return the hashes that are kept beside the file, of the entries from index `begin` to before `end`."""
        first, last = begin - self.first, end - self.first
        try:
            return [*each_hash(read_hashes(leaves_file(self.folder, self.name), first, last))]
        except HashesError:
            pass
        head, tail = edges(self.first, self.count)
        try:
            at_ends = each_hash(read_hashes(edges_file(self.folder, self.name), 0, head + tail))
        except HashesError:
            return [None] * (end - begin)
        middle = self.count - tail
        return [
            at_ends[at] if at < head else at_ends[head + at - middle] if at >= middle else None
            for at in range(first, last)
        ]

    def hashes(self, begin: int, end: int) -> bytes:
        """Return the hashes of the entries from index `begin` to before `end`. Raises `HashesError`, `RecordError`."""
        found = self.kept(begin, end)
        if None in found and self.sealed is not None:
            for leaf in self.leaves(begin, end):
                found[leaf.entry - begin] = leaf.digest
        if None in found:
            raise HashesError(f"the hashes of entries of `{self.file}` are not kept")
        return b"".join(each or b"" for each in found)


def list_strangers(folder: Path, parts: list[Part]) -> list[str]:
    """Return the names of files that stand among those of `parts`, as if they were of the log. Raises `RecordError`.

    They would be read with it. What comes after the last part is not in the log yet.
    """
    numbers = [segment.number for part in parts if (segment := Segment.of(part.path))]
    if not numbers:
        return []
    cut = load_cuts(folder)
    known = {part.name for part in parts}
    found = [
        segment.path.name
        for segment in list_segments(folder)
        if segment.number <= max(numbers)
        and segment.path.name not in known
        and min(segment.path.stat().st_size, cut.get(segment.path.name, sys.maxsize))
    ]
    return found + [each.name for each in list_all(folder) if each.segment not in known]


def list_parts(folder: Path) -> list[Part]:
    """Return the parts of the log of the record in `folder`, in the order of their entries. Raises `RecordError`."""
    sealed = {each.segment: each for each in list_all(folder)}
    found = [
        Part(folder, name, known.first, known.count, known.size, sealed.get(name))
        for name, known in load_state(folder).segments.items()
    ]
    there = [part if not part.path.exists() else replace(part, sealed=None) for part in found]
    return sorted(there, key=lambda part: part.first)


def leaves_of(parts: list[Part], begin: int, end: int) -> bytes:
    """Return the hashes of the entries from `begin` to before `end`, one after the other. Raises `HashesError`."""
    found = b""
    for part in parts:
        first, last = max(begin, part.first), min(end, part.end)
        if first < last:
            found += part.hashes(first, last)
    return found
