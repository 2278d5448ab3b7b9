"""Reading the record: all calls in the order in which they were stored, and the newest of one reference.

Memory stays flat however large the record is. Reading needs no lock: a line without its end is left alone,
since the recorder may be writing it, and what the recorder took back after a failed write is not shown twice.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from inward.record.call import Act, Call, DamagedLineError, Entry, Gap, parse_entry, timestamp
from inward.record.disk import RecordError
from inward.record.position import InvalidPositionError, Position
from inward.record.recovery import load_checkpoint
from inward.record.segment import Segment, list_segments, read_lines, read_lines_backwards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

FOLLOW_SECONDS = 0.1
SAME_REQUEST = timedelta(minutes=1)
_MAX_REFERENCE = 1024
_ROUTINE = frozenset({"authority", "identity"})  # acts that nobody did


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which entries are wanted: those that fit all that is given.

    A gap fits too: it may hide any call. An act fits where nothing is asked of calls, unless it is one of those that
    happen by themselves all the time.
    """

    denied: bool = False  # only those that the policy refuses, carried out or not
    caller: str | None = None
    callee: str | None = None
    operation: str | None = None
    since: datetime | None = None  # aware; arrived then or later
    acts: bool = False  # only acts

    def matches(self, entry: Entry) -> bool:
        """Return whether `entry` is wanted."""
        if self.since is not None and entry.time < timestamp(self.since):
            return False
        if isinstance(entry, Act):
            asked = self.denied or not self.caller == self.callee == self.operation is None
            return self.acts or (not asked and entry.what not in _ROUTINE)
        if self.acts:
            return False
        if isinstance(entry, Gap):
            return True
        return (
            (not self.denied or entry.decision == "deny")
            and (self.caller is None or entry.caller == self.caller)
            and (self.callee is None or entry.callee == self.callee)
            and (self.operation is None or entry.operation == self.operation)
        )


EVERYTHING = Filter()


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
    """Yield the calls that `read_entries` yields, without the gaps."""
    return (entry for entry in read_entries(folder, wanted, follow=follow, wait=wait) if isinstance(entry, Call))


def read_entries(
    folder: Path,
    wanted: Filter = EVERYTHING,
    *,
    follow: bool = False,
    wait: Callable[[], bool] = wait_a_moment,
) -> Iterator[Entry]:
    """Yield the wanted entries of the record in `folder`, in the order in which they were stored.

    A damaged line comes as a gap. With `follow`, `wait` is called whenever everything has been read; the
    reading ends when it returns false. A record that does not exist yet is an empty one. Raises
    `RecordError`.
    """
    walk = _Walk(folder, wanted)
    while True:
        yield from walk.read_on()
        if not follow or not wait():
            return


class _Walk:
    """Reads on from where it stopped, and knows what it has shown."""

    def __init__(self, folder: Path, wanted: Filter) -> None:
        self._folder = folder
        self._wanted = wanted
        self._segment: Segment | None = None
        self._offset = 0
        self._time = ""  # of the last entry
        self._last = b""  # line of the segment
        self._reached: dict[str, Position] = {}
        self._again: dict[str, Position] = {}  # what was shown before the recorder took something back

    def read_on(self) -> Iterator[Entry]:
        cut = _load_cuts(self._folder)
        for segment in list_segments(self._folder):
            if self._segment is not None and segment.number < self._segment.number:
                continue
            if self._too_old(segment):
                continue
            if segment != self._segment:
                yield from self._read(cut)  # its last lines
                self._segment, self._offset, self._time = segment, 0, f"{segment.day}T00:00:00.000Z"
            yield from self._read(cut)

    def _too_old(self, segment: Segment) -> bool:
        # An entry is stored after its call arrived, on the segment's date; a day is for clocks that differ.
        since = self._wanted.since
        return since is not None and segment.day < since.astimezone(UTC).date() - timedelta(days=1)

    def _read(self, cut: dict[str, int]) -> Iterator[Entry]:
        if self._segment is None:
            return
        path = self._segment.path
        try:
            with path.open("rb") as file:
                size = min(os.fstat(file.fileno()).st_size, cut.get(path.name, sys.maxsize))
                if not self._still_there(file, size):
                    self._offset, self._again = 0, dict(self._reached)
                for line, end in read_lines(file, self._offset, size):
                    self._offset, self._last = end, line
                    entry = self._parse(line)
                    if not self._seen(entry.src) and self._wanted.matches(entry):
                        yield entry
        except FileNotFoundError:
            return  # deleted meanwhile: old segments are whoever keeps the folder's to delete
        except OSError as error:
            raise RecordError(f"the record `{path}` cannot be read: {error.strerror}") from error

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
            name = self._segment.path.name if self._segment else ""
            return Gap(time=self._time, why=f"a line of `{name}` is damaged", lost_lines=1, lost_bytes=len(line))
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


def _load_cuts(folder: Path) -> dict[str, int]:
    try:
        checkpoint = load_checkpoint(folder)
    except RecordError:
        return {}  # the recorder says so when it starts; the segments can be read all the same
    return checkpoint.cut if checkpoint else {}


def find_calls(folder: Path, reference: str) -> list[Call]:
    """Return the newest calls whose id is `reference` (`urn:uuid:` may stand before it), the newest first.

    One request passes two enforcers, the caller's and the callee's, so there may be several: all that arrived
    within a minute before the newest. An empty list: there is none. Raises `RecordError`.
    """
    reference = reference.removeprefix("urn:uuid:")
    found: list[Call] = []
    if not reference or len(reference) > _MAX_REFERENCE:
        return found
    try:
        needle = msgspec.json.encode(reference)
        cut = _load_cuts(folder)
        for segment in reversed(list_segments(folder)):
            if not _find_in(segment, cut, needle, reference, found):
                break
    except UnicodeEncodeError:
        return []
    except OSError as error:
        raise RecordError(f"the record in `{folder}` cannot be read: {error.strerror}") from error
    return found


def find_call(folder: Path, reference: str) -> Call | None:
    """Return the call that `reference` means: of `find_calls` the newest refused one, else the newest."""
    found = find_calls(folder, reference)
    return next((call for call in found if call.decision == "deny"), found[0] if found else None)


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


def _a_minute_before(time: str) -> str:
    try:
        return timestamp(datetime.fromisoformat(time) - SAME_REQUEST)
    except (ValueError, OverflowError):
        return time
