"""Following the record: each entry once, from a place that the reader keeps wherever it keeps what it made of them.

A place is a segment's number and how many of its entries are done: it means the same in any form of a segment. Rules:

1. Given `durable` (`Recorder.durable`, or `checkpointed` in another process), only entries are read that the recorder
   never takes back. Without it, every whole line is read at once, and what is taken back comes again.
2. What cannot be read any more is passed, and told once, by `missing`: the record goes on without it.
3. Nothing waits, and memory does not grow with what is left to read.

What it leaves out: keeping the place. Whoever stores it together with what the entries were made into has each of them
exactly once.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from inward.record.audit.notary import load_state
from inward.record.call import DamagedLineError, Entry, Gap, parse_entry
from inward.record.disk import RecordError
from inward.record.pieces import Piece, list_pieces
from inward.record.recovery import load_checkpoint, load_cuts
from inward.record.sealed.files import is_bucket, list_local
from inward.record.segment import BLOCK_BYTES, Segment, list_segments, read_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from inward.record.sealed.files import Sealed
    from inward.record.sealed.reading import Extent

    Durable = Callable[[], tuple[str, int]]  # a segment's file name, and how many bytes of it


class Place(NamedTuple):
    """Where reading goes on: `entry` entries of the segment with that number are done, and all segments before it."""

    segment: int
    entry: int


_ROWS_AT_ONCE = 10_000
MOST_BYTES = 32 << 20  # of lines in one reading; the last may go beyond
START = Place(0, 0)  # before the first segment that there is


@dataclass(frozen=True, slots=True)
class Missing:
    """Entries that were to be read and are not there any more; `entries` is None where nobody knows how many."""

    why: str  # for people: lower case, no full stop
    entries: int | None
    place: Place  # where they were to be read
    changed: bool = False  # whether what was read before is not in the record any more either


def checkpointed(folder: Path) -> Durable:
    """Return what is durable in `folder` for who is not its recorder: up to the recorder's last checkpoint."""

    def durable() -> tuple[str, int]:
        checkpoint = load_checkpoint(folder)
        return (checkpoint.segment, checkpoint.offset) if checkpoint is not None else ("", 0)

    return durable


