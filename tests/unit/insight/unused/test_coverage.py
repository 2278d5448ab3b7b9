"""How far the record can be relied upon."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.unit.insight.surveyed import coverage

from inward.insight.unused.coverage import Ages, day_of, moment_of, reach_of


def test_the_record_reaches_back_as_long_as_half_of_the_days_have_calls() -> None:
    assert reach_of(range(901, 1001), 1000) == 901
    assert reach_of(range(901, 1001, 2), 1000) == 901
    assert reach_of([day for day in range(900, 1001) if day % 7 < 5], 1000) == 900
    assert reach_of([], 1000) is None


def test_a_wrong_clock_makes_it_reach_no_further() -> None:
    assert reach_of([0, 3, 700, 990, *range(995, 1001)], 1000) == 990
    assert reach_of([0, 1500], 1000) is None
    assert reach_of([1000, 5000], 1000) == 1000


def test_a_system_that_rests_now_reaches_less_far() -> None:
    assert reach_of(range(800, 941), 1000) == 800
    assert reach_of(range(940, 951), 1000) is None


def test_days() -> None:
    moment = datetime(2026, 11, 26, 23, 59, tzinfo=UTC)
    assert moment_of(day_of(moment)) == datetime(2026, 11, 26, tzinfo=UTC)
    assert coverage(begin=90).whole
    assert not coverage(begin=89).whole
    assert not coverage(begin=None).whole
    assert coverage(begin=None).days == 0


def test_the_last_change_of_a_policy_counts() -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    assert Ages({}).since("a") == (None, False)
    assert Ages({"a": early}).since("a") == (early, True)
    assert Ages({"a": early}, late).since("a") == (late, False)
    assert Ages({"a": late}, early).since("a") == (late, True)
