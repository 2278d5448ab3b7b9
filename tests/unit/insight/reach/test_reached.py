"""Reach against an oracle that decides every call by the engine; the score; the paths."""

from __future__ import annotations

from itertools import pairwise
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.insight.reach.conftest import (
    CLASSES,
    HERE,
    NOW,
    Oracle,
    System,
    operation,
    policy,
    random_system,
    service,
)

from inward.catalog.model import Catalog, DataClass, Mode
from inward.catalog.shape import Node, Shape
from inward.insight.reach.access import Access, ones
from inward.insight.reach.reached import Reach, Target, calls_to, each_operation, each_sight, paths_to, reach_of, score
from inward.insight.reach.spread import Assumed, Spread, Traced
from inward.policy.index import Index
from inward.policy.model import Policies

seeds = st.integers(0, 2**32)


def looked(system: System, name: str, *, assumed: bool) -> tuple[Access, Spread, Reach]:
    access = system.access()
    spread: Spread = Assumed() if assumed else Traced(access, system.links)
    return access, spread, reach_of(access, spread, name)


@settings(deadline=None, max_examples=150)
@given(seeds, st.booleans())
def test_reach_agrees_with_brute_force(seed: int, assumed: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    system = random_system(seed)
    oracle = Oracle(system)
    for name in system.catalog.services:
        access, _, reach = looked(system, name, assumed=assumed)
        hops = oracle.hops(name, assumed=assumed)
        calls = {
            (stage.caller, access.operations[number].id): stage.hops
            for stage in reach.stages
            for number in ones(stage.operations)
        }
        assert calls == hops
        nearest = {each: min(n for (_, other), n in hops.items() if other == each) for _, each in hops}
        layers = {access.operations[n].id: at for at, layer in enumerate(reach.layers, 1) for n in ones(layer)}
        assert layers == nearest
        assert reach.data == oracle.data(name, assumed=assumed)


@settings(deadline=None, max_examples=80)
@given(seeds, st.booleans())
def test_a_condition_that_could_hold_counts(seed: int, assumed: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    system = random_system(seed, "sometimes")
    oracle = Oracle(system)
    for name in system.catalog.services:
        access, _, reach = looked(system, name, assumed=assumed)
        calls = {(stage.caller, access.operations[n].id) for stage in reach.stages for n in ones(stage.operations)}
        found = set(oracle.hops(name, assumed=assumed))
        assert found <= calls
        forbidden = any(each.effect == "forbid" and each.conditional for each in system.policies)
        if not forbidden:  # then each condition holds for a request that the oracle tries
            assert found == calls


@settings(deadline=None, max_examples=60)
@given(seeds, st.booleans())
def test_every_path_is_one_and_a_shortest(seed: int, assumed: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    system = random_system(seed)
    oracle = Oracle(system)
    for name in system.catalog.services:
        access, spread, reach = looked(system, name, assumed=assumed)
        hops = oracle.hops(name, assumed=assumed)
        for data_class in CLASSES:
            ends = set()
            for chain in paths_to(access, spread, reach, Target(data_class, (data_class,))):
                steps = [(hop.caller, access.operations[hop.operation].id) for hop in chain]
                assert steps[0][0] == name
                assert all(oracle.may_call(*step) for step in steps)
                for (_, cause), (caller, effect) in pairwise(steps):
                    assert caller == system.catalog.operations[cause].service
                    assert assumed or (cause, effect) in system.links
                assert len(steps) == hops[steps[-1]]
                ends.add(steps[-1])
            assert len(ends) == calls_to(access, reach, Target(data_class, (data_class,)))
            assert ends == {call for call in hops if oracle.is_given(*call, data_class)}


@settings(deadline=None, max_examples=60)
@given(seeds, st.booleans())
def test_one_more_grant_never_lowers_the_score(seed: int, assumed: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    system = random_system(seed)
    permits = [each.id for each in system.policies if each.effect == "permit"]
    fewer = system.without({permits[seed % len(permits)]} if permits else ())
    for name in system.catalog.services:
        access, _, reach = looked(system, name, assumed=assumed)
        less, _, smaller = looked(fewer, name, assumed=assumed)
        assert score(less, smaller) <= score(access, reach)


@settings(deadline=None, max_examples=40)
@given(seeds)
def test_each_operation_is_told_once_with_what_causes_it(seed: int) -> None:
    system = random_system(seed)
    for name in system.catalog.services:
        access, spread, reach = looked(system, name, assumed=False)
        told = list(each_operation(access, spread, reach))
        assert sorted(each.operation for each in told) == list(ones(reach.operations))
        for each in told:
            assert each.hops == reach.hops_to(each.operation)
            if each.cause is None:
                assert (each.hops, each.caller) == (1, name)
            else:
                assert reach.hops_to(each.cause) == each.hops - 1
                assert (access.operations[each.cause].id, access.operations[each.operation].id) in system.links
        assert {sight.name: sight.hops for sight in each_sight(access, reach)} == reach.data


def chain() -> System:
    """`a` calls `b`, which then calls `c`, by which it is given `card`; `d` has data of its own."""
    catalog = Catalog(
        "shop.test",
        MappingProxyType(
            {
                "a": service("a"),
                "b": service("b", (operation("b", "buy", method="POST"), operation("b", "look"))),
                "c": service("c", (operation("c", "charge", ("card",)),)),
                "d": service(
                    "d", (operation("d", "show", ("card",)), operation("d", "keep", body=Shape((Node(("pii",)),))))
                ),
            }
        ),
        MappingProxyType({"card": DataClass("card", "team", None, HERE), "pii": DataClass("pii", "team", None, HERE)}),
    )
    return System(
        catalog,
        Policies.of(
            [
                policy("ab", "b", 'permit (principal == Service::"a", action == Action::"b:buy", resource);'),
                policy("bc", "c", 'permit (principal == Service::"b", action == Action::"c:charge", resource);'),
                policy("see", "c", 'permit (principal == Service::"b", action == Action::"disclose", resource);'),
            ]
        ),
        frozenset({("b:buy", "c:charge"), ("b:look", "d:show")}),
        frozenset(),
    )


def test_the_score_is_what_the_page_says() -> None:
    access, _, reach = looked(chain(), "a", assumed=False)
    assert [layer.bit_count() for layer in reach.layers] == [1, 1]
    assert score(access, reach) == 2 + 1 / 2 + 10 / 2  # changes something; read behind it; card, given to b
    access, _, reach = looked(chain(), "d", assumed=False)
    assert dict(reach.held) == {"card": 1 << access.number["d:show"]}
    assert score(access, reach) == 10


def test_what_may_be_sent_to_a_service_is_its_own_where_it_is_disclosed_to_it() -> None:
    system = chain()
    more = policy("keep", "d", 'permit (principal == Service::"d", action == Action::"disclose", resource);')
    system = System(system.catalog, Policies.of([*system.policies, more]), system.links, system.quarantined)
    access, _, reach = looked(system, "d", assumed=False)
    assert set(reach.held) == {"card", "pii"}
    assert score(access, reach) == 20


def test_a_link_that_is_granted_no_longer_leads_nowhere() -> None:
    _, _, reach = looked(chain().without({"bc"}), "a", assumed=False)
    assert [layer.bit_count() for layer in reach.layers] == [1]
    assert not reach.data


@pytest.mark.parametrize("cut_off", ["a", "b", "c"])
def test_quarantine_cuts_at_its_place(cut_off: str) -> None:
    system = chain()
    access = Access(system.catalog, Index(system.catalog, system.policies), NOW, {cut_off})
    reach = reach_of(access, Traced(access, system.links), "a")
    assert len(reach.layers) == {"a": 0, "b": 0, "c": 1}[cut_off]


def test_in_mode_observe_everything_is_open_and_cut_by_nobody() -> None:
    system = chain()
    observed = operation("c", "charge", ("card",), mode=Mode.OBSERVE)
    services = {**system.catalog.services, "c": service("c", (observed,), mode=Mode.OBSERVE)}
    catalog = Catalog("shop.test", MappingProxyType(services), system.catalog.data_classes)
    access, spread, reach = looked(System(catalog, Policies.of([]), frozenset(), frozenset()), "a", assumed=False)
    assert reach.data == {"card": 1}
    way = access.way("a", access.number["c:charge"])
    assert way is not None
    assert (way.how, way.grants) == ("observe", 0)
    assert [how.how for how, _ in access.showing("a", "card", reach.operations)] == ["uncut"]
    del spread
