"""`inward attack`: take the place of one service in a running system, and try what an intruder would."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inward.catalog.document import did_you_mean, shown
from inward.cli.attacking.report import print_report, report_as_json
from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import option_for, print_json, print_line, remark
from inward.cli.progress import shown_progress
from inward.control.attack.intruder import Intruder
from inward.control.attack.run import attack as carry_out
from inward.control.attack.run import planned
from inward.control.quarantine import load_quarantine
from inward.control.readback import policy_in_force, supervised
from inward.control.running import NotRunningError, require_running
from inward.errors import BadInputError, ExitCode, InwardError

if TYPE_CHECKING:
    from inward.control.attack.run import Plan
    from inward.control.layout import Layout
    from inward.control.running import Running

MOST = 5_000
RATE = 50.0


class NotAllowedError(InwardError):
    """Whoever started the system did not say that it may be attacked."""

    code = "attack_not_allowed"


def attack(  # noqa: PLR0917 - Typer passes its options by name
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="Whose place the intruder takes.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    safe_only: Annotated[bool, typer.Option("--safe-only", help="Send nothing that could change something.")] = False,
    with_quarantine: Annotated[
        bool, typer.Option("--with-quarantine", help="Cut the service off for a moment, too; its own calls fail then.")
    ] = False,
    rate: Annotated[float, typer.Option(min=0.1, max=1000, metavar="N", help="Tries a second, at most.")] = RATE,
    most: Annotated[int, typer.Option(min=1, max=100_000, metavar="N", help="Tries, at most.")] = MOST,
    all_: Annotated[bool, typer.Option("--all", help="List what was held, too.")] = False,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> int:
    """Take the place of one service, and really try what an intruder in it would. For development and staging.

    Only a run that was started with INWARD_ALLOW_ATTACK=1 can be attacked. Calls that may change something are sent
    only where the policy refuses them and that is enforced.

    Exit 0: everything held. 1: it was interrupted, or the answer was no. 2: something gave way.
    """
    layout = system_layout(system)
    running = _running(layout, service, option_for(system))
    policy = policy_in_force(layout)
    if policy is None:
        raise NotRunningError("the policy in force cannot be read", hint="start the system anew with `inward up`")
    intruder = Intruder(service, running, policy, layout, safe_only)
    plan = planned(intruder, most, quarantine=with_quarantine)
    if not _agreed(intruder, plan, rate, yes=yes):
        print_line("nothing was done")
        return ExitCode.FAILURE
    with shown_progress(wanted=not json) as watch:
        report = carry_out(intruder, plan, rate, watch)
    if json:
        print_json(report_as_json(intruder, plan, report))
    else:
        print_report(intruder, plan, report, option_for(system), everything=all_)
    if report.gave_way:
        return ExitCode.REFUSED
    return ExitCode.FAILURE if report.unsent else ExitCode.SUCCESS


def _running(layout: Layout, service: str, option: str) -> Running:
    """Return what runs, if it may be attacked in the place of a service."""
    running = require_running(layout)
    if not supervised(layout, running):
        raise NotRunningError(
            "no `inward up` is there, so nothing would be recorded", hint=f"start it: `inward up{option}`"
        )
    if service not in running.services:
        raise BadInputError(f"no service `{shown(service)}` runs here", hint=did_you_mean(service, running.services))
    if not running.may_be_attacked:
        raise NotAllowedError(
            "this run may not be attacked",
            hint=f"if it is no production, start it so: `INWARD_ALLOW_ATTACK=1 inward up{option}`",
        )
    if service in load_quarantine(layout):
        raise BadInputError(
            f"`{service}` is in quarantine, so every call would be refused for that",
            hint=f"release it first: `inward quarantine{option} {service} --release`",
        )
    return running


def _agreed(intruder: Intruder, plan: Plan, rate: float, *, yes: bool) -> bool:
    """Say what is about to be done, and ask."""
    callees = ", ".join(each.name for each in intruder.callees)
    if not callees:
        raise BadInputError(f"there is nothing to attack: no service but {intruder.service} takes calls")
    count = len(plan.attempts)
    remark(
        f"in the place of {intruder.service}, of {intruder.catalog.trust_domain}: {count:,} tries against {callees};"
        f" about {max(1, round(count / rate)):,} s"
    )
    if yes:
        return True
    if not _at_terminal():
        raise BadInputError("nobody is there to be asked", hint="give `--yes`")
    return bool(typer.confirm("really try them?", err=True))


def _at_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()
