"""Adding to the rows: each entry once, whatever ends it, and no more rows than there may be."""

from __future__ import annotations

import os
import random
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from tests.unit.record.rollup.rows import all_rows, placed, take

from inward.record.call import Call, timestamp
from inward.record.follow import START, Place
from inward.record.rollup import store as module
from inward.record.rollup.database import StateDamagedError, StateError, sqlite_url, writing
from inward.record.rollup.schema import UNITS
from inward.record.rollup.store import NOTHING, Edge, MovedError, Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import URL

    from inward.record.call import Entry

    MakeCall = Callable[..., Call]
    MakeEntries = Callable[..., list[Entry]]

KEY = b"k" * 32


def counted(store: Store) -> dict[str, int]:
    return {unit: sum(row[0] for row in rows.values()) for unit, rows in all_rows(store).items()}


def test_a_new_store_is_at_the_start(store: Store, url: URL) -> None:
    assert (store.progress.place, store.renewed, store.take([])) == (START, False, 0)
    assert os.stat(url.database or "").st_mode & 0o777 == 0o600  # noqa: PTH116 - a text
    assert all_rows(store) == {"minute": {}, "hour": {}, "day": {}}


def test_every_unit_has_every_call(store: Store, make_entries: MakeEntries) -> None:
    entries = make_entries(500)
    calls = [entry for entry in entries if isinstance(entry, Call)]
    assert store.take(placed(entries)) == len(calls) == 500
    assert counted(store) == dict.fromkeys(UNITS, 500)
    assert store.load_progress().place == Place(1, len(entries))
    for unit, length in UNITS.items():
        expected: dict[tuple[int, Edge], int] = {}
        for call in calls:
            moment = datetime.fromisoformat(call.time) - datetime(1970, 1, 1, tzinfo=UTC)
            key = (
                moment // timedelta(milliseconds=length),
                Edge(call.caller or "", call.callee or "", call.operation or ""),
            )
            expected[key] = expected.get(key, 0) + 1
        assert {key: row[0] for key, row in all_rows(store)[unit].items()} == expected


@pytest.mark.parametrize("size", [1, 13])
def test_portions_make_no_difference(tmp_path: Path, store: Store, make_entries: MakeEntries, size: int) -> None:
    pairs = placed(make_entries(80))
    store.take(pairs)
    other = Store(sqlite_url(tmp_path / "other.db"), key=KEY)
    take(other, pairs, size)
    assert all_rows(other) == all_rows(store)
    other.close()


