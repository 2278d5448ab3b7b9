"""Exposure: where a data class is served and sent, who may see it, and who has seen it. No I/O, no clock.

Rules:

1. A class stands for itself. What is under it in the tree has an exposure of its own.
2. A caller may see what an operation returns if it may call the operation and the class is disclosed to it. Where a
   condition decides one of the two, that depends.
3. Who has seen it is counted from calls that were let through and answered with a success (2xx). Whether the class was
   disclosed to the caller is decided by the policies given here, at the time of the call.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

from inward.catalog.json_path import Wild, json_path
from inward.record.call import Call

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from inward.catalog.json_path import Path, Step
    from inward.catalog.model import Catalog, DataClass, Operation
    from inward.catalog.shape import Shape
    from inward.policy.decide import Engine
    from inward.policy.model import Cell, Disclosure
    from inward.record.call import Entry

MAX_WAYS = 2_000  # through one shape that are followed
MOST_PLACES = 20  # of one class in one body that are told
MAX_SIGHTINGS = 10_000  # pairs of a caller and an operation of one class that are told apart

Standing = Literal["always", "depends", "never"]


@dataclass(frozen=True, slots=True)
class Serving:
    """An operation whose answers hold a class, at `places` (JSONPath; the first `MOST_PLACES`)."""

    operation: Operation
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Taking:
    """An operation whose requests may hold a class, at `places`: JSONPath in the body, or the place of a parameter.

    `disclosed` is whether the class is disclosed to the service itself; where it is not, it must not be sent to it.
    """

    operation: Operation
    places: tuple[str, ...]
    disclosed: Standing


@dataclass(frozen=True, slots=True)
class Viewer:
    """A caller that may call an operation which serves a class. `disclosed` is `never` for one that may not see it."""

    caller: str
    operation: str
    may_call: Standing
    disclosed: Standing


@dataclass(slots=True)
class Sighting:
    """Recorded calls by which a caller was given a class, or would have been had nobody cut it (not `disclosed`)."""

    calls: int = 0
    last: str = ""  # when, as recorded
    reference: str = ""


@dataclass(slots=True)
class Exposure:
    """What is known of one class."""

    data_class: DataClass
    served: tuple[Serving, ...]
    sent: tuple[Taking, ...]
    viewers: tuple[Viewer, ...]
    seen: dict[tuple[str, str, bool], Sighting] = field(default_factory=dict)  # by caller, operation, disclosed


def exposures(catalog: Catalog, engine: Engine, now: datetime) -> list[Exposure]:
    """Return the exposure of each class at a moment, a class before those under it, without anything recorded."""
    served: dict[str, list[Serving]] = defaultdict(list)
    sent: dict[str, list[Taking]] = defaultdict(list)
    callers: dict[str, list[tuple[str, Standing]]] = {}
    for operation in catalog.operations.values():
        for name, places in _places(operation).items():
            served[name].append(Serving(operation, places))
        for name, places in _places_sent(operation).items():
            sent[name].append(Taking(operation, places, disclosed(engine, operation.service, name, now)))
    for name in {each.operation.id for servings in served.values() for each in servings}:
        cells = ((cell.caller, standing(cell, now)) for cell in engine.index.cells_of(name))
        callers[name] = [(caller, may_call) for caller, may_call in cells if may_call != "never"]
    return [
        Exposure(
            data_class,
            tuple(served[data_class.name]),
            tuple(sent[data_class.name]),
            tuple(
                Viewer(caller, each.operation.id, may_call, disclosed(engine, caller, data_class.name, now))
                for each in served[data_class.name]
                for caller, may_call in callers[each.operation.id]
            ),
        )
        for data_class in in_tree(catalog.data_classes)
    ]


def disclosed(engine: Engine, caller: str, data_class: str, now: datetime) -> Standing:
    """Tell whether a class of the catalog is disclosed to a service of it."""
    return standing(engine.index.disclosure(caller, data_class), now)


def standing(cell: Cell | Disclosure, now: datetime) -> Standing:
    """Tell what the policies that have not expired say of a cell, whatever the request."""
    permits = [policy for policy in cell.permits if policy.expires is None or policy.expires > now]
    forbids = [policy for policy in cell.forbids if policy.expires is None or policy.expires > now]
    if not permits or any(not policy.conditional for policy in forbids):
        return "never"
    return "depends" if any(policy.conditional for policy in (*permits, *forbids)) else "always"


def in_tree(data_classes: Mapping[str, DataClass]) -> list[DataClass]:
    """Return the classes by name, each before those under it."""
    return sorted(data_classes.values(), key=lambda each: each.name.split("."))


def depth_of(data_class: DataClass, data_classes: Mapping[str, DataClass]) -> int:
    """Return how many classes are above one."""
    depth = 0
    while data_class.parent is not None:
        data_class = data_classes[data_class.parent]
        depth += 1
    return depth


class Sightings:
    """Counts who has seen which class, from entries of the record; it is in the `seen` of the exposures."""

    def __init__(self, found: Iterable[Exposure], engine: Engine, catalog: Catalog) -> None:
        self._engine = engine
        self._catalog = catalog
        self._by_operation: dict[str, list[Exposure]] = defaultdict(list)
        for exposure in found:
            for each in exposure.served:
                self._by_operation[each.operation.id].append(exposure)
        self.left_out: Counter[str] = Counter()  # calls beyond `MAX_SIGHTINGS`, by class
        self.gaps = 0  # entries that say that something was lost

    def add(self, entries: Iterable[Entry]) -> None:
        """Count more entries."""
        for entry in entries:
            if not isinstance(entry, Call):
                self.gaps += 1
            elif _was_answered(entry):
                self._count(entry)

    def _count(self, call: Call) -> None:
        caller, operation = call.caller or "", call.operation or ""
        if operation not in self._by_operation:
            return
        moment = _moment(call.time)
        for exposure in self._by_operation[operation]:
            name = exposure.data_class.name
            known = moment is not None and caller in self._catalog.services
            shown = known and moment is not None and self._engine.disclose(caller, name, moment).allowed
            key = (caller, operation, shown)
            if key not in exposure.seen and len(exposure.seen) >= MAX_SIGHTINGS:
                self.left_out[name] += 1
                continue
            sighting = exposure.seen.setdefault(key, Sighting())
            sighting.calls += 1
            if call.time >= sighting.last:
                sighting.last, sighting.reference = call.time, call.id


def _was_answered(call: Call) -> bool:
    succeeded = call.status is not None and HTTPStatus.OK <= call.status < HTTPStatus.MULTIPLE_CHOICES
    if call.grpc_status:
        succeeded = bool(call.bytes_out)  # messages that were sent before it failed
    return succeeded and call.enforcer == "ingress" and call.carried_out == "allow"


def _moment(time: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(time)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _places(operation: Operation) -> dict[str, tuple[str, ...]]:
    """Return for each class in an operation's answers where it stands."""
    shapes = (*operation.answers.by_status.values(), operation.answers.otherwise)
    return _by_class(place for shape in shapes for place in places_of(shape))


