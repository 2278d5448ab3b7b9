"""What becomes of alerts: each finding once, told when it is worth telling, and kept whatever people do."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from inward.alerting.alert import Alert, alert_id
from inward.alerting.keeping.database import FILE, AlertStoreError, DamagedAlertStoreError, Database
from inward.alerting.keeping.mutes import Mute, add_mute, end_mute, load_mutes
from inward.alerting.keeping.store import BEFORE, AlertStore, Telling
from inward.record.call import timestamp
from inward.record.follow import Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(moment: timedelta = timedelta()) -> str:
    return timestamp(NOW + moment)


def alert(after: timedelta = timedelta(), subject: str = "checkout", **fields: Any) -> Alert:
    known: dict[str, Any] = {
        "id": alert_id("probing", subject),
        "time": at(after),
        "began": at(after),
        "detector": "probing",
        "severity": "high",
        "why": f"{subject} was refused",
        "caller": subject,
        "calls": (f"call-{after}",),
    }
    return Alert(**{**known, **fields})


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(tmp_path / FILE)
    yield found
    found.close()


@pytest.fixture
def store(database: Database) -> AlertStore:
    made = AlertStore(database)
    made.begin(NOW - HOUR, Place(1, 0))
    return made


def commit(store: AlertStore, *alerts: Alert, place: Place = Place(1, 1)) -> list[str]:  # noqa: B008 - a tuple
    return [telling.what for telling in store.commit(place, alerts)]


def test_the_file_is_private(database: Database) -> None:
    assert stat.S_IMODE(database.path.stat().st_mode) == 0o600
    AlertStore(database).begin(NOW, Place(1, 0))
    wal = database.path.with_name(f"{FILE}-wal")
    assert stat.S_IMODE(wal.stat().st_mode) == 0o600


def test_nobody_has_begun(database: Database) -> None:
    store = AlertStore(database)
    assert (store.progress(), store.find(), store.pending("webhook", 9)) == (None, [], [])
    with pytest.raises(AlertStoreError, match="nobody has begun"):
        store.commit(Place(1, 1), [alert()])
    assert store.find() == []


def test_a_finding_is_told_once_and_goes_on(store: AlertStore) -> None:
    assert commit(store, alert(count=4)) == ["new"]
    assert commit(store, alert(HOUR, count=8, why="more")) == []
    (kept,) = store.find()
    assert (kept.alert.count, kept.fired, kept.state, kept.alert.why) == (8, 2, "open", "more")
    assert (kept.alert.began, kept.alert.time) == (at(), at(HOUR))
    assert kept.alert.calls == ("call-0:00:00", "call-1:00:00")
    assert commit(store, alert(25 * HOUR, count=9)) == ["still"]
    assert commit(store, alert(26 * HOUR, count=9)) == []


def test_a_rule_counts_what_it_found_since(store: AlertStore) -> None:
    commit(store, alert(detector="sigma:x", count=4))
    commit(store, alert(HOUR, detector="sigma:x", count=8))
    assert store.find()[0].alert.count == 12


def test_what_comes_late_moves_nothing_back(store: AlertStore) -> None:
    commit(store, alert(HOUR))
    commit(store, alert(timedelta(minutes=1)))
    (kept,) = store.find()
    assert (kept.alert.began, kept.alert.time) == (at(timedelta(minutes=1)), at(HOUR))


def test_what_was_before_anybody_watched_is_told_nobody(store: AlertStore) -> None:
    assert commit(store, alert(-2 * HOUR)) == []
    (kept,) = store.find()
    assert (kept.state, kept.by, kept.note) == ("acknowledged", "inward", BEFORE)
    assert commit(store, alert(HOUR)) == ["again"]
    assert store.find(open_only=True)[0].fired == 2


def test_acknowledged_and_back_again(store: AlertStore) -> None:
    commit(store, alert())
    name = alert().id
    assert store.acknowledge(name, NOW + HOUR, "ada", "looked") is True
    assert store.acknowledge(name, NOW + HOUR, "ada", None) is False
    assert store.find(open_only=True) == []
    assert commit(store, alert(HOUR + timedelta(minutes=59))) == []
    (kept,) = store.find()
    assert (kept.state, kept.by, kept.note, kept.fired) == ("acknowledged", "ada", "looked", 2)
    assert commit(store, alert(2 * HOUR)) == ["again"]
    (kept,) = store.find(open_only=True)
    assert kept.fired == 3
    with pytest.raises(AlertStoreError, match="there is no alert"):
        store.acknowledge("nothing", NOW, "ada", None)


def mute(database: Database, until: timedelta, **about: str | None) -> Mute:
    fields: dict[str, Any] = {"detector": None, "caller": None, "callee": None, "operation": None, **about}
    return add_mute(database, Mute(0, since=at(), until=at(until), by="ada", **fields))


@pytest.mark.parametrize(
    "about", [{"caller": "checkout"}, {"detector": "probing"}, {"detector": "probing", "caller": "checkout"}]
)
def test_what_is_muted_is_kept_and_told_after(store: AlertStore, database: Database, about: dict[str, str]) -> None:
    added = mute(database, HOUR, **about)
    assert commit(store, alert()) == []
    assert store.to_remind() == []
    assert [kept.state for kept in store.find()] == ["open"]
    assert load_mutes(database, NOW) == [added]
    assert added.fits(alert())
    assert commit(store, alert(HOUR)) == ["new"]
    assert load_mutes(database, NOW + HOUR) == []


def test_a_mute_is_of_what_it_names_alone(store: AlertStore, database: Database) -> None:
    mute(database, HOUR, caller="checkout", detector="enumeration")
    mute(database, HOUR, operation="orders:getOrder")
    assert commit(store, alert()) == ["new"]


def test_what_comes_back_while_muted_is_told_after(store: AlertStore, database: Database) -> None:
    commit(store, alert())
    store.acknowledge(alert().id, NOW, "ada", None)
    added = mute(database, 9 * HOUR, caller="checkout")
    assert commit(store, alert(2 * HOUR)) == []
    assert end_mute(database, added.number) == added
    assert end_mute(database, added.number) is None
    assert commit(store, alert(3 * HOUR)) == ["new"]


def test_each_sink_has_a_place_of_its_own(store: AlertStore) -> None:
    assert store.pending("webhook", 9) == []  # from now on
    commit(store, alert(), alert(subject="billing"))
    assert store.pending("slack", 9) == []  # new: what was before is not for it
    found = store.pending("webhook", 1)
    assert [(telling.what, telling.kept.alert.caller) for telling in found] == [("new", "checkout")]
    store.failed("webhook", "away")
    assert store.sinks() == [("slack", 0, None), ("webhook", 2, "away")]
    store.told("webhook", found[0].number)
    assert [telling.kept.alert.caller for telling in store.pending("webhook", 9)] == ["billing"]
    assert store.sinks() == [("slack", 0, None), ("webhook", 1, None)]
    store.acknowledge(alert().id, NOW, "ada", None)
    assert [telling.what for telling in store.pending("slack", 9)] == ["acknowledged"]


def test_what_every_sink_was_told_of_does_not_pile_up(store: AlertStore, database: Database) -> None:
    def kept() -> list[str]:
        with database.reading() as connection:
            return [about for (about,) in connection.execute("SELECT about FROM tellings ORDER BY number")]

    for name in ("webhook", "quarantine"):
        store.pending(name, 1)
    commit(store, alert(), alert(subject="billing"))
    first, second = store.pending("webhook", 9)
    store.told("webhook", second.number)
    store.told("quarantine", first.number)
    store.commit(Place(1, 2), [], b"snapshot")
    assert kept() == [alert(subject="billing").id]
    assert [telling.number for telling in store.pending("quarantine", 9)] == [second.number]
    store.told("quarantine", second.number)
    store.commit(Place(1, 3), [], b"snapshot")
    assert kept() == []
    commit(store, alert(subject="office"))  # whose number is not one that was told already
    assert [telling.kept.alert.caller for telling in store.pending("webhook", 9)] == ["office"]


def test_reminders_are_of_what_was_told_and_is_open(store: AlertStore) -> None:
    commit(store, alert(), alert(subject="billing"))
    store.acknowledge(alert().id, NOW, "ada", None)
    assert [kept.alert.caller for kept in store.to_remind()] == ["billing"]


def test_finding_them(store: AlertStore) -> None:
    commit(store, *(alert(number * HOUR, subject=f"s{number}") for number in range(5)))
    commit(store, alert(9 * HOUR, subject="r", detector="sigma:r"))
    assert [kept.alert.caller for kept in store.find(limit=2)] == ["s4", "r"]
    assert [kept.alert.caller for kept in store.find(since=NOW + 4 * HOUR)] == ["s4", "r"]
    assert [kept.alert.caller for kept in store.find(detector="sigma:r")] == ["r"]
    assert len(store.named("")) == 2
    assert store.named(alert(subject="s1").id[:12])[0].alert.caller == "s1"
    assert store.named("%") == []
    before = max(kept.changed for kept in store.find())
    store.acknowledge(alert(subject="s1").id, NOW, "ada", None)
    assert [kept.alert.caller for kept in store.changed_since(before)] == ["s1"]


def test_no_more_are_cut_off_in_an_hour(store: AlertStore) -> None:
    assert store.may_cut_off("a", NOW, 2)
    assert store.may_cut_off("b", NOW, 2)
    assert not store.may_cut_off("c", NOW + timedelta(minutes=59), 2)
    assert store.may_cut_off("c", NOW + HOUR, 2)
    assert not store.may_cut_off("d", NOW + 2 * HOUR, 0)


def test_progress(store: AlertStore) -> None:
    store.commit(Place(2, 7), [], b"state")
    store.commit(Place(3, 1), [alert()])
    progress = store.progress()
    assert progress is not None
    assert (progress.done, progress.place, progress.snapshot) == (Place(3, 1), Place(2, 7), b"state")
    store.begin_again(Place(1, 0))
    progress = store.progress()
    assert progress is not None
    assert (progress.done, progress.place, progress.snapshot) == (Place(3, 1), Place(1, 0), None)


def test_nothing_of_a_commit_that_fails_is_there(store: AlertStore) -> None:
    class BrokenError(Exception):
        pass

    def alerts() -> Iterator[Alert]:
        yield alert()
        raise BrokenError

    with pytest.raises(BrokenError):
        store.commit(Place(9, 9), alerts(), b"x")  # type: ignore[arg-type] # it is read once
    progress = store.progress()
    assert progress is not None
    assert (store.find(), progress.done, progress.snapshot) == ([], Place(1, 0), None)


def test_a_full_disk_is_said_and_passes(store: AlertStore, database: Database) -> None:
    with database.reading() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(AlertStoreError, match="full"):
        store.commit(Place(1, 2), [alert(why="x" * 100_000)])
    assert store.find() == []
    with database.reading() as connection:
        connection.execute("PRAGMA max_page_count = 100000")
    assert commit(store, alert(why="x" * 100_000)) == ["new"]


def test_another_process_has_it_open_too(store: AlertStore, database: Database) -> None:
    commit(store, alert())
    code = (
        "import sys, datetime, pathlib\n"
        "from inward.alerting.keeping.database import Database\n"
        "from inward.alerting.keeping.store import AlertStore\n"
        "store = AlertStore(Database(pathlib.Path(sys.argv[1])))\n"
        "store.acknowledge(sys.argv[2], datetime.datetime.now(datetime.UTC), 'other', None)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(database.path), alert().id], check=True, timeout=60)
    assert store.find()[0].by == "other"


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(AlertStoreError, match="there is no"):
        Database(tmp_path / "nothing.db", create=False)
    (tmp_path / "text.db").write_bytes(b"this is no database at all, however long it may be" * 99)
    with pytest.raises(DamagedAlertStoreError, match="is damaged"):
        Database(tmp_path / "text.db")
    (tmp_path / "link.db").symlink_to(tmp_path / "other.db")
    with pytest.raises(AlertStoreError, match="cannot be opened"):
        Database(tmp_path / "link.db")
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(AlertStoreError, match="another version"):
        Database(tmp_path / "other.db")


def test_an_alert_that_cannot_be_read_is_said(store: AlertStore, database: Database) -> None:
    commit(store, alert())
    with database.writing() as connection:
        connection.execute("UPDATE alerts SET alert = 'nonsense'")
    with pytest.raises(AlertStoreError, match="cannot be read"):
        store.find()


def test_a_telling_is_as_the_alert_is_now(store: AlertStore) -> None:
    store.pending("webhook", 1)
    commit(store, alert(count=1))
    commit(store, alert(HOUR, count=50))
    telling: Telling
    (telling,) = store.pending("webhook", 9)
    assert (telling.what, telling.time, telling.kept.alert.count) == ("new", at(), 50)
