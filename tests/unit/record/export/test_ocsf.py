"""OCSF events: each is valid by the schema of OCSF itself, whatever the call."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from tests.unit.record.export.calls import ANY, FULL

from inward.record.call import Act, Call, Gap
from inward.record.export.ocsf import SCHEMA_VERSION, Events, api_activity


@cache
def schema() -> jsonschema_rs.Validator:
    """Return what validates an event: every attribute that the schema does not know is a mistake."""
    found = OcsfJsonSchemaEmbedded(get_ocsf_schema(SCHEMA_VERSION)).get_class_schema(
        "api_activity", profiles=["security_control"]
    )
    return jsonschema_rs.validator_for(found)


def valid(call: Call) -> dict[str, Any]:
    event: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(api_activity(call)))
    schema().validate(event)
    return event


def test_an_allowed_call() -> None:
    event = valid(FULL)
    assert (event["class_uid"], event["type_uid"], event["activity_id"]) == (6003, 600302, 2)
    assert event["time"] == 1795694400123
    assert (event["action_id"], event["disposition_id"], event["status_id"], event["severity_id"]) == (1, 1, 1, 1)
    assert event["src_endpoint"] == {"svc_name": "checkout", "ip": "192.0.2.7"}
    assert event["dst_endpoint"] == {"svc_name": "orders"}
    assert event["actor"] == {"app_name": "checkout", "user": {"uid": "alice"}}
    assert event["api"]["operation"] == "orders:getOrder"
    assert event["http_request"]["url"] == {"path": "/orders/42"}
    assert (event["duration"], event["http_response"]["latency"]) == (1, 1)
    assert event["metadata"]["correlation_uid"] == FULL.trace
    assert event["unmapped"]["policy_version"] == "0123456789ab"
    assert (event["unmapped"]["path"], event["unmapped"]["parameters"]) == ("/orders/{id}", {"id": "42"})
    assert event["unmapped"]["span"] == FULL.span


@pytest.mark.parametrize(
    ("changed", "action", "disposition", "status"),
    [
        ({"decision": "deny", "carried_out": "deny", "status": 403}, 2, 2, 2),
        ({"decision": "deny", "mode": "observe"}, 3, 17, 1),
        ({"withheld": ("pii.email",)}, 4, 11, 1),
        ({"withheld": ("pii.email",), "mode": "observe"}, 1, 1, 1),
        ({"status": 503}, 1, 1, 2),
        ({"status": None}, 1, 1, 0),
        ({"method": "POST", "grpc_status": 0}, 1, 1, 1),
        ({"method": "POST", "grpc_status": 7}, 1, 1, 2),
    ],
)
def test_what_was_done_is_said(changed: dict[str, Any], action: int, disposition: int, status: int) -> None:
    event = valid(msgspec.structs.replace(FULL, **changed))
    assert (event["action_id"], event["disposition_id"], event["status_id"]) == (action, disposition, status)


def test_the_schema_would_notice() -> None:
    wrongs: list[dict[str, Any]] = [{"action_id": 7}, {"nothing": 1}, {"api": {}}, {"type_uid": 1}]
    for wrong in wrongs:
        with pytest.raises(jsonschema_rs.ValidationError):
            schema().validate({**api_activity(FULL), **wrong})


@given(ANY)
def test_any_call_is_valid(call: Call) -> None:
    event = valid(call)
    assert (event["http_request"].get("http_method") or event["unmapped"].get("method")) == call.method
    assert event["actor"].get("user", {}).get("uid") == call.user


@pytest.mark.parametrize("address", ["192.0.2.300", "fe80::1%eth0", "a1b2c3", "", "1" * 100, "::ffff:192.0.2.7"])
def test_an_address_that_is_none_for_ocsf_is_kept_all_the_same(address: str) -> None:
    event = valid(msgspec.structs.replace(FULL, address=address))
    if address == "::ffff:192.0.2.7":
        assert event["src_endpoint"]["ip"] == "::ffff:192.0.2.7"
    else:
        assert "ip" not in event["src_endpoint"]
        assert event["unmapped"]["address"] == address


def test_an_event_is_told_from_another_with_the_same_id() -> None:
    again = msgspec.structs.replace(FULL, src="orders/access-00000001.log:199")
    assert valid(FULL)["metadata"]["uid"] == valid(FULL)["metadata"]["uid"]
    assert valid(FULL)["metadata"]["uid"] != valid(again)["metadata"]["uid"]


@pytest.mark.parametrize(("lines", "kind"), [(False, "application/json"), (True, "application/x-ndjson")])
def test_bodies(*, lines: bool, kind: str) -> None:
    events = Events(lines=lines)
    items = [item for skipped in (7, 0) if (item := events.item(FULL, skipped)) is not None]
    body = events.body(items)
    found = [msgspec.json.decode(line) for line in body.splitlines()] if lines else msgspec.json.decode(body)
    assert [event["unmapped"].get("skipped") for event in found] == [7, None]
    assert sum(map(events.size, items)) == pytest.approx(len(body), abs=2)
    assert events.content_type == kind
    assert events.rejected(b"anything") == (0, "")


def test_what_is_no_call_has_no_event() -> None:
    events = Events(lines=False)
    assert events.item(Gap(time=FULL.time, why="it is a test"), 0) is None
    assert events.item(Act(time=FULL.time, what="start"), 0) is None
