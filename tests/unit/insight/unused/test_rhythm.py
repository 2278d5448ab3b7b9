"""When something was used, and whether it may come again."""

from __future__ import annotations

import pytest

from inward.insight.unused.rhythm import Rhythm, rhythm_of


def at(*days: int) -> Rhythm:
    rhythm = rhythm_of(days, 1000)
    assert rhythm is not None
    return rhythm


def test_without_a_use_there_is_none() -> None:
    assert rhythm_of([], 1000) is None
    assert rhythm_of([1001], 1000) is None, "what is to come was not"


def test_one_run_is_taken_for_a_quarterly_job() -> None:
    assert at(861).may_come_again
    assert at(861).told == "used on one day only"
    assert not at(860).may_come_again
    assert at(855, 858, 861).may_come_again
    assert at(855, 858, 861).told == "used on 3 days in a row or nearly, and on no other"


@pytest.mark.parametrize(("every", "missed"), [(7, 11), (30, 46), (91, 137)])
def test_a_rhythm_ends_with_a_run_that_does_not_come(every: int, missed: int) -> None:
    for silence in (1, missed - 1, missed):
        last = 1000 - silence
        rhythm = at(last, last - every, last - 2 * every, last - 3 * every)
        assert rhythm.may_come_again == (silence < missed)
        assert rhythm.every == (every if every > 7 else None)


def test_a_job_runs_on_some_days_of_each_month() -> None:
    rhythm = at(*(day + offset for day in (800, 831, 861, 892) for offset in (0, 1)))
    assert (rhythm.runs, rhythm.every) == (4, 31)
    assert rhythm.told == "used every 31 days or so, 4 times"


def test_what_has_no_rhythm_is_told_by_its_longest_pause() -> None:
    rhythm = at(700, 710, 800, 803)
    assert rhythm.every is None
    assert rhythm.told == "used on 4 days, no more than 90 days apart"
    assert not rhythm.may_come_again
    assert at(790, 800, 890, 893).may_come_again
