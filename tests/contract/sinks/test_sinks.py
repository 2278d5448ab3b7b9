"""What every sink of alerts keeps to: valid JSON, the same id when it is sent again, no secret and no markup in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from inward.alerting.alert import Alert, alert_id
from inward.alerting.keeping.store import Kept, Telling
from inward.alerting.sinks.configured import sinks_of
from inward.alerting.sinks.sink import SinkError
from inward.alerting.sinks.techniques import attacks_of

if TYPE_CHECKING:
    from inward.alerting.sinks.sink import Sink

SECRET = "whsec_" + "c2VjcmV0" * 6
VARIABLES = {
    "INWARD_ALERT_WEBHOOK": "https://hooks.example.com/in/ward?key=hidden",
    "INWARD_ALERT_WEBHOOK_SECRET": SECRET,
    "INWARD_ALERT_SLACK": "https://hooks.slack.com/services/T0/B0/hidden",
    "INWARD_ALERTMANAGER": "http://alertmanager:9093/prefix/",
    "INWARD_ALERT_OCSF": "https://siem.example.com/hidden",
}
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
NASTY = "<!channel> & @here *x* `y` \x1b[2J\u202e{{x}} <https://evil|ok>" + "é" * 3000


def kept(subject: str = "checkout", **fields: Any) -> Kept:
    known: dict[str, Any] = {
        "id": alert_id("probing", subject),
        "time": "2026-11-26T12:00:00.000Z",
        "began": "2026-11-26T11:00:00.000Z",
        "detector": "probing",
        "severity": "high",
        "why": f"{subject} was refused 9 things",
        "caller": subject,
        "callee": "orders",
        "operation": "orders:getOrder",
        "calls": ("call-1", "call-2"),
        "count": 9,
    }
    state = fields.pop("state", "open")
    return Kept(Alert(**{**known, **fields}), state, 1, known["time"], None, None, 3)


def telling(number: int = 7, what: Any = "new", **fields: Any) -> Telling:
    return Telling(number, what, "2026-11-26T12:00:00.000Z", kept(**fields))


SINKS = {sink.name: sink for sink in sinks_of(VARIABLES, attacks_of(tuple))}


@pytest.fixture(params=sorted(SINKS))
def sink(request: pytest.FixtureRequest) -> Sink:
    return SINKS[request.param]


def test_all_of_them_are_here() -> None:
    assert sorted(SINKS) == ["alertmanager", "ocsf", "slack", "webhook"]
    assert sinks_of({}, attacks_of(tuple)) == []


def test_a_request_is_json_and_names_the_finding(sink: Sink) -> None:
    request = sink.request([telling()], NOW)
    assert request is not None
    assert request.headers["content-type"] == "application/json"
    text = request.body.decode()
    json.loads(text)
    assert telling().kept.alert.id[:12] in text
    assert "checkout was refused 9 things" in text


def test_what_is_sent_again_is_the_same(sink: Sink) -> None:
    first, again = sink.request([telling()], NOW), sink.request([telling()], NOW)
    assert first == again
    assert first is not None
    other = sink.request([telling(8)], NOW + timedelta(minutes=1))
    assert sink.name in {"slack", "alertmanager"} or other != first


def test_as_many_as_it_takes_and_not_more(sink: Sink) -> None:
    many = [telling(number, subject=f"s{number}") for number in range(sink.most)]
    request = sink.request(many, NOW)
    assert request is not None
    assert all(each.kept.alert.id[:12].encode() in request.body for each in many)


def test_whatever_callers_call_themselves(sink: Sink) -> None:
    request = sink.request([telling(subject=NASTY, callee=NASTY, operation=NASTY, calls=(NASTY,))], NOW)
    assert request is not None
    json.loads(request.body)
    assert len(request.body) < 200_000
    if sink.name == "slack":
        text = json.loads(request.body)["text"]
        assert "<" not in text
        assert ">" not in text
        assert "@here" not in text
        assert text.isprintable() or "\u200b" in text
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "&lt;!channel&gt;" in text
        assert len(text) < 3000


def test_no_part_of_a_url_that_may_be_secret_can_be_shown(sink: Sink) -> None:
    assert "hidden" not in sink.target.origin
    assert "hidden" not in repr(sink.target)


def test_what_was_acknowledged(sink: Sink) -> None:
    request = sink.request([telling(what="acknowledged", state="acknowledged")], NOW)
    if sink.name == "slack":
        assert request is None
        return
    assert request is not None
    body = json.loads(request.body)
    if sink.name == "alertmanager":
        assert body[0]["endsAt"] == "2026-11-26T12:00:00.000Z"
    elif sink.name == "webhook":
        assert (body["type"], body["data"]["state"]) == ("alert.acknowledged", "acknowledged")
    else:
        assert (body[0]["activity_id"], body[0]["status_id"]) == (2, 2)


def test_reminders(sink: Sink) -> None:
    assert sink.reminder([], NOW) is None
    request = sink.reminder([kept()], NOW)
    assert (request is not None) is (sink.name == "alertmanager")


@pytest.mark.parametrize(
    ("variable", "value", "what"),
    [
        ("INWARD_ALERT_WEBHOOK", "hooks.example.com/hidden", "is no URL"),
        ("INWARD_ALERT_WEBHOOK", "ftp://hooks.example.com/hidden", "is no URL"),
        ("INWARD_ALERT_WEBHOOK", "https://hooks.example.com/hid den", "is no URL"),
        ("INWARD_ALERT_WEBHOOK", "https://[::1/hidden", "is no URL"),
        ("INWARD_ALERT_WEBHOOK", "https://h:99999/hidden", "is no URL"),
        ("INWARD_ALERT_SLACK", "https://user:hidden@host/", "has a user"),
        ("INWARD_ALERTMANAGER", "http://host/#hidden", "has a user"),
        ("INWARD_ALERT_WEBHOOK_SECRET", "", "a webhook needs"),
        ("INWARD_ALERT_WEBHOOK_SECRET", "hidden", "is no secret of a webhook"),
        ("INWARD_ALERT_WEBHOOK_SECRET", "whsec_hidden", "is no secret of a webhook"),
        ("INWARD_ALERT_WEBHOOK_SECRET", "whsec_" + "a" * 400, "is no secret of a webhook"),
    ],
)
def test_what_cannot_be_used_is_said_without_it(variable: str, value: str, what: str) -> None:
    with pytest.raises(SinkError, match=what) as raised:
        sinks_of({**VARIABLES, variable: value}, attacks_of(tuple))
    assert "hidden" not in raised.value.advice


def test_a_path_is_put_behind_that_of_alertmanager() -> None:
    assert SINKS["alertmanager"].target.path == "/prefix/api/v2/alerts"
    assert SINKS["alertmanager"].target.origin == "http://alertmanager:9093"
    assert SINKS["alertmanager"].target.in_the_clear
    assert not SINKS["webhook"].target.in_the_clear
    (local,) = sinks_of({"INWARD_ALERTMANAGER": "http://127.0.0.1:9093"}, attacks_of(tuple))
    assert not local.target.in_the_clear