def test_what_fails_changes_nothing(
    store: Store, make_entries: MakeEntries, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pairs = placed(make_entries(200))
    whole = Store(sqlite_url(tmp_path / "whole.db"), key=KEY)
    whole.take(pairs)
    chosen = random.Random(2)  # noqa: S311 - not for secrets
    add_to = Store._add_to

    def failing(self: Store, *arguments: Any, **named: Any) -> Any:
        if chosen.random() < 0.1:
            raise OSError("the disk")
        return add_to(self, *arguments, **named)

    done, failures = 0, 0
    while done < len(pairs):
        before = all_rows(store)
        with monkeypatch.context() as patched:
            patched.setattr(Store, "_add_to", failing)
            try:
                store.take(pairs[done : done + 40])
                done += 40
            except StateError:
                failures += 1
                assert all_rows(store) == before
    assert failures > 3
    assert all_rows(store) == all_rows(whole)
    whole.close()


def test_an_older_state_goes_on_to_the_same_rows(
    tmp_path: Path, store: Store, url: URL, make_entries: MakeEntries
) -> None:
    pairs = placed(make_entries(200))
    store.take(pairs[:70])
    store.close()
    shutil.copy(url.database or "", tmp_path / "older.db")
    store.take(pairs[70:])
    older = Store(sqlite_url(tmp_path / "older.db"))
    assert older.progress.place == Place(1, 70)
    older.take(pairs[older.progress.place.entry :])
    assert all_rows(older) == all_rows(store)
    older.close()


def test_two_who_add_take_turns(store: Store, url: URL, make_entries: MakeEntries, tmp_path: Path) -> None:
    pairs = placed(make_entries(120))
    other = Store(url)
    chosen = random.Random(5)  # noqa: S311 - not for secrets
    moved = 0
    while (done := store.load_progress().place.entry) < len(pairs):
        one, two = (store, other) if chosen.random() < 0.5 else (other, store)
        one.load_progress()
        one.take(pairs[done : done + 10])
        try:
            two.take(pairs[two.progress.place.entry :][:10])
        except MovedError:
            moved += 1
            assert two.progress.place == one.progress.place
    assert moved > 1
    alone = Store(sqlite_url(tmp_path / "alone.db"), key=KEY)
    alone.take(pairs)
    assert all_rows(store) == all_rows(alone)
    other.close()
    alone.close()


def flood(make_call: MakeCall, targets: int) -> list[Entry]:
    """Return calls of one who calls many operations, and after them those of somebody else, all in one hour."""
    calls = [make_call(n, caller="intruder", operation=f"orders:{n % targets}") for n in range(3 * targets)]
    return [*calls, *(make_call(n, caller="web", operation=f"orders:{n % 2}") for n in range(10))]


@pytest.mark.parametrize("size", [7, 1000])
def test_whoever_calls_everything_fills_no_disk(
    store: Store, make_call: MakeCall, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(module, "MOST_TARGETS", {"minute": 5, "hour": 8, "day": 8})
    take(store, placed(flood(make_call, 20)), size)
    rows = all_rows(store)
    found = {edge: row[0] for (_, edge), row in rows["minute"].items()}
    assert found == {
        **{Edge("intruder", "orders", f"orders:{n}"): 3 for n in range(5)},
        Edge("intruder", "*", "*"): 45,
        Edge("web", "orders", "orders:0"): 5,
        Edge("web", "orders", "orders:1"): 5,
    }
    assert len(rows["hour"]) == len(rows["day"]) == 8 + 1 + 2
    assert counted(store) == dict.fromkeys(UNITS, 70)


def test_so_many_callers_have_rows(store: Store, make_call: MakeCall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CALLERS", 3)
    calls: list[Entry] = [make_call(n, caller=f"spiffe://x/{n % 7}") for n in range(21)]
    take(store, placed(calls), 5)
    found = {edge: row[0] for (_, edge), row in all_rows(store)["day"].items()}
    assert found == {**{Edge(f"spiffe://x/{n}", "orders", "orders:getOrder"): 3 for n in range(3)}, Edge(*"***"): 12}


def test_hostile_names_are_kept_apart(store: Store, make_call: MakeCall) -> None:
    names = ["x" * 5_000, "x" * 5_001, "a\0b", "*", "\u202e"]
    store.take(placed([make_call(n, callee=name, operation=None) for n, name in enumerate(names)]))
    assert len(all_rows(store)["day"]) == len(names)


def test_times_that_are_none_and_far_away(store: Store, make_call: MakeCall) -> None:
    times = ["", "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", "2026-08-01T12:00:00.000Z"]
    store.take(placed([make_call(n, time=time) for n, time in enumerate(times)]))
    assert counted(store) == dict.fromkeys(UNITS, 4)


@pytest.mark.parametrize("change", ["update rollup_progress set version=0", "drop table rollup_progress"])
def test_tables_of_another_version_are_made_anew(
    store: Store, url: URL, make_entries: MakeEntries, change: str
) -> None:
    store.take(placed(make_entries(20)))
    with writing(store.engine) as connection:
        connection.execute(text("create table other (x integer)"))
        connection.execute(text(change))
    again = Store(url)
    assert (again.renewed, again.progress.place) == (True, START)
    assert counted(again) == dict.fromkeys(UNITS, 0)
    with writing(again.engine) as connection:
        assert connection.execute(text("select count(*) from other")).scalar() == 0  # what is not ours is left alone
    again.close()


def test_made_anew_from_what_is_left(store: Store, make_entries: MakeEntries) -> None:
    day = datetime(2026, 8, 1, tzinfo=UTC)
    begins = {1: timedelta(hours=21), 2: timedelta(hours=21, minutes=40), 3: timedelta(hours=23, minutes=50)}
    first, second, third = (placed(make_entries(150, seed=n, begin=day + begins[n]), segment=n) for n in begins)
    for pairs in (first, second, third):
        store.take(pairs)
    before = all_rows(store)
    kept = store.restart({2, 3})  # the first segment was deleted
    latest = max(entry.time for _, entry in first if isinstance(entry, Call))
    assert timestamp(datetime.fromtimestamp(kept / 1000, UTC)) == latest
    assert store.progress.place == START
    assert 0 < counted(store)["minute"] < counted(store)["day"]
    take(store, second, 17)
    store.take(third[:50])
    fresh = Store(store.engine.url)  # as after a crash
    fresh.take(third[50:])
    assert all_rows(fresh) == before
    again = placed(make_entries(30, seed=4, begin=datetime(2026, 8, 1, 23, tzinfo=UTC)), segment=4)
    count = counted(fresh)
    fresh.take(again)  # new calls, however old they say they are, count
    assert counted(fresh) == {unit: value + 30 for unit, value in count.items()}
    fresh.close()
    assert store.restart({1, 2, 3, 4}) == NOTHING
    assert counted(store) == dict.fromkeys(UNITS, 0)


def test_what_is_old_goes(store: Store, make_call: MakeCall) -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    calls: list[Entry] = [make_call(n, time=timestamp(now - timedelta(days=n))) for n in range(0, 200, 4)]
    store.take(placed(calls))
    store.prune(int(now.timestamp() * 1000))
    assert {unit: len(rows) for unit, rows in all_rows(store).items()} == {"minute": 3, "hour": 26, "day": 50}


@pytest.mark.parametrize(
    "change",
    [
        "calls='many'",
        "reference=x'00'",
        "names=x'00'",
        "shape=x'00'",
        "shape='text'",
        "names=x'958080808080'",
        "shape=x'94808080c403010203'",
    ],
)
def test_a_row_that_somebody_else_wrote(store: Store, make_entries: MakeEntries, change: str) -> None:
    pairs = placed(make_entries(60))
    store.take(pairs[:30])
    with writing(store.engine) as connection:
        connection.execute(text(f"update rollup_day set {change}"))  # noqa: S608 - a case of this test
    with pytest.raises(StateDamagedError) as caught:
        store.take(pairs[30:])
    assert caught.value.hint.startswith("`inward rollup rebuild`")


def test_a_place_that_somebody_else_wrote(store: Store, url: URL) -> None:
    with writing(store.engine) as connection:
        connection.execute(text("update rollup_progress set hash_key='text'"))
    with pytest.raises(StateDamagedError):
        Store(url)
