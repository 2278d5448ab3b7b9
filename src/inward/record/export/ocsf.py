"""Calls as OCSF events: API Activity (class 6003) with the profile `security_control`, schema 1.8.0.

One call becomes one event; its `metadata.uid` is the same whenever it is sent, and no other event has it. What OCSF has
no attribute or no value for stands in `unmapped`, by the name that it has in the record. Nothing is invented: what a
call does not say is left out, or is what OCSF calls unknown.
"""

from __future__ import annotations

from datetime import datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

import msgspec

from inward import __version__
from inward.record.call import Call
from inward.record.export.encoding import entry_uid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inward.record.call import Entry

SCHEMA_VERSION = "1.8.0"
CLASS = 6003  # API Activity
_CATEGORY = 6  # Application Activity
_ACTIVITIES: Final = {"POST": 1, "GET": 2, "HEAD": 2, "OPTIONS": 2, "PUT": 3, "PATCH": 3, "DELETE": 4}
_METHODS: Final = frozenset({*_ACTIVITIES, "CONNECT", "TRACE"})  # that an event may name
_UNKNOWN, _OTHER = 0, 99
_ALLOWED, _DENIED, _OBSERVED, _MODIFIED = 1, 2, 3, 4  # actions
_DISPOSITIONS: Final = {_ALLOWED: 1, _DENIED: 2, _OBSERVED: 17, _MODIFIED: 11}  # allowed, blocked, logged, corrected
_SUCCESS, _FAILURE = 1, 2
_INFORMATIONAL, _LOW = 1, 2
_ERROR = 400  # the first HTTP status that is one
_MICROSECONDS = 1000  # of a millisecond
_ELSEWHERE: Final = (
    "parameters",
    "enforcer",
    "mode",
    "policy_version",
    "grpc_status",
    "span",
    "withheld",
    "sent",
    "detail",
    "src",
)
_NOTHING: Final[tuple[object, ...]] = (None, (), {})


class Events:
    """Encodes calls as events, in a JSON array, or one a line (`lines`)."""

    def __init__(self, *, lines: bool) -> None:
        self.content_type = "application/x-ndjson" if lines else "application/json"
        self._lines = lines

    def item(self, entry: Entry, skipped: int) -> bytes | None:
        """Return the event of a call."""
        if not isinstance(entry, Call):
            return None
        event = api_activity(entry)
        if skipped:
            event["unmapped"]["skipped"] = skipped
        return msgspec.json.encode(event)

    def size(self, item: bytes) -> int:
        """Return how many bytes an event takes."""
        return len(item) + 1

    def body(self, items: Sequence[bytes]) -> bytes:
        """Return the body of a request."""
        return b"".join(item + b"\n" for item in items) if self._lines else b"[" + b",".join(items) + b"]"

    def rejected(self, answer: bytes) -> tuple[int, str]:  # noqa: ARG002 - receivers of events have no common word for it
        """Return that a receiver that took a request took all of it."""
        return 0, ""


def api_activity(call: Call) -> dict[str, Any]:
    """Return a call as an OCSF event, ready to be written as JSON. Raises `ValueError` for a time that is none."""
    activity, action = _activity(call), _action(call)
    unmapped = {name: value for name in _ELSEWHERE if (value := getattr(call, name)) not in _NOTHING}
    if call.parameters:
        unmapped["path"] = call.path
    method = call.method if call.method in _METHODS else None
    if call.method is not None and method is None:
        unmapped["method"] = call.method
    address = _ip(call.address)
    if call.address is not None and address is None:
        unmapped["address"] = call.address
    event: dict[str, Any] = {
        "class_uid": CLASS,
        "category_uid": _CATEGORY,
        "activity_id": activity,
        "type_uid": CLASS * 100 + activity,
        "time": int(datetime.fromisoformat(call.time).timestamp() * 1000),
        "severity_id": _INFORMATIONAL if call.decision == "allow" else _LOW,
        "action_id": action,
        "disposition_id": _DISPOSITIONS[action],
        "status_id": _status(call),
        "status_detail": call.reason,
        "actor": _without_none(
            app_name=call.caller or "unknown", user=None if call.user is None else {"uid": call.user}
        ),
        "api": {"operation": call.operation or "unknown", "request": {"uid": call.id}},
        "src_endpoint": _without_none(svc_name=call.caller or "unknown", ip=address),
        "http_request": _without_none(
            uid=call.id,
            http_method=method,
            url=None if call.path is None else {"path": call.full_path},
            body_length=call.bytes_in,
        ),
        "metadata": _without_none(
            version=SCHEMA_VERSION,
            product={"name": "Inward", "vendor_name": "Inward", "version": __version__},
            profiles=["security_control"],
            uid=entry_uid(call).hex(),
            correlation_uid=call.trace,
        ),
        "unmapped": unmapped,
    }
    if call.callee is not None:
        event["dst_endpoint"] = {"svc_name": call.callee}
        event["api"]["service"] = {"name": call.callee}
    if call.policies:
        event["policy"] = {"uid": call.policies[0], "is_applied": call.carried_out == call.decision}
        decision = "allowed" if call.decision == "allow" else "denied"
        event["authorizations"] = [{"decision": decision, "policy": {"uid": policy}} for policy in call.policies]
    if call.status is not None:
        event["status_code"] = str(call.status)
        event["api"]["response"] = {"code": call.status}
        event["http_response"] = _without_none(
            code=call.status,
            body_length=call.bytes_out,
            latency=None if call.duration_us is None else call.duration_us // _MICROSECONDS,
        )
    if call.duration_us is not None:
        event["duration"] = call.duration_us // _MICROSECONDS
    return event


def _ip(address: str | None) -> str | None:
    """Return an address that OCSF takes for one: what stands in its place, or a zone, is none."""
    try:
        ip_address(address or "")
    except ValueError:
        return None
    return None if address is None or "%" in address else address


def _activity(call: Call) -> int:
    if call.method is None:
        return _UNKNOWN
    if call.grpc_status is not None:  # always POST, whatever it does
        return _OTHER
    return _ACTIVITIES.get(call.method, _OTHER)


def _action(call: Call) -> int:
    if call.carried_out == "deny":
        return _DENIED
    if call.decision == "deny":
        return _OBSERVED
    return _MODIFIED if call.withheld and call.mode == "enforce" else _ALLOWED


def _status(call: Call) -> int:
    if call.carried_out == "deny":
        return _FAILURE
    if call.grpc_status is not None:
        return _SUCCESS if call.grpc_status == 0 else _FAILURE
    if call.status is None:
        return _UNKNOWN
    return _SUCCESS if call.status < _ERROR else _FAILURE


def _without_none(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}
