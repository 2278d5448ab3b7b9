"""Decisions about objects: the engine against Cedar with all policies, and proofs and comparisons against trials."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import cedarpy
from hypothesis import given, settings
from hypothesis import strategies as st

from inward.control.bundle import load_policy
from inward.policy.comparing.compare import System, compare
from inward.policy.decide import Engine
from inward.policy.model import Policies
from inward.policy.proving.prove import prove
from inward.policy.request import Request, build_context
from inward.policy.resources.declarations import parse_declarations
from inward.policy.resources.model import Resource
from inward.policy.resources.values import entity_of
from inward.policy.schema import entities_of, schema_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from inward.control.bundle import Policy
    from inward.policy.comparing.change import Change, Unknown

NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)
DECLARED = """\
// what a handler knows of an order
entity Order, Return = {
  tenant: String, total: Long, open: Bool, note?: String, tags: Set<String>, lots?: Set<Long>,
  placed: datetime, price: decimal, from?: ipaddr, buyer: { name: String, age?: Long },
};
"""
FILES = {
    "inward.yaml": """\
trust_domain: t.test
services:
  orders: {owner: team-orders, zone: core, groups: [inner], api: orders.yaml, listen: "127.0.0.1:0"}
  till: {owner: team-till, zone: edge, groups: [sellers]}
  web: {owner: team-web, zone: edge}
  back: {owner: team-orders}
""",
    "orders.yaml": """\
openapi: 3.0.0
info: {title: orders, version: "1"}
paths:
  /orders/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get: {operationId: getOrder, responses: {"200": {description: done}}}
    delete: {operationId: deleteOrder, responses: {"200": {description: done}}}
""",
    "policies/orders.cedarschema": DECLARED,
}
PATHS = ("/orders/a", "/orders/b")
CALLERS = ("till", "web", "back")
OPERATIONS = ("orders:getOrder", "orders:deleteOrder")
PRINCIPALS = (
    "principal",
    'principal == Service::"till"',
    'principal == Service::"web"',
    'principal in Zone::"edge"',
    'principal in Group::"sellers"',
    'principal is Service in Team::"team-orders"',
)
ACTIONS = (
    "action",
    'action == Action::"orders:getOrder"',
    'action in Action::"orders:write"',
    'action in [Action::"read", Action::"orders:deleteOrder"]',
)
GRANTED = (
    "resource is Order",
    "resource is Return",
    'resource is Order in Service::"orders"',
    'resource is Order in Group::"inner"',
    'resource is Order in Zone::"edge"',
    'resource == Service::"orders"',
)
FORBIDDEN = (*GRANTED, "resource", 'resource in Zone::"core"', 'resource in Service::"orders"', "resource is Service")
CONDITIONS = (
    'resource.tenant == "a"',
    "resource.tenant == context.path.id",
    'resource.tenant like "a*"',
    "resource.total < 10",
    "resource.total + 9223372036854775800 > 0",
    "resource.total * 3 != 9 && resource.open",
    "!resource.open",
    'resource has note && resource.note == "x"',
    'resource has note && resource.note != resource.tenant || resource.buyer.name == "ann"',
    'resource.tags.contains("a")',
    'resource.tags.containsAny(["b", resource.tenant])',
    'resource.tags.containsAll(["a", "b"])',
    "resource has lots && resource.lots.contains(resource.total)",
    'resource.placed < context.time || resource.placed == datetime("2030-01-01")',
    'resource.price.greaterThan(decimal("1.50"))',
    'resource has from && resource.from.isInRange(ip("10.0.0.0/8"))',
    "resource.buyer has age && resource.buyer.age > 17",
    "resource.buyer.name == resource.tenant",
    'principal has zone && principal.zone == Zone::"edge"',
    'resource in Zone::"core" && resource is Order',
    'action in Action::"orders:write"',
)


def chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same policies and objects in every run


@dataclass(frozen=True)
class Text:
    """A policy as it is written."""

    id: str
    effect: str
    text: str


def text(rng: random.Random, effect: str, number: int, resources: tuple[str, ...] = GRANTED) -> Text:
    name = f"{effect}-{number}"
    resource = rng.choice(resources)
    about_objects = resource.startswith("resource is") and resource != "resource is Service"
    chosen = rng.sample(CONDITIONS, rng.choice((0, 1, 1, 1, 2))) if about_objects else []
    clauses = "".join(f" {rng.choice(('when', 'when', 'unless'))} {{ {each} }}" for each in chosen)
    if resource == "resource":
        clauses = rng.choice(("", ' when { resource is Order && resource.tenant == "b" }'))
    scope = f"{rng.choice(PRINCIPALS)}, {rng.choice(ACTIONS)}, {resource}"
    return Text(name, effect, f'@id("{name}") @reason("r") {effect} ({scope}){clauses};\n')


def texts(rng: random.Random) -> tuple[list[Text], list[Text]]:
    """Return policies of the owner's file, and guardrails."""
    own = [text(rng, "permit", number) for number in range(rng.randint(1, 4))]
    own += [text(rng, "forbid", number) for number in range(rng.randint(0, 2))]
    return own, [text(rng, "forbid", number, FORBIDDEN) for number in range(10, 10 + rng.randint(0, 2))]


