"""The recorder: appends entries to the record, durably and each exactly once.

Rules. `append` returns only after its whole batch is fsynced; where it raises, nothing of the batch counts,
and the caller gives the same batch again later. An entry whose `src` the record has passed already is left
out, so giving a batch twice does no harm. A log file may be deleted once a *checkpointed* position has passed
it.

What it leaves out: sealing segments and proving them, and deleting old ones; the segments are the interface.
"""

from __future__ import annotations

import contextlib
import os
import threading
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Self

from inward.record.call import Entry, Gap, encode_entry, timestamp
from inward.record.disk import Disk, RecordError, make_private_folder
from inward.record.lock import FolderLock
from inward.record.position import Position
from inward.record.recovery import Checkpoint, recover, store_checkpoint
from inward.record.segment import Segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path
    from types import TracebackType

SEGMENT_BYTES = 256 << 20
BATCHES_PER_CHECKPOINT = 64


class RecordWriteError(RecordError):
    """The disk refused a batch: nothing of it is recorded, and it may be given again."""

    code = "record_write"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Recorder:
    """The one writer of the record in `folder`. Opening it recovers from a crash; `notes` says what was done.

    Its methods may be called from several threads; they take turns. Raises `FolderLockedError` where another
    process (or another recorder of this one) holds the folder, and `RecordError` where it cannot be opened.
    """

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        batches_per_checkpoint: int = BATCHES_PER_CHECKPOINT,
        disk: Disk | None = None,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.folder = folder
        self._segment_bytes = segment_bytes
        self._batches_per_checkpoint = batches_per_checkpoint
        self._disk = disk or Disk()
        self._now = now
        self._turn = threading.RLock()
        self._descriptor = -1
        self._segment: Segment | None = None
        self._size = 0  # INVARIANT: everything before it is fsynced, and nothing behind it counts
        self._doubt = False  # whether there may be bytes behind `_size`, now or after a crash
        self._abandoned = False  # whether an fsync failed, so that the segment is not continued
        self._marked = False  # whether the checkpoint knows the segment
        self._before = ("", 0)  # what was durable when the segment was begun
        self._cut: dict[str, int] = {}
        self._batches = 0
        self._checkpointed: dict[str, Position] = {}
        make_private_folder(folder)
        self._lock = FolderLock(folder, now=now)
        try:
            self._open()
        except OSError as error:
            self._release()
            raise RecordError(f"the record in `{folder}` cannot be opened: {error.strerror}") from error
        except BaseException:
            self._release()
            raise

    def _open(self) -> None:
        state = recover(self.folder, self._disk)
        self.notes = tuple(state.notes)
        self._positions = state.positions
        self._next_number = state.next_number
        if state.last is not None:
            self._descriptor = self._disk.open(state.last.path)
            self._segment, self._size = state.last, state.size
        if state.lost_bytes != 0:
            why = "a part of the record itself is gone"
            self.append([Gap(time=timestamp(self._now()), why=why, lost_bytes=state.lost_bytes)])
        self._store_checkpoint()

    def position(self, log: str) -> Position | None:
        """Return how far `log` (such as `orders/access`) is recorded; None: nothing of it is."""
        return self._positions.get(log)

    def checkpointed(self, log: str) -> Position | None:
        """Return the position of `log` that outlives any crash: older files of that log may be deleted."""
        return self._checkpointed.get(log)

    def durable(self) -> tuple[str, int]:
        """Return up to where the record is durable: a segment's file name, and how much of it; empty where none is."""
        with self._turn:
            if self._segment is None or not self._marked:
                return self._before  # what is behind its end does not count, and the disk does not know that yet
            return self._segment.path.name, self._size

    def append(self, entries: Sequence[Entry], passed: Iterable[Position] = ()) -> int:
        """Record `entries` in their order; return how many of them were new, after they are durable.

        `passed` are positions that were reached by reading what is no call; they become durable with a
        checkpoint. Raises `RecordWriteError` (nothing is recorded, try again) and `InvalidPositionError` for
        a bad `src`.
        """
        with self._turn:
            if self._lock.released:
                raise RecordError("the recorder is closed")
            lines, positions = self._encode(entries)
            if lines:
                self._write(b"".join(lines))
            self._positions.update(positions)
            for position in passed:
                self._positions[position.log] = max(position, self._positions.get(position.log, position))
            self._batches += 1
            if self._batches >= self._batches_per_checkpoint:
                with contextlib.suppress(OSError):  # the batch is recorded; the next one tries again
                    self._store_checkpoint()
            return len(lines)

    def checkpoint(self) -> None:
        """Make every position durable, so that log files may be deleted. Raises `RecordWriteError`."""
        with self._turn:
            try:
                self._store_checkpoint()
            except OSError as error:
                raise self._refused(error) from error

    def close(self) -> None:
        """Checkpoint and let the folder go. May be called twice."""
        with self._turn:
            if not self._lock.released:
                with contextlib.suppress(OSError):  # the next start reads the entries behind the last checkpoint
                    self._store_checkpoint()
                self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _encode(self, entries: Sequence[Entry]) -> tuple[list[bytes], dict[str, Position]]:
        """Return the lines of the entries that are new, and the positions that they reach."""
        lines: list[bytes] = []
        positions: dict[str, Position] = {}
        for entry in entries:
            if entry.src is not None:
                position = Position.parse(entry.src)
                reached = positions.get(position.log) or self._positions.get(position.log)
                if reached is not None and position <= reached:
                    continue
                positions[position.log] = position
            lines.append(encode_entry(entry))
        return lines, positions

    def _write(self, data: bytes) -> None:
        try:
            self._make_ready(len(data))
            self._doubt = True
            self._disk.write_all(self._descriptor, data)
            self._abandoned = True
            self._disk.fsync(self._descriptor)
        except OSError as error:
            if self._abandoned:
                with contextlib.suppress(OSError):  # so that a crash from now on does not bring the bytes back
                    self._store_checkpoint()
            raise self._refused(error) from error
        self._size += len(data)
        self._doubt = self._abandoned = False

    def _make_ready(self, size: int) -> None:
        """Leave a segment open that ends at `_size` and may take `size` more bytes. Raises `OSError`."""
        if self._doubt:
            try:
                self._disk.truncate(self._descriptor, self._size)
            except OSError:
                if not self._abandoned:
                    raise
        today = self._now().astimezone(UTC).date()
        full = self._size > 0 and self._size + size > self._segment_bytes
        if self._segment is None or self._abandoned or full or self._segment.day != today:
            self._begin_segment(today)
        if not self._marked:
            # INVARIANT: before a batch is written again, it is durable that its bytes elsewhere do not count.
            self._disk.fsync_folder(self.folder)
            self._store_checkpoint()

    def _begin_segment(self, today: date) -> None:
        segment = Segment.make(self.folder, self._next_number, today)
        descriptor = self._disk.create(segment.path)
        if self._segment is not None:
            self._before = self._segment.path.name, self._size
            if self._doubt:
                self._cut[self._segment.path.name] = self._size
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._next_number += 1
        self._descriptor, self._segment, self._size = descriptor, segment, 0
        self._doubt = self._abandoned = self._marked = False

    def _store_checkpoint(self) -> None:
        positions = dict(self._positions)
        if self._segment is not None and self._abandoned:
            self._cut[self._segment.path.name] = self._size
        checkpoint = Checkpoint(
            segment=self._segment.path.name if self._segment else "",
            offset=self._size,
            positions={log: str(position) for log, position in positions.items()},
            cut=self._cut,
        )
        store_checkpoint(self.folder, checkpoint, self._disk)
        self._checkpointed = positions
        self._batches = 0
        self._marked = True

    def _refused(self, error: OSError) -> RecordWriteError:
        return RecordWriteError(
            f"the record in `{self.folder}` cannot be written: {error.strerror}",
            hint="make room or repair the disk; the logs keep the calls until the record takes them",
        )

    def _release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._lock.release()
