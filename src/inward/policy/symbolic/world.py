"""Worlds: what `principal`, `action`, `resource` and `context` are where an expression is evaluated.

The action and the resource are known, and so is every entity of the catalog; of a resource that is an object, the type
is known, and its attributes are open (`objects`). The caller is one of the catalog, or a
service that does not exist yet: then its owner, its zone and its groups are open.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import z3
from cedarpy import pst

from inward.catalog.model import Operation
from inward.policy.resources.model import THE_OBJECT, Objects
from inward.policy.schema import (
    DISCLOSE,
    READ,
    WRITE,
    ancestors_of,
    ancestors_of_data,
    ancestors_of_objects,
    groups_of,
)
from inward.policy.symbolic.term import Bool, all_of, conj, negate
from inward.policy.symbolic.value import Choice, Fields, Value, one

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.catalog.model import Catalog, DataClass, Service
    from inward.policy.symbolic.context import Contexts

NEW_SERVICE = ""  # the name of the service that does not exist yet, its team and its zone; nothing in a catalog has it


def uid(kind: str, name: str) -> pst.EntityUid:
    """Return the entity of that type and id."""
    return pst.EntityUid(pst.EntityType(kind), name)


@dataclass(frozen=True)
class Caller:
    """Who calls: a service of the catalog, or None for one that does not exist yet."""

    service: Service | None

    @property
    def name(self) -> str:
        """The service's name."""
        return self.service.name if self.service is not None else NEW_SERVICE


class Openness:
    """What is not known of a service that does not exist yet: one owner, at most one zone, any groups.

    Each may be one that the catalog names, or another.
    """

    def __init__(self) -> None:
        self._owner = z3.Int("new.owner")  # the number of a team; that of none of the catalog is another team
        self._zone = z3.Int("new.zone")
        self.zoned: Bool = z3.Bool("new.zone?")

    def owned_by(self, team: str, catalog: Catalog) -> Bool:
        """Return whether a team owns it."""
        return _is(self._owner, teams_of(catalog), team)

    def zoned_in(self, zone: str, catalog: Catalog) -> Bool:
        """Return whether it is in a zone."""
        return conj(self.zoned, _is(self._zone, zones_of(catalog), zone))

    def grouped_in(self, group: str) -> Bool:
        """Return whether it is in a group."""
        return z3.Bool(f"new in {group}")

    def attributes(self, catalog: Catalog) -> Fields:
        """Return its attributes."""
        return Fields(
            {
                "owner": (True, _one_of("Team", teams_of(catalog), self._owner)),
                "zone": (self.zoned, _one_of("Zone", zones_of(catalog), self._zone)),
            }
        )

    def is_in(self, ancestor: pst.EntityUid, catalog: Catalog) -> Bool:
        """Return whether it is in a team, a zone or a group."""
        match ancestor.type.basename:
            case "Team":
                return self.owned_by(ancestor.id, catalog)
            case "Zone":
                return self.zoned_in(ancestor.id, catalog)
            case "Group":
                return self.grouped_in(ancestor.id)
        return False


def _number(name: str) -> int:
    """Return a number that no other name has, whatever the catalog: two of them may be compared in one formula."""
    return int.from_bytes(b"\1" + name.encode())


def _is(variable: z3.ArithRef, names: tuple[str, ...], name: str) -> Bool:
    if name == NEW_SERVICE:
        return all_of(negate(variable == _number(other)) for other in names)
    return variable == _number(name) if name in names else False


def _one_of(kind: str, names: tuple[str, ...], variable: z3.ArithRef) -> Choice:
    return Choice(tuple((_is(variable, names, name), uid(kind, name)) for name in (*names, NEW_SERVICE)))


@dataclass(frozen=True, eq=False)
class World:
    """One caller, one operation, data class or operation on objects, and the requests in question."""

    catalog: Catalog
    caller: Caller
    target: Operation | DataClass | Objects
    contexts: Contexts
    openness: Openness = field(default_factory=Openness)

    @cached_property
    def _resource(self) -> pst.EntityUid:
        target = self.target
        match target:
            case Operation():
                return uid("Service", target.service)
            case Objects():
                return uid(target.type.name, THE_OBJECT)
        return uid("DataClass", target.name)

    @cached_property
    def _action(self) -> pst.EntityUid:
        match self.target:
            case Operation(id=name) | Objects(operation=Operation(id=name)):
                return uid("Action", name)
        return uid("Action", DISCLOSE)

    def variable(self, name: Literal["principal", "action", "resource", "context"]) -> Value:
        """Return what a variable is."""
        match name:
            case "principal":
                return one(uid("Service", self.caller.name))
            case "action":
                return one(self._action)
            case "resource":
                return one(self._resource)
        context = self.contexts.context
        if isinstance(self.target, Operation | Objects):
            return context
        return Fields({"time": context.fields["time"]})  # as the schema has it for disclosures

    def attributes(self, entity: pst.EntityUid) -> Fields:
        """Return the attributes of an entity; none of one that the catalog does not hold."""
        kind, name = entity.type.basename, entity.id
        if entity == self._resource and self.contexts.resource is not None:
            return self.contexts.resource
        if kind == "Service" and name == NEW_SERVICE:
            return self.openness.attributes(self.catalog)
        service = self.catalog.services.get(name) if kind == "Service" else None
        data_class = self.catalog.data_classes.get(name) if kind == "DataClass" else None
        fields: dict[str, tuple[Bool, Value]] = {}
        if service is not None or data_class is not None:
            owner = service.owner if service is not None else data_class.owner if data_class is not None else ""
            fields["owner"] = (True, one(uid("Team", owner)))
        if service is not None and service.zone is not None:
            fields["zone"] = (True, one(uid("Zone", service.zone)))
        return Fields(fields)

    def is_in(self, entity: pst.EntityUid, ancestor: pst.EntityUid) -> Bool:
        """Return whether an entity is another one, or in it."""
        if entity == ancestor:
            return True
        kind, name = entity.type.basename, entity.id
        if kind == "Service" and name == NEW_SERVICE:
            return self.openness.is_in(ancestor, self.catalog)
        if isinstance(self.target, Objects) and entity == self._resource:
            return (ancestor.type.basename, ancestor.id) in ancestors_of_objects(self.catalog, self.target.type)
        return (ancestor.type.basename, ancestor.id) in _ancestors(self.catalog, kind, name)


def teams_of(catalog: Catalog) -> tuple[str, ...]:
    """Return the teams that the catalog names, sorted."""
    owned: Iterable[Service | DataClass] = (*catalog.services.values(), *catalog.data_classes.values())
    return tuple(sorted({each.owner for each in owned}))


def zones_of(catalog: Catalog) -> tuple[str, ...]:
    """Return the zones that the catalog names, sorted."""
    return tuple(sorted({service.zone for service in catalog.services.values() if service.zone is not None}))


def _ancestors(catalog: Catalog, kind: str, name: str) -> tuple[tuple[str, str], ...]:
    if kind == "Service":
        service = catalog.services.get(name)
        return ancestors_of(service) if service is not None else ()
    if kind == "Action":
        operation = catalog.operations.get(name)
        if operation is not None:
            return tuple(("Action", group) for group in groups_of(operation))
        service_name, _, group = name.partition(":")
        known = service_name in catalog.services and group in {READ, WRITE}
        return (("Action", f"{service_name}:*"), ("Action", group)) if known else ()
    data_class = catalog.data_classes.get(name) if kind == "DataClass" else None
    return ancestors_of_data(catalog, data_class) if data_class is not None else ()
