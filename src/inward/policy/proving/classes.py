"""Cells by class: callers and targets about which no policy can tell anything different.

A target is an operation, an operation on the objects of a type, or a data class.

A system with fifty callers and thousands of operations has a million cells, and few kinds of them. In the cells of one
class the same policies are candidates, and whatever their conditions read of the caller, the action and the resource
is the same; so what is true of one cell for every request is true of all of them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from inward.catalog.model import Operation
from inward.policy.proving.reading import Reading
from inward.policy.resources.model import Objects
from inward.policy.symbolic.context import whole_segments
from inward.policy.symbolic.world import Caller

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from inward.catalog.model import Catalog, DataClass, Parameter, Service
    from inward.policy.index import Index
    from inward.policy.model import Policies
    from inward.policy.resources.model import ResourceType

Target: TypeAlias = "Operation | DataClass | Objects"


@dataclass(frozen=True, slots=True)
class CellClass:
    """Cells that are alike: the candidates of all of them (a mask of the index), and one caller and target of many."""

    mask: int
    callers: Sequence[Caller]
    targets: Sequence[Target]

    @property
    def caller(self) -> Caller:
        """One of the callers."""
        return self.callers[0]

    @property
    def target(self) -> Target:
        """One of the targets."""
        return self.targets[0]

    @property
    def size(self) -> int:
        """How many cells it is."""
        return len(self.callers) * len(self.targets)


class Readings:
    """What the policies of an index read, as masks."""

    def __init__(self, policies: Policies) -> None:
        self.conditional = self.caller = self.identity = self.action = self.resource = 0
        for number, policy in enumerate(policies):
            bit = 1 << number
            if not policy.conditional:
                continue
            reading = Reading.of(policy)
            self.conditional |= bit
            self.caller |= bit if reading.caller else 0
            self.identity |= bit if reading.identity else 0
            self.action |= bit if reading.action else 0
            self.resource |= bit if reading.resource else 0


class Classes:
    """The classes of cells of one catalog and one index over it."""

    def __init__(self, catalog: Catalog, index: Index, readings: Readings) -> None:
        self._catalog = catalog
        self._index = index
        self._readings = readings
        self._of_mask: dict[int, list[Service]] = defaultdict(list)
        for name in sorted(catalog.services):
            service = catalog.services[name]
            self._of_mask[index.caller_mask(service)].append(service)

    def today(self, wanted: int) -> Iterator[CellClass]:
        """Yield the classes of cells in which some policy of the mask `wanted` is a candidate."""
        for mask, targets in self._targets(wanted):
            yield from self._callers(mask, targets, wanted)

    def tomorrow(self, wanted: int) -> Iterator[CellClass]:
        """Yield the same for calls of a service that does not exist yet."""
        strangers = self._index.stranger_mask()
        stranger = (Caller(None),)
        for mask, targets in self._targets(wanted & strangers):
            yield CellClass(mask & strangers, stranger, targets)

    def _targets(self, wanted: int) -> Iterable[tuple[int, Sequence[Target]]]:
        """Return the targets by what policies can tell of them."""
        readings = self._readings
        found: dict[tuple[int, Hashable], list[Target]] = defaultdict(list)
        for target, mask in self._masks():
            if not mask & wanted:
                continue
            parameters = (parameters_of(target), whole_of(target)) if mask & readings.conditional else None
            resource = resource_of(target) if mask & readings.resource else None
            operation = operation_of(target)
            action = operation.id if mask & readings.action and operation is not None else None
            found[mask, (type(target), parameters, resource, action)].append(target)
        return ((mask, targets) for (mask, _), targets in found.items())

    def _masks(self) -> Iterator[tuple[Target, int]]:
        for operation in self._catalog.operations.values():
            yield operation, self._index.operation_mask(operation)
            for objects in self._index.resources.objects(operation):
                yield objects, self._index.object_mask(operation, objects.type)
        for data_class in self._catalog.data_classes.values():
            yield data_class, self._index.data_mask(data_class)

    def _callers(self, mask: int, targets: Sequence[Target], wanted: int) -> Iterator[CellClass]:
        found: dict[tuple[int, Hashable], list[Caller]] = defaultdict(list)
        for own, services in self._of_mask.items():
            candidates = mask & own
            if not candidates & wanted:
                continue
            for service in services:
                found[candidates, self._told_apart(candidates, service)].append(Caller(service))
        for (candidates, _), callers in found.items():
            yield CellClass(candidates, callers, targets)

    def _told_apart(self, candidates: int, service: Service) -> Hashable:
        if candidates & self._readings.identity:
            return service.name
        if candidates & self._readings.caller:
            return (service.owner, service.zone, service.groups)
        return None


def operation_of(target: Target) -> Operation | None:
    """Return the operation that a target is, or is about; None for a data class."""
    match target:
        case Operation():
            return target
        case Objects(operation):
            return operation
    return None


def kind_of(target: Target) -> ResourceType | None:
    """Return the type of the objects that a target is about; None where it is about none."""
    return target.type if isinstance(target, Objects) else None


def parameters_of(target: Target) -> tuple[Parameter, ...]:
    """Return the parameters of requests to an operation; a disclosure has none."""
    operation = operation_of(target)
    return operation.parameters if operation is not None else ()


def whole_of(target: Target) -> frozenset[str]:
    """Return the path parameters that fill their segments: they cannot be `.` or `..`."""
    operation = operation_of(target)
    return whole_segments(operation) if operation is not None else frozenset()


def resource_of(target: Target) -> str:
    """Return what the resource is told apart by: the operation's service, the objects' type, or the data class."""
    match target:
        case Operation():
            return target.service
        case Objects(_, kind):
            return kind.name
    return target.name


def name_of(target: Target) -> str:
    """Return what a target is called: an operation's id, with its objects' type, or the name of a data class."""
    return target.id if isinstance(target, Operation) else target.name
