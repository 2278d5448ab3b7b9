"""OCSF events: each is valid by the schema of OCSF itself, whatever the call."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from inward.record.call import Call
from inward.record.export.ocsf import SCHEMA_VERSION, api_activity

ALLOWED = Call(
    time="2026-11-26T12:00:00.123Z",
    id="0f3c9a52-0000-4000-8000-000000000000",
    caller="checkout",
    callee="orders",
    operation="orders:getOrder",
    method="GET",
    path="/orders/42",
    decision="allow",
    carried_out="allow",
    reason="granted",
    policies=("sellers-read",),
    policy_version="0123456789ab",
    status=200,
    duration_us=1234,
    bytes_in=0,
    bytes_out=99,
    trace="4bf92f3577b34da6a3ce929d0e0e4736",
    src="orders/access-00000001.log:99",
)


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
    event = valid(ALLOWED)
    assert (event["class_uid"], event["type_uid"], event["activity_id"]) == (6003, 600302, 2)
    assert event["time"] == 1795694400123
    assert (event["action_id"], event["disposition_id"], event["status_id"], event["severity_id"]) == (1, 1, 1, 1)
    assert (event["src_endpoint"], event["dst_endpoint"]) == ({"svc_name": "checkout"}, {"svc_name": "orders"})
    assert event["api"]["operation"] == "orders:getOrder"
    assert event["http_request"]["url"] == {"path": "/orders/42"}
    assert (event["duration"], event["http_response"]["latency"]) == (1, 1)
    assert event["metadata"]["correlation_uid"] == ALLOWED.trace
    assert event["unmapped"]["policy_version"] == "0123456789ab"


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
    event = valid(msgspec.structs.replace(ALLOWED, **changed))
    assert (event["action_id"], event["disposition_id"], event["status_id"]) == (action, disposition, status)


def test_the_schema_would_notice() -> None:
    wrongs: list[dict[str, Any]] = [{"action_id": 7}, {"nothing": 1}, {"api": {}}, {"type_uid": 1}]
    for wrong in wrongs:
        with pytest.raises(jsonschema_rs.ValidationError):
            schema().validate({**api_activity(ALLOWED), **wrong})


COUNTS = st.none() | st.integers(0, 2**53)
CALLS = st.builds(
    Call,
    time=st.just(ALLOWED.time),
    status=st.none() | st.integers(100, 999),
    grpc_status=st.none() | st.integers(0, 16),
    duration_us=COUNTS,
    bytes_in=COUNTS,
    bytes_out=COUNTS,
)


@given(CALLS)
def test_any_call_is_valid(call: Call) -> None:
    event = valid(call)
    assert (event["http_request"].get("http_method") or event["unmapped"].get("method")) == call.method
