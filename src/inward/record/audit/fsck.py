"""Looking through the files of the record: which line of which segment is damaged, without a key.

It tells what a disk or a careless hand does: a line that is no entry, a segment without its end, hashes that are not of
the entries. Whether somebody has changed both so that they fit is for `record.audit.verify`, which has signatures.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from inward.record.audit.hashes import LEVELS, joined_pairs, leaves_file, level_file, read_hashes
from inward.record.audit.locate import MOST, STRANGER, Damage
from inward.record.audit.notary import load_state
from inward.record.audit.parts import list_parts, list_strangers
from inward.record.audit.told import Told, damaged_files
from inward.record.call import DamagedLineError, parse_entry
from inward.record.disk import RecordError
from inward.record.recovery import load_checkpoint
from inward.record.segment import list_segments, read_lines
from inward.tlog.merkle import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inward.record.audit.parts import Part
    from inward.record.segment import Segment

_AT_ONCE = 4096


def look_through(folder: Path) -> list[Damage]:
    """Return what is damaged in the record in `folder`, in the order of its files. Raises `RecordError`."""
    checkpoint = load_checkpoint(folder)
    cut = checkpoint.cut if checkpoint else {}
    parts = list_parts(folder)
    known = {part.path.name: part for part in parts}
    found: list[Damage] = []
    told, thinned = Told(), Counter[str]()
    for part in parts:
        if part.sealed is not None:
            found += islice(_of_sealed(part, told, thinned), MOST)
    for segment in list_segments(folder):
        try:
            size = min(segment.path.stat().st_size, cut.get(segment.path.name, 1 << 62))
            found += islice(_of_segment(segment, size, known.get(segment.path.name), told), MOST)
        except OSError as error:
            found.append(Damage(None, None, segment.path.name, f"it cannot be read: {error.strerror}"))
    found += [Damage(None, None, name, STRANGER) for name in list_strangers(folder, parts)]
    found += damaged_files(parts, told, thinned)
    found += _of_levels(folder)
    return found


def _of_sealed(part: Part, told: Told, thinned: Counter[str]) -> Iterator[Damage]:
    """Yield what is wrong with one sealed segment."""
    reached = part.first
    try:
        for leaf in part.leaves(part.first, part.end):
            thinned[part.file] += leaf.entry - reached + (leaf.line is None)
            reached = leaf.entry + 1
            if leaf.line is None:
                continue
            told.hear(leaf.line)
            try:
                parse_entry(leaf.line)
            except DamagedLineError:
                yield Damage(leaf.entry, reached, part.file, "the row is no entry")
            else:
                if not leaf.begins_as_sealed:
                    yield Damage(leaf.entry, reached, part.file, "the entry is not what it was")
    except (OSError, RecordError) as error:
        why = error.message if isinstance(error, RecordError) else f"it cannot be read: {error}"
        yield Damage(reached, part.end, part.file, why)
    else:
        thinned[part.file] += part.end - reached


def _of_segment(segment: Segment, size: int, part: Part | None, told: Told) -> Iterator[Damage]:
    """Yield what is wrong with one open segment. Raises `OSError`."""
    name, first = segment.path.name, part.first if part else None
    leaves = _Leaves(part)
    number, end = 0, 0
    with segment.path.open("rb") as file:
        for line, after in read_lines(file, 0, size):
            at = first + number if first is not None else None
            where = f"line {number + 1}"
            told.hear(line)
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
        yield Damage(part.first, part.end, leaves_file(part.folder, name).name, "hashes of the entries are missing")


class _Leaves:
    """The kept hashes of a segment's entries, read some at a time."""

    def __init__(self, part: Part | None) -> None:
        self.missing = False
        self._part = part
        self._at = 0
        self._read: list[bytes | None] = []

    def of(self, number: int) -> bytes | None:
        """Return the hash of the entry with that number, None where it is not kept."""
        if self._part is None or self.missing:
            return None
        if not 0 <= number - self._at < len(self._read):
            first = self._part.first + number
            self._at, self._read = number, self._part.kept(first, min(first + _AT_ONCE, self._part.end))
        self.missing = self._read[number - self._at] is None
        return self._read[number - self._at]


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
