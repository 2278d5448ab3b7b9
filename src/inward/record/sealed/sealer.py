"""The sealer: turns finished segments into sealed ones, and tells the record so.

An act `seal` in the record has the digest of the file, and is signed with everything else: whatever is changed in the
file later is found, also where it changes no line (a statistic by which a query leaves rows out, for one). Rules:

1. A segment is sealed when it is finished, and signed to its end.
2. The file is durable before the act, and the act is signed before the segment is deleted. So after any crash either
   the segment is there, and is sealed again, or the sealed one is, with its act.
3. Of the hashes of its entries only those at its ends are kept, up to the next full block of the log: the file gives
   all others. With these, what stands around a sealed segment can be verified without it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from inward.record.audit.hashes import leaves_file, store_edges
from inward.record.audit.notary import load_state, signed_size
from inward.record.audit.told import SEAL, digest_detail
from inward.record.call import Act, timestamp
from inward.record.disk import Disk, RecordError
from inward.record.recovery import load_checkpoint
from inward.record.sealed.files import Sealed, list_local
from inward.record.sealed.reading import Extent, SealError, digest_of
from inward.record.sealed.seal import seal
from inward.record.segment import Segment, list_segments

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from inward.record.call import Entry


class Sealer:
    """Seals the record in `folder`.

    `append` records entries durably (`Recorder.append`); `sign` signs all that is durable (`Notary.advance`, `sign`).
    `build` does what `seal` does, elsewhere.
    """

    def __init__(
        self,
        folder: Path,
        append: Callable[[Sequence[Entry]], object],
        sign: Callable[[], object],
        disk: Disk | None = None,
        build: Callable[[Segment, int, Extent], object] | None = None,
    ) -> None:
        self._folder = folder
        self._append = append
        self._sign = sign
        self._disk = disk or Disk()
        self._build = build or (lambda segment, size, extent: seal(segment, size, extent, self._disk))
        self.failed: dict[str, str] = {}  # why, by the segment's name
        self._tidy()

    def seal_one(self, current: str) -> Sealed | None:
        """Seal the oldest segment that can be; `current` is the name of the one that is written. None: there is none.

        One that cannot be sealed is in `failed` from then on, with the reason, and left as it is. Raises `RecordError`
        where the record cannot be written; it may be tried again.
        """
        last = Segment.of(self._folder / current)
        if last is None:
            return None
        for segment in list_segments(self._folder):
            if segment.number >= last.number:
                break
            try:
                size = self._size(segment)
                if size and segment.path.name not in self.failed:
                    return self._seal(segment, size)
            except SealError as error:
                self.failed[segment.path.name] = error.message
            except OSError as error:
                raise RecordError(f"`{segment.path.name}` cannot be sealed: {error.strerror}") from error
        return None

    def _size(self, segment: Segment) -> int:
        """Return how many bytes of a segment count. Raises `OSError`."""
        size = segment.path.stat().st_size
        checkpoint = load_checkpoint(self._folder)
        return size if checkpoint is None else min(size, checkpoint.cut.get(segment.path.name, size))

    def _seal(self, segment: Segment, size: int) -> Sealed | None:
        """Seal a segment, if it is signed. Raises `OSError` and `RecordError`."""
        taken = load_state(self._folder).segments.get(segment.path.name)
        if taken is None or taken.size != size or taken.first + taken.count > signed_size(self._folder):
            return None
        self._build(segment, size, Extent(taken.first, taken.count))
        sealed = Sealed.make(str(self._folder), segment)
        self._append([self._act(sealed)])
        self._sign()
        self._let_go(segment, taken.first, taken.count)
        return sealed

    def _act(self, sealed: Sealed) -> Act:
        return Act(
            time=timestamp(datetime.now(UTC)), what=SEAL, about=sealed.name, detail=digest_detail(digest_of(sealed))
        )

    def _let_go(self, segment: Segment, first: int, count: int) -> None:
        """Delete a segment that is sealed. Raises `OSError`."""
        store_edges(self._folder, segment.path.name, first, count, self._disk)
        self._disk.unlink(segment.path)
        self._disk.fsync_folder(self._folder)
        leaves_file(self._folder, segment.path.name).unlink(missing_ok=True)

    def _tidy(self) -> None:
        """Delete what a crash has left: unfinished files, and hashes that a sealed segment gives."""
        there = {segment.path.name for segment in list_segments(self._folder)}
        for sealed in list_local(self._folder):
            if sealed.segment not in there:
                leaves_file(self._folder, sealed.segment).unlink(missing_ok=True)
        for left in self._folder.glob("day=*/.calls-*"):
            if left.is_file():
                left.unlink(missing_ok=True)
