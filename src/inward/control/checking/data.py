"""What is to be said of data classes: which are served nowhere, to whom they are not shown, and what nobody described.

These are notes: nothing is open because of them. A finding is only that an operation takes what its service may not
receive: its description and the policies contradict each other. No I/O, no clock.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from inward.control.findings import Finding, names
from inward.insight.exposure import exposures
from inward.insight.withheld import Withholders
from inward.viewing.withholding import Withholding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from inward.catalog.model import Operation
    from inward.control.bundle import Policy as System
    from inward.insight.exposure import Exposure
    from inward.insight.withheld import Withholder


def of_data(system: System, now: datetime) -> Iterator[Finding]:
    """Yield what is to be said of a system's data classes at a moment."""
    if system.catalog.data_classes:
        found = exposures(system.catalog, system.engine, now)
        yield from _not_served(found)
        yield from _not_shown(found, system)
        yield from _not_received(found, system)
        yield from _not_viewed(system)
        yield from _not_described(system)


def _not_served(found: list[Exposure]) -> Iterator[Finding]:
    above = {exposure.data_class.parent for exposure in found}
    for exposure in found:
        data_class = exposure.data_class
        # a class over others may be there for grants only
        if not exposure.served and not exposure.sent and data_class.name not in above:
            yield Finding(
                "note",
                "unserved_data",
                data_class.place,
                f"no API description marks anything with `{data_class.name}`",
                f"mark its fields with `x-inward-data: {data_class.name}`, or take it out",
                data_class.name,
            )


def _not_shown(found: list[Exposure], system: System) -> Iterator[Finding]:
    """Yield a note for each operation that callers may call without being shown all of what it serves."""
    hidden: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for exposure in found:
        for viewer in exposure.viewers:
            if viewer.disclosed == "never":
                hidden[viewer.operation][viewer.caller].append(exposure.data_class.name)
    withholders = Withholders(system.catalog, system.engine)
    for name, callers in hidden.items():
        operation = system.catalog.operations[name]
        by = withholders.of(operation, min(callers.values())[0])  # the same for all that are hidden
        listed = "; ".join(f"`{caller}` is not shown {names(classes)}" for caller, classes in sorted(callers.items()))
        yield Finding(
            "note",
            "undisclosed_data",
            operation.place,
            f"of what `{name}` serves, {listed}",
            f"{_who(by, operation.service)}; its owner can disclose it",
            name,
        )


def _who(withholder: Withholder, service: str) -> str:
    if withholder.by is None:
        return f"nobody withholds it: {withholder.why}"
    by = f"the guard in `{service}`" if withholder.by == "guard" else f"the Envoy of `{service}`"
    return f"{by} withholds it" + (f", but {withholder.why}" if withholder.why else "")


def _not_viewed(system: System) -> Iterator[Finding]:
    """Yield what an Envoy does otherwise than a guard: it cannot look into gRPC, nor follow every condition."""
    withholding = Withholding(system.catalog, system.engine)
    for operation in system.catalog.operations.values():
        if system.catalog.services[operation.service].guarded:
            continue
        viewed = withholding.viewed(operation)
        if viewed is None:
            continue
        if operation.rpc is not None:
            yield Finding(
                "finding",
                "unviewed_rpc",
                operation.place,
                f"`{operation.id}` is a gRPC method with data that is not disclosed to all, and has no view in Envoy: "
                "such calls are refused",
                f"put a guard into `{operation.service}`, and say `guard: true`",
                operation.id,
            )
        elif viewed.untold:
            listed = "; ".join(f"`{caller}`: {names(sorted(classes))}" for caller, classes in viewed.untold.items())
            yield Finding(
                "note",
                "unfollowed_disclosure",
                operation.place,
                f"of `{operation.id}`, Envoy withholds what is disclosed under a condition that it cannot follow: "
                f"{listed}",
                "compare `context.time` with constants only, use @expires, or put a guard into the service",
                operation.id,
            )


def _not_received(found: list[Exposure], system: System) -> Iterator[Finding]:
    """Yield a finding for each operation that takes classes which are never disclosed to its own service."""
    hidden: dict[str, list[str]] = defaultdict(list)
    for exposure in found:
        for taking in exposure.sent:
            if taking.disclosed == "never":
                hidden[taking.operation.id].append(exposure.data_class.name)
    for name, classes in hidden.items():
        operation = system.catalog.operations[name]
        yield Finding(
            "finding",
            "unreceivable_data",
            operation.place,
            f"`{name}` takes {names(classes)}, which `{operation.service}` itself may not receive",
            f"its owner can disclose it to `{operation.service}`, as to any caller; a request that holds it is refused",
            name,
        )


def _not_described(system: System) -> Iterator[Finding]:
    for service in system.catalog.services.values():
        silent = [operation for operation in service.operations if operation.answers.undescribed]
        if silent and any(operation.answers.classes for operation in service.operations):
            yield Finding(
                "note",
                "undescribed_data",
                silent[0].place,
                f"`{service.name}` declares data, but not what these answer: {names(map(_told, silent))}",
                "describe their answers by a schema: what is not described is shown to whoever may call",
                service.name,
            )


def _told(operation: Operation) -> str:
    return f"{operation.id} {'/'.join(operation.answers.undescribed)}"
