from __future__ import annotations

import math
import random

import pytest

from inward.alerting.stream.clock import DAY, HOUR
from inward.alerting.stream.season import Season, hour_of_week

MONDAY = 1_767_571_200
BUCKET = 600


def mean_at(start: int) -> float:
    return 20 * (1 + 0.8 * math.sin(start % DAY / DAY * 2 * math.pi)) * (0.3 if start // DAY % 7 in {2, 3} else 1)


def taught(days: int, seed: int = 1) -> Season:
    chance, season = random.Random(seed), Season.empty()  # noqa: S311 - the same each time
    for start in range(MONDAY, MONDAY + days * DAY, BUCKET):
        season.learn(start, BUCKET, max(0.0, chance.gauss(mean_at(start), math.sqrt(mean_at(start)))), trusted=True)
    return season


def test_the_week_begins_on_monday() -> None:
    assert hour_of_week(MONDAY) == 0
    assert hour_of_week(MONDAY + 6 * DAY + 23 * HOUR) == 167


def test_what_is_usual_follows_the_hour_and_the_weekend() -> None:
    season = taught(28)
    for hour in (3, 9, 15, 21):
        for day in (28, 30):
            start = MONDAY + day * DAY + hour * HOUR + HOUR // 2
            assert season.usual(start) == pytest.approx(mean_at(start), rel=0.35, abs=2)


def test_a_count_that_is_usual_has_a_low_score_and_a_flood_a_high_one() -> None:
    season = taught(14)
    usual = season.usual(MONDAY + 14 * DAY)
    assert season.score(usual, usual) == 0
    assert season.score(usual * 1.2, usual) < 2
    assert season.score(usual * 10, usual) > 8


def test_a_flood_that_is_not_trusted_teaches_little() -> None:
    season = taught(14)
    start = MONDAY + 14 * DAY + 6 * HOUR
    before = season.usual(start + HOUR)
    season.learn(start, BUCKET, 1_000_000, trusted=False)
    assert season.usual(start + HOUR) < 1.2 * before


def test_whoever_floods_for_a_day_and_a_half_does_not_hide_a_larger_flood() -> None:
    season = taught(14)
    end = MONDAY + 14 * DAY + 36 * HOUR
    for start in range(MONDAY + 14 * DAY, end, BUCKET):
        season.learn(start, BUCKET, 200, trusted=False)
    assert season.score(2000, season.usual(end)) > 4


def test_hours_of_silence_are_zeros() -> None:
    season = taught(7)
    start = MONDAY + 14 * DAY + 12 * HOUR
    before = season.mean
    season.learn(start, BUCKET, 20, trusted=False)
    assert season.mean < before
    assert season.learned_to == start + BUCKET


def test_what_is_learned_already_is_not_learned_again() -> None:
    season = taught(7)
    before = season.mean
    season.learn(MONDAY, BUCKET, 1000, trusted=True)
    assert season.mean == before


def test_a_rate_that_doubles_for_good_is_usual_after_some_days() -> None:
    chance, season = random.Random(2), taught(14)  # noqa: S311 - the same each time
    end = MONDAY + 18 * DAY
    for start in range(MONDAY + 14 * DAY, end, BUCKET):
        season.learn(start, BUCKET, chance.gauss(2 * mean_at(start), 3), trusted=False)
    assert season.usual(end + 6 * HOUR) == pytest.approx(2 * mean_at(end + 6 * HOUR), rel=0.35)
