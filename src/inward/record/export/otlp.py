"""Calls in the words of OpenTelemetry: the attributes that a log record and a span of one have in common.

Names are those of the semantic conventions where these have one, else `inward.` and the field's name in the record.
Nothing is invented: what a call does not say is left out.
"""

from __future__ import annotations

import re
from calendar import timegm
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from inward import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inward.record.call import Call

CONTENT_TYPE = "application/x-protobuf"
SERVICE = "inward"  # who tells of the record
SCOPE = InstrumentationScope(name="inward", version=__version__)
SAMPLED = 1  # the trace flag of W3C Trace Context
_METHODS: Final = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})
_GRPC_STATUS: Final = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
_OURS: Final = {
    f"inward.{field}": field
    for field in (
        "caller",
        "callee",
        "operation",
        "decision",
        "carried_out",
        "reason",
        "policies",
        "mode",
        "enforcer",
        "policy_version",
        "withheld",
        "sent",
    )
}  # that have few values
_TRACE = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN = re.compile(r"(?!0{16})[0-9a-f]{16}")
_MOST = 1 << 63  # an integer of an attribute is below it
_MORE = 0x80  # in a varint: another byte follows

Value = str | int | tuple[str, ...]


def nanoseconds(time: str) -> int:
    """Return a time of the record as nanoseconds since 1970. Raises `ValueError` for one that is none."""
    moment = datetime.fromisoformat(time)
    if moment.tzinfo is None:
        raise ValueError(f"`{time}` has no time zone")
    seconds = timegm(moment.utctimetuple())
    if seconds < 0:
        raise ValueError(f"`{time}` is before 1970")
    return seconds * 1_000_000_000 + moment.microsecond * 1000


def trace_bytes(call: Call) -> bytes:
    """Return the trace id of a call; empty where it has none that can be used."""
    return bytes.fromhex(call.trace) if call.trace is not None and _TRACE.fullmatch(call.trace) else b""


def parent_bytes(call: Call) -> bytes:
    """Return the id of the span that a call belongs to; empty where it has none that can be used."""
    return bytes.fromhex(call.span) if call.span is not None and _SPAN.fullmatch(call.span) else b""


def span_bytes(uid: bytes) -> bytes:
    """Return the id of the span of the call with that uid: the same whenever it is asked, and never zero."""
    return uid[:8] if any(uid[:8]) else uid[-8:-1] + b"\x01"


def resource(service: str, trust_domain: str, more: Mapping[str, str]) -> Resource:
    """Return who tells: a service of a trust domain; `more` has attributes that people added."""
    told = {**more, "service.name": service, "inward.trust_domain": trust_domain}
    return Resource(attributes=[attribute(name, value) for name, value in sorted(told.items())])


def attribute(name: str, value: Value) -> KeyValue:
    """Return one attribute; an integer that OTLP has no room for becomes a text."""
    made = KeyValue(key=name)
    if isinstance(value, tuple):
        made.value.array_value.CopyFrom(ArrayValue(values=[AnyValue(string_value=each) for each in value]))
    elif isinstance(value, int) and -_MOST <= value < _MOST:
        made.value.int_value = value
    else:
        made.value.string_value = str(value)
    return made


# Of what most calls say alike; nobody may change what it returns.
_shared = lru_cache(maxsize=4096)(attribute)


def grpc_status(number: int) -> str:
    """Return the name of a gRPC status."""
    return _GRPC_STATUS[number] if 0 <= number < len(_GRPC_STATUS) else str(number)


def framed(number: int, content: bytes) -> bytes:
    """Return `content` as the field `number` of a message: its tag, its length, itself (protobuf's wire format).

    A request is put together of what was encoded once: copying messages into messages took more than encoding them.
    """
    frame = bytearray([number << 3 | 2])
    length = len(content)
    while length >= _MORE:
        frame.append(length & (_MORE - 1) | _MORE)
        length >>= 7
    frame.append(length)
    return bytes(frame) + content


def call_attributes(call: Call) -> Iterator[KeyValue]:
    """Yield what a call says, but for its time, its trace and its parameters' place in the path."""
    method = call.method
    if method is not None and method not in _METHODS:
        yield attribute("http.request.method_original", method)
        method = "_OTHER"
    if method is not None:
        yield _shared("http.request.method", method)
    for name, value in (
        ("http.route", call.path if call.operation is not None else None),
        ("url.path", call.full_path),
        ("http.response.status_code", call.status),
        ("http.request.body.size", call.bytes_in),
        ("http.response.body.size", call.bytes_out),
        ("client.address", call.address),
        ("enduser.id", call.user),
        ("inward.id", call.id),
        ("inward.detail", call.detail),
        ("inward.src", call.src),
    ):
        if value is not None:
            yield attribute(name, value)
    if call.grpc_status is not None:
        yield _shared("rpc.system.name", "grpc")
        yield _shared("rpc.response.status_code", grpc_status(call.grpc_status))
        if call.operation is not None and call.path is not None:
            yield _shared("rpc.method", call.path.removeprefix("/"))
    for name, field in _OURS.items():
        value = getattr(call, field)
        if value is not None and value != ():
            yield _shared(name, value)
    for name, parameter in call.parameters.items():
        yield attribute(f"inward.parameter.{name}", parameter)
