"""How sure it is that something is not needed any more."""

from __future__ import annotations

import pytest

from inward.insight.tighten.sureness import MOST, Verdict, Watched, judge

TODAY = 20_000


def verdict(*ago: int, days: int = 400, known: int = 400, holes: bool = False, least: float = 0.9) -> Verdict:
    return judge({TODAY - each for each in ago}, Watched(days, known, TODAY, holes=holes), least)


def test_it_grows_with_the_days_of_silence() -> None:
    found = [verdict(days=days).sure for days in range(400)]
    assert found[0] == 0.5
    assert found == sorted(found)
    assert found[-1] == MOST
    assert [round(found[days], 2) for days in (7, 30, 89)] == [0.87, 0.94, 0.98]


def test_two_weeks_are_not_enough_for_what_goes_by_default() -> None:
    assert not verdict(days=14).goes
    assert verdict(days=30).goes
    assert verdict(days=14, least=0.8).goes


def test_what_was_lost_may_have_been_a_use() -> None:
    assert verdict(days=89, holes=True).sure < verdict(days=89).sure
    assert not verdict(days=30, holes=True).goes


@pytest.mark.parametrize(
    "ago",
    [
        (91, 183, 275),  # every quarter
        (91, 183),
        (40, 71, 101, 132),  # every month
        (89,),  # once, a quarter ago
        (100, 101, 102),  # one run of three days
    ],
)
def test_what_may_come_again_stays(ago: tuple[int, ...]) -> None:
    found = verdict(*ago, least=0.0)
    assert (found.goes, found.periodic, found.sure) == (False, True, 0.0)
    assert found.why.endswith(": it may come again")


def test_what_was_seen_once_stays_until_two_quarters_are_known() -> None:
    assert verdict(150, known=180, least=0.0).periodic
    assert not verdict(150, known=190, least=0.0).periodic
    assert not verdict(150, known=400).goes  # one use teaches little


def test_what_was_called_daily_and_is_silent_for_long_goes() -> None:
    found = verdict(*range(100, 160))
    assert found.goes
    assert found.why == "used on 60 days, no more than 1 days apart, and not for the last 100 days"


def test_a_monthly_job_must_miss_several_runs() -> None:
    sure = [verdict(*(silent + 31 * n for n in range(6))).sure for silent in (40, 100, 200)]
    assert sure == sorted(sure)
    assert sure[0] == 0.0
    assert 0.8 < sure[2] < 0.95


def test_a_number_is_never_shown_higher_than_it_is() -> None:
    assert Verdict(goes=True, sure=0.979, why="").percent == 97
    assert Verdict(goes=True, sure=0.29, why="").percent == 29
