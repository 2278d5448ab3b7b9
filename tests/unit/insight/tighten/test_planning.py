"""Which pairs grants keep and lose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.insight.surveyed import NOW, grant, on, system, to

from inward.insight.tighten.planning import Pair, Plan, judged, make_plan
from inward.insight.tighten.sureness import Verdict
from inward.insight.unused.scopes import scopes_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

ALL = 'action in Action::"orders:*"'
GROUP = 'principal in Group::"sellers"'
GOES = Verdict(goes=True, sure=0.97, why="not called")
STAYS = Verdict(goes=False, sure=0.0, why="it may come again", periodic=True)
LIST, CREATE, OLD = "orders:listOrders", "orders:createOrder", "orders:oldOrders"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def plan(
    folder: Path,
    *policies: str,
    used: Collection[Pair] = (),
    stays: Collection[Pair] = (),
    spared: Collection[str] = (),
    needed: Collection[Pair] = (),
) -> Plan:
    made = system(folder, *policies)
    scopes = judged(scopes_of(made.catalog, made.engine.index), NOW)
    return make_plan(
        scopes, used, lambda pair, _: STAYS if pair in stays else GOES, spared, dict.fromkeys(needed, "needed")
    )


def kept(found: Plan, policy: str) -> set[Pair]:
    (narrowing,) = (each for each in found.narrowed if each.policy.id == policy)
    return {Pair(caller, each) for caller, operations in narrowing.kept.items() for each in operations}


def test_a_grant_that_is_used_wholly_is_left_alone(folder: Path) -> None:
    used = [Pair("web", LIST), Pair("till", LIST)]
    assert not plan(folder, grant("g", GROUP, on("listOrders")), used=used).narrowed


def test_what_nobody_used_goes_and_the_rest_stays(folder: Path) -> None:
    used = [Pair("web", LIST), Pair("web", CREATE), Pair("till", LIST)]
    found = plan(folder, grant("g", GROUP, ALL), grant("unused", to("jobs"), on("oldOrders")), used=used)
    assert kept(found, "g") == set(used)
    assert not kept(found, "unused")
    assert [each.percent for each in found.narrowed] == [97, 97]


def test_what_may_come_again_stays_and_is_told(folder: Path) -> None:
    pair = Pair("web", LIST)
    found = plan(folder, grant("g", to("web"), ALL), stays=[pair])
    assert kept(found, "g") == {pair}
    assert found.stays == {pair: STAYS}


def test_a_wide_grant_leaves_to_narrow_ones_what_those_give(folder: Path) -> None:
    policies = [grant("wide", "principal", ALL), grant("narrow", to("web"), on("listOrders"))]
    found = plan(folder, *policies, used=[Pair("web", LIST), Pair("till", LIST)])
    assert kept(found, "wide") == {Pair("till", LIST)}
    (wide,) = found.narrowed
    assert wide.elsewhere == {Pair("web", LIST): "narrow"}


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ('@expires("2030-01-01")', ""),
        ('@expires("2030-01-01")', '@expires("2031-01-01")'),
    ],
)
def test_it_does_not_leave_it_to_one_that_ends_sooner(folder: Path, narrow: str, wide: str) -> None:
    policies = [grant("wide", "principal", ALL, wide), grant("narrow", to("web"), on("listOrders"), narrow)]
    assert kept(plan(folder, *policies, used=[Pair("web", LIST)]), "wide") == {Pair("web", LIST)}


CONDITION = 'when { context.query has state && context.query.state == "open" }'


def test_nor_to_one_with_a_condition(folder: Path) -> None:
    policies = [
        grant("wide", "principal", ALL),
        grant("narrow", to("web"), on("listOrders"), condition=CONDITION),
    ]
    assert kept(plan(folder, *policies, used=[Pair("web", LIST)]), "wide") == {Pair("web", LIST)}


def test_a_condition_is_not_taken_from_beside_a_grant_that_stays(folder: Path) -> None:
    """It refuses a parameter that is not in plain form, so without it more would be allowed."""
    policies = [
        grant("spared", to("web"), on("listOrders")),
        grant("strict", GROUP, on("listOrders"), condition=CONDITION),
    ]
    found = plan(folder, *policies, spared=["spared"])
    assert kept(found, "strict") == {Pair("web", LIST)}
    assert [each.policy.id for each in found.narrowed] == ["strict"]


def test_two_alike_do_not_leave_it_to_each_other(folder: Path) -> None:
    policies = [grant("one", GROUP, ALL), grant("two", GROUP, ALL)]
    found = plan(folder, *policies, used=[Pair("web", LIST)])
    assert [kept(found, name) for name in ("one", "two")] == [{Pair("web", LIST)}, set()]


def test_a_pair_that_is_needed_stays_as_it_is(folder: Path) -> None:
    policies = [grant("wide", "principal", ALL), grant("narrow", to("web"), on("listOrders"))]
    found = plan(folder, *policies, needed=[Pair("web", LIST)])
    assert kept(found, "wide") == {Pair("web", LIST)}
    assert [each.policy.id for each in found.narrowed] == ["wide"]


def test_what_has_expired_and_what_gives_no_call_is_not_judged(folder: Path) -> None:
    made = system(
        folder,
        grant("expired", to("web"), on("listOrders"), '@expires("2020-01-01")'),
        '@id("d") @reason("r") permit (principal == Service::"web", action == Action::"disclose", '
        'resource == DataClass::"pii");',
        grant("live", to("web"), on("listOrders")),
    )
    scopes = judged(scopes_of(made.catalog, made.engine.index), NOW)
    assert [each.policy.id for each in scopes] == ["live"]
