"""The graph of all ways to a target, and which grants keep each part of it open. No I/O.

A way goes from the start over places to the goal. A place is where somebody acts for the attacker: an operation that
calls others while it is served, or, if the worst is assumed, a service. An arc between them bears the grants of which
at least one must be left for it to be open; ways that differ in operations alone are one arc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from inward.insight.reach.spread import START

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from inward.insight.reach.access import Access
    from inward.insight.reach.reached import Reach, Target
    from inward.insight.reach.spread import Spread

GOAL = "goal"


class Arc(NamedTuple):
    """A part of a way. `grants` must all be gone for it to be closed; 0 where it is open without any."""

    tail: Hashable
    head: Hashable
    grants: int


def arcs_to(access: Access, spread: Spread, reach: Reach, target: Target) -> list[Arc]:
    """Return the arcs of all ways from a service, whose reach is given, to a target."""
    own = access.owned[reach.service]
    found: dict[Arc, None] = {}
    origins: list[tuple[Hashable, str, int]] = [(START, reach.service, access.calls(reach.service) & ~own)]
    origins += [
        (("place", place), caller, operations & ~own)
        for place, caller, operations in spread.origins(access, reach.operations)
    ]
    for tail, caller, operations in origins:
        for way, some in access.ways(caller, operations):
            for node in spread.nodes(access, some):
                found[Arc(tail, ("place", node), way.grants)] = None
            found |= dict.fromkeys(_ends(access, target, tail, caller, way.grants, some))
    return list(found)


def _ends(access: Access, target: Target, tail: Hashable, caller: str, grants: int, operations: int) -> Iterator[Arc]:
    """Yield the arcs by which some operations, which the same grants let a caller call, give it the target."""
    if target.operation is not None:
        if operations >> target.operation & 1:
            yield Arc(tail, GOAL, grants)
        return
    for name in target.classes:
        for shown, _ in access.showing(caller, name, operations):
            middle = ("answer", caller, grants, shown.grants)
            yield Arc(tail, middle, grants)
            yield Arc(middle, GOAL, shown.grants)
