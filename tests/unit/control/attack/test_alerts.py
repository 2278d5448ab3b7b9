from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from inward.alerting.alert import Alert
from inward.alerting.keeping.database import FILE, Database
from inward.alerting.keeping.store import AlertStore, Kept
from inward.control.attack import alerts
from inward.control.attack.alerts import alerts_of, unnoticed
from inward.record.call import Call
from inward.record.follow import Place

if TYPE_CHECKING:
    from inward.control.layout import Layout

BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)


def alert(name: str, **fields: Any) -> Alert:
    given = {"time": "2026-01-01T12:00:09.000Z", "began": "2026-01-01T12:00:01.000Z", "caller": "till"}
    return Alert(id=name, detector="probing", severity="high", why="it probes", **(given | fields))


def call(reference: str, second: int = 5, **fields: Any) -> Call:
    given = {"decision": "deny", "carried_out": "deny", "reason": "no_grant", "caller": "till"}
    return Call(time=f"2026-01-01T12:00:{second:02}.000Z", id=reference, **(given | fields))


def kept(found: Alert) -> Kept:
    return Kept(found, "open", 1, found.time, None, None, 0)


@pytest.mark.parametrize(
    ("found", "calls", "missed"),
    [
        ([], {"path": [call("a")]}, ["path"]),
        ([alert("x", calls=("a",))], {"path": [call("a")], "data": [call("b")]}, ["data"]),
        # it has more calls than it names, and this one is in its time, of its caller and decided alike
        ([alert("x", calls=("a",), count=9)], {"path": [call("a")], "unknown": [call("b")]}, []),
        ([alert("x", calls=("a",), count=9)], {"path": [call("a")], "unknown": [call("b", 30)]}, ["unknown"]),
        ([alert("x", calls=("a",), count=9)], {"path": [call("a")], "user": [call("b", decision="allow")]}, ["user"]),
        ([alert("x", calls=("a",), count=9)], {"path": [call("a")], "egress": [call("b", caller=None)]}, ["egress"]),
        ([], {"key": []}, []),  # nothing of it is recorded
    ],
)
def test_kinds_of_which_no_alert_says_anything(
    found: list[Alert], calls: dict[str, list[Call]], missed: list[str]
) -> None:
    assert unnoticed(map(kept, found), calls) == missed


def test_alerts_of_the_service_and_of_its_calls_since_then(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "QUIET_SECONDS", 0.0)
    assert alerts_of(layout, "till", BEGAN, [], 0.0) is None
    database = Database(layout.state / FILE)
    store = AlertStore(database)
    store.begin(BEGAN, Place(0, 0))
    found = [
        alert("own"),
        alert("old", time="2026-01-01T11:00:00.000Z"),
        alert("other", caller="office"),
        alert("nameless", caller=None, calls=("ours",)),
        alert("unheard", caller=None, began="2026-01-01T12:00:02.000Z"),  # refused before anybody gave it a reference
        alert("others", caller=None, began="2026-01-01T11:00:00.000Z"),
    ]
    store.commit(Place(1, 1), found)
    database.close()
    assert {each.alert.id for each in alerts_of(layout, "till", BEGAN, ["ours"], 0.0) or ()} == {
        "own",
        "nameless",
        "unheard",
    }
