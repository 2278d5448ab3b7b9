"""Random small systems, made in memory, and an oracle that asks the engine about every call."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import cedarpy
from cedarpy import pst

from inward.catalog.model import Address, Catalog, DataClass, Mode, Operation, Parameter, Service
from inward.catalog.shape import NO_ANSWERS, NOTHING, Answers, Node, Shape
from inward.catalog.template import PathTemplate
from inward.errors import Place
from inward.identity.spiffe_id import SpiffeID
from inward.insight.reach.access import Access
from inward.policy.decide import Engine
from inward.policy.index import Index
from inward.policy.model import Policies, Policy
from inward.policy.request import Request

if TYPE_CHECKING:
    from collections.abc import Collection

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
HERE = Place("inward.yaml", 1)
ADDRESS = Address("127.0.0.1", 0)
CLASSES = ("pii", "pii.email", "card")
IDS = ("1", "2")  # of path parameters; each condition holds for one of them
When = Literal["never", "sometimes"]


@dataclass(frozen=True)
class System:
    catalog: Catalog
    policies: Policies
    links: frozenset[tuple[str, str]]
    quarantined: frozenset[str]

    def access(self) -> Access:
        return Access(self.catalog, Index(self.catalog, self.policies), NOW, self.quarantined)

    def without(self, removed: Collection[str]) -> System:
        left = Policies.of(policy for policy in self.policies if policy.id not in removed)
        return System(self.catalog, left, self.links, self.quarantined)


def policy(name: str, owner: str | None, text: str, expires: datetime | None = None) -> Policy:
    [parsed] = cedarpy.PolicySet.from_str(text).to_pst().static_policies.values()
    template = pst.Template(
        name, parsed.effect, parsed.principal, parsed.action, parsed.resource, parsed.clauses, parsed.annotations
    )
    effect: Literal["permit", "forbid"] = "permit" if text.startswith("permit") else "forbid"
    return Policy(name, effect, "r", expires, owner, HERE, text, template)


def service(name: str, operations: tuple[Operation, ...] = (), **fields: object) -> Service:
    given: dict[str, object] = {
        "name": name,
        "spiffe_id": SpiffeID.of_service("shop.test", name),
        "owner": "team",
        "zone": None,
        "groups": (),
        "mode": Mode.ENFORCE,
        "listen": ADDRESS,
        "run": "app {socket}",
        "operations": operations,
        "place": HERE,
    }
    return Service(**{**given, **fields})  # type: ignore[arg-type] # the fields' types are the tests' own affair


def operation(owner: str, name: str, classes: tuple[str, ...] = (), **fields: object) -> Operation:
    given: dict[str, object] = {
        "service": owner,
        "name": name,
        "method": "GET",
        "template": PathTemplate(f"/{name}/{{id}}"),
        "parameters": (Parameter("id", "path", "string", required=True),),
        "mode": Mode.ENFORCE,
        "deprecated": False,
        "place": HERE,
        "answers": Answers({}, Shape((Node(classes),))) if classes else NO_ANSWERS,
    }
    return Operation(**{**given, **fields})  # type: ignore[arg-type] # the fields' types are the tests' own affair


def random_system(seed: int, conditions: When = "never", grants: int = 12) -> System:
    """Return the system of a seed; some of its policies have conditions, or none has."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    names = [f"s{number}" for number in range(chance.randint(2, 5))]
    services = {}
    for name in names:
        mode = Mode.OBSERVE if chance.random() < 0.15 else Mode.ENFORCE
        operations = tuple(
            operation(
                name,
                f"op{number}",
                tuple(sorted(chance.sample(CLASSES, chance.choice((0, 0, 1, 2))))),
                method=chance.choice(("GET", "POST")),
                body=Shape((Node((chance.choice(CLASSES),)),)) if chance.random() < 0.5 else NOTHING,
                mode=mode,
            )
            for number in range(chance.randint(0, 3))
        )
        services[name] = service(
            name,
            operations,
            owner=f"team-{chance.randint(0, 1)}",
            groups=tuple(group for group in ("g0", "g1") if chance.random() < 0.5),
            mode=mode,
            listen=None if chance.random() < 0.1 else ADDRESS,
            run=None if chance.random() < 0.1 else "app {socket}",
            guarded=chance.random() < 0.3,
        )
    parents: dict[str, str | None] = {"pii": None, "pii.email": "pii", "card": None}
    classes = {
        name: DataClass(name, f"team-{chance.randint(0, 1)}" if name == "card" else "team-0", parent, HERE)
        for name, parent in parents.items()
    }
    catalog = Catalog("shop.test", MappingProxyType(services), MappingProxyType(classes))
    policies = [_random_policy(chance, catalog, f"p{number}", conditions) for number in range(grants)]
    ids = list(catalog.operations)
    links = {(chance.choice(ids), chance.choice(ids)) for _ in range(chance.randint(0, 8))} if ids else set()
    quarantined = {chance.choice(names)} if chance.random() < 0.15 else set()
    return System(catalog, Policies.of(policies), frozenset(links), frozenset(quarantined))


