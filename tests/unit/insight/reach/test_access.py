"""Access against what the index says of each cell by itself."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.insight.reach.conftest import CLASSES, NOW, Oracle, random_system

from inward.catalog.model import Mode
from inward.insight.exposure import disclosed, standing
from inward.insight.reach.access import ones
from inward.insight.reach.losses import losses
from inward.policy.decide import Engine
from inward.policy.index import Index

seeds = st.integers(0, 2**32)
HOW = {"granted": "always", "condition": "depends"}


@settings(deadline=None, max_examples=60)
@given(seeds)
def test_a_way_is_what_the_cell_says(seed: int) -> None:
    system = random_system(seed, "sometimes")
    access, index = system.access(), Index(system.catalog, system.policies)
    engine = Engine(system.catalog, system.policies)
    for caller in system.catalog.services:
        together = {
            (access.operations[number].id, way) for way, some in access.ways(caller, -1) for number in ones(some)
        }
        for number, called in enumerate(access.operations):
            way = access.way(caller, number)
            assert (way is not None) == bool(access.calls(caller) >> number & 1)
            if way is None:
                continue
            assert (called.id, way) in together
            if called.mode is Mode.OBSERVE:
                assert (way.how, way.grants) == ("observe", 0)
                continue
            cell = index.cell(caller, called.id)
            assert HOW[way.how] == standing(cell, NOW)
            live = {each.id for each in cell.permits if each.expires is None or each.expires > NOW}
            assert {each.id for each in access.policies(way.grants)} == live
        assert len(together) == access.calls(caller).bit_count()
        for name in CLASSES:
            shown = access.shown(caller, name)
            assert ("never" if shown is None else HOW[shown.how]) == disclosed(engine, caller, name, NOW)


@settings(deadline=None, max_examples=60)
@given(seeds)
def test_what_is_lost_is_what_the_engine_refuses_then(seed: int) -> None:
    system = random_system(seed)
    permits = [each.id for each in system.policies if each.effect == "permit"]
    removed = set(permits[: seed % 4])
    access = system.access()
    grants = sum(1 << n for n, each in enumerate(system.policies) if each.id in removed)
    lost = losses(access, access.without(grants))
    before, after = Oracle(system), Oracle(system.without(removed))
    for caller in system.catalog.services:
        ids = {access.operations[number].id for number in ones(lost.calls.get(caller, 0))}
        assert ids == {
            each for each in access.number if before.may_call(caller, each) and not after.may_call(caller, each)
        }
    assert access.grants & ~access.without(grants).grants == grants & access.grants


@settings(deadline=None, max_examples=60)
@given(seeds)
def test_a_class_can_be_changed_where_it_may_be_sent(seed: int) -> None:
    system = random_system(seed)
    access, oracle = system.access(), Oracle(system)
    for caller in system.catalog.services:
        for name in CLASSES:
            changed = {access.operations[number].id for number in ones(access.changes(caller, name))}
            assert changed == {each for each in access.number if oracle.may_change(caller, each, name)}
