"""`inward alerts rules`: what is watched, what is muted, and who is told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inward.alerting.keeping.mutes import Mute, load_mutes
from inward.alerting.keeping.store import AlertStore
from inward.alerting.registry import REGISTRY
from inward.alerting.settings import AlertSettings, load_settings
from inward.cli.alerts.listing import is_there, opened
from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import Table, print_json, print_line, printable, remark, styled
from inward.errors import InvalidSystemError

if TYPE_CHECKING:
    from inward.control.layout import Layout


def rules(
    settings_only: Annotated[
        bool, typer.Option("--settings", help="Also print every setting of the detectors, with its value.")
    ] = False,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> None:
    """Print the detectors and the rules with what they are about, the mutes, and the sinks."""
    layout = system_layout(system)
    settings, mistakes = load_settings(layout.system)
    if settings is None:
        raise InvalidSystemError(mistakes)
    since, mutes, sinks = _kept(layout)
    if json:
        print_json(
            {
                "watched_since": since,
                "rules": _rows(settings),
                "mutes": mutes,
                "sinks": [{"name": name, "waiting": waiting, "problem": why} for name, waiting, why in sinks],
            }
        )
        return
    table = Table(["detector", "", "finds", "ATT&CK", "OWASP API"])
    table.add(
        [
            [
                row["detector"],
                styled(_state(row), "" if row["on"] else "dim"),
                row["finds"],
                row["attack"],
                row["owasp"],
            ]
            for row in _rows(settings)
        ]
    )
    if settings_only:
        _print_settings(settings)
    for mute in mutes:
        about = f"muted until {mute.until}: {mute.about} (inward alerts unmute {mute.number})"
        print_line(styled(about, "yellow"))
    for name, waiting, problem in sinks:
        print_line(printable(f"told: {name}, {waiting} waiting{f'; {problem}' if problem else ''}"))
    remark(
        f"the record is watched since {since[:19].replace('T', ' ')} UTC" if since else "nothing was watched here yet"
    )


def _kept(layout: Layout) -> tuple[str | None, list[Mute], list[tuple[str, int, str | None]]]:
    if not is_there(layout):
        return None, [], []
    with opened(layout) as database:
        store = AlertStore(database)
        progress = store.progress()
        mutes = load_mutes(database, datetime.now(UTC))
        return progress.since if progress is not None else None, mutes, store.sinks()


def _rows(settings: AlertSettings) -> list[dict[str, Any]]:
    quarantine = settings.quarantine.detectors
    found: list[dict[str, Any]] = [
        {
            "detector": kind.slug,
            "on": settings.engine.of(kind.slug) is not None,
            "finds": kind.title,
            "attack": kind.technique.id,
            "owasp": kind.owasp,
            "settings": settings.engine.of(kind.slug),
            "quarantine": kind.slug in quarantine,
        }
        for kind in REGISTRY.values()
    ]
    found += [
        {
            "detector": rule.detector,
            "on": not rule.retired,
            "finds": f"{rule.title} ({rule.place.file})",
            "attack": ", ".join(rule.techniques),
            "owasp": "",
            "quarantine": rule.detector in quarantine,
        }
        for rule in settings.rules
    ]
    return found


def _state(row: dict[str, Any]) -> str:
    return "off" if not row["on"] else "on, cuts off" if row["quarantine"] else "on"


def _print_settings(settings: AlertSettings) -> None:
    for slug in REGISTRY:
        chosen = settings.engine.of(slug)
        if chosen is not None:
            values = ", ".join(f"{name}: {getattr(chosen, name)}" for name in chosen.__struct_fields__)
            print_line(printable(f"{slug}: {{{values}}}"))
    print_line(f"learn_days: {settings.engine.learn_days}")
