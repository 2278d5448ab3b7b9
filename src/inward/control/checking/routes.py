"""Whether each guarded service is guarded, as a step of a check: its program is started alone, and asked.

It leaves out services without `guard: true`, and those that take calls themselves, without an Envoy.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from inward.catalog.model import Mode
from inward.control.findings import Finding, names
from inward.control.probe.alone import look_alone
from inward.control.probe.questions import can_be_asked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from inward.catalog.model import Service
    from inward.control.bundle import Policy as System
    from inward.control.probe.look import Outcome

AT_ONCE = 4  # programs that run at one moment


def of_guards(folder: Path, system: System, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Start and ask the program of each guarded service; yield what answers, and what could not be asked."""
    asked = [service for service in system.catalog.services.values() if can_be_asked(service)]
    for service, outcome in zip(asked, asyncio.run(_looked(folder, system, asked, environment)), strict=True):
        yield from of_outcome(service, outcome)


async def _looked(folder: Path, system: System, asked: list[Service], environment: Mapping[str, str]) -> list[Outcome]:
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(service: Service) -> Outcome:
        async with turns:
            return await look_alone(folder, system, service, environment)

    return await asyncio.gather(*map(one, asked))


def of_outcome(service: Service, outcome: Outcome) -> Iterator[Finding]:
    """Yield what is to be said of what came of asking a service."""
    if outcome.open is not None:
        yield Finding(
            "finding",
            "unguarded",
            service.place,
            outcome.open,
            "put `Guard` around everything that the program serves, as its last line",
            service.name,
        )
    elif outcome.silent is not None:
        yield Finding(
            "finding",
            "not_asked",
            service.place,
            f"it is not known whether `{service.name}` is guarded: {outcome.silent}",
            "a check starts its program alone, with nobody to call; mend what keeps it from listening",
            service.name,
        )
    report = outcome.report
    if report is None:
        return
    if report.undocumented:
        observed = service.mode is Mode.OBSERVE
        what = "which mode observe lets through" if observed else "which is refused"
        yield Finding(
            "finding" if observed else "note",
            "undocumented_route",
            service.place,
            f"`{service.name}` serves what no API description has, {what}: {names(report.undocumented)}",
            "describe it, or take it out",
            service.name,
        )
    if not report.routes and service.operations:
        yield Finding(
            "note",
            "unknown_routes",
            service.place,
            f"which routes `{service.name}` serves is not known, so nothing is told of undocumented ones",
            "what is undocumented is refused all the same, but for mode observe",
            service.name,
        )
