"""The attributes that log records and spans of calls have in common."""

from __future__ import annotations

import msgspec
import pytest
from google.protobuf.wrappers_pb2 import BytesValue
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.semconv._incubating.attributes import enduser_attributes, rpc_attributes
from opentelemetry.semconv._incubating.attributes.http_attributes import HTTP_REQUEST_BODY_SIZE, HTTP_RESPONSE_BODY_SIZE
from opentelemetry.semconv.attributes import client_attributes, http_attributes, url_attributes
from tests.receiver import values
from tests.unit.record.export.calls import FULL

from inward.record.call import Call
from inward.record.export.otlp import (
    attribute,
    call_attributes,
    framed,
    grpc_status,
    nanoseconds,
    parent_bytes,
    resource,
    span_bytes,
    trace_bytes,
)


def test_names_are_those_of_the_conventions() -> None:
    said = values(call_attributes(FULL))
    assert {name: value for name, value in said.items() if not name.startswith("inward.")} == {
        http_attributes.HTTP_REQUEST_METHOD: "GET",
        http_attributes.HTTP_ROUTE: "/orders/{id}",
        http_attributes.HTTP_RESPONSE_STATUS_CODE: 200,
        url_attributes.URL_PATH: "/orders/42",
        HTTP_REQUEST_BODY_SIZE: 0,
        HTTP_RESPONSE_BODY_SIZE: 99,
        client_attributes.CLIENT_ADDRESS: "192.0.2.7",
        enduser_attributes.ENDUSER_ID: "alice",
    }


def test_every_field_is_somewhere() -> None:
    """A field that is added to calls must be sent on, or be named here."""
    said = {name.removeprefix("inward.") for name in values(call_attributes(FULL))}
    called = {
        "address": "client.address",
        "bytes_in": "http.request.body.size",
        "bytes_out": "http.response.body.size",
        "method": "http.request.method",
        "parameters": "parameter.id",
        "path": "http.route",
        "status": "http.response.status_code",
        "user": "enduser.id",
    }
    elsewhere = {"time", "trace", "span", "duration_us", "grpc_status"}  # of the record or span itself; only of gRPC
    values_only_sometimes = {"withheld", "sent", "detail"}
    full = msgspec.structs.replace(FULL, withheld=("pii",), sent=("pii",), detail="odd")
    for field in Call.__struct_fields__:
        assert field in elsewhere | values_only_sometimes or called.get(field, field) in said, field
    assert {f"inward.{name}" for name in values_only_sometimes} <= set(values(call_attributes(full)))


def test_a_method_that_nobody_knows() -> None:
    said = values(call_attributes(msgspec.structs.replace(FULL, method="BREW\r\n")))
    assert (said["http.request.method"], said["http.request.method_original"]) == ("_OTHER", "BREW\r\n")


def test_a_grpc_call() -> None:
    call = msgspec.structs.replace(FULL, method="POST", path="/pkg.Orders/Get", parameters={}, grpc_status=7)
    said = values(call_attributes(call))
    assert said[rpc_attributes.RPC_SYSTEM_NAME] == "grpc"
    assert said[rpc_attributes.RPC_METHOD] == "pkg.Orders/Get"
    assert said[rpc_attributes.RPC_RESPONSE_STATUS_CODE] == "PERMISSION_DENIED"
    assert (grpc_status(16), grpc_status(17), grpc_status(-1)) == ("UNAUTHENTICATED", "17", "-1")


def test_a_path_that_belongs_to_no_operation_is_no_route() -> None:
    said = values(call_attributes(msgspec.structs.replace(FULL, operation=None, parameters={}, path="/x/1")))
    assert "http.route" not in said
    assert said["url.path"] == "/x/1"


@pytest.mark.parametrize(("number", "kept"), [(2**63 - 1, 2**63 - 1), (2**63, str(2**63)), (-(2**63), -(2**63))])
def test_integers_that_otlp_has_no_room_for_become_text(number: int, kept: int | str) -> None:
    assert values([attribute("n", number)])["n"] == kept


def test_times() -> None:
    assert nanoseconds("2026-11-26T12:00:00.123Z") == 1795694400_123_000_000
    for none in ("", "yesterday", "2026-11-26T12:00:00.123", "1969-12-31T23:59:59.000Z", "0001-01-01T00:00:00+23:59"):
        with pytest.raises((ValueError, OverflowError)):
            nanoseconds(none)


@pytest.mark.parametrize("wrong", [None, "", "0" * 32, "F" * 32, "a" * 31, "a" * 33, "a" * 32 + "\n", "٣" * 32])
def test_ids_that_are_none(wrong: str | None) -> None:
    half = None if wrong is None else wrong[:8] + wrong[16:24] + wrong[32:]
    call = msgspec.structs.replace(FULL, trace=wrong, span=half)
    assert trace_bytes(call) == b""
    if half != "a" * 16:
        assert parent_bytes(call) == b""


def test_ids() -> None:
    assert trace_bytes(FULL).hex() == FULL.trace
    assert parent_bytes(FULL).hex() == FULL.span
    assert span_bytes(bytes(range(32))) == bytes(range(8))
    assert any(span_bytes(bytes(8) + b"\x07" * 24))
    assert any(span_bytes(bytes(32)))
    assert len(span_bytes(bytes(32))) == 8


def test_who_tells() -> None:
    told = values(
        resource("inward", "shop.internal", {"service.name": "mine", "deployment.environment": "test"}).attributes
    )
    assert told == {
        "service.name": "inward",
        "inward.trust_domain": "shop.internal",
        "deployment.environment": "test",
    }


@given(
    st.integers(1, 15), st.binary(max_size=50) | st.sampled_from([bytes(127), bytes(128), bytes(16383), bytes(16384)])
)
def test_a_frame_is_what_protobuf_makes(number: int, content: bytes) -> None:
    assert framed(1, content) == (BytesValue(value=content).SerializeToString() or b"\x0a\x00")
    assert framed(number, content) == bytes([number << 3 | 2]) + framed(1, content)[1:]
