"""What one service reaches: operations and data by hops, the score, and the ways to a target. No I/O, no clock.

A hop is a call. What the service calls itself is one hop away; what those that serve such a call then call is two, and
so on. Its own operations are no part of it, whoever calls them: it holds them already.

The score, `score`: 1 for each operation within reach, 2 if it changes something, 10 for each data class that is given
to the service or to whoever acts for it; divided by 2 for each hop after the first; and 10 for each class in what the
service itself answers or is sent. No grant that is added makes it smaller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.insight.reach.access import ones

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inward.insight.reach.access import Access
    from inward.insight.reach.spread import Spread

OF_OPERATION, OF_WRITING, OF_CLASS = 1, 2, 10  # points


@dataclass(frozen=True, slots=True)
class Stage:
    """What one service can be made to call, so many hops away: those that no earlier stage of it has."""

    caller: str
    operations: int
    hops: int


@dataclass(frozen=True, slots=True)
class Hop:
    """One call on the way to a target: who calls, and which operation (its number)."""

    caller: str
    operation: int


Chain = tuple[Hop, ...]


@dataclass(frozen=True, slots=True)
class Reach:
    """The reach of a service: `layers` are the operations by hops, each in the first that it is reached by.

    `data` has for each class within reach the fewest hops. `held` are the classes in what the service itself answers or
    is sent, with those of its operations.
    """

    service: str
    stages: tuple[Stage, ...]
    layers: tuple[int, ...]
    data: Mapping[str, int]
    held: Mapping[str, int]

    @property
    def operations(self) -> int:
        """All operations within reach."""
        found = 0
        for layer in self.layers:
            found |= layer
        return found

    def hops_to(self, operation: int) -> int:
        """Return the fewest hops to an operation within reach."""
        return next(hops for hops, layer in enumerate(self.layers, 1) if layer >> operation & 1)


def reach_of(access: Access, spread: Spread, service: str) -> Reach:
    """Return the reach of a service of the catalog."""
    own = access.owned[service]
    new = access.calls(service) & ~own
    stages, layers = [Stage(service, new, 1)], [new]
    made: dict[str, int] = {}  # what each of the others was made to call so far
    reached = new
    while new:
        onward, new = spread.onward(access, new), 0
        for caller, operations in sorted(onward.items()):
            fresh = operations & ~own & ~made.get(caller, 0)
            if fresh:
                made[caller] = made.get(caller, 0) | fresh
                stages.append(Stage(caller, fresh, len(layers) + 1))
                new |= fresh & ~reached
        reached |= new
        layers.append(new)
    data: dict[str, int] = {}
    for stage in stages:
        for name in access.catalog.data_classes:
            if name not in data and stage.operations & access.reads(stage.caller, name):
                data[name] = stage.hops
    held = {name: own & (access.serving[name] | _received(access, service, name)) for name in access.serving}
    return Reach(
        service,
        tuple(stage for stage in stages if stage.operations),
        tuple(layer for layer in layers if layer),
        data,
        {name: operations for name, operations in held.items() if operations},
    )


def _received(access: Access, service: str, data_class: str) -> int:
    """Return the operations by which a class may be sent to a service."""
    taking = access.taking[data_class] & access.owned[service]
    return taking if access.shown(service, data_class) is not None else taking & access.observed


def score(access: Access, reach: Reach) -> float:
    """Return the score of a reach."""
    points = 0.0
    for hops, layer in enumerate(reach.layers, 1):
        writing = (layer & access.writes).bit_count()
        points += (OF_OPERATION * (layer.bit_count() - writing) + OF_WRITING * writing) / 2 ** (hops - 1)
    for name in access.catalog.data_classes:
        if name in reach.held:
            points += OF_CLASS
        elif name in reach.data:
            points += OF_CLASS / 2 ** (reach.data[name] - 1)
    return points


@dataclass(frozen=True, slots=True)
class Target:
    """What a way leads to: data classes, or one operation (its number)."""

    name: str
    classes: tuple[str, ...] = ()
    operation: int | None = None

    def hit(self, access: Access, caller: str, operations: int) -> int:
        """Return those of some operations that give the target to whoever calls them."""
        if self.operation is not None:
            return operations & (1 << self.operation)
        found = 0
        for name in self.classes:
            found |= operations & access.reads(caller, name)
        return found


def calls_to(access: Access, reach: Reach, target: Target) -> int:
    """Return how many calls within reach give the target: as many as `paths_to` yields."""
    return sum(target.hit(access, stage.caller, stage.operations).bit_count() for stage in reach.stages)


def paths_to(access: Access, spread: Spread, reach: Reach, target: Target) -> Iterator[Chain]:
    """Yield a shortest path to each call that gives the target, the shortest paths first."""
    for stage in reach.stages:
        for operation in ones(target.hit(access, stage.caller, stage.operations)):
            yield _path(access, spread, reach, stage, operation)


def _path(access: Access, spread: Spread, reach: Reach, stage: Stage, operation: int) -> Chain:
    path = [Hop(stage.caller, operation)]
    while stage.hops > 1:
        operation = _cause(access, spread, reach, stage, operation)
        hops = stage.hops - 1
        stage = next(each for each in reach.stages if each.hops == hops and each.operations >> operation & 1)
        path.append(Hop(stage.caller, operation))
    return tuple(reversed(path))


@dataclass(frozen=True, slots=True)
class Reached:
    """An operation within reach (its number): in how many hops, and who calls it then, while it serves `cause`.

    `cause` is an operation too, None where the service itself calls.
    """

    operation: int
    hops: int
    caller: str
    cause: int | None


def each_operation(access: Access, spread: Spread, reach: Reach) -> Iterator[Reached]:
    """Yield every operation within reach once, in a way with the fewest hops, the nearest first."""
    told = 0
    for stage in reach.stages:
        for operation in ones(stage.operations & ~told):
            cause = None if stage.hops == 1 else _cause(access, spread, reach, stage, operation)
            yield Reached(operation, stage.hops, stage.caller, cause)
        told |= stage.operations


def _cause(access: Access, spread: Spread, reach: Reach, stage: Stage, effect: int) -> int:
    """Return the operation that a service serves, one hop nearer, when it is made to call another."""
    causes = reach.layers[stage.hops - 2] & access.owned[stage.caller]
    return next(each for each in ones(causes) if spread.leads(each, effect))


@dataclass(frozen=True, slots=True)
class Sight:
    """A data class within reach: in how many hops, who is given it then, and by which operations (a mask)."""

    name: str
    hops: int
    caller: str
    operations: int


def each_sight(access: Access, reach: Reach) -> Iterator[Sight]:
    """Yield for each data class within reach who is given it with the fewest hops."""
    for name, hops in sorted(reach.data.items()):
        for stage in reach.stages:
            operations = stage.operations & access.reads(stage.caller, name) if stage.hops == hops else 0
            if operations:
                yield Sight(name, hops, stage.caller, operations)
