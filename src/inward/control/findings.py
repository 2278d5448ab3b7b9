"""What is not wrong in a system folder, and still should not stay as it is: findings, and notes on the side.

A finding is a gap in the protection that is there now. A note is worth knowing and no gap. No I/O, no clock.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from inward.catalog.model import Mode
from inward.envoy.resources.slow_cells import SlowCells, Verdicts
from inward.errors import Place
from inward.policy.scope import open_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from inward.catalog.model import Operation, Service
    from inward.control.bundle import Policy as System
    from inward.envoy.resources.render import SlowCell
    from inward.policy.model import Policy

SOON = timedelta(days=30)
MOST_NAMES = 5  # of operations or callers in one text

Kind = Literal[
    "observed",  # nothing is refused yet
    "open_port",  # every process of the machine can reach the service past its Envoy
    "undocumented",  # a service that listens and has no API description
    "expired",  # a policy that no longer holds
    "expires_soon",
    "wide_open",  # a grant to any service, or of any operation
    "not_granted",  # operations that nobody may call
    "slow_path",  # a condition that Envoy cannot decide by itself
    "unguarded",  # a program answers without an identity, where its guard should refuse
    "not_asked",  # a program of which that is not known
    "undocumented_route",  # a guarded program serves what no API description has
    "unknown_routes",  # a guarded program of which it is not known what it serves
    "test_failed",  # a case that is not decided as a test of the policies expects
    "uncalled_objects",  # a grant on objects to callers that may not call
    "unserved_data",  # a data class that nothing is marked with
    "unviewed_rpc",  # a gRPC method without a guard, whose answers would have to be viewed
    "unfollowed_disclosure",  # a condition on the time that Envoy cannot follow when it views answers
    "undisclosed_data",  # a caller may call what serves a data class that it is not shown
    "unreceivable_data",  # an operation takes a data class that is not disclosed to its own service
    "undescribed_data",  # answers without a schema, beside others in which data is declared
    "undeclared_data",  # sampled answers hold what looks like personal data or a secret, and nothing declares it
    "guardrail_refuted",  # a grant allows what a guardrail forbids
    "guardrail_unknown",  # a guardrail that is neither proven nor refuted
    "never_applies",  # a policy that holds for no call
    "redundant",  # a policy without which nothing else would be decided
    "overruled",  # a grant of which everything is refused by others
    "can_fail",  # a policy that fails to evaluate for some call, which is then refused
    "not_known",  # one of these is not known of a policy
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding or note: where, what (lower case, no full stop), and what to do about it.

    `about` is what keeps its name while lines move and days pass: a service, a policy. A file has one finding of a kind
    about it, so that programs which compare two checks know it again.
    """

    level: Literal["finding", "note"]
    kind: Kind
    place: Place
    what: str
    hint: str = ""
    about: str = ""


def find(system: System, now: datetime) -> list[Finding]:
    """Return the findings of a system at a moment, then the notes, each in the order of files and lines."""
    return in_order([*of_services(system), *of_policies(system, now), *of_slow_path(system)])


def in_order(found: Iterable[Finding]) -> list[Finding]:
    """Return findings, then notes, each in the order of files and lines."""
    return sorted(found, key=lambda finding: (finding.level, finding.place, finding.kind, finding.what))


def of_services(system: System) -> Iterator[Finding]:
    """Yield what is to be said of the services: how they are reached, and what is refused."""
    for service in system.catalog.services.values():
        for finding in _of_service(service, system):
            yield dataclasses.replace(finding, about=service.name)


def of_policies(system: System, now: datetime) -> Iterator[Finding]:
    """Yield what is to be said of single policies at a moment."""
    for policy in system.policies:
        for finding in _of_policy(policy, now):
            yield dataclasses.replace(finding, about=policy.id)


def slow_cells(system: System, verdicts: Verdicts | None = None) -> Iterator[tuple[SlowCell, tuple[Policy, ...]]]:
    """Yield what is decided on the slow path: the caller and the operation, and the conditional policies of both.

    `verdicts` is what was found out before, and is added to.
    """
    cells = SlowCells(system.catalog, system.policies, system.engine, verdicts)
    for service in system.catalog.services.values():
        for cell in cells.of(service):
            policies = system.engine.cell(cell.caller, cell.operation)
            yield cell, tuple(each for each in (*policies.permits, *policies.forbids) if each.conditional)


