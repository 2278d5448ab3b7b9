"""Who calls a service, and whom it calls: what stops when it is cut off.

From the rollups where there are any, else from the record itself, for as long as somebody can wait. Only calls that
were let through count.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inward.control.recording.rolling import state_database
from inward.errors import InwardError
from inward.record.disk import RecordError
from inward.record.filter import Filter
from inward.record.reader import read_calls
from inward.record.rollup.query import Asked, Rollups

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from inward.control.layout import Layout

LOOK_SECONDS = 1.0  # at the record: a hint must not take longer
UNKNOWN = "a caller without an identity"


@dataclass
class Neighbours:
    """Calls by service. `whole` is false where there was no time to look at all of the record."""

    callers: Counter[str] = field(default_factory=Counter)
    callees: Counter[str] = field(default_factory=Counter)
    whole: bool = True


def neighbours(layout: Layout, environment: Mapping[str, str], service: str, since: datetime) -> Neighbours:
    """Return who called a service and whom it called since then. What cannot be read counts as nothing."""
    try:
        return _of_rollups(Rollups(state_database(layout, environment.get("INWARD_STATE_URL"))), service, since)
    except InwardError:  # there are none, or they cannot be reached
        return _of_record(layout, service, since)


def _of_rollups(rollups: Rollups, service: str, since: datetime) -> Neighbours:
    found = Neighbours()
    try:
        for totals in rollups.totals(Asked(since=since, callee=service)):
            found.callers[totals.edge.caller or UNKNOWN] += totals.calls - totals.stopped
        for totals in rollups.totals(Asked(since=since, caller=service)):
            found.callees[totals.edge.callee or UNKNOWN] += totals.calls - totals.stopped
    finally:
        rollups.close()
    return Neighbours(+found.callers, +found.callees)


def _of_record(layout: Layout, service: str, since: datetime) -> Neighbours:
    found = Neighbours()
    deadline = time.monotonic() + LOOK_SECONDS
    try:
        for call in read_calls(layout.record, Filter(since=since)):
            if call.carried_out == "allow" and call.callee == service:
                found.callers[call.caller or UNKNOWN] += 1
            elif call.carried_out == "allow" and call.caller == service and call.callee:
                found.callees[call.callee] += 1
            if time.monotonic() > deadline:
                found.whole = False
                break
    except RecordError:
        found.whole = False
    return found
