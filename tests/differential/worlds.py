"""Random systems with guardrails and disclosures, loaded, and everything that could be tried on them.

Import it: `from tests.differential import worlds`.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from cedarpy import policies_to_pst
from tests.differential import systems

from inward.catalog.model import Catalog, Mode, Service
from inward.catalog.system import load_catalog
from inward.errors import Place
from inward.identity.spiffe_id import SpiffeID
from inward.policy.decide import Engine
from inward.policy.loading.load import load_policies
from inward.policy.model import Policies, Policy
from inward.policy.proving.witness import Witness
from inward.policy.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from inward.catalog.model import Operation, Parameter
    from inward.policy.decision import Decision
    from inward.policy.request import Read

NOW = systems.NOON
LATER = tuple(timedelta(hours=hours) for hours in (0, 0.5, 1, 5, 12, 13, 36, 40, 24 * 365))
_VALUES = {
    "string": ("a", "b-1", "A.B~c", "monitor-7", "x@y", "zz", "bb", "it's"),
    "integer": (
        "0",
        "1",
        "-1",
        "7",
        "8",
        "42",
        "43",
        "100000000000000001",
        "999999999999999999",
        "-999999999999999999",
    ),
    "boolean": ("true", "false"),
}

(_TREE,) = policies_to_pst("permit (principal, action, resource);").static_policies.values()
EVERYTHING = Policy(  # a grant beside which every other policy can be seen to apply
    "everything", "permit", "", None, None, Place("guardrails.cedar"), "", dataclasses.replace(_TREE, id="everything")
)


@dataclass(frozen=True)
class Trial:
    """One call, or one disclosure (without a path), at a moment."""

    caller: str
    target: str
    path: str
    query: str
    now: datetime


@dataclass(frozen=True)
class World:
    """A loaded system, and engines over some of its policies."""

    seed: int
    catalog: Catalog
    policies: Policies

    @property
    def guardrails(self) -> list[Policy]:
        """The guardrails that are in force."""
        return [each for each in self.policies if each.file_owner is None and not expired(each)]

    @cached_property
    def owners(self) -> list[Policy]:
        """All other policies."""
        return [each for each in self.policies if each.file_owner is not None]

    def with_newcomers(self, count: int) -> World:
        """Return the world with so many more services, of every kind that could tell one from another."""
        rng = random.Random(f"newcomers {self.seed}")  # noqa: S311 - the same every time, on purpose
        services = self.catalog.services.values()
        groups = sorted({group for service in services for group in service.groups})
        kinds = list(
            itertools.product(
                [*sorted({service.owner for service in services}), "a-team-of-tomorrow"],
                [*sorted({service.zone for service in services if service.zone}), None, "a-zone-of-tomorrow"],
                [tuple(some) for size in range(len(groups) + 1) for some in itertools.combinations(groups, size)],
            )
        )
        chosen = rng.sample(kinds, min(count, len(kinds)))
        new = {
            f"n{number}": service_like(self.catalog, f"n{number}", owner, zone, (*some, "a-group-of-tomorrow"))
            for number, (owner, zone, some) in enumerate(chosen)
        }
        catalog = Catalog(
            self.catalog.trust_domain, MappingProxyType({**self.catalog.services, **new}), self.catalog.data_classes
        )
        return dataclasses.replace(self, catalog=catalog)

    def trials(self, callers: Iterable[str], each: int, salt: str = "") -> Iterator[Trial]:
        """Yield `each` calls of every operation and every data class for each caller, from `NOW` on."""
        rng = random.Random(f"trials {self.seed} {salt}")  # noqa: S311 - the same every time, on purpose
        for caller in callers:
            for operation in self.catalog.operations.values():
                for _ in range(each):
                    yield Trial(caller, operation.id, *_sent(rng, operation), NOW + rng.choice(LATER))
            for name in self.catalog.data_classes:
                for later in LATER:
                    yield Trial(caller, name, "", "", NOW + later)


def load(seed: int, folder: Path) -> World:
    """Generate and load a small system with guardrails."""
    system = systems.generate(seed, services=4, operations=3, policies=5, guardrails=1 + seed % 3)
    catalog, mistakes = load_catalog(system.write(folder))
    assert catalog is not None, mistakes
    policies, mistakes = load_policies(folder, catalog)
    assert mistakes == []
    return World(seed, catalog, policies)


def expired(policy: Policy) -> bool:
    """Return whether a policy has expired by `NOW`."""
    return policy.expires is not None and policy.expires <= NOW


def engine(world: World, policies: Iterable[Policy]) -> Engine:
    """Return the engine over some policies of a world."""
    return Engine(world.catalog, Policies.of(policies))


def ask(engine: Engine, trial: Trial | Witness) -> Decision:
    """Return what an engine decides on a trial."""
    now = trial.moment if isinstance(trial, Witness) else trial.now
    if not trial.path:
        return engine.disclose(trial.caller, trial.target, now)
    return engine.decide(Request(trial.caller, trial.target, trial.path, trial.query), now)


def with_caller(world: World, witness: Witness) -> World:
    """Return the world in which the caller of a witness exists."""
    new = witness.newcomer
    if new is None:
        return world
    service = service_like(world.catalog, witness.caller, new.owner, new.zone, new.groups)
    services = MappingProxyType({**world.catalog.services, witness.caller: service})
    return dataclasses.replace(world, catalog=Catalog(world.catalog.trust_domain, services, world.catalog.data_classes))


def service_like(catalog: Catalog, name: str, owner: str, zone: str | None, groups: tuple[str, ...]) -> Service:
    """Return a service that only calls."""
    return Service(
        name=name,
        spiffe_id=SpiffeID.of_service(catalog.trust_domain, name),
        owner=owner,
        zone=zone,
        groups=groups,
        mode=Mode.ENFORCE,
        listen=None,
        run=None,
        operations=(),
        place=Place("inward.yaml"),
    )


def value(rng: random.Random, parameter: Parameter) -> str:
    """Return a value of a parameter, in plain form."""
    return rng.choice(_VALUES[parameter.type])


def filled(operation: Operation, values: Mapping[Read, str]) -> tuple[str, str]:
    """Return the path and the query of a request with these values."""
    path = operation.template.text
    for name in operation.template.variables:
        path = path.replace(f"{{{name}}}", values["path", name])
    return path, "&".join(f"{name}={text}" for (where, name), text in values.items() if where == "query")


def _sent(rng: random.Random, operation: Operation) -> tuple[str, str]:
    values: dict[Read, str] = {
        (parameter.where, parameter.name): value(rng, parameter)
        for parameter in operation.parameters
        if parameter.required or rng.random() < 0.7
    }
    return filled(operation, values)
