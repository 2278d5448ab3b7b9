from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.alerting.conftest import DAY, act, call, fired, week

if TYPE_CHECKING:
    from inward.record.call import Entry

SLUG = "first-seen-edge"
NEW = 9 * DAY


def test_an_edge_that_was_never_there_is_told_of_once_with_numbers() -> None:
    new = call(NEW, "checkout", "billing:pay", policies=("old",))
    [alert] = fired([*week(), new, call(NEW + 60, "checkout", "billing:pay", policies=("old",))], SLUG)
    assert alert.why == (
        "checkout called billing:pay for the first time in 9 days of record; it has called 1 other operation"
    )
    assert (alert.severity, alert.calls, alert.caller, alert.operation) == (
        "medium",
        (new.id,),
        "checkout",
        "billing:pay",
    )


def test_nothing_is_told_of_while_the_stream_is_learned() -> None:
    assert fired([call(0), call(5 * DAY, "checkout", "billing:pay")], SLUG) == []


@pytest.mark.parametrize("word", ["added", "changed"])
def test_an_edge_that_only_a_new_grant_allows_was_reviewed(word: str) -> None:
    granted = act(NEW - DAY, "policy", "v2", f"in the place of v1; {word}: other, fresh")
    assert fired([*week(), granted, call(NEW, "checkout", "billing:pay", policies=("fresh",))], SLUG) == []


@pytest.mark.parametrize(
    ("at", "detail", "policies"),
    [
        (NEW - 8 * DAY, "in the place of v1; added: fresh", ("fresh",)),  # a week is over
        (NEW - DAY, "in the place of v1; removed: fresh", ("fresh",)),
        (NEW - DAY, "in the place of v1; added: fresh", ("fresh", "old")),  # the old one allowed it all along
        (NEW - DAY, "in the place of v1; added: fresh", ()),
        (NEW - DAY, None, ("fresh",)),
    ],
)
def test_an_edge_that_an_old_grant_allows_is_told_of(at: float, detail: str | None, policies: tuple[str, ...]) -> None:
    entries: list[Entry] = sorted([*week(), act(at, "policy", "v2", detail)], key=lambda each: each.time)
    [alert] = fired([*entries, call(NEW, "checkout", "billing:pay", policies=policies)], SLUG)
    assert alert.severity == "medium"


def test_a_grant_that_may_be_among_those_that_an_act_does_not_name_is_told_of_as_low() -> None:
    granted = act(NEW - DAY, "policy", "v2", "in the place of v1; added: a, b and 3 more")
    [alert] = fired([*week(), granted, call(NEW, "checkout", "billing:pay", policies=("c",))], SLUG)
    assert alert.severity == "low"
    assert alert.why.endswith("; its grant is perhaps new")


def test_a_refused_call_is_no_edge() -> None:
    assert fired([*week(), call(NEW, "checkout", "billing:pay", reason="no_grant")], SLUG) == []


def test_an_edge_that_was_not_used_for_months_is_new_again() -> None:
    again = call(130 * DAY, "checkout", "billing:pay")
    steady: list[Entry] = [call(day * DAY) for day in range(130)]
    [alert] = fired([call(0, "checkout", "billing:pay"), *steady, again], SLUG)
    assert "again, for the first time in 130 days" in alert.why
