"""What each grant is about: which services may call which operations by it, and to which it discloses which classes.

It follows from the catalog and the index of policies; nothing of the record is in it. No I/O, no clock.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.insight.reach.access import ones

if TYPE_CHECKING:
    from inward.catalog.model import Catalog
    from inward.policy.index import Index
    from inward.policy.model import Policy


@dataclass(frozen=True, slots=True)
class Scope:
    """A grant, the services that it names, and what it gives them; `objects` is whether it is about objects only."""

    policy: Policy
    services: tuple[str, ...]
    operations: tuple[str, ...]
    classes: tuple[str, ...]
    objects: bool


def scopes_of(catalog: Catalog, index: Index) -> list[Scope]:
    """Return the scope of every grant, in the order of their ids."""
    services, operations, classes = (defaultdict[int, list[str]](list) for _ in range(3))
    for name, service in catalog.services.items():
        for bit in ones(index.caller_mask(service) & index.permits):
            services[bit].append(name)
    on_objects = 0
    for operation in catalog.operations.values():
        for bit in ones(index.operation_mask(operation) & index.permits):
            operations[bit].append(operation.id)
        for kind in index.resources.of(operation.service):
            on_objects |= index.object_mask(operation, kind)
    for name, data_class in catalog.data_classes.items():
        for bit in ones(index.data_mask(data_class) & index.permits):
            classes[bit].append(name)
    return [
        Scope(
            policy,
            tuple(services[bit]),
            tuple(operations[bit]),
            tuple(classes[bit]),
            bool(on_objects >> bit & 1) and not operations[bit],
        )
        for bit, policy in enumerate(index.policies)
        if policy.effect == "permit"
    ]


def serving(catalog: Catalog) -> dict[str, set[str]]:
    """Return by data class the operations whose answers may hold it."""
    found: dict[str, set[str]] = {name: set() for name in catalog.data_classes}
    for operation in catalog.operations.values() if found else ():
        for name in operation.answers.classes:
            found[name].add(operation.id)
    return found


def taking(catalog: Catalog) -> dict[str, set[str]]:
    """Return by data class the operations whose requests may hold it."""
    found: dict[str, set[str]] = {name: set() for name in catalog.data_classes}
    for operation in catalog.operations.values() if found else ():
        for name in operation.body.classes.union(*(each.classes for each in operation.parameters)):
            found[name].add(operation.id)
    return found
