"""Looking through the files of the record: which line of which segment is damaged, without a key.

It tells what a disk or a careless hand does: a line that is no entry, a segment without its end, hashes that are not of
the entries. Whether somebody has changed both so that they fit is for `record.audit.verify`, which has signatures.
"""

from __future__ import annotations

from itertools import islice, pairwise
from typing import TYPE_CHECKING

from inward.record.audit.hashes import LEVELS, HashesError, joined_pairs, leaves_file, level_file, read_hashes
from inward.record.audit.locate import MOST, Damage
from inward.record.audit.notary import load_state
from inward.record.audit.parts import list_parts
from inward.record.call import DamagedLineError, parse_entry
from inward.record.disk import RecordError
from inward.record.recovery import load_checkpoint
from inward.record.segment import list_segments, read_lines
from inward.tlog.merkle import HASH_BYTES, leaf_hash

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inward.record.audit.parts import Part
    from inward.record.segment import Segment


def look_through(folder: Path) -> list[Damage]:
    """Return what is damaged in the record in `folder`, in the order of its files. Raises `RecordError`."""
    checkpoint = load_checkpoint(folder)
    cut = checkpoint.cut if checkpoint else {}
    known = {part.path.name: part for part in list_parts(folder)}
    found: list[Damage] = []
    for segment in list_segments(folder):
        try:
            size = min(segment.path.stat().st_size, cut.get(segment.path.name, 1 << 62))
            found += islice(_of_segment(folder, segment, size, known.get(segment.path.name)), MOST)
        except OSError as error:
            found.append(Damage(None, None, segment.path.name, f"it cannot be read: {error.strerror}"))
    found += _of_levels(folder)
    return found


def _of_segment(folder: Path, segment: Segment, size: int, part: Part | None) -> Iterator[Damage]:
    """Yield what is wrong with one segment. Raises `OSError`."""
    name, first = segment.path.name, part.first if part else None
    leaves = _Leaves(folder, part)
    number, end = 0, 0
    with segment.path.open("rb") as file:
        for line, after in read_lines(file, 0, size):
            at = first + number if first is not None else None
            where = f"line {number + 1}"
            try:
                parse_entry(line)
            except DamagedLineError:
                yield Damage(at, at + 1 if at is not None else None, name, f"{where} is no entry")
            else:
                if part is not None and number < part.count and leaves.of(number) not in {None, leaf_hash(line)}:
                    yield Damage(at, at + 1 if at is not None else None, name, f"{where} is not what it was")
            number, end = number + 1, after
    if part is not None and number < part.count:
        yield Damage(part.first + number, part.end, name, f"{part.count - number} entries of it are missing")
    if end < size:
        yield Damage(None, None, name, f"its last {size - end} bytes are no whole line")
    if leaves.missing and part is not None:
        yield Damage(part.first, part.end, leaves_file(folder, name).name, "hashes of the entries are missing")


class _Leaves:
    """The kept hashes of a segment's entries, read some at a time."""

    def __init__(self, folder: Path, part: Part | None) -> None:
        self.missing = False
        self._folder = folder
        self._part = part
        self._at, self._read = 0, b""

    def of(self, number: int) -> bytes | None:
        """Return the hash of the entry with that number, None where it is not kept."""
        if self._part is None or self.missing:
            return None
        position = (number - self._at) * HASH_BYTES
        if not 0 <= position < len(self._read):
            end = min(number + 4096, self._part.count)
            try:
                self._read = read_hashes(leaves_file(self._folder, self._part.path.name), number, end)
            except HashesError:
                self.missing = True
                return None
            self._at, position = number, 0
        return self._read[position : position + HASH_BYTES]


def _of_levels(folder: Path) -> Iterator[Damage]:
    """Yield which hashes of a level are not over those of the level below."""
    size = load_state(folder).size
    for below, level in pairwise(LEVELS):
        for number in range(size >> level):
            count = 1 << (level - below)
            try:
                kept = read_hashes(level_file(folder, level), number, number + 1)
                right = joined_pairs(read_hashes(level_file(folder, below), number * count, (number + 1) * count))
            except RecordError as error:
                yield Damage(None, None, level_file(folder, level).name, error.message)
                return
            if kept != right:
                begin = number << level
                yield Damage(begin, begin + (1 << level), level_file(folder, level).name, "a hash in it is another one")
