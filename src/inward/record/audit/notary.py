"""The notary: makes a Merkle log of what the recorder has made durable, and signs how far it has come.

It only follows: an entry is durable before the notary reads it, and nothing waits for it. Rules:

1. Only entries before the recorder's durable end are read: what is behind it may be taken back, and written anew.
2. The hashes of the entries are durable before the state says so, and the state is before a checkpoint is signed. So
   after any crash the notary goes on from its state, and comes to the same hashes.
3. A log that is shorter than its state is not signed any more: something was taken out of it (`LogChangedError`).
"""

from __future__ import annotations

import contextlib
from datetime import UTC
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from inward.record.audit.hashes import FOLDER, LEVELS, append_hashes, leaves_file, level_file
from inward.record.call import timestamp
from inward.record.disk import Disk, RecordError, make_private_folder
from inward.record.recovery import load_checkpoint
from inward.record.segment import Segment, list_segments, read_lines
from inward.tlog.checkpoint import Checkpoint
from inward.tlog.merkle import GrowingTree, leaf_hash

if TYPE_CHECKING:
    from datetime import datetime

    from inward.tlog.note import Signer

STATE = "state.json"
CHECKPOINTS = "checkpoints"
_MAX_BYTES = 16 << 20
LINES_AT_ONCE = 20_000
KEPT_ALL = 1000  # of the newest checkpoints


class LogChangedError(RecordError):
    """The record is not what the notary has seen of it."""

    code = "log_changed"


class Taken(msgspec.Struct):
    """What was taken in of a segment: the log's index of its first entry, and how much."""

    first: int
    count: int = 0
    size: int = 0  # bytes


class State(msgspec.Struct):
    """How far the log has come: its size, its edge (hexadecimal), and its segments by file name, in order."""

    version: int = 1
    size: int = 0
    edge: list[str] = []
    segments: dict[str, Taken] = {}

    def tree(self) -> GrowingTree:
        """Return the tree, to go on with. Raises `ValueError` where the edge is none of that size."""
        return GrowingTree(self.size, tuple(bytes.fromhex(each) for each in self.edge))


def load_state(folder: Path) -> State:
    """Return the state of the log of the record in `folder`. Raises `RecordError`."""
    path = folder / FOLDER / STATE
    try:
        with path.open("rb") as file:
            state = msgspec.json.decode(file.read(_MAX_BYTES), type=State)
        state.tree()
    except FileNotFoundError:
        return State()
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RecordError(f"the state of the log `{path}` cannot be used: {error}") from error
    if state.version != 1:
        raise RecordError(
            f"the state of the log `{path}` has version {state.version}", hint="it is from a newer Inward"
        )
    return state


def signed_size(folder: Path) -> int:
    """Return up to which entry the record in `folder` is signed, by the names of its checkpoints."""
    try:
        return max((int(path.name) for path in (folder / CHECKPOINTS).iterdir() if path.name.isdecimal()), default=0)
    except FileNotFoundError:
        return 0


