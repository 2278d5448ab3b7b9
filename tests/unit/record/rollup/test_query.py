"""Asking the rollups, held against counting the calls one by one."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from tests.unit.record.rollup.rows import placed

from inward.record.call import Call, timestamp
from inward.record.follow import Place
from inward.record.rollup import query as module
from inward.record.rollup.database import StateDamagedError, StateError, sqlite_url, writing
from inward.record.rollup.histogram import quantile
from inward.record.rollup.query import Asked, Rollups, _ranges
from inward.record.rollup.schema import UNITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import URL

    from inward.record.call import Entry
    from inward.record.rollup.store import Store

    MakeCall = Callable[..., Call]
    MakeEntries = Callable[..., list[Entry]]

NOW = datetime(2026, 8, 5, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    """Minutes of the calls are kept, whatever day it is."""
    monkeypatch.setattr(module, "_now", lambda: NOW)


@pytest.fixture
def calls(make_entries: MakeEntries, store: Store) -> list[Call]:
    chosen = random.Random(8)  # noqa: S311 - not for secrets
    begins = [datetime(2026, 8, 1, tzinfo=UTC) + timedelta(minutes=chosen.randrange(6_000)) for _ in range(12)]
    entries = [entry for seed, begin in enumerate(begins) for entry in make_entries(30, seed=seed, begin=begin)]
    store.take(placed(entries))
    return [entry for entry in entries if isinstance(entry, Call)]


@pytest.fixture
def rollups(store: Store, url: URL) -> Iterator[Rollups]:
    assert store.progress
    rollups = Rollups(url)
    yield rollups
    rollups.close()


def floor(moment: datetime) -> str:
    return timestamp(moment.replace(second=0, microsecond=0))


def test_any_time_to_the_minute(calls: list[Call], rollups: Rollups) -> None:
    chosen = random.Random(9)  # noqa: S311 - not for secrets
    for _ in range(60):
        begin = datetime(2026, 7, 31, tzinfo=UTC) + timedelta(seconds=chosen.randrange(500_000))
        until = begin + timedelta(seconds=chosen.choice([1, 59, 3_000, 90_000, 300_000]))
        until = min(until, begin + timedelta(days=2))
        within = [call for call in calls if floor(begin) <= call.time < floor(until + timedelta(seconds=59.999))]
        found = rollups.totals(Asked(since=begin, until=until))
        assert sum(totals.calls for totals in found) == len(within)
        assert sum(totals.refused for totals in found) == sum(call.decision == "deny" for call in within)


def test_totals_by_edge(calls: list[Call], rollups: Rollups) -> None:
    for asked in (Asked(), Asked(caller="web"), Asked(caller=""), Asked(callee="orders", operation="orders:getOrder")):
        for totals in (found := rollups.totals(asked)):
            of = [call for call in calls if (call.caller or "", call.callee, call.operation or "") == totals.edge]
            assert (totals.calls, totals.stopped) == (len(of), sum(call.carried_out == "deny" for call in of))
            assert timestamp(totals.first) == min(call.time for call in of)
            assert timestamp(totals.last) == max(call.time for call in of)
            assert totals.bytes_out == sum(call.bytes_out or 0 for call in of)
        assert found
        assert found == sorted(found, key=lambda totals: totals.edge)
    assert sum(totals.calls for totals in rollups.totals()) == len(calls)
    assert rollups.totals(Asked(caller="nobody")) == rollups.totals(Asked(until=NOW - timedelta(days=99))) == []


def test_all_that_is_known_of_an_edge(calls: list[Call], rollups: Rollups) -> None:
    asked = Asked(since=NOW - timedelta(days=3, hours=7), caller="web", operation="orders:getOrder")
    ((edge, figures),) = rollups.figures(asked).items()
    of = [
        call
        for call in calls
        if (call.caller, call.callee, call.operation) == edge and call.time >= floor(asked.since or NOW)
    ]
    assert figures.calls == len(of) > 5
    assert len(figures.objects) == len({call.full_path for call in of})
    assert figures.granting.get("a", 0) == sum("a" in call.policies and call.decision == "allow" for call in of)
    assert figures.withheld == {"pii.email": sum(bool(call.withheld) and call.mode == "enforce" for call in of)}
    assert quantile(figures.durations, 1) == pytest.approx(max(call.duration_us or 0 for call in of), rel=1 / 32)
    ((_, plain),) = rollups.figures(asked, shapes=False).items()
    assert (plain.names(), plain.durations, plain.objects) == (figures.names(), {}, set())


@pytest.mark.parametrize("unit", UNITS)
def test_series(calls: list[Call], rollups: Rollups, unit: str) -> None:
    length = {"minute": 16, "hour": 13, "day": 10}[unit]
    expected: dict[str, int] = {}
    for call in calls:
        if call.caller == "web":
            expected[call.time[:length]] = expected.get(call.time[:length], 0) + 1
    found = rollups.series(unit, Asked(caller="web"))
    assert {timestamp(bucket.begin)[:length]: bucket.calls for bucket in found} == expected
    assert [bucket.begin for bucket in found] == sorted(bucket.begin for bucket in found)
    first = found[1].begin
    assert rollups.series(unit, Asked(caller="web", since=first, until=first + timedelta(seconds=1))) == [found[1]]


def test_how_far_and_since_when(calls: list[Call], rollups: Rollups) -> None:
    assert rollups.begin() == datetime.fromisoformat(min(call.time for call in calls))
    assert rollups.place() > Place(1, 300)


def test_nothing_yet(rollups: Rollups) -> None:
    assert (rollups.begin(), rollups.totals(), rollups.figures()) == (None, [], {})
    assert rollups.series("hour") == []


def test_no_rollups_at_all(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="there are no rollups"):
        Rollups(sqlite_url(tmp_path / "none.db"))


def test_a_time_is_made_up_of_each_moment_once() -> None:
    chosen = random.Random(10)  # noqa: S311 - not for secrets
    for _ in range(300):
        begin = NOW - timedelta(minutes=chosen.randrange(1, 300_000))
        until = begin + timedelta(minutes=chosen.randrange(1, 400_000))
        ranges = sorted(
            (first * UNITS[unit], end * UNITS[unit])
            for unit, first, end in _ranges(Asked(since=begin, until=until), NOW)
        )
        assert all(one[1] == two[0] for one, two in pairwise(ranges))
        wanted = [int(moment.timestamp() * 1000) for moment in (begin, until)]
        assert ranges[0][0] <= wanted[0] < ranges[0][0] + UNITS["day"]
        assert ranges[-1][1] - UNITS["day"] < wanted[1] <= ranges[-1][1]
        if begin > NOW - timedelta(days=7) and min(until, NOW) - begin <= timedelta(days=2):
            assert [ranges[0][0], ranges[-1][1]] == wanted


def test_times_that_no_calendar_has(store: Store, make_call: MakeCall, rollups: Rollups) -> None:
    store.take(placed([make_call(1, time="0001-01-01T00:00:00.000Z"), make_call(2, time="9999-12-31T23:59:99.999Z")]))
    (totals,) = rollups.totals()
    assert (totals.calls, totals.first.year, totals.last.year) == (2, 1, 9999)
    assert [bucket.calls for bucket in rollups.series("day")] == [1, 1]


def test_days_hold_what_the_calls_of_each_day_come_to(calls: list[Call], rollups: Rollups) -> None:
    found = list(rollups.days(NOW - timedelta(days=9)))
    assert sum(day.calls for day in found) == len(calls)
    assert sum(day.refused for day in found) == sum(call.decision == "deny" for call in calls)
    for day in found:
        begin = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day.day)
        of = [
            call
            for call in calls
            if (call.caller or "", call.callee, call.operation or "") == day.edge
            and call.time[:10] == begin.date().isoformat()
        ]
        assert day.calls == len(of)
        for names, decision in ((day.granting, "allow"), (day.refusing, "deny")):
            assert names == Counter(name for call in of if call.decision == decision for name in call.policies)
        assert sum(day.outcomes.values()) == day.calls


def test_days_of_some_operations_and_some_time(calls: list[Call], rollups: Rollups) -> None:
    assert calls
    begin, until = datetime(2026, 8, 2, 15, tzinfo=UTC), datetime(2026, 8, 4, 15, tzinfo=UTC)
    every = list(rollups.days(NOW - timedelta(days=9)))
    days = {(day - datetime(1970, 1, 1, tzinfo=UTC)).days for day in (begin, begin + timedelta(days=1))}
    wanted = ["orders:getOrder", "", "nothing"]
    found = list(rollups.days(begin, until, operations=wanted))
    assert sorted(found) == sorted(day for day in every if day.day in days and day.edge.operation in wanted)
    assert list(rollups.days(begin, until, operations=[])) == []


def test_days_with_a_call_that_was_allowed(store: Store, rollups: Rollups, make_call: MakeCall) -> None:
    refused = {"decision": "deny", "carried_out": "deny", "reason": "no_grant"}
    entries: list[Entry] = [
        make_call(1, time="2026-08-01T12:00:00.000Z"),
        make_call(2, time="2026-08-03T12:00:00.000Z", **refused),
        make_call(3, time="2026-08-04T12:00:00.000Z", **refused),
        make_call(4, time="2026-08-04T13:00:00.000Z"),
    ]
    store.take(placed(entries))
    first = (datetime(2026, 8, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days
    assert rollups.days_with_calls(NOW - timedelta(days=9), NOW) == [first, first + 3]
    assert rollups.days_with_calls(datetime(2026, 8, 2, tzinfo=UTC), datetime(2026, 8, 4, tzinfo=UTC)) == []


def test_the_last_call_that_may_have_been_let_through(calls: list[Call], rollups: Rollups) -> None:
    found = rollups.last_through(NOW - timedelta(days=9), NOW)
    through = {(call.caller or "", call.callee, call.operation or "") for call in calls if call.carried_out == "allow"}
    assert set(found) == through
    assert rollups.last_through(NOW - timedelta(days=9), datetime(2026, 8, 1, tzinfo=UTC)) == {}


def test_a_day_that_was_changed_is_told(store: Store, rollups: Rollups, make_call: MakeCall) -> None:
    store.take(placed([make_call(1, time="2026-08-04T12:00:00.000Z")]))
    for statement, value in (
        ("UPDATE rollup_day SET names = :value", b"no names"),
        ("UPDATE rollup_day SET calls = :value", "many"),
    ):
        with writing(store.engine) as connection:
            connection.execute(text(statement), {"value": value})
        with pytest.raises(StateDamagedError):
            list(rollups.days(NOW - timedelta(days=9)))
