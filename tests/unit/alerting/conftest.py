"""Calls and acts of a stream, by seconds from a Monday."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from inward.alerting.engine import Engine, EngineSettings
from inward.alerting.view import View
from inward.record.call import Act, Call, Entry, timestamp

if TYPE_CHECKING:
    from inward.alerting.alert import Alert

MONDAY = 1_767_571_200.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
VIEW = View({"orders:getOrder": ("pii.email",), "orders:listOrders": (), "billing:pay": (), "old:v1": ()})
_NUMBERS = iter(range(10**9))


def moment(at: float) -> str:
    return timestamp(datetime.fromtimestamp(MONDAY + at, UTC))


def call(at: float, caller: str | None = "checkout", operation: str | None = "orders:getOrder", **more: Any) -> Call:
    refused = more.get("reason", "granted") != "granted"
    fields: dict[str, Any] = {
        "id": f"c{next(_NUMBERS)}",
        "callee": (operation or "orders:").partition(":")[0],
        "decision": "deny" if refused else "allow",
        "carried_out": "deny" if refused else "allow",
        "reason": "granted",
        "status": 403 if refused else 200,
        **more,
    }
    return Call(time=moment(at), caller=caller, operation=operation, **fields)


def act(at: float, what: str, about: str, detail: str | None = None) -> Act:
    return Act(time=moment(at), what=what, about=about, detail=detail)


def engine(settings: EngineSettings | None = None, view: View = VIEW) -> Engine:
    return Engine(settings or EngineSettings(), view, secret="secret")


def fired(entries: list[Entry], detector: str, begun: Engine | None = None) -> list[Alert]:
    """Return what a detector gave for entries."""
    return [each for each in (begun or engine()).feed(entries) if each.detector == detector]


def week() -> list[Entry]:
    """Return a stream's learning time: a call an hour."""
    return [call(hour * HOUR, parameters={"id": "1"}, address="10.0.0.7") for hour in range(24 * 8)]
