"""`inward calls`: the record as a table, newest last; or whatever is asked of it in SQL."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from inward.catalog.document import did_you_mean, shown
from inward.catalog.system import load_catalog
from inward.cli.entries.lines import CSVPrinter, JSONPrinter, OCSFPrinter
from inward.cli.entries.table import TablePrinter
from inward.cli.moment import parse_since
from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import option_for, remark, styled
from inward.control.readback import supervised
from inward.control.running import load_running
from inward.errors import BadInputError
from inward.record.filter import EVERYTHING, Filter, Term
from inward.record.reader import Reading, wait_a_moment

if TYPE_CHECKING:
    from inward.catalog.model import Catalog
    from inward.control.layout import Layout
    from inward.record.call import Entry

LIMIT = 50


def calls(  # noqa: PLR0917 - Typer passes its options by name
    denied: Annotated[bool, typer.Option("--denied", help="Only what the policy refuses, carried out or not.")] = False,
    caller: Annotated[str | None, typer.Option(metavar="SERVICE")] = None,
    callee: Annotated[str | None, typer.Option(metavar="SERVICE")] = None,
    operation: Annotated[str | None, typer.Option(metavar="ID", help="Such as orders:getOrder.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="TERM", help="FIELD=VALUE, also !=, <, <=, >, >=, ~ (contains); may be given again."),
    ] = None,
    acts: Annotated[
        bool, typer.Option("--acts", help="Only what changed decisions: policies, quarantines, identities.")
    ] = False,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="30s, 15m, 2h, 7d, or a time such as 2027-06-30T12:00:00Z.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="WHEN", help="Only what arrived before.")] = None,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="The newest N of them; 0: all.")] = LIMIT,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    sql: Annotated[
        str | None, typer.Option(metavar="QUERY", help="Ask the tables calls, acts and gaps; with the times alone.")
    ] = None,
    system: SystemOption = Path(),
    json: JSONOption = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print calls as CSV, safe to open in a spreadsheet.")] = False,
    ocsf: Annotated[
        bool, typer.Option("--ocsf", help="Print calls as OCSF events (API Activity), one a line.")
    ] = False,
) -> None:
    """Print the record: every call that reached an enforcer, allowed or refused, newest last."""
    now = datetime.now(UTC)
    wanted = Filter(
        denied=denied,
        caller=caller,
        callee=callee,
        operation=operation,
        acts=acts,
        since=None if since is None else parse_since(since, now),
        until=None if until is None else parse_since(until, now),
        terms=tuple(Term.parse(each) for each in where or ()),
    )
    layout = system_layout(system)
    if sql is not None:
        if wanted.of_calls or acts or follow or ocsf:
            raise BadInputError("`--sql` chooses by itself", hint="only --since, --until, --json and --csv go with it")
        from inward.cli.entries.query import print_answer  # noqa: PLC0415 - DuckDB is loaded for queries only

        print_answer(layout.record, sql, "json" if json else "csv" if csv else "table", wanted.since, wanted.until)
        return
    printer: _Printer = OCSFPrinter() if ocsf else JSONPrinter() if json else CSVPrinter() if csv else TablePrinter()
    try:
        if not _print_all(layout, wanted, limit, printer, follow=follow) and not (json or ocsf or csv):
            _say_nothing_found(layout, wanted, option_for(system))
    except KeyboardInterrupt:
        if not follow:
            raise


class _Printer(Protocol):
    def add(self, entries: list[Entry]) -> None:
        """Print entries."""


def _print_all(layout: Layout, wanted: Filter, limit: int, printer: _Printer, *, follow: bool) -> bool:
    """Print the newest entries at once, then, while following, each new one; return whether there was any."""
    reading = Reading(layout.record, wanted)
    found = False
    if limit:
        newest = reading.newest(limit)
        printer.add(newest)
        found = bool(newest)
    else:
        for entry in reading.read_on():
            printer.add([entry])
            found = True
    while follow and wait_a_moment():
        for entry in reading.read_on():
            printer.add([entry])
    return found


def _say_nothing_found(layout: Layout, wanted: Filter, option: str) -> None:
    """Say why there may be nothing, and what to do next."""
    catalog, _ = load_catalog(layout.system)
    if catalog is not None:
        _say_unknown_names(catalog, wanted)
    if wanted != EVERYTHING:
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