def loaded(folder: Path, own: list[Text], guardrails: list[Text]) -> Policy:
    files = {
        **FILES,
        "policies/orders.cedar": "".join(each.text for each in own),
        "guardrails.cedar": "".join(each.text for each in guardrails),
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return load_policy(folder)


def attributes(rng: random.Random) -> dict[str, object]:
    found: dict[str, object] = {
        "tenant": rng.choice(("a", "b", "ab", "")),
        "total": rng.choice((0, 3, 9, 10, 17, 2**63 - 1, -(2**63))),
        "open": rng.random() < 0.5,
        "tags": rng.sample(("a", "b", "c"), rng.randint(0, 3)),
        "placed": NOW + rng.choice((-1, 0, 1)) * timedelta(days=rng.choice((1, 1096))),
        "price": rng.choice((Decimal("1.5"), Decimal("1.5001"), Decimal(-3))),
        "buyer": {"name": rng.choice(("ann", "a"))},
    }
    if rng.random() < 0.5:
        found |= {
            "note": rng.choice(("x", "a")),
            "lots": {3, 9},
            "from": IPv4Address(rng.choice(("10.1.1.1", "9.9.9.9"))),
        }
        found["buyer"] = {"name": "bob", "age": rng.choice((17, 18))}
    return found


def trials(rng: random.Random, each: int) -> Iterator[tuple[Request, Resource]]:
    for caller in CALLERS:
        for operation in OPERATIONS:
            for _ in range(each):
                kind = rng.choice(("Order", "Order", "Return"))
                yield Request(caller, operation, rng.choice(PATHS)), Resource(kind, attributes(rng))


class Oracle:
    """Asks Cedar about all policies, all entities, and the schema: no index, no cells."""

    def __init__(self, policy: Policy, written: list[Text]) -> None:
        self._policy = policy
        self._set = cedarpy.PolicySet.from_str("".join(each.text for each in written))
        schema = schema_of(policy.catalog.operations.values(), policy.catalog.services, policy.policies.resources)
        self._schema = cedarpy.Schema.from_json_str(json.dumps(schema))

    def decide(self, request: Request, resource: Resource) -> tuple[bool, tuple[str, ...]]:
        operation = self._policy.catalog.operations[request.operation]
        every = [(each.where, each.name) for each in operation.parameters]
        entity = entity_of(resource, self._policy.policies.resources.by_name[resource.type])
        answer = cedarpy.is_authorized(
            {
                "principal": {"type": "Service", "id": request.caller},
                "action": {"type": "Action", "id": request.operation},
                "resource": entity["uid"],
                "context": build_context(operation, request.path, "", NOW, every),
            },
            self._set,
            [*entities_of(self._policy.catalog), entity],
            self._schema,
        )
        assert answer.decision is not cedarpy.Decision.NoDecision, answer.diagnostics.errors
        if answer.diagnostics.errors:
            return False, ()
        return answer.allowed, tuple(sorted(answer.diagnostics.id_annotations_by_reason.values()))


def differences(decide: Callable[..., Any], oracle: Oracle, seed: int, each: int = 4) -> Iterator[str]:
    for request, resource in trials(chance(seed), each):
        allowed, policies = oracle.decide(request, resource)
        decision = decide(request, resource, NOW)
        if decision.allowed != allowed or (allowed and decision.policies != policies):
            yield f"seed {seed}: {request} {resource}: Cedar says {allowed} by {policies}, the engine {decision}"


def test_the_engine_says_of_objects_what_cedar_says_of_the_whole_set(tmp_path: Path) -> None:
    allowed: Counter[bool] = Counter()
    reasons: Counter[str] = Counter()
    for seed in range(120):
        own, guardrails = texts(chance(seed))
        policy = loaded(tmp_path / str(seed), own, guardrails)
        oracle = Oracle(policy, [*own, *guardrails])
        assert list(differences(policy.engine.decide_object, oracle, seed)) == []
        for request, resource in trials(chance(seed), 2):
            decision = policy.engine.decide_object(request, resource, NOW)
            allowed[decision.allowed] += 1
            reasons[decision.reason] += 1
    assert allowed[True] > 50
    assert {"granted", "no_grant", "condition", "forbidden", "policy_error"} <= reasons.keys()


def test_a_policy_that_the_index_lost_would_be_noticed(tmp_path: Path) -> None:
    noticed = 0
    for seed in range(40):
        own, guardrails = texts(chance(seed))
        policy = loaded(tmp_path / str(seed), own, guardrails)
        oracle = Oracle(policy, [*own, *guardrails])
        for lost in policy.policies:
            rest = Policies.of((each for each in policy.policies if each is not lost), policy.policies.resources)
            noticed += any(differences(Engine(policy.catalog, rest).decide_object, oracle, seed))
    assert noticed > 20


def test_a_call_as_a_whole_is_decided_as_if_there_were_no_objects(tmp_path: Path) -> None:
    for seed in range(30):
        own, guardrails = texts(chance(seed))
        policy = loaded(tmp_path / str(seed), own, guardrails)
        of_objects = {each.id for each in own if "is Order" in each.text or "is Return" in each.text}
        for request, _ in trials(chance(seed), 1):
            decision = policy.engine.decide(request, NOW)
            assert not decision.allowed or not of_objects.intersection(decision.policies)


def test_what_is_proven_of_objects_holds_for_all_that_could_be_tried(tmp_path: Path) -> None:
    statuses: Counter[str] = Counter()
    for seed in range(60):
        rng = chance(seed)
        own, guardrails = texts(rng)
        guardrails = guardrails or [text(rng, "forbid", 10, FORBIDDEN)]
        policy = loaded(tmp_path / str(seed), own, guardrails)
        owners = Policies.of((each for each in policy.policies if each.file_owner), policy.policies.resources)
        by_owners = Engine(policy.catalog, owners)
        for verdict in prove(policy.catalog, policy.policies, NOW):
            statuses[verdict.today.status] += 1
            for breach in verdict.today.breaches:
                assert (breach.witness.resource is None) == (breach.witness.kind is None)
            if verdict.today.status != "proven":
                continue
            alone = Policies.of([*owners, verdict.guardrail], policy.policies.resources)
            guarded = Engine(policy.catalog, alone)
            for request, resource in trials(rng, 6):
                if by_owners.decide_object(request, resource, NOW).allowed:
                    refused = guarded.decide_object(request, resource, NOW)
                    assert refused.reason != "forbidden", f"seed {seed}: {verdict.guardrail.text} {request} {resource}"
    assert statuses["proven"] > 10
    assert statuses["refuted"] > 5


def test_a_comparison_misses_no_object_that_is_decided_otherwise(tmp_path: Path) -> None:
    found: Counter[str] = Counter()
    for seed in range(40):
        rng = chance(seed)
        own, guardrails = texts(rng)
        changed = [*own[1:], text(rng, "permit", 20)] if seed % 2 else [*own, text(rng, "forbid", 20)]
        old = loaded(tmp_path / f"{seed}-old", own, guardrails)
        new = loaded(tmp_path / f"{seed}-new", changed, guardrails)
        seen = compare(System(old.catalog, old.policies), System(new.catalog, new.policies), NOW)
        every: tuple[Change | Unknown, ...] = (*seen.changes, *seen.unknown)
        told = {(caller, target) for each in every for caller in each.callers for target in each.targets}
        for request, resource in trials(rng, 6):
            before, after = (each.engine.decide_object(request, resource, NOW) for each in (old, new))
            if before.allowed != after.allowed:
                found["differs"] += 1
                assert (request.caller, f"{request.operation} on {resource.type}") in told, f"seed {seed}"
        found["told"] += any(" on " in target for _, target in told)
    assert found["differs"] > 20
    assert found["told"] > 5


_NAMES = st.from_regex(r"[a-z][A-Za-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: name not in {"in", "is", "if", "has"}
)
_SCALARS = st.sampled_from(("String", "Long", "Bool", "datetime", "decimal", "ipaddr"))
_KINDS = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        inner.map(lambda kind: f"Set<{kind}>"),
        st.dictionaries(_NAMES, st.tuples(inner, st.booleans()), max_size=3).map(
            lambda fields: "{" + ", ".join(f"{name}{'?' * last}: {kind}" for name, (kind, last) in fields.items()) + "}"
        ),
    ),
    max_leaves=4,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(_NAMES, st.tuples(_KINDS, st.booleans()), max_size=4))
def test_a_declaration_means_what_cedar_says(fields: dict[str, tuple[str, bool]]) -> None:
    declared = ", ".join(f"{name}{'?' * optional}: {kind}" for name, (kind, optional) in fields.items())
    written = f"entity Thing {{ {declared} }};"
    try:
        theirs = cedarpy.Schema.from_str("entity Service; " + written.replace("Thing", "Thing in [Service]"))
    except ValueError:
        theirs = None
    types, mistakes = parse_declarations(written.encode(), "orders", "orders.cedarschema")
    assert (theirs is None) == bool(mistakes), mistakes
    if theirs is None:
        return
    (kind,) = types
    assert [str(each) for each in kind.attributes] == [
        f"{name}{'?' * optional}: {spec}" for name, (spec, optional) in fields.items()
    ]
