"""`inward alerts show`: one alert, its calls, and what to do."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inward.alerting.keeping.mutes import load_mutes
from inward.alerting.keeping.store import AlertStore, Kept
from inward.alerting.sinks.webhook import as_json, page_of
from inward.cli.alerts.listing import STYLES, alert_named, opened
from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import Table, option_for, print_commands, print_json, print_line, printable, remark, styled
from inward.cli.verdict import STYLES as OUTCOMES
from inward.cli.verdict import outcome
from inward.record.reader import find_calls

if TYPE_CHECKING:
    from inward.cli.output import Cell
    from inward.control.layout import Layout
    from inward.record.call import Call

LOOK_SECONDS = 5.0  # at the record, for the calls
_HEADINGS = ("time, UTC", "caller → callee", "request", "outcome", "status", "reference")


def show(
    alert: Annotated[str, typer.Argument(metavar="ID", help="Of an alert, or how it begins.")],
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> None:
    """Print an alert with its calls, what became of it, and what to do about it."""
    layout = system_layout(system)
    with opened(layout) as database:
        kept = alert_named(AlertStore(database), alert)
        mutes = [mute for mute in load_mutes(database, datetime.now(UTC)) if mute.fits(kept.alert)]
    calls, looked = _calls(layout, kept)
    if json:
        print_json({**as_json(kept), "mutes": mutes, "found": calls})
        return
    _print(kept)
    for mute in mutes:
        print_line(styled(f"muted until {mute.until}: {mute.about}", "yellow"))
    print_line()
    table = Table(_HEADINGS, right=(4,))
    table.add([_row(call) for call in calls])
    if not looked:
        remark(styled("the record is large: not all of its calls were looked for", "yellow"))
    if kept.alert.count > len(calls):
        remark(styled(f"{kept.alert.count:,} calls in all; these are some of them", "dim"))
    _print_what_to_do(kept, option_for(system))


def _calls(layout: Layout, kept: Kept) -> tuple[list[Call], bool]:
    """Return the calls of an alert that the record holds, and whether there was time to look for all of them."""
    found: list[Call] = []
    deadline = time.monotonic() + LOOK_SECONDS
    for reference in kept.alert.calls:
        if time.monotonic() > deadline:
            return found, False
        found += find_calls(layout.record, reference)[:1]
    return found, True


def _print(kept: Kept) -> None:
    alert = kept.alert
    print_line(styled(alert.why, "bold"))
    about = ("caller", "callee", "operation", "data_class")
    rows: list[tuple[str, Cell]] = [
        ("id", printable(alert.id)),
        ("detector", printable(f"{alert.detector} ({page_of(alert.detector)})")),
        ("severity", styled(alert.severity, STYLES[alert.severity])),
        *((name.replace("_", " "), printable(value)) for name in about if (value := getattr(alert, name))),
        ("began", printable(alert.began)),
        ("last", printable(f"{alert.time}, {alert.count:,} calls")),
        ("state", printable(f"{kept.state} since {kept.since}{f' by {kept.by}' if kept.by else ''}")),
    ]
    if kept.note:
        rows.append(("note", printable(kept.note)))
    for name, value in rows:
        print_line(styled(f"  {name:<12}", "dim") + value)


def _row(call: Call) -> list[Cell]:
    became = outcome(call)
    return [
        printable(call.time[:23].replace("T", " ")),
        printable(f"{call.caller or '?'} → {call.callee or '?'}"),
        printable(f"{call.method or '?'} {call.full_path or '?'}"),
        styled(became, OUTCOMES[became]),
        "" if call.status is None else str(call.status),
        styled(call.id, "dim"),
    ]


def _print_what_to_do(kept: Kept, option: str) -> None:
    alert = kept.alert
    commands = []
    if alert.calls:
        commands.append((f"inward explain{option} {alert.calls[0]}", "why that call was allowed or refused"))
    if alert.caller and _plain(alert.caller):
        commands.append((f"inward calls{option} --caller {alert.caller} --since {alert.began}", "all that it did"))
        commands.append((f"inward quarantine{option} {alert.caller}", "cut it off; what that breaks is said first"))
        mute = f"inward alerts mute{option} --detector {alert.detector} --caller {alert.caller} --for 7d"
        commands.append((mute, "it is meant to do that, for now"))
    if kept.state == "open":
        commands.append((f"inward alerts ack{option} {alert.id[:12]} --note TEXT", "somebody has looked at it"))
    print_line()
    print_line("what to do:")
    print_commands(commands)


def _plain(name: str) -> bool:
    """Whether a name can stand in a command as it is."""
    return all(each.isalnum() or each in "-_.:/" for each in name) and name.isascii()
