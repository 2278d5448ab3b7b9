"""The cut against all subsets of the grants, on systems small enough for that."""

from __future__ import annotations

import os
import sys
from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.insight.reach.conftest import CLASSES, Oracle, System, random_system

from inward.insight.reach import cut as cut_module
from inward.insight.reach.access import mask_of, ones
from inward.insight.reach.cut import Cut, SolverMissingError, fewest
from inward.insight.reach.graph import GOAL, Arc, arcs_to
from inward.insight.reach.reached import Target, reach_of
from inward.insight.reach.spread import START, Assumed, Spread, Traced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

seeds = st.integers(0, 2**32)


def reaches(system: System, name: str, wanted: Sequence[str], *, assumed: bool) -> bool:
    oracle = Oracle(system)
    calls = oracle.hops(name, assumed=assumed)
    return any(oracle.is_given(*call, each) for call in calls for each in wanted) or any(
        operation in wanted for _, operation in calls
    )


def check(system: System, name: str, wanted: tuple[str, ...], *, assumed: bool) -> None:
    """Hold the cut of one target against every smaller set of grants."""
    access = system.access()
    spread: Spread = Assumed() if assumed else Traced(access, system.links)
    target = Target("t", wanted) if wanted[0] in CLASSES else Target(wanted[0], operation=access.number[wanted[0]])
    arcs = arcs_to(access, spread, reach_of(access, spread, name), target)
    cut = fewest(arcs, access.opened_by(access.grants))
    permits = [each.id for each in access.policies(access.grants)]
    if cut is None:
        assert reaches(system.without(permits), name, wanted, assumed=assumed)
        return
    assert cut.proven
    chosen = [each.id for each in access.policies(cut.grants)]
    assert not reaches(system.without(chosen), name, wanted, assumed=assumed)
    for size in range(len(chosen)):
        for fewer in combinations(permits, size):
            assert reaches(system.without(fewer), name, wanted, assumed=assumed)


@settings(deadline=None, max_examples=40)
@given(seeds, st.booleans())
def test_no_smaller_set_of_grants_would_do(seed: int, assumed: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    system = random_system(seed, grants=9)
    services = list(system.catalog.services)
    name = services[seed % len(services)]
    for wanted in (CLASSES[:2], CLASSES[2:]):
        check(system, name, wanted, assumed=assumed)
    others = [each for each in system.catalog.operations if not each.startswith(f"{name}:")]
    if others:
        check(system, name, (others[seed % len(others)],), assumed=assumed)


def way(*grants: int) -> list[Arc]:
    """Return a way from the start to the goal whose arcs need these masks of grants."""
    nodes = [START, *((grants, number) for number in range(len(grants) - 1)), GOAL]
    return [Arc(nodes[number], nodes[number + 1], mask) for number, mask in enumerate(grants)]


@pytest.mark.parametrize(
    ("arcs", "costs", "expected"),
    [
        ([], {}, 0),
        (way(1), {}, 1),
        (way(0), {}, None),
        (way(0b11), {}, 0b11),  # both grants keep it open
        (way(1) + way(0b10), {}, 0b11),
        (way(1, 0b100) + way(0b10, 0b100), {}, 0b100),  # what they share
        (way(1, 0b10), {0: 5, 1: 2}, 0b10),  # the one that opens less
        (way(0b1, 0b10) + way(0b1, 0b100), {0: 10**9, 1: 1, 2: 1}, 0b1),  # fewest first, whatever they open
        ([*way(1, 0b10), Arc(START, GOAL, 0b100)], {0: 1, 1: 9}, 0b101),
        ([Arc(START, "a", 1), Arc("a", "b", 0), Arc("b", "a", 0), Arc("b", "c", 0)], {}, 0),  # nothing leads there
        ([Arc(START, GOAL, 1), Arc(START, GOAL, 0)], {}, None),
    ],
)
def test_cuts(arcs: list[Arc], costs: Mapping[int, int], expected: int | None) -> None:
    assert fewest(arcs, costs) == (None if expected is None else Cut(expected, proven=True))


def test_a_system_may_have_many_grants() -> None:
    assert fewest(way(1 << 9_999, 1 << 20_000), {9_999: 1, 20_000: 2}) == Cut(1 << 9_999, proven=True)


def test_when_time_is_up_it_is_a_cut_and_not_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    arcs = way(1, 0b1000) + way(0b10, 0b1000) + way(0b100, 0b1000)
    monkeypatch.setattr(cut_module, "_solve", lambda *_: (None, False))
    cut = fewest(arcs, {})
    assert cut is not None
    assert not cut.proven
    assert all(any(cut.grants & arc.grants for arc in arcs[at : at + 2]) for at in (0, 2, 4))
    monkeypatch.setattr(cut_module, "_solve", lambda *_: (1, True))  # which leaves ways open: it is not believed
    cut = fewest(arcs, {})
    assert cut is not None
    assert not cut.proven
    assert cut.grants != 1


def test_the_solver_prints_nothing_into_the_result(capfd: pytest.CaptureFixture[str]) -> None:
    check(
        random_system(9970021, grants=10), "s2", CLASSES[:2], assumed=True
    )  # for which HiGHS prints a line of its own
    with cut_module._silence():
        os.write(1, b"noise")
    os.write(1, b"result")
    assert capfd.readouterr().out == "result"


def test_without_the_solver_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(SolverMissingError) as raised:
        fewest(way(1), {})
    assert "pip install scipy" in raised.value.hint
    assert fewest([], {}) == Cut(0, proven=True)


@given(st.sets(st.integers(0, 300)))
def test_masks(positions: set[int]) -> None:
    assert list(ones(mask_of(positions))) == sorted(positions)
