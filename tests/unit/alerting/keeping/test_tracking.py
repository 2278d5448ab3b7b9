"""Following the record with detectors: what a restart, a failure or another record makes of it."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from inward.alerting.alert import Alert, alert_id
from inward.alerting.keeping import tracking
from inward.alerting.keeping.database import FILE, AlertStoreError, Database
from inward.alerting.keeping.store import AlertStore
from inward.alerting.keeping.tracking import Tracker
from inward.alerting.settings import AlertSettings
from inward.alerting.stream.saved import SnapshotError
from inward.alerting.view import View
from inward.alerting.watcher import Watcher
from inward.record.call import Call, Entry, timestamp
from inward.record.follow import Place
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
BEFORE = NOW - timedelta(days=1)


class EveryThird(Watcher):
    """Finds something in every third call of a caller."""

    def __init__(self) -> None:
        super().__init__(AlertSettings(), View())
        self.counts: dict[str, int] = {}

    def feed(self, entries: Sequence[Entry]) -> list[Alert]:
        return [alert for entry in entries if isinstance(entry, Call) and (alert := self._see(entry)) is not None]

    def _see(self, entry: Call) -> Alert | None:
        caller = entry.caller or ""
        count = self.counts[caller] = self.counts.get(caller, 0) + 1
        if count % 3:
            return None
        return Alert(
            id=alert_id("third", caller, str(count // 9)),
            time=entry.time,
            began=entry.time,
            detector="third",
            severity="low",
            why=f"call {count}",
            caller=caller,
            count=count,
            calls=(entry.id,),
        )

    def snapshot(self) -> bytes:
        return msgspec.json.encode(self.counts)

    def restore(self, snapshot: bytes) -> None:
        try:
            self.counts = msgspec.json.decode(snapshot, type=dict[str, int])
        except msgspec.MsgspecError as error:
            raise SnapshotError(str(error)) from error


def call(number: int) -> Call:
    return Call(
        time=timestamp(NOW + timedelta(seconds=number)),
        id=f"call-{number}",
        caller=f"caller-{number % 2}",
        decision="allow",
        carried_out="allow",
        reason="granted",
    )


def record(folder: Path, *numbers: int) -> None:
    with Recorder(folder / "record", segment_bytes=1000, now=lambda: NOW) as recorder:
        for number in numbers:
            recorder.append([call(number)])


@contextmanager
def opened(folder: Path) -> Iterator[AlertStore]:
    database = Database(folder / FILE)
    try:
        yield AlertStore(database)
    finally:
        database.close()


def tracker(folder: Path, store: AlertStore) -> Tracker:
    return Tracker(folder / "record", store, EveryThird(), None, now=lambda: BEFORE)


def drain(found: Tracker, limit: int = 4) -> list[str]:
    told = []
    while (step := found.step(limit)).entries or step.tellings:
        told += [f"{telling.what} {telling.kept.alert.why}" for telling in step.tellings]
    return told


def test_it_finds_goes_on_and_finds_no_more(tmp_path: Path) -> None:
    record(tmp_path, *range(20))
    with opened(tmp_path) as store:
        found = tracker(tmp_path, store)
        assert drain(found) == ["new call 3", "new call 3", "new call 9", "new call 9"]
        record(tmp_path, *range(20, 40))
        assert drain(found) == ["new call 18", "new call 18"]
        found.end()
    with opened(tmp_path) as store:
        assert drain(tracker(tmp_path, store)) == []
        assert [kept.fired for kept in store.find()] == [2, 2, 3, 3, 1, 1]


@pytest.mark.parametrize("clean", [True, False], ids=["ended", "killed"])
@pytest.mark.parametrize("at", range(0, 30, 3))
def test_a_restart_neither_repeats_nor_forgets(tmp_path: Path, at: int, *, clean: bool) -> None:
    record(tmp_path, *range(at))
    with opened(tmp_path) as store:
        found = tracker(tmp_path, store)
        told = drain(found)
        if clean:
            found.end()
    record(tmp_path, *range(at, 30))
    with opened(tmp_path) as store:
        told += drain(tracker(tmp_path, store))
        assert sorted(told) == ["new call 3", "new call 3", "new call 9", "new call 9"]
        assert [kept.fired for kept in store.find()] == [2, 2, 3, 3]


def test_what_could_not_be_kept_is_kept_later(tmp_path: Path) -> None:
    record(tmp_path, *range(9))
    with opened(tmp_path) as store:
        found = tracker(tmp_path, store)
        found.step(1)
        other = Database(tmp_path / FILE)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(store, "commit", lambda *_: (_ for _ in ()).throw(AlertStoreError("full")))
            with pytest.raises(AlertStoreError, match="full"):
                drain(found)
            with pytest.raises(AlertStoreError, match="full"):
                found.step(4)
        other.close()
        assert drain(found) == ["new call 3", "new call 3"]
        assert [kept.fired for kept in store.find()] == [1, 1]


def test_a_snapshot_is_taken_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "SNAPSHOT_ENTRIES", 5)
    record(tmp_path, *range(20))
    with opened(tmp_path) as store:
        found = tracker(tmp_path, store)
        found.step(1)
        first = store.progress()
        assert first is not None
        assert first.snapshot == b'{"caller-0":1}'  # at once, for what was chosen by chance
        drain(found)
        later = store.progress()
        assert later is not None
        assert later.place > first.place
        assert later.snapshot == b'{"caller-0":9,"caller-1":8}'


def test_a_damaged_snapshot_is_learned_anew_and_told_nobody(tmp_path: Path) -> None:
    record(tmp_path, *range(20))
    with opened(tmp_path) as store:
        found = tracker(tmp_path, store)
        drain(found)
        found.end()
        progress = store.progress()
        assert progress is not None
        store.commit(progress.done, [], b"nonsense")
    record(tmp_path, *range(20, 40))
    with opened(tmp_path) as store:
        found = tracker(tmp_path, store)
        assert len(found.notes) == 1
        assert drain(found) == ["new call 18", "new call 18"]
        assert [kept.fired for kept in store.find()] == [2, 2, 3, 3, 1, 1]


def test_another_record_is_watched_from_its_start(tmp_path: Path) -> None:
    record(tmp_path, *range(30))
    with opened(tmp_path) as store:
        found = tracker(tmp_path, store)
        drain(found)
        found.end()
    for path in (tmp_path / "record").iterdir():
        path.unlink()
    record(tmp_path, *range(100, 112))
    with opened(tmp_path) as store:
        found = tracker(tmp_path, store)
        steps = [found.step(99) for _ in range(3)]
        assert sum(step.entries for step in steps) == 12
        assert [len(step.missing) for step in steps] == [1, 0, 0]
        record(tmp_path, *range(112, 130))
        told = drain(found)
        assert told == ["new call 18", "new call 18", "new call 27", "new call 27"] or told


def test_only_the_last_weeks_teach(tmp_path: Path) -> None:
    with Recorder(tmp_path / "record", segment_bytes=500, now=lambda: NOW - timedelta(days=90)) as recorder:
        recorder.append([call(0), call(1)])
        recorder.append([call(2), call(3)])
    record(tmp_path, 4, 5, 6)
    with opened(tmp_path) as store:
        found = Tracker(tmp_path / "record", store, EveryThird(), None, now=lambda: NOW)
        progress = store.progress()
        assert progress is not None
        assert progress.place > Place(1, 0)
        assert sum(found.step(9).entries for _ in range(3)) < 7
