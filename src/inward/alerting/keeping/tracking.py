"""Following the record with the detectors: from entries to alerts that are kept, each finding once whatever is killed.

Rules:

1. Alerts and the place in the record are committed together. A batch without alerts needs no commit: read again, it
   gives none again. Now and then a snapshot of the detectors goes with it.
2. After a start, what stands between the snapshot and the place that is done teaches the detectors; what they say of it
   is known already.
3. What could not be committed is held, and nothing more is read until it is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from inward.alerting.stream.saved import SnapshotError
from inward.record.follow import START, Follower, Missing, Place
from inward.record.segment import list_segments

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from inward.alerting.alert import Alert
    from inward.alerting.keeping.store import AlertStore, Telling
    from inward.alerting.watcher import Watcher
    from inward.record.call import Entry
    from inward.record.follow import Durable

LEARN_FROM = timedelta(days=35)  # of the record that is there when alerts are watched for the first time
SNAPSHOT_SECONDS = 60.0
SNAPSHOT_ENTRIES = 200_000


@dataclass(frozen=True, slots=True)
class Step:
    """What one batch gave: how many entries there were, what is to be told, and what of the record was missing."""

    entries: int
    tellings: Sequence[Telling] = ()
    missing: Sequence[Missing] = ()


class Tracker:
    """Follows the record in `record`; `notes` says what could not be taken up again.

    `durable` as `Follower` takes it. `now` is the clock by which alerts are of before anybody watched. Raises
    `AlertStoreError` and `RecordError`; a step that raised may be tried again.
    """

    def __init__(
        self,
        record: Path,
        store: AlertStore,
        watcher: Watcher,
        durable: Durable | None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.watcher = watcher
        self.notes: list[str] = []
        self._store = store
        self._pending: list[Alert] = []
        progress = store.progress()
        if progress is None:
            progress = store.begin(now(), _first_place(record, now()))
        elif progress.snapshot is not None:
            try:
                watcher.restore(progress.snapshot)
            except SnapshotError as error:
                self.notes.append(f"the detectors learn anew from the record: {error.message}")
                store.begin_again(_first_place(record, now()))
                progress = store.progress() or progress
        self._done = progress.done
        self._follower = Follower(record, progress.place, durable)
        self._snapshot_at = time.monotonic()
        self._since_snapshot = SNAPSHOT_ENTRIES if progress.snapshot is None else 0  # so that the first one is taken

    def step(self, limit: int) -> Step:
        """Take up to `limit` entries."""
        if self._pending:
            return Step(0, self._commit(snapshot=False))
        before = self._follower.place
        read = self._follower.read(limit)
        missing = self._follower.missing()
        if read and read[0][0] < before:
            self._done = START  # it is another record
        known: list[Entry] = [entry for place, entry in read if place <= self._done]
        new: list[Entry] = [entry for place, entry in read if place > self._done]
        self.watcher.feed(known)
        self._pending = self.watcher.feed(new)
        self._since_snapshot += len(read)
        due = self._since_snapshot >= SNAPSHOT_ENTRIES or (
            self._since_snapshot > 0 and time.monotonic() - self._snapshot_at >= SNAPSHOT_SECONDS
        )
        # INVARIANT: a snapshot is of the place that is done, so none is taken while known entries are read again.
        if self._pending or (due and self._follower.place >= self._done):
            return Step(len(read), self._commit(snapshot=due), missing)
        return Step(len(read), (), missing)

    def end(self) -> None:
        """Keep the detectors as they are now, so that the next start reads little again."""
        if self._since_snapshot and self._follower.place >= self._done:
            self._commit(snapshot=True)

    def lag(self) -> int:
        """Return about how many bytes of the record are left to read. Raises `RecordError`."""
        return self._follower.lag()

    def _commit(self, *, snapshot: bool) -> Sequence[Telling]:
        place = self._follower.place
        told = self._store.commit(place, self._pending, self.watcher.snapshot() if snapshot else None)
        self._done, self._pending = max(self._done, place), []
        if snapshot:
            self._since_snapshot, self._snapshot_at = 0, time.monotonic()
        return told


def _first_place(record: Path, now: datetime) -> Place:
    day = (now - LEARN_FROM).date()
    first = next((segment for segment in list_segments(record) if segment.day >= day), None)
    return START if first is None else Place(first.number, 0)
