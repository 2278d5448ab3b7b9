"""What nobody used, by what proves it; and what must not be called unused."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.unit.insight.surveyed import NOW, coverage, day, disclosure, grant, on, system, to, unused

from inward.insight.unused.coverage import Ages
from inward.insight.unused.find import Sure, caveats, few

if TYPE_CHECKING:
    from pathlib import Path

LIST = grant("web-lists", to("web"), on("listOrders"))


def test_a_grant_that_allowed_a_call_is_used(tmp_path: Path) -> None:
    assert unused(system(tmp_path, LIST), [day(89, "web", "listOrders", by="web-lists")]) == {}


def test_a_grant_that_allowed_none_is_not(tmp_path: Path) -> None:
    found = unused(system(tmp_path, LIST), [day(3, "till", "listOrders", refused=1, stopped=1)])["web-lists"]
    assert (found.kind, found.sure, found.last) == ("grant", Sure.UNUSED, None)
    assert found.proof == ("web made none of the calls that it allows since 2026-08-28",)
    assert found.since == NOW.replace(hour=0) - timedelta(days=400)


def test_a_grant_that_others_always_come_before_is_not_used(tmp_path: Path) -> None:
    made = system(tmp_path, LIST, grant("all-list", 'principal in Group::"sellers"', on("listOrders")))
    found = unused(made, [day(3, "web", "listOrders", calls=12, by="all-list")])
    assert found["web-lists"].proof == ("other grants allowed 12 calls that it is about since 2026-08-28: all-list",)


def test_what_was_let_through_in_observe_mode_is_no_use_of_a_grant(tmp_path: Path) -> None:
    days = [day(3, "web", "listOrders", refused=1, outcomes={"deny allow observe no_grant": 1})]
    assert unused(system(tmp_path, LIST), days)["web-lists"].sure is Sure.UNUSED


@pytest.mark.parametrize("ago", [0, 30, 88])
def test_a_quarterly_job_is_called_out_after_89_days_of_record(tmp_path: Path, ago: int) -> None:
    """Whether its one run was seen, or the record began the day after it."""
    made = system(tmp_path, LIST)
    for days in ([day(88, "web", "listOrders", by="web-lists")], []):
        for since in (ago + 1, 90):
            found = unused(made, days, coverage(since=since, begin=89))
            for each in found.values():
                assert each.sure is Sure.UNSURE
                assert any("again" in doubt or "every quarter" in doubt for doubt in each.doubts), each


def test_what_comes_every_quarter_must_miss_a_run(tmp_path: Path) -> None:
    made = system(tmp_path, LIST)
    runs = [day(ago, "web", "listOrders", by="web-lists") for ago in (100, 191, 283, 374)]
    found = unused(made, runs)["web-lists"]
    assert found.sure is Sure.UNSURE
    assert found.doubts == ("used every 91 days or so, 4 times, 100 days ago: it may come again",)
    assert found.last is not None
    assert (NOW.date() - found.last.date()).days == 100
    later = unused(made, [each._replace(day=each.day - 50) for each in runs])["web-lists"]
    assert later.sure is Sure.UNUSED
    assert later.proof[-1].startswith("before that it was used every 91 days or so, 4 times, last on ")


def test_what_came_every_day_and_ended_is_unused(tmp_path: Path) -> None:
    days = [day(ago, "web", "listOrders", by="web-lists") for ago in range(91, 130)]
    assert unused(system(tmp_path, LIST), days)["web-lists"].sure is Sure.UNUSED


def test_nothing_is_unused_before_the_record_reaches_so_far(tmp_path: Path) -> None:
    made = system(tmp_path, LIST, disclosure("web-sees", "web"))
    for begin in (None, 0, 10, 89, 92):
        for each in unused(made, [], coverage(since=90, begin=begin)).values():
            assert each.sure is Sure.UNSURE
            assert each.doubts
    assert {each.sure for each in unused(made, [], coverage(since=90, begin=93)).values()} == {Sure.UNUSED}


def test_a_grant_that_was_changed_meanwhile_is_too_young(tmp_path: Path) -> None:
    made = system(tmp_path, LIST)
    recent = NOW - timedelta(days=40)
    found = unused(made, [], ages=Ages({"web-lists": recent}))["web-lists"]
    assert (found.sure, found.doubts) == (Sure.YOUNG, ("it was changed on 2026-10-17",))
    assert found.since == recent
    assert unused(made, [], ages=Ages({"another": recent}))["web-lists"].sure is Sure.UNUSED
    unknown = unused(made, [], ages=Ages({}, recent))["web-lists"]
    assert unknown.doubts == ("policies were changed by 2026-10-17, and it is not known which",)
    seen_before = [day(ago, "web", "listOrders", by="web-lists") for ago in range(100, 200)]
    assert unused(made, seen_before, ages=Ages({}, recent))["web-lists"].sure is Sure.UNUSED
    assert unused(made, seen_before, ages=Ages({"web-lists": recent}))["web-lists"].sure is Sure.YOUNG


def test_an_expired_grant_needs_no_record(tmp_path: Path) -> None:
    made = system(tmp_path, grant("was", to("web"), on("listOrders"), '@expires("2026-01-31")'))
    found = unused(made, [], coverage(begin=None))["was"]
    assert (found.sure, found.proof) == (Sure.UNUSED, ("it expired on 2026-01-31, and allows nothing",))


def test_a_condition_that_refused_nothing_made_no_difference(tmp_path: Path) -> None:
    condition = 'when { context.query has state && context.query.state == "open" }'
    made = system(tmp_path, grant("open-only", to("web"), on("listOrders"), condition=condition))
    used = day(3, "web", "listOrders", calls=9, by="open-only")
    found = unused(made, [used])["open-only"]
    assert (found.kind, found.sure) == ("condition", Sure.UNUSED)
    assert found.proof == ("it allowed 9 calls since 2026-08-28, and its condition refused none",)
    refused = day(5, "web", "listOrders", calls=2, refused=2, stopped=2, refused_by="open-only")
    assert unused(made, [used, refused]) == {}
    before = unused(made, [used, refused._replace(day=refused.day - 100)])["open-only"]
    assert before.sure is Sure.UNSURE, "it refused something on one day"
    never = unused(made, [refused])["open-only"]
    assert never.kind == "grant"
    assert never.proof[-1] == "its condition did not hold for 2 calls, which were refused"


def test_a_disclosure_is_used_by_an_answer_or_a_request_that_may_hold_it(tmp_path: Path) -> None:
    made = system(tmp_path, disclosure("web-sees", "web"), disclosure("orders-keep", "orders"))
    assert set(unused(made, [])) == {"web-sees", "orders-keep"}
    assert set(unused(made, [day(3, "web", "listOrders")])) == {"orders-keep"}
    assert set(unused(made, [day(3, "till", "createOrder")])) == {"web-sees"}
    assert set(unused(made, [day(3, "till", "listOrders")])) == {"web-sees", "orders-keep"}
    assert set(unused(made, [day(3, "web", "listOrders", refused=1, stopped=1)])) == {"web-sees", "orders-keep"}
    before = unused(made, [day(100, "web", "listOrders")])["web-sees"]
    assert before.doubts == ("used on one day only, 100 days ago: it may come again",)


def test_what_is_not_told_apart_is_a_doubt(tmp_path: Path) -> None:
    made = system(tmp_path, LIST, disclosure("web-sees", "web"))
    days = [
        day(3, "till", "listOrders", by="*"),
        day(3, "web", "x:")._replace(edge=day(1, "web", "x:").edge._replace(operation="*")),
    ]
    found = unused(made, days)
    assert found["web-lists"].doubts == (
        "so many policies decided calls of orders:listOrders that not all are told apart",
    )
    both = day(3, "till", "listOrders", by="*")
    both = both._replace(edge=both.edge._replace(operation="*"))
    assert unused(made, [both])["web-lists"].sure is Sure.UNSURE
    assert found["web-sees"].doubts == ("web called so much that not all of it is told apart",)


def test_the_longest_unused_come_first_and_what_is_unsure_after(tmp_path: Path) -> None:
    made = system(
        tmp_path,
        grant("a", to("web"), on("listOrders")),
        grant("b", to("web"), on("createOrder")),
        grant("c", to("web"), on("oldOrders")),
    )
    days = [day(ago, "web", "listOrders", by="a") for ago in range(91, 150)]
    days += [day(100, "web", "createOrder", by="b")]
    assert list(unused(made, days)) == ["c", "a", "b"]


def test_calls_in_the_future_do_not_make_a_silence(tmp_path: Path) -> None:
    made = system(tmp_path, LIST)
    assert unused(made, [day(-3000, "web", "listOrders", by="web-lists")]) == {}


def test_words() -> None:
    assert few(["a", "b", "c", "d"]) == "a, b, c and 1 more"
    assert list(caveats(coverage(begin=366)))
    assert not list(caveats(coverage(begin=367)))
