"""`inward alerts replay`: which alerts the recorded calls would have given rise to, by the settings as they are now."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from inward.alerting.keeping.tracking import LEARN_FROM
from inward.alerting.settings import load_settings
from inward.alerting.view import View
from inward.alerting.watcher import Watcher
from inward.catalog.system import load_catalog
from inward.cli.alerts.listing import JSONPrinter, TablePrinter, unkept
from inward.cli.moment import parse_since
from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import print_line, remark, styled
from inward.cli.progress import shown_reading
from inward.errors import ExitCode, InvalidSystemError
from inward.record.call import timestamp
from inward.record.filter import Filter
from inward.record.reader import read_entries

if TYPE_CHECKING:
    from inward.alerting.alert import Alert

BATCH_ENTRIES = 1000
MOST_ALERTS = 100_000  # that are held


def replay(
    since: Annotated[
        str, typer.Option(metavar="WHEN", help="30s, 15m, 2h, 7d, or a time such as 2027-06-30T12:00:00Z.")
    ] = "7d",
    detector: Annotated[
        str | None, typer.Option(metavar="NAME", help="Such as probing, or sigma:ID of a rule.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="The newest N of them; 0: all.")] = 50,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> int:
    """Let the detectors and rules, as they are set now, read the record, and print what they would have told.

    They learn from the five weeks before WHEN, and nothing of it is kept. Exit 0: nothing. 2: there would be alerts.
    """
    layout = system_layout(system)
    settings, mistakes = load_settings(layout.system)
    catalog, others = load_catalog(layout.system)
    if settings is None or catalog is None:
        raise InvalidSystemError([*mistakes, *others])
    start = parse_since(since, datetime.now(UTC))
    watcher = Watcher(settings, View.of(catalog))
    found: dict[str, Alert] = {}
    left_out = 0
    wanted = Filter(since=start - LEARN_FROM)
    with shown_reading(read_entries(layout.record, wanted), wanted=not json) as entries:
        reading = iter(entries)
        while batch := list(islice(reading, BATCH_ENTRIES)):
            for alert in watcher.feed(batch):
                if alert.time < timestamp(start) or (detector is not None and alert.detector != detector):
                    continue
                if len(found) < MOST_ALERTS or alert.id in found:
                    found[alert.id] = _joined(found.get(alert.id), alert)
                else:
                    left_out += 1
    ordered = sorted(found.values(), key=lambda alert: (alert.time, alert.id))
    shown = ordered[-limit:] if limit else ordered
    (JSONPrinter() if json else TablePrinter()).add([unkept(alert) for alert in shown])
    if not json:
        _print_counts(ordered, len(shown), left_out, start)
    return ExitCode.REFUSED if found else ExitCode.SUCCESS


def _joined(before: Alert | None, alert: Alert) -> Alert:
    return alert if before is None else msgspec.structs.replace(alert, began=min(before.began, alert.began))


def _print_counts(ordered: list[Alert], shown: int, left_out: int, start: datetime) -> None:
    since = timestamp(start)[:16].replace("T", " ")
    counts = Counter(alert.detector for alert in ordered)
    told = ", ".join(f"{count:,} {name}" for name, count in counts.most_common())
    many = "1 alert" if len(ordered) == 1 else f"{len(ordered):,} alerts"
    print_line(styled(f"{many} since {since} UTC{f': {told}' if told else ''}", "bold"))
    if shown < len(ordered):
        remark(styled(f"the newest {shown:,} are shown (`--limit 0` shows all)", "dim"))
    if left_out:
        remark(styled(f"and {left_out:,} more that were not held", "yellow"))
