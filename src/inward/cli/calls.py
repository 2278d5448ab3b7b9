"""`inward calls`: the record as a table, newest last."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import msgspec
import typer
from rich.text import Text

from inward.catalog.document import did_you_mean, shown
from inward.catalog.system import load_catalog
from inward.cli.moment import parse_since
from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import Cell, Table, option_for, print_json_line, print_line, printable, remark, styled
from inward.cli.verdict import STYLES, outcome
from inward.control.readback import supervised
from inward.control.running import load_running
from inward.record.call import Act, Call, Entry, Gap, encode_entry, timestamp
from inward.record.export.ocsf import api_activity
from inward.record.reader import Filter, read_entries, wait_a_moment

if TYPE_CHECKING:
    from inward.catalog.model import Catalog
    from inward.control.layout import Layout

LIMIT = 50
MOST_CHARACTERS = 100  # of a method and a path
_HEADINGS = ("time, UTC", "caller → callee", "request", "outcome", "why", "status", "ms", "reference")
_RIGHT = (5, 6)


def calls(  # noqa: PLR0917 - Typer passes its options by name
    denied: Annotated[bool, typer.Option("--denied", help="Only what the policy refuses, carried out or not.")] = False,
    caller: Annotated[str | None, typer.Option(metavar="SERVICE")] = None,
    callee: Annotated[str | None, typer.Option(metavar="SERVICE")] = None,
    operation: Annotated[str | None, typer.Option(metavar="ID", help="Such as orders:getOrder.")] = None,
    acts: Annotated[
        bool, typer.Option("--acts", help="Only what changed decisions: policies, quarantines, identities.")
    ] = False,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="30s, 15m, 2h, 7d, or a time such as 2027-06-30T12:00:00Z.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="The newest N of them; 0: all.")] = LIMIT,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    system: SystemOption = Path(),
    json: JSONOption = False,
    ocsf: Annotated[
        bool, typer.Option("--ocsf", help="Print calls as OCSF events (API Activity), one a line.")
    ] = False,
) -> None:
    """Print the record: every call that reached an enforcer, allowed or refused, newest last."""
    layout = system_layout(system)
    wanted = Filter(
        denied=denied,
        caller=caller,
        callee=callee,
        operation=operation,
        acts=acts,
        since=None if since is None else parse_since(since, datetime.now(UTC)),
    )
    printer: _Printer = _OCSFPrinter() if ocsf else _JSONPrinter() if json else _TablePrinter()
    json = json or ocsf
    try:
        if not _print_all(layout, wanted, limit, printer, follow=follow) and not json:
            _say_nothing_found(layout, wanted, option_for(system))
    except KeyboardInterrupt:
        if not follow:
            raise


def _print_all(layout: Layout, wanted: Filter, limit: int, printer: _Printer, *, follow: bool) -> bool:
    """Print the newest entries at once, then, while following, each new one; return whether there was any."""
    newest: deque[Entry] = deque(maxlen=limit or None)
    caught_up = False

    def wait() -> bool:
        nonlocal caught_up
        if caught_up:
            return wait_a_moment()
        caught_up = True
        printer.add(list(newest))
        return True

    for entry in read_entries(layout.record, wanted, follow=follow, wait=wait):
        if caught_up:
            printer.add([entry])
        else:
            newest.append(entry)
    if not caught_up:
        printer.add(list(newest))
    return bool(newest)


class _Printer(Protocol):
    def add(self, entries: list[Entry]) -> None:
        """Print entries."""


class _JSONPrinter:
    def add(self, entries: list[Entry]) -> None:
        for entry in entries:
            print_json_line(encode_entry(entry))


class _OCSFPrinter:
    def add(self, entries: list[Entry]) -> None:
        for entry in entries:
            if isinstance(entry, Call):  # there is no event for what was lost
                print_json_line(msgspec.json.encode(api_activity(entry)))


class _TablePrinter:
    def __init__(self) -> None:
        self._table = Table(_HEADINGS, right=_RIGHT)
        self._day = timestamp(datetime.now(UTC))[:10]

    def add(self, entries: list[Entry]) -> None:
        rows: list[list[Cell]] = []
        for entry in entries:
            if entry.time[:10] != self._day or not isinstance(entry, Call):
                self._table.add(rows)
                rows = []
            if entry.time[:10] != self._day:
                self._day = entry.time[:10]
                print_line(styled(f"{self._day} (UTC)", "bold"))
            if isinstance(entry, Gap):
                print_line(_gap(entry))
            elif isinstance(entry, Act):
                print_line(_act(entry))
            else:
                rows.append(_row(entry))
        self._table.add(rows)


def _row(call: Call) -> list[Cell]:
    became = outcome(call)
    why = call.reason if became != "allowed" or not call.policies else ",".join(call.policies)
    if became not in {"allowed", "unreachable"} and call.policies:
        why += f" ({','.join(call.policies)})"
    if call.sent:
        why += f" ({','.join(call.sent)})"
    return [
        printable(call.time[11:23]),
        Text.assemble(printable(call.caller or "?"), (" → ", "dim"), printable(call.callee or "?")),
        _cut(f"{call.method or '?'} {call.path or '?'}") if call.method or call.path else "",
        styled(became, STYLES[became]),
        printable(why),
        _status(call),
        "" if call.duration_us is None else f"{call.duration_us / 1000:.1f}",
        "" if became == "allowed" else styled(call.id, "dim"),
    ]


def _status(call: Call) -> str:
    if call.grpc_status is not None:
        return f"grpc {call.grpc_status}"
    return "" if call.status is None else str(call.status)


def _cut(text: str) -> str:
    return printable(text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "…")


def _gap(gap: Gap) -> Text:
    lost = [f"{gap.lost_lines} lines" if gap.lost_lines else "", f"{gap.lost_bytes} bytes" if gap.lost_bytes else ""]
    size = " and ".join(part for part in lost if part)
    whose = f" of {gap.service}" if gap.service else ""
    return styled(f"{gap.time[11:23]}  a gap{whose}{f', {size}' if size else ''}: {gap.why}", "yellow")


def _act(act: Act) -> Text:
    about = f" {act.about}" if act.about else ""
    by = f" by {act.by}" if act.by else ""
    return styled(f"{act.time[11:23]}  {act.what}{about}{by}{f': {act.detail}' if act.detail else ''}", "bold")


def _say_nothing_found(layout: Layout, wanted: Filter, option: str) -> None:
    """Say why there may be nothing, and what to do next."""
    catalog, _ = load_catalog(layout.system)
    if catalog is not None:
        _say_unknown_names(catalog, wanted)
    if wanted != Filter():
        remark("no such calls are recorded")
        return
    running = load_running(layout)
    if running is None or not supervised(layout, running):
        remark(f"no calls are recorded yet: start the system with `inward up{option}`")
        return
    remark(f"no calls are recorded yet: make one with `inward call{option} CALLER GET http://SERVICE/…`")


def _say_unknown_names(catalog: Catalog, wanted: Filter) -> None:
    for name in (wanted.caller, wanted.callee):
        if name is not None and name not in catalog.services:
            remark(styled(f"there is no service `{shown(name)}` ({did_you_mean(name, catalog.services)})", "yellow"))
    if wanted.operation is not None and wanted.operation not in catalog.operations:
        hint = did_you_mean(wanted.operation, catalog.operations)
        remark(styled(f"there is no operation `{shown(wanted.operation)}`{f' ({hint})' if hint else ''}", "yellow"))
