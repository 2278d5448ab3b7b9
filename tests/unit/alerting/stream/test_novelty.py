from __future__ import annotations

import pytest
from tests.unit.alerting.conftest import DAY, MONDAY, act, call

from inward.alerting.stream.novelty import Edges, New


def edges() -> Edges:
    return Edges(remember_days=100, grant_days=7)


def see(known: Edges, at: float, operation: str = "orders:getOrder", policies: tuple[str, ...] = ()) -> New | None:
    return known.see(call(at, "checkout", operation, policies=policies), "checkout", operation, MONDAY + at)


def test_an_edge_is_new_once_and_says_what_the_caller_knew() -> None:
    known = edges()
    assert see(known, 0) == New(0, 0, None, "old")
    assert see(known, 1) is None
    assert see(known, 2, "billing:pay") == New(1, 1, None, "old")
    assert see(known, 120 * DAY) == New(2, 2, 119, "old")


@pytest.mark.parametrize(
    ("detail", "standing"),
    [
        ("in the place of v1; added: fresh", "new"),
        ("in the place of v1; removed: gone; changed: fresh", "new"),
        ("in the place of v1; added: other and 3 more", "perhaps_new"),
        ("in the place of v1; added: other", "old"),
        ("nonsense", "old"),
        (None, "old"),
    ],
)
def test_a_grant_is_new_by_an_act_that_names_it(detail: str | None, standing: str) -> None:
    known = edges()
    known.see_act(act(0, "policy", "v2", detail), MONDAY)
    new = see(known, DAY, policies=("fresh",))
    assert new is not None
    assert new.granted == standing


def test_a_grant_that_decided_before_is_none_of_those_that_were_not_named() -> None:
    known = edges()
    see(known, 0, policies=("settled",))
    known.see_act(act(DAY, "policy", "v2", "in the place of v1; added: other and 3 more"), MONDAY + DAY)
    new = see(known, 2 * DAY, "billing:pay", ("settled",))
    assert new is not None
    assert new.granted == "old"


def test_other_acts_say_nothing_of_grants() -> None:
    known = edges()
    known.see_act(act(0, "quarantine", "x", "in the place of v1; added: fresh"), MONDAY)
    new = see(known, DAY, policies=("fresh",))
    assert new is not None
    assert new.granted == "old"


def test_edges_come_back() -> None:
    known = edges()
    known.see_act(act(0, "policy", "v2", "in the place of v1; added: fresh"), MONDAY)
    see(known, 1)
    other = edges()
    other.restore(known.dumped())
    assert see(other, 2) is None
    new = see(other, 3, "billing:pay", ("fresh",))
    assert new == New(1, 1, None, "new")
