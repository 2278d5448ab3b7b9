"""Exposure: where classes are served, to whom they may be shown, and who has been given them by the record."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.insight.conftest import call

from inward.catalog.shape import Node, Shape
from inward.control.bundle import load_policy
from inward.insight import exposure as exposures_module
from inward.insight.exposure import MAX_WAYS, Sightings, depth_of, exposures, places_of
from inward.record.call import Gap

if TYPE_CHECKING:
    from pathlib import Path

    from inward.control.bundle import Policy
    from inward.insight.exposure import Exposure

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
YAML = """\
trust_domain: shop.test
services:
  orders: {owner: team-orders, api: apis/orders.yaml, listen: '127.0.0.1:0', run: 'x {socket}'}
  front: {owner: team-web, api: apis/front.yaml, listen: '127.0.0.1:0', run: 'x {socket}'}
  checkout: {owner: team-checkout}
  reporting: {owner: team-finance}
data:
  pii.email: {owner: team-orders}
  pii: {owner: team-orders}
  card: {owner: team-orders, undisclosed: mask}
"""
ORDERS = """\
openapi: 3.1.0
paths:
  /orders/{id}:
    get:
      operationId: getOrder
      responses:
        '200': {content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
    put:
      operationId: putOrder
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
      responses: {'204': {description: done}}
components:
  schemas:
    Order:
      properties:
        mail: {x-inward-data: pii.email}
        notes: {items: {properties: {by: {x-inward-data: pii.email}}}}
"""
FRONT = """\
openapi: 3.1.0
paths:
  /show:
    get:
      operationId: show
      responses:
        '200': {content: {application/json: {schema: {$ref: 'orders.yaml#/components/schemas/Order'}}}}
"""


def grant(name: str, caller: str, action: str, service: str, more: str = "", when: str = "") -> str:
    scope = f'principal == Service::"{caller}", action == Action::"{action}", resource == {service}'
    return f'@id("{name}") @reason("r") {more} permit ({scope}) {when};\n'


LATE = 'when { context.time.toTime() >= duration("18h") }'
POLICIES = {
    "orders": grant("a", "checkout", "orders:getOrder", 'Service::"orders"')
    + grant("b", "front", "orders:getOrder", 'Service::"orders"')
    + grant("c", "reporting", "orders:getOrder", 'Service::"orders"', when=LATE)
    + grant("d", "front", "disclose", 'DataClass::"pii.email"')
    + grant("e", "reporting", "disclose", 'DataClass::"pii.email"', when=LATE)
    + grant("f", "checkout", "disclose", 'DataClass::"pii.email"', '@expires("2026-07-01")'),
    "front": grant("g", "checkout", "front:show", 'Service::"front"'),
}


def load(folder: Path, policies: dict[str, str] | None = None) -> Policy:
    for name, content in {
        "inward.yaml": YAML,
        "apis/orders.yaml": ORDERS,
        "apis/front.yaml": FRONT,
        **{f"policies/{name}.cedar": text for name, text in (policies or POLICIES).items()},
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return load_policy(folder)


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return load(tmp_path)


def found(policy: Policy) -> dict[str, Exposure]:
    return {each.data_class.name: each for each in exposures(policy.catalog, policy.engine, NOW)}


def test_a_class_is_served_where_its_marks_are(policy: Policy) -> None:
    email = found(policy)["pii.email"]
    places = ("$.mail", "$.notes[*].by")
    assert [(each.operation.id, each.places) for each in email.served] == [
        ("orders:getOrder", places),
        ("front:show", places),
    ]
    assert [(each.operation.id, each.places, each.disclosed) for each in email.sent] == [
        ("orders:putOrder", places, "never")
    ]
    assert found(policy)["card"].served == found(policy)["pii"].served == ()


def test_classes_come_in_the_order_of_the_tree(policy: Policy) -> None:
    assert list(found(policy)) == ["card", "pii", "pii.email"]
    depths = [depth_of(each.data_class, policy.catalog.data_classes) for each in found(policy).values()]
    assert depths == [0, 0, 1]


def test_viewers_are_those_that_may_call_and_what_they_may_see(policy: Policy) -> None:
    viewers = found(policy)["pii.email"].viewers
    assert [(each.caller, each.operation, each.may_call, each.disclosed) for each in viewers] == [
        ("checkout", "orders:getOrder", "always", "never"),
        ("front", "orders:getOrder", "always", "always"),
        ("reporting", "orders:getOrder", "depends", "depends"),
        ("checkout", "front:show", "always", "never"),
    ]


def test_what_is_forbidden_is_never(tmp_path: Path) -> None:
    forbid = '@id("x") @reason("r") forbid (principal, action == Action::"disclose", resource);\n'
    policy = load(tmp_path, {**POLICIES, "orders": POLICIES["orders"]})
    (tmp_path / "guardrails.cedar").write_text(forbid)
    assert {each.disclosed for each in found(policy)["pii.email"].viewers} == {"always", "depends", "never"}
    forbidden = load_policy(tmp_path)
    assert {each.disclosed for each in found(forbidden)["pii.email"].viewers} == {"never"}


def seen(policy: Policy, *calls: Any) -> dict[tuple[str, str, bool], int]:
    exposed = list(found(policy).values())
    Sightings(exposed, policy.engine, policy.catalog).add(calls)
    (email,) = (each for each in exposed if each.data_class.name == "pii.email")
    return {key: sighting.calls for key, sighting in email.seen.items()}


def test_calls_that_were_answered_are_counted_by_what_was_disclosed_then(policy: Policy) -> None:
    early, late = "2026-06-01T12:00:00.000Z", "2026-08-01T20:00:00.000Z"
    assert seen(
        policy,
        call(1, caller="checkout", status=200, time=early),  # before its grant expired
        call(2, caller="checkout", status=200),
        call(3, caller="checkout", status=204),
        call(4, caller="reporting", status=200),
        call(5, caller="reporting", status=200, time=late),
        call(6, caller="stranger", status=200),
        call(7, caller="front", status=200, time="when"),
    ) == {
        ("checkout", "orders:getOrder", True): 1,
        ("checkout", "orders:getOrder", False): 2,
        ("reporting", "orders:getOrder", False): 1,
        ("reporting", "orders:getOrder", True): 1,
        ("stranger", "orders:getOrder", False): 1,
        ("front", "orders:getOrder", False): 1,  # at what time is not known, so nothing is taken for disclosed
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"status": None},
        {"status": 304},
        {"status": 404},
        {"status": 200, "grpc_status": 5},
        {"status": 200, "grpc_status": 5, "bytes_out": 0},
        {"status": 200, "carried_out": "deny"},
        {"status": 200, "enforcer": "egress"},
        {"status": 200, "operation": "orders:putOrder"},
        {"status": 200, "operation": None},
    ],
)
def test_calls_that_gave_nothing_are_not_counted(policy: Policy, fields: dict[str, Any]) -> None:
    assert seen(policy, call(1, **{"caller": "front", **fields})) == {}


def test_a_stream_that_failed_has_given_what_it_sent_before(policy: Policy) -> None:
    ended = call(1, caller="front", status=200, grpc_status=0, bytes_out=0)
    failed = call(2, caller="front", status=200, grpc_status=13, bytes_out=40)
    assert seen(policy, ended, failed) == {("front", "orders:getOrder", True): 2}


def test_what_observe_let_through_was_given(policy: Policy) -> None:
    let_through = call(1, caller="reporting", status=200, decision="deny", carried_out="allow", mode="observe")
    assert seen(policy, let_through) == {("reporting", "orders:getOrder", False): 1}


def test_the_newest_call_is_the_one_to_look_at(policy: Policy) -> None:
    exposed = [found(policy)["pii.email"]]
    sightings = Sightings(exposed, policy.engine, policy.catalog)
    sightings.add([call(5, caller="front", status=200), call(3, caller="front", status=200), Gap(time="", why="lost")])
    ((key, sighting),) = exposed[0].seen.items()
    assert (key[0], sighting.reference, sighting.last[17:19], sightings.gaps) == ("front", "id-5", "05", 1)


def test_what_is_told_apart_is_bounded(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposures_module, "MAX_SIGHTINGS", 2)
    exposed = [found(policy)["pii.email"]]
    sightings = Sightings(exposed, policy.engine, policy.catalog)
    sightings.add(call(number, caller=f"stranger-{number}", status=200) for number in range(5))
    assert len(exposed[0].seen) == 2
    assert sightings.left_out == {"pii.email": 3}


def test_places_of_a_shape_that_recurs_and_of_one_with_very_many_ways_come_to_an_end() -> None:
    node = Node(("pii",), MappingProxyType({"a b": 0, "next": 1}), rest=1, items=0)
    last = Node(("card",), MappingProxyType({"up": 0}))
    assert list(places_of(Shape((node, last)))) == [("pii", "$"), ("card", "$.next"), ("card", "$.*")]
    full = tuple(Node(("pii",), MappingProxyType({f"f{number}": number for number in range(12)})) for _ in range(12))
    assert len(list(places_of(Shape(full)))) == MAX_WAYS
    assert list(places_of(Shape())) == []
