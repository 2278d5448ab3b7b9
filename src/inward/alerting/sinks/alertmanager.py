"""Alertmanager, by its API v2: an alert is a set of labels that is sent again while it is open.

An open alert ends by itself when nobody has sent it for `LASTS`, so it is sent again each minute; one that was
acknowledged ends at once. Grouping, silences and whom to call are Alertmanager's. Its id is a label, so two findings
are two alerts.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from inward.alerting.sinks.sink import JSON, Request, Target
from inward.alerting.sinks.webhook import page_of
from inward.record.call import timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from inward.alerting.keeping.store import Kept, Telling

PATH = "/api/v2/alerts"
LASTS = timedelta(minutes=5)


class Alertmanager:
    """Posts alerts to an Alertmanager."""

    name = "alertmanager"
    most = 100

    def __init__(self, target: Target) -> None:
        self.target = target

    def request(self, tellings: Sequence[Telling], now: datetime) -> Request | None:
        """Return one POST of all alerts that there is something to tell of, each once, as they are now."""
        return self.reminder(list({telling.kept.alert.id: telling.kept for telling in tellings}.values()), now)

    def reminder(self, open_ones: Sequence[Kept], now: datetime) -> Request | None:
        """Return one POST of alerts, as they are now."""
        return Request(msgspec.json.encode([_alert(kept, now) for kept in open_ones]), JSON) if open_ones else None


def _alert(kept: Kept, now: datetime) -> dict[str, object]:
    alert = kept.alert
    labels = {
        "alertname": "inward",
        "id": alert.id,
        "detector": alert.detector,
        "severity": alert.severity,
        "caller": alert.caller,
        "callee": alert.callee,
        "operation": alert.operation,
        "data_class": alert.data_class,
    }
    return {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {
            "summary": alert.why,
            "calls": " ".join(alert.calls),
            "what_to_do": f"inward alerts show {alert.id[:12]}; {page_of(alert.detector)}",
        },
        "startsAt": alert.began,
        "endsAt": timestamp(now if kept.state == "acknowledged" else now + LASTS),
    }
