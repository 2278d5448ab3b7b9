"""A witness: one request that shows what a formula says, confirmed by the engine before anybody is shown it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from inward.catalog.model import Catalog, Mode, Operation, Service
from inward.errors import InwardError, Place
from inward.identity.spiffe_id import SpiffeID
from inward.policy.decide import Engine
from inward.policy.model import Policies
from inward.policy.proving.classes import kind_of, name_of, operation_of, parameters_of
from inward.policy.request import Request, reads_of
from inward.policy.resources.model import ResourceError, Resources
from inward.policy.resources.values import as_json, attributes_of
from inward.policy.symbolic.objects import object_of
from inward.policy.symbolic.world import teams_of, zones_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from inward.policy.decision import Decision
    from inward.policy.model import Policy
    from inward.policy.proving.classes import Target
    from inward.policy.resources.model import Resource, ResourceType
    from inward.policy.symbolic.solve import Found, Values
    from inward.policy.symbolic.world import Caller, World

# What kept something from being known, where it is no construct of a condition.
UNSETTLED = "a formula that the solver did not settle in time"
OUT_OF_TIME = "the time for all proofs, which was used up"

_FILLERS = (  # of path parameters that no condition reads: the first that makes a path of no other operation
    {"string": "x", "integer": "1", "boolean": "true"},
    {"string": "x-2", "integer": "2", "boolean": "false"},
)


class UnconfirmedError(InwardError):
    """The engine does not confirm what a formula says: a defect of Inward, and never an answer."""

    code = "unconfirmed"


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What a service that does not exist yet would have to be."""

    owner: str
    zone: str | None
    groups: tuple[str, ...]

    def __str__(self) -> str:
        zone = f"in zone {self.zone}" if self.zone is not None else "in no zone"
        groups = f", in {', '.join(self.groups)}" if self.groups else ""
        return f"of {self.owner}, {zone}{groups}"


@dataclass(frozen=True, slots=True)
class Witness:
    """One call, or one disclosure: `caller` is a service, or a newcomer's name with what it would have to be.

    `target` is an operation's id or a data class; `method`, `path` and `query` are empty for a data class. `resource`
    is the object that an operation is done to, of the type `kind`.
    """

    caller: str
    newcomer: Newcomer | None
    target: str
    method: str
    path: str
    query: str
    moment: datetime
    kind: ResourceType | None = None
    resource: Resource | None = field(default=None, hash=False)

    def __str__(self) -> str:
        who = self.caller if self.newcomer is None else f"{self.caller} ({self.newcomer})"
        if not self.path:
            what = f"is shown {self.target}"
        else:
            query = f"?{self.query}" if self.query else ""
            what = f"{self.method} http://{self.target.partition(':')[0]}{self.path}{query}{self.on_object}"
        return f"{who} {what} at {self.time}"

    @property
    def on_object(self) -> str:
        """The object in words, each value as JSON, which is ASCII; empty where there is none."""
        if self.resource is None:
            return ""
        parts = [f"{name}: {json.dumps(value, default=str)}" for name, value in self.resource.attributes.items()]
        return f" on {self.resource.type} {{{', '.join(parts)}}}"

    @property
    def object_as_json(self) -> dict[str, Any] | None:
        """The object as JSON can hold it; what JSON has no type for is text."""
        return None if self.resource is None else as_json(self.resource)

    @property
    def time(self) -> str:
        """The moment in RFC 3339, as exact as it has to be."""
        exact = "microseconds" if self.moment.microsecond % 1000 else "milliseconds"
        return self.moment.isoformat(timespec=exact).replace("+00:00", "Z")


def witness_of(
    world: World, target: Target, caller: Caller, policies: Iterable[Policy], found: Found
) -> Witness | None:
    """Return the request that a solver found, to one target and by one caller of a class.

    None where no request has those values: two parameters share a segment of the path, or it is another operation's.
    """
    newcomer = _newcomer(world, found) if caller.service is None else None
    name = _free_name(world.catalog, "new-service") if newcomer is not None else caller.name
    parameters = parameters_of(target)
    operation, kind = operation_of(target), kind_of(target)
    reads = reads_of(policies, operation) if operation is not None else frozenset()
    values = found.values(world.contexts, parameters, reads)
    witness = witness_to(target, name, texts_of(values), values.moment, newcomer, catalog=world.catalog)
    fields = world.contexts.resource
    if witness is None or kind is None or fields is None:
        return witness
    return with_object(witness, object_of(kind, fields, found))


def with_object(witness: Witness, resource: Resource) -> Witness | None:
    """Return a request to objects with one of them; None for one that no program can give, such as a half character."""
    if witness.kind is None:
        return witness
    try:
        attributes_of(resource, witness.kind)
    except ResourceError:
        return None
    return dataclasses.replace(witness, resource=resource)


def texts_of(values: Values) -> dict[tuple[str, str], str]:
    """Return the parameters of a request as they stand in it, in plain form."""
    return {key: _text(value) for key, value in values.parameters.items()}


