"""What the catalogs of two systems say differently, besides what follows from it for the policies.

Whether calls are refused at all (`mode`), which requests an operation is (`moved`), and what reviewers want to know
beside the effects: what is new, gone or called otherwise, whose it is, and what became of parameters. Addresses and
commands are left out: they decide nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from inward.catalog.model import Mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inward.catalog.model import Catalog, Operation, Parameter, Service
    from inward.policy.comparing.pairs import OperationPair

ShiftKind = Literal[
    "trust_domain",  # every identity is another one
    "added",  # services, operations, data classes
    "gone",
    "renamed",  # an operation: the same requests, another id
    "moved",  # an operation: the same id, other requests
    "mode",
    "parameter",  # its type, or whether it is required
    "owner",  # and where else a service or a data class belongs
    "zone",
    "groups",
    "parent",
]


@dataclass(frozen=True, slots=True)
class Shift:
    """One difference of the catalogs. `about` is a service, a data class or, for the trust domain, empty.

    `operations` are the ids that it is about, none where it is the service or the data class as a whole. In mode
    observe nothing is refused, so that a change to it widens; where an operation has other requests, it does both.
    """

    kind: ShiftKind
    about: str
    owner: str
    operations: tuple[str, ...]
    before: str
    after: str
    widens: bool = False
    narrows: bool = False


def shifts_of(old: Catalog, new: Catalog, operations: Iterable[OperationPair]) -> tuple[Shift, ...]:
    """Return what two catalogs say differently, what widens first, else in the order of names.

    `operations` are all of both, each with itself on the other side.
    """
    found = [*_of_domains(old, new), *_of_services(old, new), *_of_data(old, new)]
    found += _of_operations(old, new, operations)
    return tuple(sorted(found, key=lambda each: (not each.widens, not each.narrows, each.about, each.kind)))


def _of_domains(old: Catalog, new: Catalog) -> Iterator[Shift]:
    if old.trust_domain != new.trust_domain:
        yield Shift("trust_domain", "", "", (), old.trust_domain, new.trust_domain, widens=True, narrows=True)


def _of_services(old: Catalog, new: Catalog) -> Iterator[Shift]:
    for name in {**old.services, **new.services}:
        before, after = old.services.get(name), new.services.get(name)
        if before is None and after is not None:
            # its operations say for themselves that they observe
            widens = after.mode is Mode.OBSERVE and after.listen is not None and not after.operations
            yield Shift("added", name, after.owner, (), "", "mode observe" if widens else "", widens=widens)
        elif after is None and before is not None:
            yield Shift("gone", name, before.owner, (), "", "")
        elif before is not None and after is not None:
            yield from _of_service(before, after)


def _of_service(old: Service, new: Service) -> Iterator[Shift]:
    if old.mode is not new.mode and (new.listen is not None or new.operations):
        yield _mode(new, (), old.mode, new.mode)
    if old.owner != new.owner:
        yield Shift("owner", new.name, new.owner, (), old.owner, new.owner)
    if old.zone != new.zone:
        yield Shift("zone", new.name, new.owner, (), old.zone or "", new.zone or "")
    if set(old.groups) != set(new.groups):
        before, after = (", ".join(sorted(set(service.groups))) for service in (old, new))
        yield Shift("groups", new.name, new.owner, (), before, after)


def _mode(service: Service, operations: tuple[str, ...], before: Mode | None, after: Mode) -> Shift:
    observes = after is Mode.OBSERVE
    was = "" if before is None else before.value
    return Shift(
        "mode", service.name, service.owner, operations, was, after.value, widens=observes, narrows=not observes
    )


def _of_operations(old: Catalog, new: Catalog, pairs: Iterable[OperationPair]) -> Iterator[Shift]:
    modes: dict[tuple[str, Mode | None, Mode], list[str]] = defaultdict(list)
    listed: dict[tuple[Literal["added", "gone"], str], list[str]] = defaultdict(list)
    for before, after in pairs:
        if after is None and before is not None:
            listed["gone", before.service].append(before.id)
        if after is None:
            continue
        if before is None:
            listed["added", after.service].append(after.id)
        if (before.mode if before is not None else Mode.ENFORCE) is not after.mode:
            modes[after.service, before.mode if before is not None else None, after.mode].append(after.id)
        if before is not None and before != after:
            yield from _of_operation(before, after, new.services[after.service].owner)
    for (service, was, mode), names in modes.items():
        yield _mode(new.services[service], tuple(names), was, mode)
    for (kind, service), names in listed.items():
        owner = (new.services if kind == "added" else old.services)[service].owner
        yield Shift(kind, service, owner, tuple(names), "", "")


def _of_operation(old: Operation, new: Operation, owner: str) -> Iterator[Shift]:
    if old.id != new.id:
        yield Shift("renamed", new.service, owner, (new.id,), old.id, new.id)
    was, becomes = (f"{each.method} {each.template.text}" for each in (old, new))
    if was != becomes:
        yield Shift("moved", new.service, owner, (new.id,), was, becomes, widens=True, narrows=True)
    known = {(each.where, each.name): each for each in old.parameters}
    for parameter in new.parameters:
        before = known.get((parameter.where, parameter.name))
        if before is not None and before != parameter:
            yield Shift("parameter", new.service, owner, (new.id,), _told(before), _told(parameter))


def _told(parameter: Parameter) -> str:
    need = "required" if parameter.required else "optional"
    return f"{parameter.where} parameter {parameter.name}: {parameter.type}, {need}"


def _of_data(old: Catalog, new: Catalog) -> Iterator[Shift]:
    for name in {**old.data_classes, **new.data_classes}:
        before, after = old.data_classes.get(name), new.data_classes.get(name)
        if before is None and after is not None:
            yield Shift("added", name, after.owner, (), "", "data class")
        elif after is None and before is not None:
            yield Shift("gone", name, before.owner, (), "data class", "")
        elif before is not None and after is not None:
            if before.owner != after.owner:
                yield Shift("owner", name, after.owner, (), before.owner, after.owner)
            if before.parent != after.parent:
                yield Shift("parent", name, after.owner, (), before.parent or "", after.parent or "")
