"""What it takes to compare two systems and to prove guardrails: 50 services with 25,000 operations.

The systems are made in memory; what is timed begins after loading. The policies are what companies write: most name one
caller and a few operations, some a group of callers and whatever reads, a tenth of them under a condition; ten are
guardrails. The new system differs in 20 or 100 policies: some gone, some new, conditions, expiries and scopes changed.
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Literal

import cedarpy
from cedarpy import pst

from bench.report import Series
from inward.catalog.model import Catalog, Mode, Operation, Parameter, Service
from inward.catalog.template import PathTemplate
from inward.errors import Place
from inward.identity.spiffe_id import SpiffeID
from inward.policy.comparing.compare import System, compare
from inward.policy.model import Policies, Policy
from inward.policy.proving.prove import prove

SERVICES = 50
OPERATIONS = 500  # of each service
SIZES = (1_000, 10_000)
CHANGES = (20, 100)
GUARDRAILS = 10
ROUNDS = 5
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def make_catalog() -> Catalog:
    """Return the catalog: half of the operations read, each takes an id and an optional status."""
    services = {}
    for number in range(SERVICES):
        name = f"service-{number}"
        operations = tuple(
            Operation(
                service=name,
                name=f"op{each}",
                method="GET" if each % 2 else "POST",
                template=PathTemplate(f"/things{each}/{{id}}"),
                parameters=(
                    Parameter("id", "path", "string", required=True),
                    Parameter("status", "query", "string", required=False),
                ),
                mode=Mode.ENFORCE,
                deprecated=False,
                place=Place("api.json"),
            )
            for each in range(OPERATIONS)
        )
        services[name] = Service(
            name=name,
            spiffe_id=SpiffeID.of_service("bench.internal", name),
            owner=f"team-{number % 10}",
            zone=("edge", "core", "cards")[number % 3],
            groups=(f"group-{number % 7}",),
            mode=Mode.ENFORCE,
            listen=None,
            run=None,
            operations=operations,
            place=Place("inward.yaml"),
        )
    return Catalog("bench.internal", MappingProxyType(services), MappingProxyType({}))


class _Writer:
    """Writes policies, the same from the same seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._policies: dict[str, Policy] = {}

    def system(self, size: int) -> Policies:
        """Return so many policies, guardrails among them."""
        for number in range(GUARDRAILS):
            self._add(f"guardrail-{number}", None, self._guardrail(number))
        for number in range(size - GUARDRAILS):
            self._grant(f"g{number}")
        return Policies.of(self._policies.values())

    def changed(self, policies: Policies, count: int) -> Policies:
        """Return policies of which `count` differ from these."""
        self._policies = dict(policies.by_id)
        grants = [name for name in self._policies if name.startswith("g") and not name.startswith("guardrail")]
        for number, name in enumerate(self._chance.sample(grants, count)):
            match number % 4:
                case 0:
                    del self._policies[name]
                case 1:
                    self._grant(f"new-{name}")
                case 2:
                    self._grant(name)
                case _:
                    old = self._policies[name]
                    self._add(name, old.file_owner, old.text, expires=NOW + timedelta(days=90 + number))
        return Policies.of(self._policies.values())

    def _grant(self, name: str) -> None:
        chance = self._chance
        callee = f"service-{chance.randrange(SERVICES)}"
        caller = f'principal == Service::"service-{chance.randrange(SERVICES)}"'
        names = ", ".join(f'Action::"{callee}:op{chance.randrange(OPERATIONS)}"' for _ in range(chance.randint(1, 5)))
        action = f"action in [{names}]"
        if chance.random() < 0.05:
            caller = f'principal in Group::"group-{chance.randrange(7)}"'
            action = f'action in Action::"{callee}:read"'
        when = ""
        if chance.random() < 0.1:
            status = chance.choice(("open", "closed", "sent"))
            when = f' when {{ context.query has status && context.query.status == "{status}" }}'
        text = f'permit ({caller}, {action}, resource == Service::"{callee}"){when};'
        self._add(name, callee, text, expires=NOW + timedelta(days=200) if chance.random() < 0.2 else None)

    def _guardrail(self, number: int) -> str:
        callee = f"service-{number * 3 + 2}"
        return (
            f'forbid (principal, action in Action::"{callee}:write", resource == Service::"{callee}") '
            'unless { principal in Zone::"cards" };'
        )

    def _add(self, name: str, owner: str | None, text: str, expires: datetime | None = None) -> None:
        [parsed] = cedarpy.PolicySet.from_str(text).to_pst().static_policies.values()
        effect: Literal["permit", "forbid"] = "permit" if text.startswith("permit") else "forbid"
        template = pst.Template(
            name, parsed.effect, parsed.principal, parsed.action, parsed.resource, parsed.clauses, parsed.annotations
        )
        place = Place(f"policies/{owner}.cedar" if owner else "guardrails.cedar", 1)
        self._policies[name] = Policy(name, effect, "measured", expires, owner, place, text, template)


def measure() -> Series:
    """Compare, and prove, at every size."""
    series = Series("comparing", "seconds", f"prove, {SIZES[0]:,} policies")
    catalog = make_catalog()
    for size in SIZES:
        policies = _Writer(1).system(size)
        for _ in range(ROUNDS):
            started = time.process_time()
            verdicts = prove(catalog, policies, NOW)
            series.add(f"prove, {size:,} policies", seconds=time.process_time() - started, found=len(verdicts))
        for count in CHANGES:
            changed = _Writer(2).changed(policies, count)
            for _ in range(ROUNDS):
                started = time.process_time()
                found = compare(System(catalog, policies), System(catalog, changed), NOW)
                seconds = time.process_time() - started
                series.add(f"diff, {size:,} policies, {count} differ", seconds=seconds, found=len(found.changes))
    return series
