"""From the Envoys' logs to the record: reads what was written, once, and makes it durable before a log is deleted."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from inward.control import acts
from inward.control.recording.hash_key import HashKey
from inward.control.recording.privacy import Keeper
from inward.envoy.access_log import LogLineError, parse_line
from inward.envoy.log_folder import LogError, LogFolder
from inward.envoy.tail import FASTEST_POLL_SECONDS, SLOWEST_POLL_SECONDS, Line, Tailer
from inward.guard.serve.log import KIND as GUARD_LOG
from inward.identity.private_files import private_folder
from inward.record.call import Gap, beginning, timestamp
from inward.record.log_line import remains_of
from inward.record.recorder import Recorder, RecordWriteError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inward.catalog.model import Catalog
    from inward.control.layout import Layout
    from inward.record.call import Entry

READ_BYTES = 1 << 20
ENVOY_LOG = "access"  # the kind of log that an Envoy writes
RETRY_SECONDS = 1.0


class Intake:
    """Reads the logs of the services that it was told of, into one record."""

    def __init__(
        self,
        layout: Layout,
        recorder: Recorder,
        catalog: Callable[[], Catalog],
        told: Callable[[str], None],
        recorded: Callable[[Sequence[Entry]], None] = lambda _: None,
    ) -> None:
        self._layout = layout
        self._recorder = recorder
        self._catalog = catalog
        self._told = told
        self._recorded = recorded  # is given what is durable; it raises nothing
        self._hash_key = HashKey(layout.hash_key, told)
        self._keeper: Keeper | None = None  # of the catalog that was in force last
        self._tailers: dict[tuple[str, str], Tailer] = {}  # by service and kind of log
        self._pending: list[Entry] = []
        self._count = 0
        self._unreadable: dict[str, str] = {}  # log → what was told of it
        self._turn = threading.RLock()  # a thread that was left behind by a cancelled `keep` may still be reading

    def follow(self, service: str, kind: str = ENVOY_LOG) -> Tailer:
        """Read a log of a service from now on, from where the record ends."""
        tailer = self._tailers.get((service, kind))
        if tailer is None:
            folder = LogFolder(self._layout.log(service), kind)
            tailer = Tailer(folder, service, self._recorder.position(f"{service}/{folder.kind}"))
            self._tailers[service, kind] = tailer
        return tailer

    def follow_left(self) -> None:
        """Read every log that there is, those of services that the system no longer has among them, and the acts."""
        private_folder(self._layout.log(acts.SERVICE))
        self.follow(acts.SERVICE, acts.KIND)
        for service in self._layout.logged():
            self.follow(service)
            if LogFolder(self._layout.log(service), GUARD_LOG).numbers():
                self.follow(service, GUARD_LOG)

    def next_log(self, service: str, kind: str = ENVOY_LOG) -> None:
        """Begin a log file for who is about to be started and writes it; the one before has ended."""
        with self._turn:
            tailer = self.follow(service, kind)
            tailer.writer_ended()
            tailer.folder.switch(tailer.position.number)

    def interrupted(self, service: str) -> None:
        """Say in the record that the Envoy of a service ended without a warning.

        It writes a line when it has answered, and a moment later to the file: what it answered in its last
        milliseconds may be nowhere.
        """
        with self._turn:
            why = "its Envoy ended without a warning: calls of its last moments may be missing"
            self._pending.append(Gap(time=timestamp(datetime.now(UTC)), why=why, service=service))
            self._count += 1

    def take(self) -> int:
        """Record what is there now; return how many lines. Raises `RecordWriteError`, and then nothing is lost."""
        with self._turn:
            if not self._count:
                self._read()
            if self._count:
                # One append, so one fsync, for all services. What it refuses stays pending: no tailer gives it twice.
                self._recorder.append(self._pending, [tailer.position for tailer in self._tailers.copy().values()])
                self._recorded(self._pending)
            self._pending.clear()
            count, self._count = self._count, 0
            return count

    def unrecorded(self) -> dict[str, int]:
        """Return how many bytes of the logs of each service are not recorded; what cannot be read is left out."""
        sizes: dict[str, int] = {}
        for (service, _), tailer in self._tailers.copy().items():
            done = self._recorder.position(tailer.log)
            number, offset = (done.number, done.offset) if done is not None else (0, 0)
            with contextlib.suppress(OSError):
                left = sum(tailer.folder.size(each) for each in tailer.folder.numbers() if each >= number) - offset
                sizes[service] = sizes.get(service, 0) + max(0, left)
        return sizes

    def _read(self) -> None:
        for (service, kind), tailer in self._tailers.copy().items():
            try:
                read = tailer.read(READ_BYTES)
            except LogError as error:
                # It stays where it is, and the logs of the others are read all the same.
                if self._unreadable.get(tailer.log) != error.message:
                    self._unreadable[tailer.log] = error.message
                    self._told(error.message)
                continue
            self._unreadable.pop(tailer.log, None)
            self._count += len(read)
            entry = self._act if kind == acts.KIND else self._entry
            entries = (found if isinstance(found, Gap) else entry(found, service) for found in read)
            self._pending.extend(entry for entry in entries if entry is not None)

    def _entry(self, line: Line, service: str) -> Entry | None:
        keeper, catalog = self._keeper, self._catalog()
        if keeper is None or keeper.catalog is not catalog:
            days = catalog.privacy.hash_days
            keeper = self._keeper = Keeper(catalog, lambda: self._hash_key.current(days))
        try:
            call = parse_line(line.data, service, catalog, line.src)
        except LogLineError as error:
            return _unread(line, service, error.message, remains_of(line.data))
        return None if call is None else keeper.kept(call)

    @staticmethod
    def _act(line: Line, service: str) -> Entry | None:
        act = acts.parse_act(line.data, line.src)
        return act or _unread(line, service, "a line of the log of acts is none", beginning(line.data))

    def drain(self) -> None:
        """Record all that is there, and make its positions durable."""
        while self.take():
            pass
        self._recorder.checkpoint()

    async def keep(self, rotate: Callable[[str, LogFolder], object]) -> None:
        """Record for as long as this runs. `rotate` is called for a log that has grown large."""
        pause = FASTEST_POLL_SECONDS
        while True:
            try:
                count = await asyncio.to_thread(self.take)
            except RecordWriteError as error:
                # Nothing is lost: the lines stay in the logs until the disk takes them.
                self._told(f"calls cannot be recorded: {error.message}")
                await asyncio.sleep(RETRY_SECONDS)
                continue
            pause = FASTEST_POLL_SECONDS if count else min(pause * 1.5, SLOWEST_POLL_SECONDS)
            await asyncio.sleep(pause)
            for (service, _), tailer in list(self._tailers.items()):
                self._delete_recorded(tailer)
                rotate(service, tailer.folder)

    def _delete_recorded(self, tailer: Tailer) -> None:
        """Delete log files that are in the record for good."""
        done, recorded = self._recorder.checkpointed(tailer.log), self._recorder.position(tailer.log)
        if recorded is not None and (done is None or done.number < recorded.number):
            with contextlib.suppress(RecordWriteError):  # what is recorded is not left to lie in a log
                self._recorder.checkpoint()
                done = recorded
        if done is None or not any(number < done.number for number in tailer.folder.numbers()):
            return
        gaps = tailer.late()
        if gaps:
            self._recorder.append(gaps)
            self._recorded(gaps)
        tailer.folder.delete_before(done.number)


def _unread(line: Line, service: str, why: str, detail: str | None) -> Gap:
    now = timestamp(datetime.now(UTC))
    why = "the log ends in the middle of a line" if line.torn else why
    return Gap(time=now, why=why, service=service, lost_lines=1, detail=detail, src=line.src)