def witness_to(
    target: Target,
    caller: str,
    texts: Mapping[tuple[str, str], str],
    moment: datetime,
    newcomer: Newcomer | None = None,
    *,
    catalog: Catalog | None = None,
) -> Witness | None:
    """Return the request to a target with these texts of parameters; path parameters that are left out are anything.

    An object is to be added (`with_object`). None where there is no such request: a path of which two parameters share
    a segment, or which is that of a more specific operation of `catalog`.
    """
    operation = operation_of(target)
    if operation is None:
        return Witness(caller, newcomer, name_of(target), "", "", "", moment)
    path = _path(catalog, operation, texts)
    query = "&".join(f"{name}={text}" for (where, name), text in texts.items() if where == "query")
    if path is None:
        return None
    return Witness(caller, newcomer, operation.id, operation.method, path, query, moment, kind_of(target))


def no_request(target: Target) -> str:
    """Return what stands between a formula and a request: values that no request can carry together."""
    return f"the parameters of `{name_of(target)}`, which no one request carries with these values"


def _text(value: str | int | bool) -> str:  # noqa: FBT001 - the value of a parameter
    return str(value).lower() if isinstance(value, bool) else str(value)


def _path(catalog: Catalog | None, operation: Operation, texts: Mapping[tuple[str, str], str]) -> str | None:
    """Return a path of an operation with these values; None where each is read otherwise, or as another operation."""
    for filler in _FILLERS:
        template = operation.template
        types = {parameter.name: parameter.type for parameter in operation.parameters if parameter.where == "path"}
        wanted = {name: texts.get(("path", name)) or filler[types.get(name, "string")] for name in template.variables}
        path = template.text
        for name, text in wanted.items():
            path = path.replace("{" + name + "}", text)
        if template.match(path) == wanted and not (catalog and _is_another(catalog, operation, path)):
            return path
    return None


def _is_another(catalog: Catalog, operation: Operation, path: str) -> bool:
    """Return whether a path of an operation is that of a more specific one too, which is then the one meant."""
    return any(
        other.template.specificity < operation.template.specificity
        and other.method == operation.method
        and other.template.match(path) is not None
        for other in catalog.services[operation.service].operations
    )


def _newcomer(world: World, found: Found) -> Newcomer:
    catalog, openness = world.catalog, world.openness
    groups = sorted({group for service in catalog.services.values() for group in service.groups})
    return Newcomer(
        owner=next(
            (team for team in teams_of(catalog) if found.true(openness.owned_by(team, catalog))),
            _free_name_among(teams_of(catalog), "another-team"),
        ),
        zone=next((zone for zone in zones_of(catalog) if found.true(openness.zoned_in(zone, catalog))), None)
        or (_free_name_among(zones_of(catalog), "another-zone") if found.true(openness.zoned) else None),
        groups=tuple(group for group in groups if found.true(openness.grouped_in(group))),
    )


def _free_name(catalog: Catalog, name: str) -> str:
    return _free_name_among(tuple(catalog.services), name)


def _free_name_among(taken: tuple[str, ...], name: str) -> str:
    number = 1
    while (free := name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return free


def decide(witness: Witness, catalog: Catalog, policies: Iterable[Policy]) -> Decision:
    """Return what the engine decides on a witness with these policies, and no others."""
    small = _catalog_for(witness, catalog)
    resources = Resources((witness.kind,) if witness.kind is not None else ())
    return decide_by(Engine(small, Policies.of(policies, resources)), witness)


def decide_by(engine: Engine, witness: Witness) -> Decision:
    """Return what an engine decides on a witness."""
    if not witness.path:
        return engine.disclose(witness.caller, witness.target, witness.moment)
    request = Request(witness.caller, witness.target, witness.path, witness.query)
    if witness.resource is not None:
        return engine.decide_object(request, witness.resource, witness.moment)
    return engine.decide(request, witness.moment)


def _catalog_for(witness: Witness, catalog: Catalog) -> Catalog:
    """Return the catalog with the newcomer in it, and of the operations the one in question: the rest costs time."""
    callee = witness.target.partition(":")[0] if witness.path else ""
    services = {
        name: dataclasses.replace(
            service,
            operations=(catalog.operations[witness.target],) if name == callee else (),
        )
        for name, service in catalog.services.items()
    }
    if witness.newcomer is not None:
        services[witness.caller] = Service(
            name=witness.caller,
            spiffe_id=SpiffeID.of_service(catalog.trust_domain, witness.caller),
            owner=witness.newcomer.owner,
            zone=witness.newcomer.zone,
            groups=witness.newcomer.groups,
            mode=Mode.ENFORCE,
            listen=None,
            run=None,
            operations=(),
            place=Place("inward.yaml"),
        )
    return Catalog(catalog.trust_domain, MappingProxyType(services), catalog.data_classes)
