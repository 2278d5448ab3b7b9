"""Envoy's tap: the filter that can copy answers, what it is asked for, and what it gives.

A tap is attached by a request to the admin socket, and takes itself off when it has seen so many answers or so many
seconds have passed; while none is attached the filter does nothing. What it copies is in Envoy's memory until the one
who asked has it: no more than `MAX_ANSWERS` of `MAX_BODY` bytes each, however slowly that is read, and as much of each
answer of its share that is under way. A call is never held back for it.

# INVARIANT: a tap's only sink is the answer to the request that attached it: Envoy writes what it copied to no file and
no other address.

It leaves out the bodies of requests. Their headers, which may hold secrets, Envoy copies always: they are thrown away
here, but for the method and the path without its query.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from inward.envoy.resources.proto import TAP, Resource, extension
from inward.errors import InwardError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inward.catalog.model import Operation

MAX_ANSWERS = 16  # of one tap
MAX_BODY = 256 * 1024  # bytes of a body that are copied
SECONDS = 5  # that a tap is attached at most
_ID = "answers"
_MILLION = 1_000_000
_END = b"\n}\n"  # of an answer: within one every line is indented, and in texts line feeds are escaped


class TapError(InwardError):
    """What a tap gave is not what it was asked for."""

    code = "tap"


@dataclass(frozen=True, slots=True)
class Tapped:
    """A copy of an answer, and of which request. `truncated`: the body goes on, beyond `MAX_BODY`.

    # INVARIANT: `body` is seen by nobody but whoever looks for undeclared data in it, and is written nowhere.
    """

    method: str
    path: str  # without its query
    status: int
    content_type: str
    encoding: str  # lower case; empty where there is none
    body: bytes
    truncated: bool

    def __repr__(self) -> str:
        return f"Tapped({self.method} …, {self.status}, {len(self.body)} bytes)"  # it may end in a log


def tap_filter() -> Resource:
    """Return the filter as it stands in every ingress."""
    return extension("envoy.filters.http.tap", TAP, common_config={"admin_config": {"config_id": _ID}})


def tap_request(share: float, known: Iterable[Operation] = ()) -> bytes:
    """Return what to send to `POST /tap`: copy that share of the answers with JSON, but none of the operations `known`.

    `share` is from 0 to 1. A share is of all requests, chosen by chance; which ones nobody outside can tell.
    """
    json_answers = {"http_response_headers_match": {"headers": [_header("content-type", contains="json")]}}
    skipped = [{"not_match": _requests_of(operation)} for operation in known]
    rules = [json_answers, *skipped]
    sink = {
        "format": "JSON_BODY_AS_BYTES",
        "buffered_admin": {"max_traces": MAX_ANSWERS, "timeout": f"{SECONDS}s"},
    }
    return msgspec.json.encode(
        {
            "config_id": _ID,
            "tap_config": {
                "tap_enabled": {"default_value": {"numerator": round(share * _MILLION), "denominator": "MILLION"}},
                "match": {"and_match": {"rules": rules}} if skipped else json_answers,
                "output_config": {
                    "sinks": [sink],
                    "max_buffered_rx_bytes": 0,
                    "max_buffered_tx_bytes": MAX_BODY,
                },
            },
        }
    )


def _header(name: str, **matcher: object) -> Resource:
    return {"name": name, "string_match": {**matcher, "ignore_case": True} if "contains" in matcher else matcher}


def _requests_of(operation: Operation) -> Resource:
    path = {"safe_regex": {"regex": rf"(?:{operation.template.regex})(?:\?.*)?"}}
    headers = [_header(":method", exact=operation.method), {"name": ":path", "string_match": path}]
    return {"http_request_headers_match": {"headers": headers}}


class _Header(msgspec.Struct):
    key: str = ""
    value: str = ""  # empty where it is no UTF-8


class _Body(msgspec.Struct):
    as_bytes: bytes = b""
    truncated: bool = False


class _Message(msgspec.Struct):
    headers: list[_Header] = msgspec.field(default_factory=list)
    body: _Body = msgspec.field(default_factory=_Body)


class _Trace(msgspec.Struct):
    request: _Message = msgspec.field(default_factory=_Message)
    response: _Message = msgspec.field(default_factory=_Message)


class _Wrapper(msgspec.Struct):
    http_buffered_trace: _Trace


_decoder = msgspec.json.Decoder(_Wrapper)


def parse_tapped(given: bytes) -> Iterator[Tapped]:
    """Yield the answers in what `POST /tap` gave; raise `TapError`, whose text says nothing of them."""
    for text in given.split(_END):
        if not text.strip():
            continue
        try:
            trace = _decoder.decode(text + _END).http_buffered_trace
            yield _tapped(trace)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise TapError("what Envoy's tap gave cannot be read") from None


def _tapped(trace: _Trace) -> Tapped:
    asked = {header.key: header.value for header in trace.request.headers}
    answered = {header.key: header.value for header in trace.response.headers}
    return Tapped(
        method=asked.get(":method", ""),
        path=asked.get(":path", "").partition("?")[0],
        status=int(answered.get(":status", "0")),
        content_type=answered.get("content-type", ""),
        encoding=answered.get("content-encoding", "").strip().lower(),
        body=trace.response.body.as_bytes,
        truncated=trace.response.body.truncated,
    )