def _places_sent(operation: Operation) -> dict[str, tuple[str, ...]]:
    """Return for each class in an operation's requests where it stands."""
    parameters = ((name, f"{each.where} {each.name}") for each in operation.parameters for name in each.classes)
    places = _by_class((*parameters, *places_of(operation.body)))
    return dict.fromkeys(sorted(operation.body.classes), ()) | places


def _by_class(places: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for name, place in places:
        if len(found[name]) < MOST_PLACES:
            found[name][place] = None
    return {name: tuple(each) for name, each in found.items()}


def places_of(shape: Shape) -> Iterator[tuple[str, str]]:
    """Yield the classes of a shape with a JSONPath to where each stands, the shortest first.

    No way leads twice through one part, and `MAX_WAYS` are followed.
    """
    waiting: deque[tuple[int, Path, frozenset[int]]] = deque([(0, (), frozenset())] if shape.nodes else [])
    ways = 0
    while waiting and ways < MAX_WAYS:
        ways += 1
        number, path, before = waiting.popleft()
        node = shape.nodes[number]
        yield from ((name, json_path(path)) for name in node.classes)
        below: list[tuple[Step, int]] = list(node.fields.items())
        below += [(Wild.ITEM, to) for to in (node.items,) if to is not None]
        below += [(Wild.REST, to) for to in (node.rest,) if to is not None]
        through = before | {number}
        waiting.extend((to, (*path, step), through) for step, to in below if to not in through)
