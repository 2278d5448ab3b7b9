"""The alerts of an attack: which fired, and which kinds of tries no detector noticed.

An alert names twenty of its calls at most. So a kind counts as noticed where an alert names one of its calls, or where
an alert has more calls than it names, and one of the kind's lies in its time, is of the same caller and was decided
alike.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from inward.alerting.keeping.database import FILE, Database
from inward.alerting.keeping.store import AlertStore, Kept
from inward.record.call import timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from inward.control.layout import Layout
    from inward.record.call import Call

LOOK_SECONDS = 0.25
QUIET_SECONDS = 4.0  # without a new alert, after which none is waited for; an alert takes a second or two


def alerts_of(
    layout: Layout, service: str, since: datetime, references: Iterable[str], seconds: float
) -> list[Kept] | None:
    """Wait for alerts that are about a service, or about some calls, and return them; None where nobody watches.

    Those of callers without a name that began since then are among them: what an intruder sends past its credential is
    recorded without one. Raises `AlertStoreError`.
    """
    if not (layout.state / FILE).exists():
        return None
    ours = frozenset(references)
    database = Database(layout.state / FILE, create=False)
    try:
        store = AlertStore(database)
        begin = timestamp(since)

        def look() -> list[Kept]:
            return [kept for kept in store.find(since=since) if _is_about(kept, service, ours, begin)]

        return _settled(look, seconds)
    finally:
        database.close()


def _is_about(kept: Kept, service: str, references: frozenset[str], begin: str) -> bool:
    alert = kept.alert
    nameless = alert.caller is None and alert.began >= begin
    return alert.caller == service or nameless or not references.isdisjoint(alert.calls)


def _settled(look: Callable[[], list[Kept]], seconds: float) -> list[Kept]:
    """Return what `look` returns when it has been the same for a while."""
    found = look()
    end = time.monotonic() + seconds
    quiet = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < min(end, quiet):
        time.sleep(LOOK_SECONDS)
        now = look()
        if [kept.changed for kept in now] != [kept.changed for kept in found]:
            found, quiet = now, time.monotonic() + QUIET_SECONDS
    return found


def unnoticed(alerts: Iterable[Kept], calls: Mapping[str, list[Call]]) -> list[str]:
    """Return the kinds of tries of which no alert says anything; `calls` are the recorded ones of each kind."""
    every = {call.id: call for each in calls.values() for call in each}
    noticed: set[str] = set()
    for kept in alerts:
        alert = kept.alert
        named = set(alert.calls)
        alike = {(every[name].caller, every[name].decision) for name in named if name in every}
        more = alert.count > len(named)
        noticed |= {
            kind
            for kind, each in calls.items()
            if any(
                call.id in named
                or (more and (call.caller, call.decision) in alike and alert.began <= call.time <= alert.time)
                for call in each
            )
        }
    return [kind for kind, each in calls.items() if each and kind not in noticed]
