"""`inward alerts`: what looks like misuse, newest last."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from inward.alerting.keeping.store import AlertStore, Kept
from inward.cli.alerts.listing import JSONPrinter, TablePrinter, is_there, opened
from inward.cli.moment import parse_since
from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import option_for, print_json_line, printable, remark, styled
from inward.control.readback import supervised
from inward.control.running import load_running
from inward.errors import BadInputError
from inward.record.follow import Follower
from inward.record.reader import wait_a_moment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from inward.control.layout import Layout

    class _Printer(Protocol):
        def add(self, alerts: Sequence[Kept]) -> None: ...


LIMIT = 50
_BEHIND_BYTES = 1 << 20  # of the record, which a run reads in a second or two


def alerts(  # noqa: PLR0917 - Typer passes its options by name
    context: typer.Context,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="30s, 15m, 2h, 7d, or a time such as 2027-06-30T12:00:00Z.")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Only those that nobody has acknowledged.")] = False,
    detector: Annotated[
        str | None, typer.Option(metavar="NAME", help="Such as probing, or sigma:ID of a rule.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="The newest N of them; 0: all.")] = LIMIT,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    system: SystemOption = Path(),
    json: JSONOption = False,
    ocsf: Annotated[bool, typer.Option("--ocsf", help="Print OCSF events (Detection Finding), one a line.")] = False,
) -> None:
    """Print the alerts, newest last; what they are about, and what to do, is behind `show`."""
    if context.invoked_subcommand is not None:
        if since or open_ or detector or follow or json or ocsf:
            raise BadInputError("options of the list stand before another command", hint="write them behind it")
        return
    layout = system_layout(system)
    start = None if since is None else parse_since(since, datetime.now(UTC))
    printer: _Printer = _OCSFPrinter(layout) if ocsf else JSONPrinter() if json else TablePrinter()
    if not is_there(layout):
        remark(_nobody_watches(layout, option_for(system)))
        return
    with opened(layout) as database:
        store = AlertStore(database)
        found = store.find(since=start, open_only=open_, detector=detector, limit=limit)
        number = max((kept.changed for kept in store.find(limit=0)), default=0) if follow else 0
        printer.add(found)
        if not (json or ocsf):
            _say_how_it_is(layout, store, found, option_for(system))
        if not follow:
            return
        try:
            while wait_a_moment():
                changed = store.changed_since(number)
                number = max((kept.changed for kept in changed), default=number)
                printer.add([kept for kept in changed if _wanted(kept, detector, open_only=open_)])
        except KeyboardInterrupt:
            return


def _wanted(kept: Kept, detector: str | None, *, open_only: bool) -> bool:
    return (detector is None or kept.alert.detector == detector) and (not open_only or kept.state == "open")


class _OCSFPrinter:
    def __init__(self, layout: Layout) -> None:
        # here, and not above: looking up techniques needs all detectors, and only this prints them
        from inward.alerting.settings import load_settings  # noqa: PLC0415 - see above
        from inward.alerting.sinks.ocsf import detection_finding  # noqa: PLC0415 - see above
        from inward.alerting.sinks.techniques import attacks_of  # noqa: PLC0415 - see above

        settings, _ = load_settings(layout.system)
        self._attacks = attacks_of(lambda: settings.rules if settings is not None else ())
        self._event = detection_finding

    def add(self, alerts: Sequence[Kept]) -> None:
        for kept in alerts:
            attacks = self._attacks(kept.alert.detector)
            uid = f"{kept.alert.id}-{kept.changed}"
            event = self._event(kept, attacks, uid=uid, created=kept.fired == 1)
            print_json_line(msgspec.json.encode(event))


def _nobody_watches(layout: Layout, option: str) -> str:
    return f"nothing has been watched here yet: alerts are found while `inward up{option}` runs" + (
        "; what runs now was told not to (INWARD_ALERTS=0), or misses what it needs" if _runs(layout) else ""
    )


def _runs(layout: Layout) -> bool:
    running = load_running(layout)
    return running is not None and supervised(layout, running)


def _say_how_it_is(layout: Layout, store: AlertStore, found: Sequence[Kept], option: str) -> None:
    """Say since when what is watched, whether that goes on, and who is not told."""
    progress = store.progress()
    if progress is None:
        remark(_nobody_watches(layout, option))
        return
    since = printable(progress.since[:19].replace("T", " "))
    if not found:
        remark(f"no such alerts; the record is watched since {since} UTC: `inward alerts rules{option}` says for what")
    else:
        remark(styled(f"one of them in full: inward alerts show{option} {found[-1].alert.id[:12]}", "dim"))
    if not _runs(layout):
        remark(styled(f"nobody watches now: `inward up{option}` goes on where it was", "yellow"))
    elif (behind := Follower(layout.record, progress.done).lag()) > _BEHIND_BYTES and progress.snapshot is None:
        remark(styled(f"{behind >> 20:,} MiB of the record are still to be watched", "yellow"))
    for name, waiting, problem in store.sinks():
        if problem is not None:
            remark(styled(f"{name} was not told of {waiting} yet: {printable(problem)}", "yellow"))
