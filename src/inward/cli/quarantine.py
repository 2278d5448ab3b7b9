"""`inward quarantine`: cut a service off, or release it; works while everything else is broken."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inward.catalog.document import shown
from inward.catalog.system import load_catalog
from inward.cli.options import JSONOption, SystemOption, service_named, system_layout
from inward.cli.output import Table, option_for, print_json, print_line, printable, remark, styled
from inward.control.acts import ActError, account, note_act
from inward.control.bundle import current_bundle
from inward.control.quarantine import Quarantined, change_quarantine, load_quarantine
from inward.control.readback import wait_for_quarantine
from inward.control.running import load_running
from inward.errors import BadInputError, ExitCode, InwardError
from inward.record.call import timestamp

if TYPE_CHECKING:
    from collections import Counter

    from inward.catalog.model import Catalog
    from inward.control.layout import Layout

CONFIRM_SECONDS = 5.0
RECENT = timedelta(days=7)
MAX_REASON = 500


class NoCatalogError(InwardError):
    """There is no catalog, so nobody knows which services there are."""

    code = "no_catalog"


def quarantine(
    service: Annotated[
        str | None, typer.Argument(metavar="SERVICE", help="Without it, list what is in quarantine.")
    ] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for whoever finds it later.")] = "",
    release: Annotated[bool, typer.Option("--release", help="Let it take part again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Cut it off at once, without asking at a terminal.")] = False,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> int:
    """Refuse every call to and from a service, at once and whatever is granted; or release it.

    At a terminal it first says what that breaks, by the calls of the last seven days, and asks; in a script, or with
    `--yes`, it is done first.

    Exit 0: every Envoy that runs enforces it. 1: one does not yet, or the answer was no.
    """
    layout = system_layout(system)
    if service is None:
        if release or reason:
            raise BadInputError("which service?", hint="name it: `inward quarantine SERVICE`")
        _print_list(layout, as_json=json)
        return ExitCode.SUCCESS
    if len(reason) > MAX_REASON or not reason.isprintable():
        raise BadInputError("a reason is one line", hint=f"of {MAX_REASON} printable characters at most")
    catalog = _catalog(layout)
    before = load_quarantine(layout).get(service)
    if not release or before is None:  # what is in quarantine can be released though the catalog has lost it
        service_named(catalog, service)
    if release and before is None:
        return _nothing_to_do(service, as_json=json)
    asks = not (yes or json or release or before is not None) and _at_terminal()
    if asks and not _agreed(layout, catalog, service):
        return ExitCode.FAILURE
    # Else what is compromised is cut off first; what that breaks is looked up afterwards.
    started = time.monotonic()
    add = None if release else Quarantined(service, timestamp(datetime.now(UTC)), reason)
    change_quarantine(layout, catalog, add, service if release else None)
    if (before is None) is not release:
        _note(layout, service, reason, release=release)
    behind, enforcers, kind = _confirm(layout)
    done = _Done(service, not release, enforcers, behind, (time.monotonic() - started) * 1000, kind)
    if json:
        print_json(done.as_json())
    else:
        if not release and not asks:
            _print_before(layout, catalog, service, before)
        done.print(option_for(system))
    return ExitCode.FAILURE if behind else ExitCode.SUCCESS


def _at_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _agreed(layout: Layout, catalog: Catalog, service: str) -> bool:
    """Say what breaks, and ask."""
    _print_before(layout, catalog, service, None)
    if typer.confirm(f"cut {service} off?"):
        return True
    print_line("nothing was done")
    return False


def _note(layout: Layout, service: str, reason: str, *, release: bool) -> None:
    try:
        note_act(layout, "release" if release else "quarantine", service, detail=reason or None, by=account())
    except ActError as error:
        remark(styled(f"it is done, and the record does not have it: {error.message}", "yellow"))


@dataclass(frozen=True, slots=True)
class _Done:
    """A change, and which of the Envoys that take calls enforce it: all of `enforcers` but those in `behind`."""

    service: str
    quarantined: bool
    enforcers: list[str]
    behind: list[str]
    milliseconds: float
    kind: str = "Envoys"

    def as_json(self) -> dict[str, Any]:
        return {
            "service": self.service,
            "quarantined": self.quarantined,
            "changed": True,
            "enforced_by": len(self.enforcers) - len(self.behind),
            "envoys": len(self.enforcers),
            "not_yet": self.behind,
            "milliseconds": round(self.milliseconds, 1),
        }

    def print(self, option: str) -> None:
        what = f"{self.service} is {'in quarantine' if self.quarantined else 'released'}"
        if not self.enforcers:
            print_line(f"{what}; nothing runs, so it holds from the next `inward up`")
        else:
            by = f"{len(self.enforcers) - len(self.behind)} of {len(self.enforcers)} {self.kind}"
            line = f"{what}: enforced by {by} in {self.milliseconds:.0f} ms"
            print_line(styled(line, "yellow" if self.behind else "green"))
        if self.behind:
            why = "an Envoy that is down takes no calls, and enforces it when it is back"
            remark(styled(f"not yet by {', '.join(self.behind)}: {why}", "yellow"))
        if self.quarantined:
            print_line(f"to release it: inward quarantine{option} {self.service} --release")


def _catalog(layout: Layout) -> Catalog:
    """Return the catalog: of the folder, or of what is enforced where somebody has just broken the folder."""
    catalog, mistakes = load_catalog(layout.system)
    if catalog is None or mistakes:
        kept = current_bundle(layout.bundle)
        catalog = (load_catalog(kept)[0] if kept else None) or catalog
    if catalog is None:
        raise NoCatalogError(
            "the system folder has mistakes, and nothing was ever started from it", hint="see `inward check`"
        )
    return catalog


def _confirm(layout: Layout) -> tuple[list[str], list[str], str]:
    """Wait for what takes calls; return whose does not enforce the list yet, whose there are, and what they are."""
    running = load_running(layout)
    services = running.services if running else {}
    # One that serves TLS itself looks at the list with every request: there is nothing to wait for.
    envoys = [name for name, service in services.items() if service.listen and not service.serves_tls]
    behind = asyncio.run(wait_for_quarantine(layout, envoys, CONFIRM_SECONDS))
    names = [name for name, service in services.items() if service.listen]
    return behind, names, "Envoys" if names == envoys else "enforcers"


def _nothing_to_do(service: str, *, as_json: bool) -> int:
    if as_json:
        print_json({"service": service, "quarantined": False, "changed": False})
    else:
        print_line(f"`{service}` is not in quarantine")
    return ExitCode.SUCCESS


def _print_before(layout: Layout, catalog: Catalog, service: str, before: Quarantined | None) -> None:
    """Say what was, and what ends with it."""
    if before is not None:
        print_line(f"{service} was in quarantine already, since {before.since}")
        return
    for line in _breaks(layout, catalog, service):
        print_line(printable(line))
    told = catalog.services[service]
    if told.listen is not None and told.run is None:
        remark(f"{service} is not run by `inward up`: nobody here keeps callers from it, only it from others")


def _print_list(layout: Layout, *, as_json: bool) -> None:
    listed = sorted(load_quarantine(layout).values(), key=lambda entry: entry.since)
    if as_json:
        print_json({"quarantined": listed})
    elif not listed:
        print_line("nothing is in quarantine")
    else:
        table = Table(["service", "since (UTC)", "reason"])
        table.add([[entry.service, entry.since, entry.reason or "none was given"] for entry in listed])


def _breaks(layout: Layout, catalog: Catalog, service: str) -> list[str]:
    """Return what stops: who called whom in the last days, or that nobody did."""
    # here, and not above: what it asks takes longer to import than it takes to cut a service off
    from inward.control.neighbours import neighbours  # noqa: PLC0415 - see above

    found = neighbours(layout, os.environ, service, datetime.now(UTC) - RECENT)
    lines = []
    if found.callers:
        lines.append(f"called {service} in the last 7 days, and cannot now: {_listed(found.callers)}")
    if found.callees:
        lines.append(f"was called by {service} in the last 7 days, and cannot be now: {_listed(found.callees)}")
    if not lines:
        takes_calls = bool(catalog.services[service].operations) if service in catalog.services else False
        both = f"nobody called {service}, and it called nobody, in the last 7 days"
        lines.append(both if takes_calls else f"{service} called nobody in the last 7 days")
    if not found.whole:
        lines.append("the record is large: not all of those days were looked at")
    return lines


def _listed(names: Counter[str]) -> str:
    listed = ", ".join(
        f"{shown(name)} ({count:,} call{'s' if count > 1 else ''})" for name, count in names.most_common(10)
    )
    more = len(names) - 10
    return f"{listed} and {more} more" if more > 0 else listed
