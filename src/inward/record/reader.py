"""Reading the record: all calls in the order in which they were stored, the newest, and those of one reference.

Open and sealed segments are read alike. Memory stays flat however large the record is. Reading needs no lock: a line
without its end is left alone, since the recorder may be writing it, and what the recorder took back after a failed
write is not shown twice.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from datetime import UTC, date, datetime, timedelta
from errno import ENOENT
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from inward.record.call import Call, DamagedLineError, Entry, Gap, parse_entry, timestamp
from inward.record.disk import RecordError
from inward.record.filter import EVERYTHING, Filter
from inward.record.pieces import Piece, list_pieces
from inward.record.position import InvalidPositionError, Position
from inward.record.recovery import load_cuts
from inward.record.sealed.files import is_bucket
from inward.record.sealed.shelf import list_sealed
from inward.record.segment import read_lines, read_lines_backwards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from inward.record.sealed.files import Sealed
    from inward.record.segment import Segment

FOLLOW_SECONDS = 0.1
SAME_REQUEST = timedelta(minutes=1)
_DAY = timedelta(days=1)
_MAX_REFERENCE = 1024


def wait_a_moment() -> bool:
    """Sleep until it is worth looking for new entries; true: go on following."""
    time.sleep(FOLLOW_SECONDS)
    return True


def read_calls(
    folder: Path,
    wanted: Filter = EVERYTHING,
    *,
    follow: bool = False,
    wait: Callable[[], bool] = wait_a_moment,
) -> Iterator[Call]:
    """Yield the calls that `read_entries` yields, without the gaps and acts."""
    return (entry for entry in read_entries(folder, wanted, follow=follow, wait=wait) if isinstance(entry, Call))


def read_entries(
    folder: Path,
    wanted: Filter = EVERYTHING,
    *,
    follow: bool = False,
    wait: Callable[[], bool] = wait_a_moment,
) -> Iterator[Entry]:
    """Yield the wanted entries of the record in `folder`, in the order in which they were stored.

    What is damaged comes as a gap. With `follow`, `wait` is called whenever everything has been read; the
    reading ends when it returns false. A record that does not exist yet is an empty one. Raises
    `RecordError`.
    """
    reading = Reading(folder, wanted)
    while True:
        yield from reading.read_on()
        if not follow or not wait():
            return


class Reading:
    """Reads on from where it stopped, and knows what it has shown."""

    def __init__(self, folder: Path, wanted: Filter = EVERYTHING) -> None:
        self._folder = folder
        self._wanted = wanted
        self._number = 0  # of the segment that is read
        self._name = ""
        self._offset = 0
        self._count = 0  # lines of the segment that are behind
        self._time = ""  # of the last entry
        self._last = b""  # line of the segment
        self._reached: dict[str, Position] = {}
        self._again: dict[str, Position] = {}  # what was shown before the recorder took something back

    def read_on(self) -> Iterator[Entry]:
        """Yield what is wanted of all that has come since. Raises `RecordError`."""
        cut = load_cuts(self._folder)
        # While following, buckets are not asked ten times a second: what is new is here.
        pieces = list_pieces(self._folder, remote=self._number == 0)
        for piece in pieces:
            if piece.number >= self._number and self._in_range(piece):
                yield from self.read(piece, cut)

    def newest(self, limit: int) -> list[Entry]:
        """Return the newest `limit` of the wanted entries, the oldest of them first, and go on behind them.

        Only as many segments are read as are needed. Raises `RecordError`.
        """
        cut = load_cuts(self._folder)
        found: deque[Entry] = deque()
        for piece in reversed(list_pieces(self._folder)):
            if not self._in_range(piece):
                continue
            reading = self if self._number == 0 else Reading(self._folder, self._wanted)
            found.extendleft(reversed(deque(reading.read(piece, cut), maxlen=limit - len(found))))
            if len(found) >= limit:
                break
        return list(found)

    def _in_range(self, piece: Piece) -> bool:
        return piece.may_hold(self._wanted.since, self._wanted.until)

    def read(self, piece: Piece, cut: dict[str, int]) -> Iterator[Entry]:
        """Yield what is wanted of one piece, from where it stopped in it; `cut` is how long segments really are."""
        if piece.number != self._number:
            self._number, self._offset, self._count = piece.number, 0, 0
            self._time = f"{piece.day}T00:00:00.000Z"
        try:
            if piece.segment is not None:
                yield from self._read_open(piece.segment, cut)
            elif piece.sealed is not None:
                yield from self._read_sealed(piece.sealed)
        except FileNotFoundError:
            # Sealed meanwhile; or deleted: old segments are whoever keeps the folder's to delete.
            again = next((each for each in list_pieces(self._folder) if each.number == piece.number), None)
            if again is not None and again.sealed is not None:
                yield from self._read_sealed(again.sealed)
        except OSError as error:
            raise RecordError(f"the record in `{self._folder}` cannot be read: {error.strerror}") from error

    def _read_open(self, segment: Segment, cut: dict[str, int]) -> Iterator[Entry]:
        path = segment.path
        self._name = path.name
        with path.open("rb") as file:
            size = min(os.fstat(file.fileno()).st_size, cut.get(path.name, sys.maxsize))
            if not self._still_there(file, size):
                self._offset, self._count, self._again = 0, 0, dict(self._reached)
            for line, end in read_lines(file, self._offset, size):
                self._offset, self._last = end, line
                self._count += 1
                entry = self._parse(line)
                if not self._seen(entry.src) and self._wanted.matches(entry):
                    yield entry

    def _read_sealed(self, sealed: Sealed) -> Iterator[Entry]:
        from inward.record.sealed.reading import SealError, extent_of, rows_in  # noqa: PLC0415 - DuckDB, if there is any

        if not is_bucket(sealed.place) and not Path(sealed.url).exists():
            raise FileNotFoundError(ENOENT, "it moved, or was retired", sealed.url)
        self._name = sealed.name
        where, values = self._wanted.sql()
        try:
            begin = extent_of(sealed).first + self._count if self._count else 0
            for row in rows_in(sealed, begin, where=where, values=values):
                if row.line is not None and self._wanted.matches(entry := self._parse(row.line)):
                    yield entry
        except SealError as error:
            yield Gap(time=self._time, why=f"a part of the record is damaged: {error.message}")
        self._number, self._offset, self._count = sealed.number + 1, 0, 0

    def _still_there(self, file: BinaryIO, size: int) -> bool:
        """Whether what was read last is still in its place; the recorder may have taken it back."""
        if self._offset == 0 or size < self._offset:
            return self._offset == 0
        file.seek(max(0, self._offset - len(self._last) - 1))
        return file.read(len(self._last) + 1) == self._last + b"\n"

    def _parse(self, line: bytes) -> Entry:
        try:
            entry = parse_entry(line)
        except DamagedLineError:
            return Gap(time=self._time, why=f"a line of `{self._name}` is damaged", lost_lines=1, lost_bytes=len(line))
        self._time = entry.time
        return entry

    def _seen(self, src: str | None) -> bool:
        if src is None:
            return False
        try:
            position = Position.parse(src)
        except InvalidPositionError:
            return False
        self._reached[position.log] = position
        again = self._again.get(position.log)
        if again is None or position > again:
            self._again.pop(position.log, None)
            return False
        return True


def find_calls(folder: Path, reference: str) -> list[Call]:
    """Return the newest calls whose id is `reference` (`urn:uuid:` may stand before it), the newest first.

    One request passes two enforcers, the caller's and the callee's, so there may be several: all that arrived
    within a minute before the newest. An empty list: there is none. Raises `RecordError`.
    """
    reference = reference.removeprefix("urn:uuid:")
    found: list[Call] = []
    damaged: RecordError | None = None
    if not reference or len(reference) > _MAX_REFERENCE:
        return found
    try:
        needle = msgspec.json.encode(reference)
        cut = load_cuts(folder)
        for piece in reversed(list_pieces(folder)):
            if found and piece.day < _day_of(found[0].time) - _DAY:
                break
            try:
                if not _find_in_piece(folder, piece, cut, needle, reference, found):
                    break
            except RecordError as error:  # another piece may have it
                damaged = error
    except UnicodeEncodeError:
        return []
    except OSError as error:
        raise RecordError(f"the record in `{folder}` cannot be read: {error.strerror}") from error
    if damaged is not None and not found:
        raise damaged
    return found


def find_call(folder: Path, reference: str) -> Call | None:
    """Return the call that `reference` means: of `find_calls` the newest refused one, else the newest."""
    found = find_calls(folder, reference)
    return next((call for call in found if call.decision == "deny"), found[0] if found else None)


def _find_in_piece(
    folder: Path, piece: Piece, cut: dict[str, int], needle: bytes, reference: str, found: list[Call]
) -> bool:
    """Add the calls of one piece to `found`; return whether older ones may hold more."""
    sealed = piece.sealed
    if piece.segment is not None:
        try:
            return _find_in(piece.segment, cut, needle, reference, found)
        except FileNotFoundError:  # sealed meanwhile
            sealed = next((each for each in list_sealed(folder) if each.number == piece.number), None)
    if sealed is not None:
        _find_in_sealed(sealed, reference, found)
    return True


def _find_in(segment: Segment, cut: dict[str, int], needle: bytes, reference: str, found: list[Call]) -> bool:
    """Add the calls of one segment to `found`; return whether older segments may hold more."""
    with segment.path.open("rb") as file:
        size = min(os.fstat(file.fileno()).st_size, cut.get(segment.path.name, sys.maxsize))
        for lines in read_lines_backwards(file, size, needle):
            for line in reversed(lines):
                try:
                    entry = parse_entry(line)
                except DamagedLineError:
                    continue
                if found and entry.time < _a_minute_before(found[0].time):
                    return False
                if isinstance(entry, Call) and entry.id == reference:
                    found.append(entry)
    return True


def _find_in_sealed(sealed: Sealed, reference: str, found: list[Call]) -> None:
    """Add the calls of one sealed segment to `found`."""
    from inward.record.sealed.reading import rows_in  # noqa: PLC0415 - DuckDB is needed for sealed segments only

    calls = []
    for row in rows_in(sealed, where="id = ? OR raw IS NOT NULL", values=(reference,)):
        try:
            entry = parse_entry(row.line or b"")
        except DamagedLineError:
            continue
        if isinstance(entry, Call) and entry.id == reference:
            calls.append(entry)
    newest = found[0] if found else calls[-1] if calls else None
    if newest is not None:
        found.extend(call for call in reversed(calls) if call.time >= _a_minute_before(newest.time))


def _day_of(time: str) -> date:
    try:
        return datetime.fromisoformat(time).astimezone(UTC).date()
    except (ValueError, OverflowError):
        return date.min + _DAY


def _a_minute_before(time: str) -> str:
    try:
        return timestamp(datetime.fromisoformat(time) - SAME_REQUEST)
    except (ValueError, OverflowError):
        return time