def _random_policy(chance: random.Random, catalog: Catalog, name: str, conditions: When) -> Policy:
    names = list(catalog.services)
    owner = chance.choice(names)
    caller = chance.choice(
        [f'principal == Service::"{chance.choice(names)}"'] * 4 + ['principal in Group::"g0"', "principal"]
    )
    action = chance.choice([f'action == Action::"{each.id}"' for each in catalog.services[owner].operations] or [""])
    action = chance.choice([action, action, f'action in Action::"{owner}:read"'])
    resource, effect = f'resource == Service::"{owner}"', "permit"
    expires = chance.choice((None, None, None, NOW - timedelta(days=1), NOW + timedelta(days=1)))
    file: str | None = owner
    when = ""
    if conditions == "sometimes" and chance.random() < 0.4:
        when = f' when {{ context.path.id == "{chance.choice(IDS)}" }}'
    if not catalog.services[owner].operations or chance.random() < 0.3:
        action = 'action == Action::"disclose"'
        chosen = chance.choice(CLASSES)
        resource, when = chance.choice((f'resource == DataClass::"{chosen}"', 'resource in DataClass::"pii"')), ""
    elif chance.random() < 0.1:
        effect, file = "forbid", None
    return policy(name, file, f"{effect} ({caller}, {action}, {resource}){when};", expires)


class Oracle:
    """Reach by asking the engine about every single call, and by looking at all ways, one call after the other."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._engine = Engine(system.catalog, system.policies)

    def may_call(self, caller: str, operation_id: str) -> bool:
        system = self._system
        called = system.catalog.operations[operation_id]
        if {caller, called.service} & system.quarantined or system.catalog.services[called.service].listen is None:
            return False
        if called.mode is Mode.OBSERVE:
            return True
        requests = [Request(caller, operation_id, f"/{called.name}/{each}") for each in IDS]
        return any(self._engine.decide(request, NOW).allowed for request in requests)

    def is_given(self, caller: str, operation_id: str, data_class: str) -> bool:
        called = self._system.catalog.operations[operation_id]
        if data_class not in called.answers.classes:
            return False
        owner = self._system.catalog.services[called.service]
        if called.mode is Mode.OBSERVE or (owner.run is None and not owner.guarded):
            return True
        return self._engine.disclose(caller, data_class, NOW).allowed

    def may_change(self, caller: str, operation_id: str, data_class: str) -> bool:
        called = self._system.catalog.operations[operation_id]
        owner = self._system.catalog.services[called.service]
        looked_at = called.mode is Mode.ENFORCE and (owner.run is not None or owner.guarded)
        return (
            self.may_call(caller, operation_id)
            and called.method == "POST"
            and data_class in called.body.classes
            and (not looked_at or self._engine.disclose(called.service, data_class, NOW).allowed)
        )

    def hops(self, start: str, *, assumed: bool) -> dict[tuple[str, str], int]:
        """Return every call within reach as caller and operation, with the fewest hops to it."""
        operations = self._system.catalog.operations
        found: dict[tuple[str, str], int] = {}
        new = {(start, each) for each in operations if self.may_call(start, each)}
        hops = 0
        while new:
            hops += 1
            new = {(by, each) for by, each in new if operations[each].service != start and (by, each) not in found}
            found |= dict.fromkeys(new, hops)
            new = {
                (operations[cause].service, effect)
                for _, cause in new
                for effect in operations
                if assumed or (cause, effect) in self._system.links
                if self.may_call(operations[cause].service, effect)
            }
        return found

    def data(self, start: str, *, assumed: bool) -> dict[str, int]:
        found: dict[str, int] = {}
        for (caller, each), hops in self.hops(start, assumed=assumed).items():
            for name in CLASSES:
                if self.is_given(caller, each, name):
                    found[name] = min(hops, found.get(name, hops))
        return found
