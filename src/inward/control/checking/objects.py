"""What is to be said of grants on objects: those that never take effect, since nobody whom they name may call at all.

A grant on objects opens no call (decision 0013): a handler is asked only when a caller was let in, and one that asks
about another operation needs both decisions about that. A note: less is open than somebody meant. Whether such a
grant applies to any object is for the proofs to say. No I/O, no clock.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from inward.control.findings import Finding, names
from inward.insight.exposure import standing
from inward.policy.loading.rules import Parsed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from inward.control.bundle import Policy as System


def of_objects(system: System, now: datetime) -> Iterator[Finding]:
    """Yield a note for each grant on objects with operations that none of those whom it names may call at a moment."""
    refused, called = _callers(system, now)
    for name, callers in refused.items():
        policy = system.policies.by_id[name]
        idle = [operation for operation in callers if operation not in called[name]]
        if called[name]:
            # a group of operations may well hold more than somebody calls; one that is named was meant
            named = Parsed.of(policy.pst).scope or ()
            idle = [operation for operation in idle if operation in named]
        if idle and (policy.expires is None or policy.expires > now):
            who = sorted(callers[idle[0]])
            yield Finding(
                "note",
                "uncalled_objects",
                policy.place,
                f"`{name}` grants {names(idle)} on objects to {names(who)}, who may not call that: it takes no effect",
                f"`inward allow {who[0] if len(who) == 1 else 'CALLER'} '{idle[0]}' --reason …` grants the call; "
                "or take it out",
                name,
            )


def _callers(system: System, now: datetime) -> tuple[dict[str, dict[str, set[str]]], dict[str, set[str]]]:
    """Return for each grant on objects, by operation, callers that may not call; and operations that some may call."""
    index, services = system.engine.index, system.catalog.services
    refused: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    called: dict[str, set[str]] = defaultdict(set)
    for operation in system.catalog.operations.values():
        masks = [index.object_mask(operation, each.type) & index.permits for each in index.resources.objects(operation)]
        if not any(masks):
            continue
        may_call = {cell.caller for cell in index.cells_of(operation.id) if standing(cell, now) != "never"}
        settled = 0  # grants of which somebody may call: the other callers need not be looked at
        for mask in masks:
            for name, service in services.items():
                granted = mask & index.caller_mask(service) & ~settled
                if name in may_call:
                    settled |= granted
                    continue
                for policy in index.chosen(granted)[0]:
                    refused[policy.id][operation.id].add(name)
        for policy in index.chosen(settled)[0]:
            called[policy.id].add(operation.id)
    return refused, called
