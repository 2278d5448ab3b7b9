from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import cedarpy
import pytest
import z3

from inward.policy.schema import entities_of
from inward.policy.symbolic.context import OpenRequests
from inward.policy.symbolic.value import Choice, Fields
from inward.policy.symbolic.world import NEW_SERVICE, Caller, World, _number, teams_of, uid, zones_of

if TYPE_CHECKING:
    from cedarpy import pst

    from inward.catalog.model import Catalog

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def world(shop: Catalog) -> World:
    operation = shop.operations["orders:getOrder"]
    return World(shop, Caller(shop.services["checkout"]), operation, OpenRequests(NOW).to(operation.parameters))


@pytest.fixture
def newcomer(shop: Catalog) -> World:
    operation = shop.operations["orders:getOrder"]
    return World(shop, Caller(None), operation, OpenRequests(NOW).to(operation.parameters))


def test_every_entity_is_in_what_cedar_says(shop: Catalog, world: World) -> None:
    known = [(each["uid"]["type"], each["uid"]["id"]) for each in entities_of(shop)]
    known += [("Team", team) for team in teams_of(shop)] + [("Zone", zone) for zone in zones_of(shop)]
    known += [("Group", "sellers"), ("Group", "web"), ("Action", "read"), ("Action", "disclose"), ("User", "eve")]
    pairs = list(itertools.product(known, repeat=2))
    text = "\n".join(
        f"permit (principal, action, resource) when {{ {one}::{json.dumps(name)} in {of}::{json.dumps(group)} }};"
        for (one, name), (of, group) in pairs
    )
    answer = cedarpy.is_authorized(
        {
            "principal": {"type": "Service", "id": "checkout"},
            "action": {"type": "Action", "id": "orders:getOrder"},
            "resource": {"type": "Service", "id": "orders"},
            "context": {},
        },
        text,
        entities_of(shop),
    )
    inside = {int(reason.removeprefix("policy")) for reason in answer.diagnostics.reasons}
    assert len(inside) > len(known)
    for number, (one, of) in enumerate(pairs):
        assert world.is_in(uid(*one), uid(*of)) is (number in inside), (one, of)


def test_attributes_are_those_of_the_catalog(world: World) -> None:
    assert set(world.attributes(uid("Service", "checkout")).fields) == {"owner", "zone"}
    assert set(world.attributes(uid("Service", "reporting")).fields) == {"owner"}
    assert set(world.attributes(uid("DataClass", "pii")).fields) == {"owner"}
    for kind, name in (("Service", "nobody"), ("Team", "team-orders"), ("Action", "read"), ("DataClass", "nothing")):
        assert world.attributes(uid(kind, name)) == Fields({})


def test_a_disclosure_knows_the_time_only(shop: Catalog) -> None:
    world = World(shop, Caller(shop.services["checkout"]), shop.data_classes["pii"], OpenRequests(NOW).to(()))
    context = world.variable("context")
    assert isinstance(context, Fields)
    assert set(context.fields) == {"time"}
    assert world.variable("resource") == Choice(((True, uid("DataClass", "pii")),))
    assert world.variable("action") == Choice(((True, uid("Action", "disclose")),))


def holds(formula: object, *assumptions: object) -> bool:
    """Return whether a formula is true wherever the assumptions are."""
    solver = z3.Solver()
    solver.add(*assumptions, z3.Not(formula))
    return bool(solver.check() == z3.unsat)


def test_a_newcomer_is_in_one_team_and_at_most_one_zone(shop: Catalog, newcomer: World) -> None:
    me = uid("Service", NEW_SERVICE)

    def within(kind: str, name: str) -> object:
        return newcomer.is_in(me, uid(kind, name))

    for kind, names in (("Team", teams_of(shop)), ("Zone", zones_of(shop))):
        first, second, *_ = names
        assert not holds(within(kind, first))
        assert not holds(z3.Not(within(kind, first)))
        assert holds(z3.Not(z3.And(within(kind, first), within(kind, second))))
        assert not holds(z3.Or([within(kind, name) for name in names]))  # there may be another
        assert newcomer.is_in(me, uid(kind, "not-in-the-catalog")) is False
    assert holds(z3.Or([within("Team", name) for name in (*teams_of(shop), NEW_SERVICE)]))
    assert not holds(z3.Or([within("Zone", name) for name in (*zones_of(shop), NEW_SERVICE)]))
    assert not holds(z3.Not(z3.And(within("Group", "sellers"), within("Group", "web"))))
    assert newcomer.is_in(me, me) is True
    assert newcomer.is_in(me, uid("Service", "orders")) is False
    assert newcomer.is_in(uid("Service", "orders"), me) is False


def test_a_newcomer_is_in_its_owner_and_its_zone(newcomer: World) -> None:
    me = uid("Service", NEW_SERVICE)
    for attribute in ("owner", "zone"):
        there, options = newcomer.attributes(me).fields[attribute]
        assert isinstance(options, Choice)
        for here, entity in options.options:
            inside = newcomer.is_in(me, _entity(entity))
            assert holds(inside, here, there)
            assert holds(z3.Implies(inside, here))
        assert holds(z3.Or([here for here, _ in options.options]))


def _entity(atom: object) -> pst.EntityUid:
    assert isinstance(atom, type(uid("Team", "a")))
    return atom


def test_a_name_has_one_number_in_every_catalog() -> None:
    names = ("", "a", "b", "ab", "ba", "aa", "\0a", "ä", "team-orders", "team-orders2")
    assert len({_number(name) for name in names}) == len(names)
    assert _number("team-orders") == _number("team-orders")
