"""What Inward demands of a policy beyond Cedar: names that exist, and the owner rule.

The owner rule: `policies/orders.cedar` decides over the operations of `orders` and nothing else. Cedar itself
does not tie an operation to its service, so every policy of that file must say it in its scope, by its
actions or by `resource == Service::"orders"`; or be about `disclose` and name a data class whose whole tree
belongs to the team that owns `orders`. `guardrails.cedar` forbids, over the whole system.

Where a service declares types of objects, its grants say what they are about: `resource == Service::"orders"` is the
operation itself, `resource is Order` are objects. One that left it open would be about both, which nobody means who
has not thought of both. A forbid may: it is about everything.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cedarpy import pst

from inward.policy.resources.model import NO_RESOURCES, OF_THE_CATALOG
from inward.policy.schema import DISCLOSE, READ, WRITE, groups_of_service

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from inward.catalog.model import Catalog, Service
    from inward.policy.resources.model import Resources

GUARDRAILS = "guardrails.cedar"
_SHOWN = 100  # characters of a name in a mistake
_SHOWN_LINE = 1_000  # characters of a message
_COMPARED = 5_000  # names that a misspelt one is compared with
_MOST_TYPES = 5  # of objects in a hint

Finding = tuple[str, str]  # what is wrong, and what to do about it


@dataclass(frozen=True, slots=True)
class Parsed:
    """A policy's syntax tree, and every entity that it names."""

    tree: pst.Template
    entities: frozenset[pst.EntityUid]

    @classmethod
    def of(cls, tree: pst.Template) -> Parsed:
        """Collect the entities of a tree."""
        return cls(tree, pst.entity_uids(tree))

    @property
    def actions(self) -> set[str]:
        """The ids of all actions that it names, in its scope or in its conditions."""
        return {uid.id for uid in self.entities if uid.type.basename == "Action"}

    @property
    def scope(self) -> tuple[str, ...] | None:
        """The ids of the actions in its scope; None where it names none, which means all."""
        match self.tree.action:
            case pst.ActionEq(entity):
                return (entity.id,)
            case pst.ActionIn(entities):
                return tuple(entity.id for entity in entities)
            case _:
                return None


def shown(text: str) -> str:
    """Return text from a file as it may stand in a message: one line, without controls, not too long."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def shown_line(text: str) -> str:
    """Return a message of Cedar's as one line that is fit to be shown."""
    line = " ".join(shown(word) for word in text.split())
    return line if len(line) <= _SHOWN_LINE else line[:_SHOWN_LINE] + " …"


def nearest(name: str, names: Collection[str]) -> str:
    """Return a hint that names the nearest of `names`, or an empty text where none is near."""
    found = difflib.get_close_matches(name[:_SHOWN], sorted(names)[:_COMPARED], n=1)
    return f"did you mean `{shown(found[0])}`?" if found else ""


def _type_in_scope(tree: pst.Template) -> str | None:
    """Return the type that the resource of a policy's scope must be of; None where it names none."""
    match tree.resource:
        case pst.ScopeIs(kind) | pst.ScopeIsIn(kind, _):
            return str(kind)
    return None


