"""A receiver of what is sent on: OTLP over HTTP, decoded by OpenTelemetry's own messages, or JSON.

What it does with a request is given by a function; what it took is kept. It listens on a free port of this machine.
"""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Request:
    """A request, with its body as it was before it was compressed."""

    path: str
    headers: dict[str, str]
    body: bytes

    def logs(self) -> Iterator[LogRecord]:
        for resource in ExportLogsServiceRequest.FromString(self.body).resource_logs:
            for scope in resource.scope_logs:
                yield from scope.log_records

    def spans(self) -> Iterator[tuple[dict[str, Any], Span]]:
        """Yield spans, each with the attributes of its resource."""
        for resource in ExportTraceServiceRequest.FromString(self.body).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    yield values(resource.resource.attributes), span

    @cached_property
    def uids(self) -> list[str]:
        """What tells the items from each other, in the order in which they came."""
        if self.path == "/v1/logs":
            return [values(record.attributes)["log.record.uid"] for record in self.logs()]
        if self.path == "/v1/metrics":
            return []
        if self.path == "/v1/traces":
            return [span.span_id.hex() for _, span in self.spans()]
        return [event["metadata"]["uid"] for event in self.events()]

    def events(self) -> list[dict[str, Any]]:
        if self.headers["content-type"] == "application/x-ndjson":
            return [json.loads(line) for line in self.body.splitlines()]
        found: list[dict[str, Any]] = json.loads(self.body)
        return found


def values(attributes: Any) -> dict[str, Any]:
    """Return attributes as Python values."""
    return {each.key: value_of(each) for each in attributes}


def value_of(attribute: KeyValue) -> Any:
    kind = attribute.value.WhichOneof("value")
    assert kind is not None
    value = getattr(attribute.value, kind)
    return [each.string_value for each in value.values] if kind == "array_value" else value


@dataclass
class Reply:
    """An answer: a status with headers and a body, or a way to give none."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    hang: bool = False  # say nothing, until the receiver ends
    reset: bool = False  # end the connection in the middle
    endless: bool = False  # a body that does not end


class Receiver:
    """Takes requests. `behave` says what is answered; what was answered with a success is in `taken`."""

    def __init__(self, behave: Callable[[Request], Reply] | None = None, tls: tuple[Path, Path] | None = None) -> None:
        self.behave = behave or (lambda _: Reply())
        self.requests: list[Request] = []
        self.taken: list[Request] = []
        self.ended = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver._answer(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that it has there
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Say nothing of connections that ended early."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._tls = tls is not None
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        if handler.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        request = Request(handler.path, headers, body)
        reply = self.behave(request)
        if 200 <= reply.status < 300 and not (reply.hang or reply.reset):
            self.taken.append(request)
        self.requests.append(request)
        with suppress(OSError):
            self._send(handler, reply)

    def _send(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        if reply.hang:
            self.ended.wait()
            handler.close_connection = True
            return
        if reply.reset:
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            handler.connection.close()
            handler.close_connection = True
            return
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        if not reply.endless:
            handler.send_header("content-length", str(len(reply.body)))
        handler.end_headers()
        handler.wfile.write(reply.body)
        while reply.endless and not self.ended.is_set():
            handler.wfile.write(b"x" * 65536)

    def uids(self) -> list[str]:
        """Return the uids of all items that were taken, doubles among them."""
        return [uid for request in self.taken for uid in request.uids]
