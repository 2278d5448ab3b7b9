"""Data flow: how a class gets from the services that hold it to those that may see it, and through them to others.

The graph has a service for each that serves the class or may be given it, and an edge for each operation that serves it
and each caller that may call that. It goes on from a caller by what the caller itself serves with the same class, which
is how the descriptions say it: what a service does with what it was shown is not known. No I/O, no clock.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inward.catalog.model import Catalog
    from inward.insight.exposure import Exposure, Standing


@dataclass(frozen=True, slots=True)
class Edge:
    """A caller may call an operation that serves the class; `disclosed` says whether it is shown the class then."""

    service: str  # whose operation it is
    operation: str
    caller: str
    may_call: Standing
    disclosed: Standing

    @property
    def gives(self) -> Standing:
        """Whether the class passes: `never` where it is not disclosed, and `depends` where anything has a condition."""
        if self.disclosed == "always":
            return self.may_call
        return self.disclosed


@dataclass(frozen=True, slots=True)
class Flow:
    """The flow of one class. `roots` are where it begins: services that serve it and are not given it by others.

    `operations` are those by which a service serves the class; `layers` numbers the services from the roots on, so that
    every edge leads to a later layer, unless it closes a circle.
    """

    data_class: str
    owner: str
    roots: tuple[str, ...]
    operations: Mapping[str, tuple[str, ...]]
    edges: tuple[Edge, ...]
    layers: Mapping[str, int]

    def edges_of(self, service: str) -> list[Edge]:
        """Return the edges that lead on from a service."""
        return [edge for edge in self.edges if edge.service == service]


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the flow as a tree: a service, or an operation with a caller of it.

    `edge` is None for a root. `again` is whether what follows has been told before.
    """

    depth: int
    service: str
    edge: Edge | None
    again: bool


def flow_of(exposure: Exposure, catalog: Catalog) -> Flow:
    """Return the flow of a class."""
    operations: dict[str, list[str]] = defaultdict(list)
    for each in exposure.served:
        operations[each.operation.service].append(each.operation.id)
    edges = sorted(
        (
            Edge(
                catalog.operations[viewer.operation].service,
                viewer.operation,
                viewer.caller,
                viewer.may_call,
                viewer.disclosed,
            )
            for viewer in exposure.viewers
        ),
        key=lambda edge: (edge.service, edge.operation, edge.caller),
    )
    roots = _roots(exposure, catalog, set(operations), edges)
    return Flow(
        exposure.data_class.name,
        exposure.data_class.owner,
        roots,
        {service: tuple(sorted(names)) for service, names in operations.items()},
        tuple(edges),
        _layers(roots, edges),
    )


def steps_of(flow: Flow) -> Iterator[Step]:
    """Yield the flow as a tree, each service's part of it once."""
    told: set[str] = set()
    waiting = [Step(0, root, None, again=False) for root in reversed(flow.roots)]
    while waiting:
        step = waiting.pop()
        further = [] if step.edge and step.edge.disclosed == "never" else flow.edges_of(step.service)
        again = step.service in told and bool(further)
        yield Step(step.depth, step.service, step.edge, again)
        if further and not again:
            told.add(step.service)
            waiting += (Step(step.depth + 1, edge.caller, edge, again=False) for edge in reversed(further))


def _roots(exposure: Exposure, catalog: Catalog, serving: set[str], edges: list[Edge]) -> tuple[str, ...]:
    """Return where the flow begins, so that every service that serves the class is reached; the owner's come first."""
    owner = exposure.data_class.owner
    given = {edge.caller for edge in edges if edge.disclosed != "never" and edge.caller != edge.service}
    owned = {name for name in serving if catalog.services[name].owner == owner}
    roots = sorted(owned) + sorted(serving - given - owned)
    reached = set(_reached(roots, edges))
    for name in sorted(serving):  # what is left gives the class round in a circle
        if name not in reached:
            roots.append(name)
            reached |= set(_reached([name], edges))
    return tuple(roots)


def _reached(roots: list[str], edges: list[Edge]) -> Iterator[str]:
    seen = set(roots)
    waiting = list(roots)
    while waiting:
        service = waiting.pop()
        yield service
        new = {edge.caller for edge in edges if edge.service == service and edge.disclosed != "never"} - seen
        seen |= new
        waiting += sorted(new)


def _layers(roots: tuple[str, ...], edges: list[Edge]) -> dict[str, int]:
    """Return a layer for each service: one more than the deepest that leads to it, but for circles."""
    following: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        if edge.caller not in following[edge.service]:
            following[edge.service].append(edge.caller)
    order = _before_what_they_lead_to(roots, following)
    number = {service: position for position, service in enumerate(order)}
    layers = dict.fromkeys(order, 0)
    for service in order:
        for caller in following[service]:
            if number[caller] > number[service]:  # otherwise it closes a circle
                layers[caller] = max(layers[caller], layers[service] + 1)
    return layers


def _before_what_they_lead_to(roots: tuple[str, ...], following: Mapping[str, list[str]]) -> list[str]:
    """Return the services so that each stands before those that it leads to, but for circles (depth first)."""
    done: list[str] = []
    seen: set[str] = set()
    for root in roots:
        waiting = [] if root in seen else [(root, iter(following[root]))]
        seen.add(root)
        while waiting:
            service, callers = waiting[-1]
            caller = next((each for each in callers if each not in seen), None)
            if caller is None:
                waiting.pop()
                done.append(service)
            else:
                seen.add(caller)
                waiting.append((caller, iter(following[caller])))
    return done[::-1]
