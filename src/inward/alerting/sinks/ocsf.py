"""Alerts as OCSF events: Detection Finding (class 2004) of schema 1.8.0, and the sink that posts them.

A finding's `uid` is the alert's id, an event's is that of what was told: what is sent twice can be told by it.
Techniques are those of MITRE ATT&CK. What OCSF has no attribute for stands in `unmapped`, by its name in an alert.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from inward import __version__
from inward.alerting.sinks.sink import JSON, Request, Target
from inward.alerting.sinks.webhook import page_of
from inward.record.export.ocsf import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inward.alerting.keeping.store import Kept, Telling
    from inward.alerting.sinks.techniques import Attack

CLASS = 2004  # Detection Finding
_CATEGORY = 2  # Findings
_CREATE, _UPDATE = 1, 2
_NEW, _IN_PROGRESS = 1, 2
_SEVERITIES: Final = {"low": 2, "medium": 3, "high": 4, "critical": 5}
_RULE, _BEHAVIOURAL, _STATISTICAL = 1, 2, 3  # kinds of analytic
_STATISTICS: Final = frozenset({"volume", "data-volume"})


class OCSF:
    """Posts alerts as arrays of OCSF events."""

    name = "ocsf"
    most = 100

    def __init__(self, target: Target, attacks: Callable[[str], Sequence[Attack]]) -> None:
        self.target = target
        self._attacks = attacks

    def request(self, tellings: Sequence[Telling], _now: datetime) -> Request | None:
        """Return one POST of an event for each telling."""
        events = [
            detection_finding(
                telling.kept,
                self._attacks(telling.kept.alert.detector),
                uid=f"{telling.kept.alert.id}-{telling.number}",
                created=telling.what == "new",
            )
            for telling in tellings
        ]
        return Request(msgspec.json.encode(events), JSON)

    def reminder(self, _open: Sequence[Kept], _now: datetime) -> Request | None:
        """Return nothing: an event is sent once."""
        return None


def detection_finding(kept: Kept, attacks: Sequence[Attack], *, uid: str, created: bool) -> dict[str, Any]:
    """Return an alert as an OCSF event, ready to be written as JSON. Raises `ValueError` for a time that is none."""
    alert = kept.alert
    activity = _CREATE if created else _UPDATE
    began, last = _milliseconds(alert.began), _milliseconds(alert.time)
    finding: dict[str, Any] = {
        "uid": alert.id,
        "title": alert.detector,
        "desc": alert.why,
        "types": [alert.detector],
        "first_seen_time": began,
        "last_seen_time": last,
        "created_time": began,
        "modified_time": last,
        "analytic": {"uid": alert.detector, "name": alert.detector, "type_id": _kind(alert.detector)},
    }
    if attacks:
        finding["attacks"] = [attack.as_ocsf() for attack in attacks]
    if alert.calls:
        finding["related_events"] = [{"uid": call, "type": "call"} for call in alert.calls]
        finding["related_events_count"] = len(alert.calls)
    event: dict[str, Any] = {
        "class_uid": CLASS,
        "category_uid": _CATEGORY,
        "activity_id": activity,
        "type_uid": CLASS * 100 + activity,
        "time": last,
        "start_time": began,
        "end_time": last,
        "count": alert.count,
        "message": alert.why,
        "is_alert": True,
        "severity_id": _SEVERITIES[alert.severity],
        "status_id": _NEW if kept.state == "open" else _IN_PROGRESS,
        "finding_info": finding,
        "remediation": {"desc": f"inward alerts show {alert.id[:12]}", "references": [page_of(alert.detector)]},
        "metadata": {
            "version": SCHEMA_VERSION,
            "product": {"name": "Inward", "vendor_name": "Inward", "version": __version__},
            "uid": uid,
        },
        "unmapped": {
            name: value
            for name, value in (
                ("state", kept.state),
                ("fired", kept.fired),
                ("by", kept.by),
                ("note", kept.note),
                ("data_class", alert.data_class),
            )
            if value is not None
        },
    }
    evidence = _evidence(kept)
    if evidence:
        event["evidences"] = [evidence]
    services = [name for name in (alert.caller, alert.callee) if name]
    if services:
        event["resources"] = [{"name": name, "type": "service"} for name in services]
    return event


def _evidence(kept: Kept) -> dict[str, Any]:
    alert = kept.alert
    found: dict[str, Any] = {}
    if alert.caller:
        found["actor"] = {"app_name": alert.caller}
        found["src_endpoint"] = {"svc_name": alert.caller}
    if alert.callee:
        found["dst_endpoint"] = {"svc_name": alert.callee}
    if alert.operation:
        found["api"] = {"operation": alert.operation}
    return found


def _kind(detector: str) -> int:
    if detector.startswith("sigma:"):
        return _RULE
    return _STATISTICAL if detector in _STATISTICS else _BEHAVIOURAL


def _milliseconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp() * 1000)
