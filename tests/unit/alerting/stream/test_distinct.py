from __future__ import annotations

import math
from itertools import pairwise

from inward.alerting.stream.clock import DAY
from inward.alerting.stream.distinct import GROWTH, DistinctCounts, Excess, Limits, Usual

MONDAY = 1_767_571_200.0
LIMITS = Limits(short_seconds=600, short_floor=20, long_floor=60, factor=3.0, learn_seconds=DAY, unlearned=10.0)
KEY = ("billing", "orders:getOrder")


def ask(counts: DistinctCounts, things: range, at: float) -> list[Excess]:
    return [found for number in things if (found := counts.see(KEY, str(number), at, ("t", f"c{number}")))]


def learned() -> DistinctCounts:
    counts = DistinctCounts(LIMITS, 100, "secret")
    for day in range(5):
        for window in range(3):
            assert ask(counts, range(5 + window), MONDAY + day * DAY + window * 600) == []
    return counts


def test_many_different_things_at_once_are_told_of_with_what_is_usual() -> None:
    found = ask(learned(), range(400), MONDAY + 5 * DAY)
    assert (found[0].count, found[0].low, found[0].high, found[0].seconds) == (22, 5, 7, 600)
    assert found[0].calls[0] == "c0"


def test_an_excess_that_goes_on_is_told_of_when_it_has_doubled() -> None:
    counts = [each.count for each in ask(learned(), range(5000), MONDAY + 5 * DAY)]
    assert len(counts) <= 9
    assert all(later >= 2 * earlier - 1 for earlier, later in pairwise(counts))


def test_the_same_thing_again_and_again_is_one_thing() -> None:
    counts = learned()
    assert [counts.see(KEY, "7", MONDAY + 5 * DAY, ("t", "c")) for _ in range(3000)] == [None] * 3000


def test_a_trickle_is_found_by_the_day() -> None:
    counts = learned()
    found = [ask(counts, range(3 * window, 3 * window + 3), MONDAY + 5 * DAY + window * 600) for window in range(140)]
    told = [each for window in found for each in window]
    assert told[0].seconds == DAY
    assert told[0].count <= 63


def test_a_key_that_is_new_must_ask_for_more() -> None:
    counts = DistinctCounts(LIMITS, 100, "secret")
    assert ask(counts, range(190), MONDAY) == []
    [first, *_] = ask(counts, range(190, 300), MONDAY)
    assert not first.learned


def test_a_baseline_rises_by_no_more_than_its_growth_a_day() -> None:
    usual = Usual()
    usual.close(10, 1, math.inf)
    for _ in range(100):
        usual.close(100_000, 2, 0)
    assert usual.high == 10 * GROWTH
    usual.close(100_000, 3, 0)
    assert usual.high == 10 * GROWTH**2


def test_a_baseline_forgets_after_four_weeks() -> None:
    usual = Usual()
    usual.close(1000, 1, math.inf)
    for day in range(2, 40):
        usual.close(5, day, 0)
    assert (usual.low, usual.high) == (5, 5)


def test_things_that_are_chosen_without_the_secret_are_counted_whatever_they_are() -> None:
    one, other = DistinctCounts(LIMITS, 100, "a"), DistinctCounts(LIMITS, 100, "b")
    counts = [[each.count for each in ask(each, range(3000), MONDAY)] for each in (one, other)]
    assert counts[0] != counts[1]  # which things a sketch takes for the same depends on the secret


def test_counts_are_the_same_after_they_were_saved() -> None:
    counts = learned()
    restored = DistinctCounts(LIMITS, 100, "secret")
    restored.restore(counts.dumped())
    assert ask(restored, range(3000), MONDAY + 5 * DAY) == ask(counts, range(3000), MONDAY + 5 * DAY)
