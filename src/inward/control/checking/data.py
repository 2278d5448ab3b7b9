"""What is to be said of data classes: which are served nowhere, to whom they are not shown, and what nobody described.

All of these are notes: nothing is open because of them. No I/O, no clock.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from inward.control.findings import Finding, names
from inward.insight.exposure import exposures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from inward.catalog.model import Operation
    from inward.control.bundle import Policy as System
    from inward.insight.exposure import Exposure


def of_data(system: System, now: datetime) -> Iterator[Finding]:
    """Yield what is to be said of a system's data classes at a moment."""
    if system.catalog.data_classes:
        found = exposures(system.catalog, system.engine, now)
        yield from _not_served(found)
        yield from _not_shown(found, system)
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
    for operation, callers in hidden.items():
        listed = "; ".join(f"`{caller}` is not shown {names(classes)}" for caller, classes in sorted(callers.items()))
        yield Finding(
            "note",
            "undisclosed_data",
            system.catalog.operations[operation].place,
            f"of what `{operation}` serves, {listed}",
            "only a guard in the service withholds it; its owner can disclose it",
            operation,
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
