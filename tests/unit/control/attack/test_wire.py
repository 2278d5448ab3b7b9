from __future__ import annotations

import socket

import pytest
from tests.unit.control.attack.server import serving

from inward.catalog.model import Address
from inward.control.attack import wire
from inward.control.attack.attempt import Sent
from inward.control.egress_client import Answer

REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer(status, "", named, body, 0.0)


def test_an_answer_is_read() -> None:
    with serving() as address:
        port, back = wire.ask(address, REQUEST)
    assert (back.status, back.body) == (200, b"{}")
    assert 0 < port < 65536


def test_no_more_is_read_than_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MOST_BYTES", 1000)
    monkeypatch.setattr(wire, "_BLOCK", 400)
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000
    with serving(endless) as address:
        _, back = wire.ask(address, REQUEST)
    assert 1000 <= len(back.body) < 1400


@pytest.mark.parametrize(
    "said",
    [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", b"HTTP/1.1 x\r\n\r\n", b"\0" * 70_000],
)
def test_what_is_no_answer_is_told_with_the_port(said: bytes) -> None:
    with serving(said) as address:
        sent = wire.attempt(lambda: wire.ask(address, REQUEST))
    assert sent.status is None or said.startswith(b"HTTP/1.1 200")
    assert sent.port


def test_nothing_that_listens_has_no_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    sent = wire.attempt(lambda: wire.ask(Address("127.0.0.1", port), REQUEST))
    assert (sent.status, sent.port) == (None, None)
    assert sent.said


def test_what_comes_too_late_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sent = wire.attempt(lambda: wire.ask(Address(*silent.getsockname()), REQUEST))
    assert sent.said == wire.LATE


@pytest.mark.parametrize(
    ("back", "sent"),
    [
        (
            answer(403, b'{"code":"no_grant","instance":"urn:uuid:r"}', content_type="application/problem+json"),
            Sent(403, "no_grant", "r", 7),
        ),
        (answer(200, x_request_id="r"), Sent(200, None, "r", 7)),
        (answer(403, b'{"code":"of its own"}', content_type="application/problem+json"), Sent(403, None, None, 7)),
        (
            answer(200, grpc_status="7", grpc_message="no_grant: No grant (urn:uuid:0f3c)", x_request_id="x"),
            Sent(200, "no_grant", "0f3c", 7),
        ),
        (answer(200, grpc_message="no_grant%3A No (urn%3Auuid%3A0f3c)"), Sent(200, "no_grant", "0f3c", 7)),
        (answer(200, grpc_message="something else"), Sent(200, None, None, 7)),
    ],
)
def test_a_refusal_is_told_by_http_or_by_grpc(back: Answer, sent: Sent) -> None:
    assert wire.sent_of(back, 7) == sent
