"""Spans: the call's own trace goes on, below the span of its caller."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from tests.receiver import values
from tests.unit.record.export.calls import ANY, FULL

from inward.record.call import Act, Call, Gap
from inward.record.export.encoding import entry_uid
from inward.record.export.otlp_spans import SpanOf, Spans

SPANS = Spans("shop.internal", {})
EGRESS: dict[str, Any] = {"enforcer": "egress", "status": 503, "reason": "unreachable"}


class Made(NamedTuple):
    service: str
    span: Span


def encoded(call: Call, skipped: int = 0) -> SpanOf:
    found = SPANS.item(call, skipped)
    assert found is not None
    return found


def made(call: Call, skipped: int = 0) -> Made:
    (resource,) = ExportTraceServiceRequest.FromString(SPANS.body([encoded(call, skipped)])).resource_spans
    assert values(resource.resource.attributes)["inward.trust_domain"] == "shop.internal"
    (scope,) = resource.scope_spans
    assert scope.scope.name == "inward"
    (span,) = scope.spans
    return Made(values(resource.resource.attributes)["service.name"], span)


def test_a_call_continues_its_trace() -> None:
    service, span = made(FULL)
    assert service == "orders"
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (FULL.trace, FULL.span)
    assert span.span_id == entry_uid(FULL)[:8]
    assert (span.name, span.kind) == ("GET /orders/{id}", Span.SPAN_KIND_SERVER)
    assert span.end_time_unix_nano - span.start_time_unix_nano == 1234_000
    assert span.flags == 0x301  # sampled, and the parent is known to be remote
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert values(span.attributes)["inward.reason"] == "granted"


def test_what_an_egress_decided_is_a_span_of_the_caller() -> None:
    service, span = made(msgspec.structs.replace(FULL, **EGRESS))
    assert (service, span.kind) == ("checkout", Span.SPAN_KIND_CLIENT)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"status": 403, "decision": "deny", "carried_out": "deny"}, None),
        ({"status": 499}, None),
        ({"status": 500}, "500"),
        ({"status": None}, "no_answer"),
        ({"grpc_status": 0}, None),
        ({"grpc_status": 7}, None),
        ({"grpc_status": 13}, "INTERNAL"),
        ({**EGRESS, "status": 404}, "404"),
        ({**EGRESS, "grpc_status": 7}, "PERMISSION_DENIED"),
    ],
)
def test_what_counts_as_an_error(changed: dict[str, Any], error: str | None) -> None:
    span = made(msgspec.structs.replace(FULL, **changed)).span
    assert values(span.attributes).get("error.type") == error
    assert span.status.code == (Status.STATUS_CODE_UNSET if error is None else Status.STATUS_CODE_ERROR)


def test_names_are_few() -> None:
    assert (
        made(msgspec.structs.replace(FULL, operation=None, method="BREW", path="/1")).span.name
        == "an unknown operation"
    )
    grpc = msgspec.structs.replace(FULL, path="/pkg.Orders/Get", parameters={}, grpc_status=0)
    assert made(grpc).span.name == "pkg.Orders/Get"


def test_what_has_no_trace_has_no_span() -> None:
    assert SPANS.item(msgspec.structs.replace(FULL, trace=None), 0) is None
    assert SPANS.item(msgspec.structs.replace(FULL, trace="0" * 32), 0) is None
    assert SPANS.item(Gap(time=FULL.time, why="a test"), 0) is None
    assert SPANS.item(Act(time=FULL.time, what="start"), 0) is None


def test_without_a_parent_it_is_a_root_of_its_trace() -> None:
    assert made(msgspec.structs.replace(FULL, span=None)).span.parent_span_id == b""


@pytest.mark.parametrize(("given_us", "kept_ns"), [(None, 0), (-5, 0), (10**30, 366 * 86400 * 10**9)])
def test_durations_that_cannot_be(given_us: int | None, kept_ns: int) -> None:
    span = made(msgspec.structs.replace(FULL, duration_us=given_us)).span
    assert span.end_time_unix_nano - span.start_time_unix_nano == kept_ns


def test_spans_of_a_service_are_together() -> None:
    other = msgspec.structs.replace(FULL, callee="payments")
    body = SPANS.body([encoded(FULL), encoded(other), encoded(msgspec.structs.replace(FULL, id="2"), skipped=9)])
    assert ExportTraceServiceRequest.FromString(body).SerializeToString() == body
    found = {
        values(resource.resource.attributes)["service.name"]: list(resource.scope_spans[0].spans)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
    }
    assert {service: len(spans) for service, spans in found.items()} == {"orders": 2, "payments": 1}
    assert values(found["orders"][1].attributes)["inward.skipped"] == 9


def test_a_partial_success() -> None:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 2
    answer.partial_success.error_message = "too old"
    assert SPANS.rejected(answer.SerializeToString()) == (2, "too old")
    assert SPANS.rejected(b"\xff\xff") == (0, "")


@given(ANY)
def test_any_call_with_a_trace_can_be_sent(call: Call) -> None:
    item = SPANS.item(call, 0)
    if item is None:
        return
    body = SPANS.body([item])
    (span,) = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans
    assert span.trace_id.hex() == call.trace
    assert any(span.span_id)
    assert SPANS.size(item) < len(body)