class Notary:
    """The one who signs the record in `folder`, as the log `signer` names. Raises `RecordError`.

    `head` is a file in another folder, which has a copy of the last checkpoint: without it a record that was put back
    to what it once was would look whole.
    """

    def __init__(self, folder: Path, signer: Signer, head: Path, disk: Disk | None = None) -> None:
        self._folder = folder
        self._signer = signer
        self._head = head
        self._disk = disk or Disk()
        make_private_folder(folder / FOLDER)
        make_private_folder(folder / CHECKPOINTS)
        self._state = load_state(folder)
        self._signed = signed_size(folder)
        self._since_thinned = KEPT_ALL  # so that what an earlier run has left is seen to

    def advance(self, segment: str, size: int) -> int:
        """Take in what is durable: all before byte `size` of the segment with that file name; return how many entries.

        Raises `LogChangedError`, and `RecordError` where the disk refuses; it may then be asked again.
        """
        last = Segment.of(self._folder / segment)
        if last is None:
            return 0
        before = self._state.size
        try:
            checkpoint = load_checkpoint(self._folder)
            cut = checkpoint.cut if checkpoint else {}
            for each in list_segments(self._folder):
                if each.number > last.number:
                    break
                end = size if each.number == last.number else cut.get(each.path.name, each.path.stat().st_size)
                self._read(each, end)
        except OSError as error:
            raise RecordError(f"the log of the record in `{self._folder}` cannot be kept: {error.strerror}") from error
        return self._state.size - before

    def sign(self, moment: datetime) -> Checkpoint | None:
        """Sign how far the log has come, durably; return the checkpoint, or None where that is signed already."""
        if self._state.size == self._signed:
            return None
        tree = self._state.tree()
        more = (f"time {timestamp(moment.astimezone(UTC))}",)
        checkpoint = Checkpoint(self._signer.verifier.name, tree.size, tree.root(), more)
        path = self._folder / CHECKPOINTS / f"{tree.size:020d}"
        try:
            note = checkpoint.signed(self._signer).encode()
            self._disk.store(path, note)
            self._disk.store(self._head, note)
        except OSError as error:
            raise RecordError(f"a checkpoint cannot be written: {error.strerror}") from error
        self._signed = tree.size
        self._since_thinned += 1
        if self._since_thinned >= KEPT_ALL:
            self._thin()
        return checkpoint

    def _thin(self) -> None:
        """Of checkpoints that are not among the newest, keep the last of each hour: every other is within its tree."""
        last: dict[int, Path] = {}
        names = (path for path in (self._folder / CHECKPOINTS).iterdir() if path.name.isdecimal())
        with contextlib.suppress(OSError):  # there are more of them than need be, until the next time
            for path in sorted(names, key=lambda path: int(path.name))[:-KEPT_ALL]:
                hour = int(path.stat().st_mtime // 3600)
                if hour in last:
                    self._disk.unlink(last[hour])
                last[hour] = path
        self._since_thinned = 0

    def _read(self, segment: Segment, end: int) -> None:
        known = self._state.segments.get(segment.path.name) or Taken(self._state.size)
        if known.size > end:
            raise LogChangedError(f"`{segment.path.name}` is shorter than it was: entries were taken out of the record")
        if known.size == end:
            return
        if segment.path.name not in self._state.segments and segment.number < self._newest():
            raise LogChangedError(f"`{segment.path.name}` stands before what is signed: it was put into the record")
        with segment.path.open("rb") as file:
            while known.size < end:
                known = self._take_in(segment, known, list(islice(read_lines(file, known.size, end), LINES_AT_ONCE)))

    def _newest(self) -> int:
        """Return the number of the newest segment that is in the log."""
        return max((each.number for name in self._state.segments if (each := Segment.of(Path(name)))), default=0)

    def _take_in(self, segment: Segment, known: Taken, lines: list[tuple[bytes, int]]) -> Taken:
        """Put some lines of a segment into the log, and make that durable."""
        if not lines:
            raise LogChangedError(f"`{segment.path.name}` ends in the middle of a line")
        tree = self._state.tree()
        size = tree.size
        hashes: dict[int, list[bytes]] = {level: [] for level in (0, *LEVELS)}
        for line, _ in lines:
            for level, _, found in tree.append(leaf_hash(line)):
                if level in hashes:
                    hashes[level].append(found)
        append_hashes(leaves_file(self._folder, segment.path.name), known.count, b"".join(hashes[0]), self._disk)
        for level in LEVELS:
            if hashes[level]:
                append_hashes(level_file(self._folder, level), size >> level, b"".join(hashes[level]), self._disk)
        known = Taken(known.first, known.count + len(lines), lines[-1][1])
        segments = {**self._state.segments, segment.path.name: known}
        state = State(size=tree.size, edge=[each.hex() for each in tree.edge], segments=segments)
        self._disk.store(self._folder / FOLDER / STATE, msgspec.json.encode(state))
        self._state = state
        return known
