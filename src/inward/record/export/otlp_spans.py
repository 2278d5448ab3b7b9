"""Calls as OTLP spans: each call that came with a trace is one span of that trace, below the span of its caller.

The span belongs to the service whose enforcer decided: the callee's, of kind server; where the caller's egress did, the
caller's, of kind client. Rules:

1. A call without a trace has no span: there is nothing that it could be shown in.
2. Whether its caller sampled the trace is not recorded: every call that came with one has a span.
3. The id of a span follows from the entry, so one that is sent twice is the same span.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, SpanFlags, Status

from inward.record.call import Call
from inward.record.export.encoding import entry_uid
from inward.record.export.otlp import (
    CONTENT_TYPE,
    SAMPLED,
    SCOPE,
    SERVICE,
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

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inward.record.call import Entry

_RESOURCE_SPANS = ExportTraceServiceRequest.RESOURCE_SPANS_FIELD_NUMBER
_RESOURCE, _SCOPE_SPANS = ResourceSpans.RESOURCE_FIELD_NUMBER, ResourceSpans.SCOPE_SPANS_FIELD_NUMBER
_SPANS = ScopeSpans.SPANS_FIELD_NUMBER
_SCOPE_FRAMED = framed(ScopeSpans.SCOPE_FIELD_NUMBER, SCOPE.SerializeToString())
_FLAGS = SpanFlags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK | SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK | SAMPLED
_LONGEST_US = 366 * 86400 * 1_000_000
_CLIENT_ERROR, _SERVER_ERROR = 400, 500
# those for which the service is to blame, by the semantic conventions of gRPC
_GRPC_SERVER_ERRORS = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)


class SpanOf(NamedTuple):
    """A span, encoded, and the service that it belongs to."""

    service: str
    span: bytes


class Spans:
    """Encodes calls as spans."""

    content_type = CONTENT_TYPE

    def __init__(self, trust_domain: str, more: Mapping[str, str]) -> None:
        self._trust_domain = trust_domain
        self._more = more

    def item(self, entry: Entry, skipped: int) -> SpanOf | None:
        """Return the span of a call that came with a trace."""
        if not isinstance(entry, Call) or not (trace := trace_bytes(entry)):
            return None
        uid, start = entry_uid(entry), nanoseconds(entry.time)
        client = entry.enforcer == "egress"
        span = Span(
            trace_id=trace,
            span_id=span_bytes(uid),
            parent_span_id=parent_bytes(entry),
            flags=_FLAGS,
            name=_name(entry),
            kind=Span.SPAN_KIND_CLIENT if client else Span.SPAN_KIND_SERVER,
            start_time_unix_nano=start,
            end_time_unix_nano=start + min(max(0, entry.duration_us or 0), _LONGEST_US) * 1000,
        )
        attributes = list(call_attributes(entry))
        error = _error(entry, client=client)
        if error is not None:
            span.status.code = Status.STATUS_CODE_ERROR
            attributes.append(attribute("error.type", error))
        if skipped:
            attributes.append(attribute("inward.skipped", skipped))
        span.attributes.extend(attributes)
        service = (entry.caller if client else entry.callee) or SERVICE
        return SpanOf(service, framed(_SPANS, span.SerializeToString()))

    def size(self, item: SpanOf) -> int:
        """Return how many bytes a span takes."""
        return len(item.span)

    def body(self, items: Sequence[SpanOf]) -> bytes:
        """Return an export request, with the spans of each service together."""
        scopes: dict[str, bytearray] = {}
        for service, span in items:
            scopes.setdefault(service, bytearray(_SCOPE_FRAMED)).extend(span)
        return b"".join(
            framed(_RESOURCE_SPANS, self._resource(service) + framed(_SCOPE_SPANS, bytes(scope)))
            for service, scope in scopes.items()
        )

    def _resource(self, service: str) -> bytes:
        return framed(_RESOURCE, resource(service, self._trust_domain, self._more).SerializeToString())

    def rejected(self, answer: bytes) -> tuple[int, str]:
        """Return what an export response says of a partial success."""
        try:
            partial = ExportTraceServiceResponse.FromString(answer).partial_success
        except DecodeError:
            return 0, ""
        return max(0, partial.rejected_spans), partial.error_message


def _name(call: Call) -> str:
    """Return a name of which there are few: nothing in it was chosen by a caller."""
    if call.operation is None or call.path is None:
        return "an unknown operation"
    if call.grpc_status is not None:
        return call.path.removeprefix("/")
    return f"{call.method} {call.path}"


def _error(call: Call, *, client: bool) -> str | None:
    """Return what went wrong, for `error.type`; None where nothing did that counts as an error of this kind of span."""
    if call.grpc_status is not None:
        status = grpc_status(call.grpc_status)
        return status if status in _GRPC_SERVER_ERRORS or (client and status != "OK") else None
    if call.status is None:
        return "no_answer"
    return str(call.status) if call.status >= (_CLIENT_ERROR if client else _SERVER_ERROR) else None
