"""`inward rollup verify`: that the rollups are what the record comes to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import print_json, print_line, remark, styled
from inward.cli.progress import shown_progress
from inward.control.recording.rolling import state_database
from inward.control.settings import Settings
from inward.errors import ExitCode
from inward.record.call import timestamp
from inward.record.rollup.making import verify_rollups
from inward.record.rollup.query import open_rollups

if TYPE_CHECKING:
    from inward.record.rollup.making import Difference, Verified


def verify(system: SystemOption = Path(), json: JSONOption = False) -> int:
    """Work out all rollups again from the record, and compare: which minute, hour or day, and whose, was changed.

    Exit 0: they are what the record comes to. 2: they are not, and where. `inward rollup rebuild` puts them right.
    """
    layout = system_layout(system)
    engine = open_rollups(state_database(layout, Settings.from_environment(os.environ).state_url))
    try:
        with shown_progress(wanted=not json) as watch:
            found = verify_rollups(
                engine, layout.record, None if watch is None else lambda done, of: watch("MB", done >> 20, of >> 20)
            )
    finally:
        engine.dispose()
    right = not found.differing and not found.ahead
    if json:
        print_json({"right": right, **_as_json(found)})
    else:
        _print(found)
    return ExitCode.SUCCESS if right else ExitCode.REFUSED


def _as_json(found: Verified) -> dict[str, Any]:
    return {
        "rows": found.rows,
        "differing": found.differing,
        "ahead": found.ahead,
        "since": timestamp(found.since) if found.since else None,
        "differences": [
            {
                "unit": each.unit,
                "begin": timestamp(each.begin),
                "caller": each.edge.caller or None,
                "callee": each.edge.callee or None,
                "operation": each.edge.operation or None,
                "what": each.what,
                "columns": each.columns,
            }
            for each in found.differences
        ],
    }


def _print(found: Verified) -> None:
    for each in found.differences:
        print_line(styled(_told(each), "red"))
    if found.differing > len(found.differences):
        print_line(f"… and {found.differing - len(found.differences):,} more")
    if found.ahead:
        print_line(styled("the rollups go further than the record: entries of it are gone", "red"))
    if found.since is not None:
        remark(
            f"entries are not in the record any more: what was called until {timestamp(found.since)} cannot be compared"
        )
    what = f"{found.differing:,} of them are not" if found.differing else "all are"
    print_line(f"{found.rows:,} rows by minute, hour and day: {what} what the record comes to")


def _told(difference: Difference) -> str:
    edge = difference.edge
    whose = f"{edge.caller or '(nobody known)'} → {edge.callee or '(nobody)'} {edge.operation}".rstrip()
    what = {
        "changed": f"other {', '.join(difference.columns)}",
        "missing": "the row is missing",
        "invented": "a row of calls that are not in the record",
    }[difference.what]
    return f"{difference.unit} {timestamp(difference.begin)[:16]}, {whose}: {what}"