class Follower:
    """Reads the record in `folder` on from `place`."""

    def __init__(self, folder: Path, place: Place = START, durable: Durable | None = None) -> None:
        self.place = place  # after the last entry that was read
        self._folder = folder
        self._durable = durable
        self._missing: list[Missing] = []
        self._segment: Segment | None = None  # the one that `place` is in, once it was found
        self._offset = 0  # of `place` in it
        self._last = b""  # the line before `place`
        self._lines: deque[tuple[bytes | None, int]] = deque()  # those after `place` that were read; None: dropped
        self._extent: tuple[int, Extent] | None = None  # of the sealed segment with that number
        self._time = ""  # of the last entry
        self._left = 0  # bytes that may still be taken in this reading

    def read(self, limit: int) -> list[tuple[Place, Entry]]:
        """Return up to `limit` entries, each with the place after it; none: all that is there was read.

        Fewer come where they are large. A damaged line comes as a gap. Raises `RecordError` where the disk refuses;
        reading may then be tried again.
        """
        found: list[tuple[Place, Entry]] = []
        self._left = MOST_BYTES
        try:
            while len(found) < limit and self._left > 0 and (self._lines or self._read_on()):
                self._take(found, limit)
        except OSError as error:
            raise RecordError(f"the record in `{self._folder}` cannot be read: {error.strerror}") from error
        return found

    def missing(self) -> list[Missing]:
        """Return what was found to be missing since this was asked last."""
        found, self._missing = self._missing, []
        return found

    def lag(self) -> int:
        """Return about how many bytes of the record are left to read, durable or not. Raises `RecordError`."""
        left = self._left_in_sealed()
        for segment in list_segments(self._folder):
            if segment.number >= self.place.segment:
                try:
                    left += segment.path.stat().st_size
                except OSError:
                    continue  # deleted meanwhile
                if segment == self._segment:
                    left -= self._offset
        return max(0, left)

    def _left_in_sealed(self) -> int:
        """Return about how many bytes of lines are left to read in sealed segments that are here."""
        sealed = [each for each in list_local(self._folder) if each.number >= self.place.segment]
        if not sealed:
            return 0
        taken = load_state(self._folder).segments
        left = 0
        for each in sealed:
            known = taken.get(each.segment)
            if known is None or (self._folder / each.segment).exists():
                continue
            done = self.place.entry if each.number == self.place.segment else 0
            left += known.size * max(0, known.count - done) // max(1, known.count)
        return left

    def _take(self, found: list[tuple[Place, Entry]], limit: int) -> None:
        number, index = self.place
        while self._lines and len(found) < limit and self._left > 0:
            line, self._offset = self._lines.popleft()
            index += 1
            if line is None:
                continue
            self._last = line
            self._left -= len(line)
            found.append((Place(number, index), self._parse(line)))
        self.place = Place(number, index)

    def _parse(self, line: bytes) -> Entry:
        try:
            entry = parse_entry(line)
        except DamagedLineError:
            name = self._segment.path.name if self._segment else ""
            why = f"a line of `{name}` is damaged"
            return Gap(time=self._time, why=why, lost_lines=1, lost_bytes=len(line))
        self._time = entry.time
        return entry

    def _read_on(self) -> bool:
        """Read some lines after `place`; false: there are none."""
        name, size = self._durable() if self._durable is not None else ("", sys.maxsize)
        last = Segment.of(self._folder / name) if name else None
        if self._durable is not None and last is None:
            return False
        pieces = self._pieces()  # INVARIANT: before sizes, as what has one after it does not grow
        cut = load_cuts(self._folder)
        for piece in self._ahead(pieces):
            if last is not None and piece.number > last.number:
                return False
            if piece.sealed is not None:
                if self._read_sealed(piece.sealed):
                    return True
            elif piece.segment is not None:
                segment = piece.segment
                end = cut.get(segment.path.name, sys.maxsize)
                if self._enter(segment, end) and self._read_lines(segment, min(end, size) if segment == last else end):
                    return True
        return False

    def _pieces(self) -> list[Piece]:
        """Return what there is; a bucket is asked only for what is not here."""
        pieces = list_pieces(self._folder, remote=False)
        ahead = [piece.number for piece in pieces if piece.number >= self.place.segment]
        # Older ones than those that moved may be here still, such as one that cannot be sealed.
        if ahead and ahead == [*range(self.place.segment, self.place.segment + len(ahead))]:
            return pieces
        return list_pieces(self._folder)

    def _ahead(self, segments: list[Piece]) -> list[Piece]:
        """Return the pieces from `place` on; what should be among them and is not is missing."""
        if not segments:
            return []
        if segments[-1].number < self.place.segment - (self.place.entry == 0):
            self._miss("the record is not the one that was read: it is read from its start", None, changed=True)
            self.place, self._segment = START, None
        ahead = [segment for segment in segments if segment.number >= self.place.segment]
        if self.place.segment and ahead and ahead[0].number > self.place.segment:
            entries = self._entries_before(ahead[0].number)
            if entries != 0:
                self._miss("segments were deleted before they were read", entries)
            self.place, self._segment = Place(ahead[0].number, 0), None
        return ahead

    def _entries_before(self, number: int) -> int | None:
        """Return how many entries there were from `place` to the segment with that number, as far as it is known."""
        try:
            taken = load_state(self._folder).segments
        except RecordError:
            return None
        counts = {segment.number: known.count for name, known in taken.items() if (segment := Segment.of(Path(name)))}
        wanted = range(self.place.segment, number)
        if len(wanted) > len(counts) or not all(each in counts for each in wanted):
            return None
        return max(0, sum(counts[each] for each in wanted) - self.place.entry)

    def _enter(self, segment: Segment, end: int) -> bool:
        """Find `place` in `segment`; false: it is not there any more."""
        try:
            with segment.path.open("rb") as file:
                size = min(os.fstat(file.fileno()).st_size, end)
                if segment == self._segment and self._still_there(file, size):
                    return True
                wanted = self.place.entry if segment.number == self.place.segment else 0
                index, offset = _skip(file, wanted, size)
        except FileNotFoundError:
            return False
        if index < wanted:
            self._miss(f"`{segment.path.name}` is shorter than it was", None, changed=True)
        self.place, self._segment, self._offset, self._last = Place(segment.number, index), segment, offset, b""
        self._time = f"{segment.day}T00:00:00.000Z"
        return True

    def _read_sealed(self, sealed: Sealed) -> bool:
        """Read some lines of a sealed segment after `place`; false: there are none."""
        from inward.record.sealed.reading import SealError, extent_of, rows_in  # noqa: PLC0415 - DuckDB, if there is any

        done = self.place.entry if sealed.number == self.place.segment else 0
        try:
            if self._extent is None or self._extent[0] != sealed.number:
                self._extent = sealed.number, extent_of(sealed)
            extent = self._extent[1]
            begin, end = extent.first + done, min(extent.first + done + _ROWS_AT_ONCE, extent.first + extent.count)
            rows = {row.entry: row.line for row in rows_in(sealed, begin, end)} if begin < end else {}
        except SealError as error:
            # A bucket may be there again; what moved to it since, or was retired, is where the next reading looks.
            if is_bucket(sealed.place) or not Path(sealed.url).exists():
                raise
            if self.place != Place(sealed.number, sys.maxsize):
                self._miss(error.message, None)
                self.place, self._segment = Place(sealed.number, sys.maxsize), None
            return False
        if begin >= end:
            return False
        self.place, self._segment, self._last = Place(sealed.number, done), None, b""
        self._time = f"{sealed.day}T00:00:00.000Z" if not done else self._time
        self._lines.extend((rows.get(entry), 0) for entry in range(begin, end))
        return True

    def _still_there(self, file: BinaryIO, size: int) -> bool:
        """Whether what was read last is still in its place; the recorder may have taken it back."""
        if size < self._offset or not self._last:
            return size >= self._offset
        file.seek(self._offset - len(self._last) - 1)
        return file.read(len(self._last) + 1) == self._last + b"\n"

    def _read_lines(self, segment: Segment, end: int) -> bool:
        """Read some lines of `segment` after `place` and before byte `end`; false: there are none."""
        try:
            with segment.path.open("rb") as file:
                for line, after in read_lines(file, self._offset, min(os.fstat(file.fileno()).st_size, end)):
                    self._lines.append((line, after))
                    if after - self._offset >= BLOCK_BYTES:
                        break
        except FileNotFoundError:
            return False
        return bool(self._lines)

    def _miss(self, why: str, entries: int | None, *, changed: bool = False) -> None:
        self._missing.append(Missing(why, entries, self.place, changed))


def _skip(file: BinaryIO, entries: int, size: int) -> tuple[int, int]:
    """Return how many of the first `entries` lines end before byte `size`, and the offset after them."""
    index = offset = end = 0
    file.seek(0)
    while index < entries and (block := file.read(min(BLOCK_BYTES, size - offset))):
        count = min(block.count(b"\n"), entries - index)
        after = 0
        if index + count < entries:
            after = block.rfind(b"\n") + 1
        else:
            for _ in range(count):
                after = block.index(b"\n", after) + 1
        index += count
        end = offset + after if count else end
        offset += len(block)
    return index, end