class Rules:
    """The rules for the policies of one system."""

    def __init__(self, catalog: Catalog, resources: Resources = NO_RESOURCES) -> None:
        self._catalog = catalog
        self._resources = resources
        services = catalog.services.values()
        groups = {group for service in services for group in groups_of_service(service.name)}
        owners = {service.owner for service in services} | {data.owner for data in catalog.data_classes.values()}
        self._names: dict[str, Collection[str]] = {
            "Service": catalog.services.keys(),
            "Zone": {service.zone for service in services if service.zone is not None},
            "Team": owners,
            "Group": {group for service in services for group in service.groups},
            "DataClass": catalog.data_classes.keys(),
            "Action": catalog.operations.keys() | groups | {READ, WRITE, DISCLOSE},
        }
        self._service_of_group = {
            group: service.name for service in services for group in groups_of_service(service.name)
        }

    def check(self, policy: Parsed, service: str | None) -> list[Finding]:
        """Return what is wrong with a policy of the file of `service`; None is the file of guardrails."""
        findings = sorted({*self._unknown_names(policy), *self._unknown_types(policy.tree)})
        if findings:
            return findings
        if service is not None:
            found = self._catalog.services[service]
            return list(self._not_owned(policy, found)) or list(self._undecided(policy, found))
        if policy.tree.effect == "permit":
            return [
                (
                    "a permit among the guardrails, which only forbid",
                    "grant in the file of the service's owner",
                )
            ]
        return []

    def _unknown_names(self, policy: Parsed) -> Iterator[Finding]:
        for uid in policy.entities:
            if uid.type.namespace:
                yield f"there is no type `{shown(str(uid.type))}`", ""
                continue
            if uid.type.basename in self._resources.by_name:
                name = uid.type.basename
                yield f"`{name}` names an object", f"write `resource is {name}`, and a condition on its attributes"
                continue
            names = self._names.get(uid.type.basename)
            if names is None or uid.id in names:
                continue  # users are not in the catalog; other types that do not exist are Cedar's to refuse
            if uid.type.basename == "Action":
                prefix = uid.id.partition(":")[0] + ":"
                near = [name for name in names if name.startswith(prefix)] or names
                yield f"there is no operation `{shown(uid.id)}`", nearest(uid.id, near)
            else:
                kind = "data class" if uid.type.basename == "DataClass" else uid.type.basename.lower()
                yield f"there is no {kind} `{shown(uid.id)}`", nearest(uid.id, names)

    def _not_owned(self, policy: Parsed, service: Service) -> Iterator[Finding]:
        scope = policy.scope
        if scope is not None and DISCLOSE in scope:
            yield from self._not_owned_data(policy.tree, scope, service)
            return
        owners = {action: self._owner_of(action) for action in policy.actions}
        foreign = sorted((owner, action) for action, owner in owners.items() if owner and owner != service.name)
        for owner, action in foreign[:1]:
            yield f"`{shown(action)}` is not of `{service.name}`", f"it belongs in policies/{owner}.cedar"
            return
        limited = scope is not None and all(owners[action] for action in scope)
        kind = self._resources.by_name.get(_type_in_scope(policy.tree) or "")
        if kind is not None:
            if kind.service != service.name:
                yield f"`{kind.name}` is not of `{service.name}`", f"it belongs in policies/{kind.service}.cedar"
            return
        match policy.tree.resource:
            case pst.ScopeEq(pst.EntityUid(pst.EntityType("Service", ()), name)) if name != service.name:
                yield (
                    f"the resource is `{shown(name)}`, not `{service.name}`",
                    f"it belongs in policies/{name}.cedar",
                )
            case pst.ScopeEq(pst.EntityUid(pst.EntityType("Service", ()))):
                pass
            case _ if not limited:
                yield (
                    f"this policy is not limited to `{service.name}`",
                    f'write resource == Service::"{service.name}"',
                )

    def _unknown_types(self, tree: pst.Template) -> Iterator[Finding]:
        name = _type_in_scope(tree)
        if name is not None and name not in self._resources.by_name and name not in OF_THE_CATALOG:
            yield f"there is no type `{shown(name)}`", nearest(name, self._resources.by_name.keys() | OF_THE_CATALOG)

    def _undecided(self, policy: Parsed, service: Service) -> Iterator[Finding]:
        """Yield that a grant does not say whether it is about the operation or about objects."""
        types = self._resources.of(service.name)
        tree = policy.tree
        if not types or tree.effect != "permit" or DISCLOSE in (policy.scope or ()):
            return
        if isinstance(tree.resource, pst.ScopeAny | pst.ScopeIn):
            objects = " or ".join(f"`resource is {each.name}`" for each in types[:_MOST_TYPES])
            yield (
                "the resource is left open: a call as a whole, and objects, are granted apart",
                f'write `resource == Service::"{service.name}"`, or {objects}',
            )

    def _owner_of(self, action: str) -> str | None:
        """Return the service that an operation or group of operations is of; None for `read` and `write`."""
        operation = self._catalog.operations.get(action)
        return operation.service if operation else self._service_of_group.get(action)

    def _not_owned_data(self, template: pst.Template, scope: tuple[str, ...], service: Service) -> Iterator[Finding]:
        if set(scope) != {DISCLOSE}:
            yield "`disclose` stands beside other actions", "write a policy of its own for it"
            return
        match template.resource:
            case pst.ScopeEq(pst.EntityUid(pst.EntityType("DataClass", ()), name)):
                covered = {name}
            case pst.ScopeIn(pst.EntityUid(pst.EntityType("DataClass", ()), name)) | pst.ScopeIsIn(
                _, pst.EntityUid(pst.EntityType("DataClass", ()), name)
            ):
                covered = {data for data in self._catalog.data_classes if self._is_under(data, name)}
            case _:
                yield "`disclose` without a data class", 'write resource == DataClass::"…"'
                return
        for data in sorted(covered):
            owner = self._catalog.data_classes[data].owner
            if owner != service.owner:
                yield (
                    f"the data class `{data}` belongs to `{owner}`, not to `{service.owner}`",
                    "its owner discloses it, in the file of one of its own services",
                )

    def _is_under(self, data: str, name: str) -> bool:
        seen: set[str] = set()
        at: str | None = data
        while at is not None and at not in seen:
            if at == name:
                return True
            seen.add(at)
            above = self._catalog.data_classes.get(at)
            at = above.parent if above else None
        return False
