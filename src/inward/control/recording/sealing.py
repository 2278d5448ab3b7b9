"""Sealing the record while a system runs: finished segments, then the bucket, then what is too old.

Nothing waits for it. What cannot be done is told once, and tried again: until then a segment stays as it is.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING

from inward.errors import InwardError
from inward.record.audit.told import read_told
from inward.record.disk import Disk, RecordError
from inward.record.sealed.shelf import list_sealed
from inward.record.segment import Segment, list_segments

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inward.catalog.retention import Keep
    from inward.control.recording.signing import Signing
    from inward.record.call import Entry
    from inward.record.recorder import Recorder
    from inward.record.sealed.reading import Extent
    from inward.record.sealed.sealer import Sealer

ROUND_SECONDS = 10.0
RETENTION_SECONDS = 3600.0
RETRY_SECONDS = 3600.0  # until a segment that could not be sealed is tried again


class Sealing:
    """Seals the record of one system. `keep` says for how long entries are kept, `bucket` where they go."""

    def __init__(
        self,
        recorder: Recorder,
        signing: Signing,
        *,
        keep: Callable[[], Keep],
        bucket: str | None,
        told: Callable[[str], None],
    ) -> None:
        self._folder = recorder.folder
        self._recorder = recorder
        self._signing = signing
        self._keep = keep
        self._bucket = bucket
        self._told = told
        self._said = ""
        self._turn = threading.Lock()  # over `_process` and `_ended`
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False
        self._sealer: Sealer | None = None
        self._tried = 0.0
        self._retired = -RETENTION_SECONDS
        self._kept: Keep | None = None  # what was in force at the last retention

    async def keep_on(self) -> None:
        """Seal for as long as this runs."""
        while True:
            await asyncio.to_thread(self.round)
            await asyncio.sleep(ROUND_SECONDS)

    def round(self) -> None:
        """Do all that is due now."""
        try:
            self._seal()
            self._upload()
            self._retire()
        except (InwardError, OSError) as error:
            why = error.advice if isinstance(error, InwardError) else error.strerror or str(error)
            if not self._ended and why != self._said:
                self._told(f"the record is not sealed: {why}")
            self._said = why
        else:
            self._said = ""

    def end(self) -> None:
        """Give up what is being done."""
        with self._turn:
            self._ended = True
            if self._process is not None:
                self._process.kill()

    def _seal(self) -> None:
        current, _ = self._recorder.durable()
        last = Segment.of(self._folder / current)
        if last is None or not any(each.number < last.number for each in list_segments(self._folder)):
            return
        from inward.record.sealed.sealer import Sealer  # noqa: PLC0415 - DuckDB is loaded when there is something to do

        if self._sealer is None or time.monotonic() - self._tried >= RETRY_SECONDS:
            self._sealer = Sealer(self._folder, self._recorder.append, self._signing.sign, build=self._build)
            self._tried = time.monotonic()
        while not self._ended and self._sealer.seal_one(current) is not None:
            pass
        if self._sealer.failed:
            raise RecordError("; ".join(self._sealer.failed.values()))

    def _build(self, segment: Segment, size: int, extent: Extent) -> None:
        """Seal a segment in a process of its own. Raises `SealError`."""
        from inward.record.sealed.reading import SealError  # noqa: PLC0415 - whoever calls has DuckDB

        numbers = [str(number) for number in (size, extent.first, extent.count)]
        command = [sys.executable, "-m", "inward.record.sealed", str(segment.path), *numbers]
        with self._turn:
            if self._ended:
                raise SealError("the run ends")
            nothing = subprocess.DEVNULL
            self._process = subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=subprocess.PIPE)
        _, said = self._process.communicate()
        if self._process.returncode:
            why = said.decode(errors="replace").strip().rpartition("\n")[2]
            raise SealError(why or f"`{segment.path.name}` cannot be sealed: its process was ended")

    def _upload(self) -> None:
        if self._bucket is None or not any(self._folder.glob("day=*/calls-*.parquet")):
            return
        from inward.record.sealed.uploading import upload_all  # noqa: PLC0415 - its libraries are needed for buckets only

        for _ in upload_all(self._folder, self._bucket, Disk()):
            if self._ended:
                return

    def _retire(self) -> None:
        keep = self._keep()
        due = keep != self._kept or time.monotonic() - self._retired >= RETENTION_SECONDS
        if keep.everything or not due or not self._signing.goes_on:
            return
        from inward.record.sealed.reading import SealError  # noqa: PLC0415 - DuckDB, where something is to be dropped
        from inward.record.sealed.retention import retire  # noqa: PLC0415 - the same

        told = cache(partial(read_told, self._folder))
        failed: list[str] = []
        open_ones = {segment.number for segment in list_segments(self._folder)}
        for sealed in list_sealed(self._folder):
            if self._ended:
                return
            if sealed.number in open_ones:
                continue  # it is sealed again first
            try:
                retire(sealed, self._folder, keep, datetime.now(UTC), self._tell, told=told)
            except SealError as error:  # of this file: the others are not kept longer because of it
                failed.append(error.advice)
        self._kept, self._retired = keep, time.monotonic()
        if failed:
            raise RecordError(f"old entries are still there: {'; '.join(failed)}")

    def _tell(self, entries: Sequence[Entry]) -> None:
        self._recorder.append(entries)
        self._signing.sign()
