"""Alerts in a running system: follows the record, keeps what is found, and tells everybody who is to be told.

Nothing waits for it, and no call is refused because of it. What is wrong with the settings or with a sink is told, and
what was watched before goes on. Rules: what is found is kept before anybody is told; after a restart it goes on where
it was. The work is done in threads, and what is told is told in the loop of the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from inward.alerting.keeping.database import FILE, DamagedAlertStoreError, Database
from inward.alerting.keeping.store import AlertStore, Telling
from inward.alerting.keeping.tracking import Tracker
from inward.alerting.settings import AlertSettings, load_settings
from inward.alerting.sigma.load import rule_files
from inward.alerting.sinks.configured import sinks_of
from inward.alerting.sinks.techniques import attacks_of
from inward.alerting.view import View
from inward.alerting.watcher import Watcher
from inward.catalog.system import FILE as SYSTEM_FILE
from inward.control.run.events import Event, mistakes_event
from inward.control.watching.courier import Courier
from inward.control.watching.cutting_off import NAME as QUARANTINE
from inward.control.watching.cutting_off import CuttingOff
from inward.errors import InvalidSystemError, InwardError
from inward.identity.private_files import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from inward.alerting.sinks.sink import Sink
    from inward.catalog.model import Catalog
    from inward.control.layout import Layout
    from inward.control.run.events import Told
    from inward.record.follow import Durable

BATCH_ENTRIES = 500  # some 25 ms of work: the rest of the run shares the interpreter
IDLE_SECONDS = 0.5
RETRY_SECONDS = 2.0
LOOK_SECONDS = 1.0  # at the settings
_LEFT_BYTES = 8 << 20  # of the record, that the end of a run still reads

Stamp = frozenset[tuple[str, int, int, int]]


class Watching:
    """Watches one system. `note` notes an act. Making it raises `BadInputError` for a sink that is none."""

    def __init__(
        self,
        layout: Layout,
        durable: Durable,
        catalog: Callable[[], Catalog],
        environment: Mapping[str, str],
        told: Told,
        note: Callable[[str, str, str], None],
    ) -> None:
        self._layout = layout
        self._durable = durable
        self._catalog = catalog
        self._listener = told
        self._note = note
        self._loop: asyncio.AbstractEventLoop | None = None
        self._settings = AlertSettings()
        self._sinks: list[Sink] = sinks_of(environment, attacks_of(lambda: self._settings.rules))
        self._stamp: Stamp = frozenset()
        self._viewed: Catalog | None = None
        self._store: AlertStore | None = None
        self._tracker: Tracker | None = None
        self._cutting: CuttingOff | None = None
        self._forgetting: frozenset[str] = frozenset()  # detectors that were told to have given something up
        self._turn = threading.RLock()  # a thread that was left behind by a cancelled `keep` may still be at work

    async def keep(self) -> None:
        """Watch for as long as this runs."""
        self._loop = asyncio.get_running_loop()
        store = await asyncio.to_thread(self._begin)
        tasks = [asyncio.create_task(self._courier(sink, store).keep()) for sink in self._sinks]
        try:
            await self._keep_watching()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_watching(self) -> None:
        loop = asyncio.get_running_loop()
        looked, problem = loop.time(), ""
        while True:
            if loop.time() - looked >= LOOK_SECONDS:
                await asyncio.to_thread(self._look)
                looked = loop.time()
            try:
                count = await asyncio.to_thread(self._step)
            except InwardError as error:
                if error.message != problem:
                    problem = error.message
                    self._warn(f"alerts wait: {error.advice}")
                await asyncio.sleep(RETRY_SECONDS)
                continue
            problem = ""
            await asyncio.sleep(0 if count else IDLE_SECONDS)

    def end(self) -> None:
        """Watch what is left of the record, and keep what the detectors know, for the next run."""
        with self._turn:
            try:
                if self._tracker is not None:
                    self._drain(self._tracker)
            except InwardError as error:
                self._warn(f"what is left of the record is watched by the next run: {error.message}")
            finally:
                if self._store is not None:
                    self._store.close()
                self._store = self._tracker = None

    def _drain(self, tracker: Tracker) -> None:
        if tracker.lag() <= _LEFT_BYTES:
            while self._step():
                pass
        tracker.end()

    # --- the record

    def _begin(self) -> AlertStore:
        with self._turn:
            if self._store is None:
                self._store = self._open(private_folder(self._layout.state) / FILE)
            if self._tracker is None:
                self._load_settings()
                self._viewed = self._catalog()
                watcher = Watcher(self._settings, View.of(self._viewed))
                self._tracker = Tracker(self._layout.record, self._store, watcher, self._durable)
                self._cutting = CuttingOff(self._layout, self._store, self._catalog, self._note, self._tell_quarantine)
                for note in self._tracker.notes:
                    self._warn(note)
                # INVARIANT: a sink is told what is found after it is known, so it is known before anything is found.
                for name in (QUARANTINE, *(sink.name for sink in self._sinks)):
                    self._store.pending(name, 1)
            return self._store

    def _open(self, path: Path) -> AlertStore:
        try:
            return AlertStore(Database(path))
        except DamagedAlertStoreError as error:
            aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
            for ending in ("", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))
            self._warn(f"{error.message}; it is now `{aside.name}`, and alerts begin anew")
            return AlertStore(Database(path))

    def _step(self) -> int:
        with self._turn:
            tracker = self._tracker
            assert tracker is not None  # noqa: S101 - `_begin` has made it
            catalog = self._catalog()
            if catalog is not self._viewed:
                tracker.watcher.change_view(View.of(catalog))
                self._viewed = catalog
            step = tracker.step(BATCH_ENTRIES)
            for missing in step.missing:
                self._warn(f"some of the record was not watched: {missing.why}")
            for telling in step.tellings:
                self._told(_event(telling))
            if self._cutting is not None:
                self._cutting.turn(self._settings.quarantine)
            return step.entries

    # --- settings

    def _look(self) -> None:
        """Take other settings over, where there are any."""
        with self._turn:
            if self._tracker is None:
                return
            self._tell_forgotten(self._tracker)
            if self._stamp_now() == self._stamp:
                return
            before = self._settings
            self._load_settings()
            if self._settings is not before and self._viewed is not None:
                self._tracker.watcher = self._tracker.watcher.changed(self._settings, View.of(self._viewed))

    def _load_settings(self) -> None:
        self._stamp = self._stamp_now()
        settings, mistakes = load_settings(self._layout.system)
        if settings is not None:
            self._settings = settings
        elif mistakes:
            before = mistakes_event(InvalidSystemError(mistakes))
            count = f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}"
            lines = [f"the alerts have {count}; what was watched before goes on:", *before.text.splitlines()[1:]]
            self._told(Event("mistakes", "\n".join(lines), before.data))

    def _stamp_now(self) -> Stamp:
        found = set()
        for name in (SYSTEM_FILE, *rule_files(self._layout.system)):
            with contextlib.suppress(OSError):
                status = (self._layout.system / name).stat()
                found.add((name, status.st_ino, status.st_size, status.st_ctime_ns))
        return frozenset(found)

    # --- telling

    def _told(self, event: Event) -> None:
        if self._loop is None:
            self._listener(event)
        else:
            self._loop.call_soon_threadsafe(self._listener, event)

    def _warn(self, text: str) -> None:
        self._told(Event("warning", text, {}))

    def _tell_forgotten(self, tracker: Tracker) -> None:
        forgotten = tracker.watcher.forgotten()
        for name in forgotten.keys() - self._forgetting:
            self._warn(f"{name} has more to remember than it may, and forgets what was quiet longest")
        self._forgetting |= forgotten.keys()

    def _tell_quarantine(self, service: str, text: str) -> None:
        self._told(Event("warning", text, {"service": service}))

    def _courier(self, sink: Sink, store: AlertStore) -> Courier:
        # here, and not above: its HTTP client comes with an extra, and most runs have no sink
        from inward.control.watching.post import Poster  # noqa: PLC0415 - see above

        clear = ", unencrypted" if sink.target.in_the_clear else ""
        text = f"alerts are sent to {sink.target.origin}{clear} ({sink.name})"
        self._told(Event("export", text, {"destination": sink.name, "url": sink.target.origin}))
        return Courier(sink, store, Poster(sink.target), self._warn)


def _event(telling: Telling) -> Event:
    alert = telling.kept.alert
    again = "" if telling.what == "new" else f"{telling.what}: "
    text = f"alert ({alert.severity}) {again}{alert.why}; inward alerts show {alert.id[:12]}"
    data: dict[str, Any] = {"what": telling.what, "alert": msgspec.to_builtins(alert)}
    return Event("alert", text, data)