def _of_service(service: Service, system: System) -> Iterator[Finding]:
    if service.run and "{port}" in service.run:
        yield Finding(
            "finding",
            "open_port",
            service.place,
            f"`{service.name}` listens on a loopback port: every process of the machine can call it past its Envoy",
            "use `{socket}` in `run` if the program can listen on a Unix socket",
        )
    if service.listen is None:
        return
    if not service.operations:
        every = "every call to it is refused" if service.mode is Mode.ENFORCE else "every call to it is let through"
        yield Finding(
            "finding",
            "undocumented",
            service.place,
            f"`{service.name}` has no API description: {every}",
            "give it an `api`",
        )
    observed = [operation for operation in service.operations if operation.mode is Mode.OBSERVE]
    if service.mode is Mode.OBSERVE:
        rest = len(service.operations) - len(observed)
        but = f" but what {rest} of its operations enforce" if rest else ""
        yield Finding(
            "finding",
            "observed",
            service.place,
            f"`{service.name}` observes: nothing is refused{but}",
            f"`inward calls --denied --callee {service.name}` shows what would be; then set `mode: enforce`",
        )
    elif observed:
        yield Finding(
            "finding",
            "observed",
            service.place,
            f"`{service.name}` refuses nothing for {names(operation.id for operation in observed)}: in mode observe",
            "set their `mode` to enforce when `inward calls --denied` shows nothing that should be allowed",
        )
    yield from _not_granted(service, service.operations, system)


def _not_granted(service: Service, operations: Iterable[Operation], system: System) -> Iterator[Finding]:
    idle = [operation for operation in operations if not system.engine.index.is_granted(operation.id)]
    if idle:
        what = f"nobody was granted {names(operation.id for operation in idle)}"
        hint = (
            f"`inward allow CALLER {idle[0].id} --reason …` grants one" if len(idle) == len(service.operations) else ""
        )
        yield Finding("note", "not_granted", service.place, what, hint)


def _of_policy(policy: Policy, now: datetime) -> Iterator[Finding]:
    if policy.expires is not None and policy.expires <= now:
        effect = "what it granted is refused" if policy.effect == "permit" else "what it forbade may be allowed"
        day = f"{policy.expires - timedelta(microseconds=1):%Y-%m-%d}"
        yield Finding(
            "finding",
            "expired",
            policy.place,
            f"`{policy.id}` has expired (it held until {day}): {effect}",
            "take it out, or set a later @expires",
        )
        return
    if policy.expires is not None and policy.expires - now <= SOON:
        days = max((policy.expires - now).days, 0)
        left = "in less than a day" if days == 0 else f"in {days} day{'s' if days > 1 else ''}"
        yield Finding(
            "note", "expires_soon", policy.place, f"`{policy.id}` expires {left}", "set a later @expires, or let it go"
        )
    parts = open_parts(policy) if policy.effect == "permit" else ()
    if parts:
        who = "any service, those to come too" if "principal" in parts else "whom it names"
        what = "every operation, those to come too" if "action" in parts else "what it names"
        conditions = ", under its conditions" if policy.conditional else ""
        yield Finding(
            "note" if policy.conditional else "finding",
            "wide_open",
            policy.place,
            f"`{policy.id}` leaves its {' and its '.join(parts)} open: it grants {what} to {who}{conditions}",
            "name them",
        )


def of_slow_path(system: System, verdicts: Verdicts | None = None) -> Iterator[Finding]:
    """Yield a note for each set of policies and construct; one policy can need it in many cells.

    `verdicts` is what was found out before, and is added to.
    """
    cells: dict[tuple[tuple[str, ...], str], list[SlowCell]] = defaultdict(list)
    for cell, policies in slow_cells(system, verdicts):
        cells[tuple(policy.id for policy in policies), cell.construct].append(cell)
    for (ids, construct), found in cells.items():
        place = system.policies.by_id[ids[0]].place if ids else Place("policies")
        pairs = names(f"{cell.caller} → {cell.operation}" for cell in found)
        yield Finding(
            "note",
            "slow_path",
            place,
            f"{names(ids)}: Envoy cannot decide {construct}, so it asks the slow path about {pairs}",
            "slower, never looser; see `inward check --slow-path`",
            " ".join((*ids, construct)),
        )


def names(named: Iterable[str]) -> str:
    """Return a few names in backticks, and how many more there are."""
    listed = list(named)
    shown = ", ".join(f"`{name}`" for name in listed[:MOST_NAMES])
    return shown if len(listed) <= MOST_NAMES else f"{shown} and {len(listed) - MOST_NAMES} more"
