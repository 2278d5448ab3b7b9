"""How a record is opened again: the checkpoint, and what is done about what a crash left unfinished.

The checkpoint (`positions.json`) says how far the record is known to be good, and how far each log had been
read by then. What it says is durable before it is written. The entries after it say the rest; without one,
all do.

1. The segments that the checkpoint says were given up are cut to their length.
2. What follows the checkpoint is read: every entry's `src` moves its log's position on. Without a checkpoint, sealed
   segments are read too.
3. The last segment is cut before its first line that is no entry. What is cut is kept aside in a `.torn`
file.

Cutting at the *first* such line loses nothing: only the last batch, which nobody was told is recorded, can be
damaged by a crash, and log files are kept until a checkpoint has passed them, so what is cut is read from the
logs again.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from inward.record.call import DamagedLineError, parse_entry
from inward.record.disk import Disk, RecordError
from inward.record.position import InvalidPositionError, Position
from inward.record.sealed.shelf import list_sealed
from inward.record.segment import Segment, list_segments, read_lines

NAME = "positions.json"
_MAX_BYTES = 16 << 20


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The record is good up to byte `offset` of `segment`, and covers `positions` (by log).

    `cut` holds how long segments really are whose last bytes were given up after a failed write: what is
    behind that may come back from the disk after a crash and does not count.
    """

    version: int = 1
    segment: str = ""  # file name; empty where there is none yet
    offset: int = 0
    positions: dict[str, str] = {}
    cut: dict[str, int] = {}

    def parse_positions(self) -> dict[str, Position]:
        """Return the positions by log, or raise `InvalidPositionError`."""
        positions = [Position.parse(text) for text in self.positions.values()]
        return {position.log: position for position in positions}


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the checkpoint in `folder`, None where there is none; `RecordError`: it cannot be used."""
    path = folder / NAME
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES)
        checkpoint = msgspec.json.decode(content, type=Checkpoint)
        checkpoint.parse_positions()
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError, InvalidPositionError) as error:
        raise RecordError(f"the checkpoint `{path}` cannot be used: {error}") from error
    if checkpoint.version != 1:
        raise RecordError(f"the checkpoint `{path}` has version {checkpoint.version}", hint="it is from a newer Inward")
    return checkpoint


def load_cuts(folder: Path) -> dict[str, int]:
    """Return how long segments really are, by file name, of those that were given up."""
    try:
        checkpoint = load_checkpoint(folder)
    except RecordError:
        return {}  # the recorder says so when it starts; the segments can be read all the same
    return checkpoint.cut if checkpoint is not None else {}


def store_checkpoint(folder: Path, checkpoint: Checkpoint, disk: Disk) -> None:
    """Replace the checkpoint in `folder`, atomically and durably. Raises `OSError`."""
    disk.store(folder / NAME, msgspec.json.encode(checkpoint) + b"\n")


@dataclass
class Recovered:
    """The state that a record is continued from."""

    next_number: int = 1  # of the next new segment
    last: Segment | None = None
    size: int = 0  # of the last segment
    positions: dict[str, Position] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # for the operator: what was not as it should be
    lost_bytes: int | None = 0  # of the record itself: None where it is not known how many


def recover(folder: Path, disk: Disk) -> Recovered:
    """Make the record in `folder` one that can be continued. Raises `OSError` and `RecordError`."""
    state = Recovered()
    try:
        checkpoint = load_checkpoint(folder)
    except RecordError as error:
        state.notes.append(f"{error.message}; the whole record was read instead")
        checkpoint = None
    segments = list_segments(folder)
    first = 0  # the least number that a segment may have to be continued: none before a sealed one is
    if checkpoint is None:
        _scan_sealed(folder, state)
        first = state.next_number
    else:
        _apply_cuts(folder, checkpoint, disk)
        state.positions = checkpoint.parse_positions()
        mark = Segment.of(folder / Path(checkpoint.segment).name)
        if mark is not None:
            _check_mark(mark, checkpoint.offset, segments, state)
            segments = [segment for segment in segments if segment.number >= mark.number]
            state.next_number = mark.number + 1
    for segment in segments:
        start = checkpoint.offset if checkpoint is not None and segment.path.name == checkpoint.segment else 0
        _scan(segment, start, state, disk, last=segment is segments[-1] and segment.number >= first)
    return state


def _scan_sealed(folder: Path, state: Recovered) -> None:
    """Take the positions that sealed segments have; what cannot be read is noted."""
    try:
        for sealed in list_sealed(folder):
            from inward.record.sealed.reading import positions_in  # noqa: PLC0415 - DuckDB, for sealed segments only

            state.next_number = sealed.number + 1
            for text in positions_in(sealed):
                position = Position.parse(text)
                state.positions[position.log] = max(position, state.positions.get(position.log, position))
    except (RecordError, InvalidPositionError) as error:
        state.notes.append(f"{error.message}; calls may be recorded twice")


def _apply_cuts(folder: Path, checkpoint: Checkpoint, disk: Disk) -> None:
    for name, length in checkpoint.cut.items():
        segment = Segment.of(folder / Path(name).name)
        if segment is None or not segment.path.exists():
            continue
        descriptor = disk.open(segment.path)
        try:
            if os.fstat(descriptor).st_size > length:
                disk.truncate(descriptor, length)
            disk.fsync(descriptor)
        finally:
            os.close(descriptor)


def _check_mark(mark: Segment, offset: int, segments: list[Segment], state: Recovered) -> None:
    if mark not in segments:
        if offset:
            state.notes.append(f"the segment `{mark.path.name}` is gone")
            state.lost_bytes = None
        return
    missing = offset - mark.path.stat().st_size
    if missing > 0:
        state.notes.append(f"the segment `{mark.path.name}` has lost its last {missing} bytes")
        state.lost_bytes = missing


def _scan(segment: Segment, start: int, state: Recovered, disk: Disk, *, last: bool) -> None:
    damaged = 0
    with segment.path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = good = start if start <= size else 0  # shortened: its end may be torn too
        for line, end in read_lines(file, good):
            try:
                src = parse_entry(line).src
                position = Position.parse(src) if src is not None else None
            except (DamagedLineError, InvalidPositionError):
                damaged += 1
                if last:
                    break
                continue
            good = end
            if position is not None:
                state.positions[position.log] = max(position, state.positions.get(position.log, position))
    if damaged and not last:
        state.notes.append(f"the segment `{segment.path.name}` has {damaged} damaged lines")
    if last:
        if size > good:
            note = f"{size - good} unfinished bytes were moved from `{segment.path.name}` to"
            state.notes.append(f"{note} `{_cut(segment.path, good, disk).name}`")
        disk.write_again(segment.path, start)
        disk.fsync_folder(segment.path.parent)
        state.last, state.size = segment, good
    state.next_number = max(state.next_number, segment.number + 1)


def _cut(path: Path, good: int, disk: Disk) -> Path:
    """Cut the segment `path` down to `good` bytes; return the file that keeps the rest."""
    aside = _free_name(path, good)
    descriptor = disk.open(path)
    try:
        disk.store(aside, os.pread(descriptor, os.fstat(descriptor).st_size - good, good))
        disk.truncate(descriptor, good)
    finally:
        os.close(descriptor)
    return aside


def _free_name(segment: Path, good: int) -> Path:
    names = (segment.with_name(f"{segment.stem}-{good}-{count}.torn") for count in itertools.count(1))
    return next(path for path in names if not path.exists())
