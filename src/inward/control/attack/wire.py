"""Sending what an intruder would, byte by byte, and reading a bounded answer.

HTTP libraries tidy up what they send, and refuse to send some of what is tried here. Rules: one connection a try; of an
answer no more is read than `MOST_BYTES`, and for no longer than `SECONDS` after its head.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import time
import urllib.parse
from typing import TYPE_CHECKING

from inward.control.attack.attempt import Sent
from inward.control.egress_client import Answer, NoAnswerError
from inward.policy.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.catalog.model import Address

MOST_BYTES = 4 << 20
SECONDS = 5.0
LATE = f"nothing came within {SECONDS:g} seconds"
_BLOCK = 64 << 10
_SAID_CHARACTERS = 200
_IN_SOURCE = re.compile(r" \(_ssl\.c:[0-9]+\)")  # where a library says that it failed
_GRPC_REFUSAL = re.compile(r"(?P<code>[a-z_]+): .* \(urn:uuid:(?P<reference>[0-9a-f-]+)\)")
_REASONS = frozenset(Reason)


def ask(
    address: Address, request: bytes, *, method: str = "GET", context: ssl.SSLContext | None = None
) -> tuple[int, Answer]:
    """Connect, by TLS where a context is given, send a request, and return the own port and the answer.

    Raises `UnansweredError` where nothing answers in HTTP, and `OSError` where nothing listens.
    """
    connection = socket.create_connection((address.host, address.port), timeout=SECONDS)
    port: int = connection.getsockname()[1]
    try:
        if context is not None:
            connection = context.wrap_socket(connection)
        connection.sendall(request)
        return port, _read(connection, method)
    except (OSError, http.client.HTTPException) as error:
        raise UnansweredError(_said(error), port) from error
    finally:
        connection.close()


class UnansweredError(NoAnswerError):
    """Something listens, and gave no answer in HTTP. `port` is the own one of the connection."""

    code = "unanswered"

    def __init__(self, message: str, port: int) -> None:
        super().__init__(message)
        self.port = port


def attempt(send: Callable[[], tuple[int, Answer]]) -> Sent:
    """Return what comes back of sending something, or why nothing does."""
    try:
        port, answer = send()
    except UnansweredError as error:
        return Sent(said=error.message, port=error.port)
    except OSError as error:
        return Sent(said=_said(error))
    return sent_of(answer, port)


def sent_of(answer: Answer, port: int | None = None) -> Sent:
    """Return what is kept of an answer: by HTTP, or of a gRPC call (whose status is in `grpc-message`)."""
    code, reference = answer.problem.get("code"), answer.reference
    told = _GRPC_REFUSAL.fullmatch(urllib.parse.unquote(answer.header("grpc-message") or ""))
    if told is not None:
        code, reference = told["code"], told["reference"]
    return Sent(answer.status, code if code in _REASONS else None, reference, port)


def _read(connection: socket.socket, method: str) -> Answer:
    started = time.monotonic()
    response = http.client.HTTPResponse(connection, method=method)
    try:
        response.begin()
        headers = tuple((name, value) for name, value in response.getheaders())
        deadline, body = time.monotonic() + SECONDS, b""
        while len(body) < MOST_BYTES and time.monotonic() < deadline and (block := response.read1(_BLOCK)):
            body += block
        return Answer(response.status, response.reason, headers, body, time.monotonic() - started)
    finally:
        response.close()


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return LATE
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    said = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    return _IN_SOURCE.sub("", said.lower().splitlines()[0])[:_SAID_CHARACTERS]
