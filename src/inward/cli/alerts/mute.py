"""`inward alerts mute`: tell nobody of some alerts for a while."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inward.alerting.keeping.database import FILE, Database
from inward.alerting.keeping.mutes import Mute, add_mute
from inward.catalog.document import did_you_mean, shown
from inward.catalog.system import load_catalog
from inward.cli.alerts.listing import noted, one_line
from inward.cli.moment import parse_moment, parse_span
from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import option_for, print_json, print_line, printable, remark, styled
from inward.control.acts import account
from inward.errors import BadInputError
from inward.identity.private_files import private_folder
from inward.record.call import timestamp

if TYPE_CHECKING:
    from inward.control.layout import Layout

LONGEST = timedelta(days=366)


def mute(  # noqa: PLR0917 - Typer passes its options by name
    detector: Annotated[
        str | None, typer.Option(metavar="NAME", help="Such as probing, or sigma:ID of a rule.")
    ] = None,
    caller: Annotated[str | None, typer.Option(metavar="SERVICE")] = None,
    callee: Annotated[str | None, typer.Option(metavar="SERVICE")] = None,
    operation: Annotated[str | None, typer.Option(metavar="ID", help="Such as orders:getOrder.")] = None,
    until: Annotated[str | None, typer.Option(metavar="WHEN", help="A day or a time: 2027-06-30T12:00:00Z.")] = None,
    for_: Annotated[str | None, typer.Option("--for", metavar="LONG", help="Or how long: 2h, 7d, 4w.")] = None,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, for whoever comes later.")] = None,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> None:
    """Tell nobody of alerts that fit all that is given, until a time. They are kept all the same.

    What still goes on when it ends is told then. A mute has an end, a year away at most.
    """
    layout = system_layout(system)
    now = datetime.now(UTC)
    end = _end(until, for_, now)
    text = None if note is None else one_line("note", note)
    if detector is caller is callee is operation is None:
        raise BadInputError("what is to be muted?", hint="give --detector, --caller, --callee or --operation")
    _check_names(layout, detector, [caller, callee], operation)
    database = Database(private_folder(layout.state) / FILE)
    try:
        wanted = Mute(0, detector, caller, callee, operation, timestamp(now), timestamp(end), account(), text)
        added = add_mute(database, wanted)
    finally:
        database.close()
    noted(layout, "mute", added.about, f"until {added.until}{f': {text}' if text else ''}")
    if json:
        print_json({"mute": added})
        return
    print_line(printable(f"muted until {added.until}: {added.about}"))
    print_line(f"to end it before: inward alerts unmute{option_for(system)} {added.number}")


def _end(until: str | None, for_: str | None, now: datetime) -> datetime:
    if (until is None) is (for_ is None):
        raise BadInputError("a mute has one end", hint="give --until WHEN or --for LONG")
    end = parse_moment(until) if until is not None else now + parse_span(for_ or "")
    if not now < end <= now + LONGEST:
        raise BadInputError("a mute ends in the future, and within a year", hint="such as --for 7d")
    return end


def _check_names(layout: Layout, detector: str | None, services: list[str | None], operation: str | None) -> None:
    """Refuse a detector that there is not; say of other names that the catalog does not have them."""
    if detector is not None:
        # here, and not above: all detectors have to be imported for it
        from inward.alerting.registry import REGISTRY  # noqa: PLC0415 - see above
        from inward.alerting.settings import load_settings  # noqa: PLC0415 - see above

        settings, _ = load_settings(layout.system)
        known = [*REGISTRY, *(rule.detector for rule in (settings.rules if settings is not None else ()))]
        if detector not in known and not (settings is None and detector.startswith("sigma:")):
            raise BadInputError(f"there is no detector `{shown(detector)}`", hint=did_you_mean(detector, known))
    catalog, _ = load_catalog(layout.system)
    if catalog is None:
        return
    for name in services:
        if name is not None and name not in catalog.services:
            hint = did_you_mean(name, catalog.services)
            remark(styled(f"there is no service `{shown(name)}`{f' ({hint})' if hint else ''}", "yellow"))
    if operation is not None and operation not in catalog.operations:
        hint = did_you_mean(operation, catalog.operations)
        remark(styled(f"there is no operation `{shown(operation)}`{f' ({hint})' if hint else ''}", "yellow"))
