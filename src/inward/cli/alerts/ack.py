"""`inward alerts ack`: somebody has looked at an alert."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from inward.alerting.keeping.store import AlertStore
from inward.cli.alerts.listing import SHORT, alert_named, noted, one_line, opened
from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import print_json, print_line, printable
from inward.control.acts import account


def ack(
    alerts: Annotated[list[str], typer.Argument(metavar="ID", help="Of alerts, or how they begin.")],
    note: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What was found out, for whoever comes later.")
    ] = None,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> None:
    """Acknowledge alerts. One that fires again an hour later or more is open again, and told again."""
    layout = system_layout(system)
    text = None if note is None else one_line("note", note)
    with opened(layout) as database:
        store = AlertStore(database)
        found = [alert_named(store, each) for each in alerts]  # all of them, before anything is done
        changed = {
            kept.alert.id: store.acknowledge(kept.alert.id, datetime.now(UTC), account(), text) for kept in found
        }
    for kept in found:
        if changed[kept.alert.id]:
            noted(layout, "acknowledge", kept.alert.id, text or kept.alert.why)
    if json:
        print_json({"acknowledged": [{"id": name, "changed": new} for name, new in changed.items()]})
        return
    for kept in found:
        done = "is acknowledged" if changed[kept.alert.id] else "was acknowledged already"
        print_line(printable(f"{kept.alert.id[:SHORT]} {done}: {kept.alert.why}"))
