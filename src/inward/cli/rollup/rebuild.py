"""`inward rollup rebuild`: make the rollups anew from the record."""

from __future__ import annotations

import os
from pathlib import Path

from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import print_json, print_line, remark
from inward.cli.progress import shown_progress
from inward.control.recording.rolling import state_database
from inward.control.settings import Settings
from inward.record.call import timestamp
from inward.record.rollup.database import StateDamagedError, move_aside
from inward.record.rollup.making import rebuild_rollups
from inward.record.rollup.store import Store


def rebuild(system: SystemOption = Path(), json: JSONOption = False) -> None:
    """Empty the rollups and make them anew from the segments that are there; a running `inward up` may go on."""
    layout = system_layout(system)
    url = state_database(layout, Settings.from_environment(os.environ).state_url)
    try:
        store = Store(url)
    except StateDamagedError:
        aside = move_aside(url)
        if aside is None:
            raise
        remark(f"the state database was damaged: it was moved to `{aside}`")
        store = Store(url)
    try:
        with shown_progress(wanted=not json) as watch:
            rebuilt = rebuild_rollups(
                store, layout.record, None if watch is None else lambda done, of: watch("MB", done >> 20, of >> 20)
            )
    finally:
        store.close()
    if json:
        kept = timestamp(rebuilt.kept_until) if rebuilt.kept_until else None
        print_json({"entries": rebuilt.entries, "calls": rebuilt.calls, "kept_until": kept})
        return
    print_line(f"{rebuilt.calls:,} calls of {rebuilt.entries:,} entries were added")
    if rebuilt.kept_until is not None:
        until = timestamp(rebuilt.kept_until)
        remark(f"what was called until {until} was kept as it is: entries of it are not in the record any more")
