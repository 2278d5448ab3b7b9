from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inward.control.egress_client import Answer, NoAnswerError, Outgoing, make_call
from inward.control.running import RunningService
from inward.envoy.resources.egress import proxy_authorization
from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def egress() -> Iterator[Callable[[bytes], tuple[RunningService, list[bytes]]]]:
    """An egress that answers once, whatever it is asked, and keeps what it was asked."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threads = []

        def serve(answer: bytes) -> tuple[RunningService, list[bytes]]:
            asked: list[bytes] = []

            def one() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(10)
                    data = b""
                    while b"\r\n\r\n" not in data:
                        data += connection.recv(65536)
                    asked.append(data)
                    connection.sendall(answer)

            threads.append(threading.Thread(target=one))
            threads[-1].start()
            host, port = server.getsockname()
            return RunningService(listen=None, egress=f"{host}:{port}", credential="secret", app=None), asked

        yield serve
        for thread in threads:
            thread.join(10)


def test_the_request_is_sent_as_it_is(egress: Callable[[bytes], tuple[RunningService, list[bytes]]]) -> None:
    service, asked = egress(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-request-id: r\r\n\r\nhi")
    url = b"http://orders:80/a/../b//%2f;x?q=\xff#f"
    answer = make_call(service, Outgoing(b"pOsT", url, [(b"X-One", b"1"), (b"x-one", b"2")], b"body"))
    lines = asked[0].split(b"\r\n")
    assert lines[0] == b"pOsT " + url + b" HTTP/1.1"
    assert lines[1:] == [
        b"host: orders:80",
        b"proxy-authorization: " + proxy_authorization("secret").encode(),
        b"connection: close",
        b"X-One: 1",
        b"x-one: 2",
        b"user-agent: inward-call",
        b"content-length: 4",
        b"",
        b"body",
    ]
    assert (answer.status, answer.body, answer.reference) == (200, b"hi", "r")


def test_what_is_given_is_not_added() -> None:
    given_by_hand = [(b"Host", b"else"), (b"Content-Length", b"9"), (b"User-Agent", b"me")]
    sent = Outgoing(b"GET", b"http://a", given_by_hand, b"x").render("c")
    assert sent.startswith(b"GET http://a/ HTTP/1.1\r\nproxy-authorization: ")
    assert sent.lower().count(b"host:") == sent.lower().count(b"content-length:") == sent.count(b"User-Agent:") == 1
    assert b"user-agent" not in sent


def test_an_url_without_a_path() -> None:
    assert Outgoing(b"GET", b"HTTP://a").render("c").startswith(b"GET HTTP://a/ HTTP/1.1\r\n")
    assert Outgoing(b"GET", b"http://a?b").render("c").startswith(b"GET http://a?b HTTP/1.1\r\n")


@given(st.binary(), st.binary(), st.lists(st.tuples(st.binary(), st.binary()), max_size=3))
def test_nothing_breaks_out_of_its_line(method: bytes, target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    try:
        outgoing = Outgoing(method, b"http://a/" + target, headers)
    except BadInputError:
        return
    head = outgoing.render("c")
    assert head.endswith(b"\r\n\r\n")
    lines = head[:-4].split(b"\r\n")
    assert len(lines) <= 5 + len(headers)
    assert not any(b"\r" in line or b"\n" in line or b"\0" in line for line in lines)


@pytest.mark.parametrize(
    ("method", "url", "headers"),
    [
        (b"", b"http://a/", []),
        (b"GE T", b"http://a/", []),
        (b"GET", b"https://a/", []),
        (b"GET", b"a/b", []),
        (b"GET", b"http://", []),
        (b"GET", b"http:///x", []),
        (b"GET", b"http://a/\r\nx", []),
        (b"GET", b"http://a/\0", []),
        (b"GET", b"http://a/", [(b"", b"x")]),
        (b"GET", b"http://a/", [(b"a:b", b"x")]),
        (b"GET", b"http://a/", [(b"a", b"x\ny")]),
        (b"GET", b"http://a/", [(b"a\r", b"x")]),
        (b"GET", b"http://a/", [(b"Proxy-AUTHORIZATION", b"x")]),
    ],
)
def test_what_is_not_sent(method: bytes, url: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(BadInputError):
        Outgoing(method, url, headers)


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", b"\xff" * 100]
)
def test_no_http(egress: Callable[[bytes], tuple[RunningService, list[bytes]]], answer: bytes) -> None:
    service, _ = egress(answer)
    with pytest.raises(NoAnswerError, match="does not answer"):
        make_call(service, Outgoing(b"GET", b"http://a/"))


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    gone = RunningService(listen=None, egress=f"127.0.0.1:{port}", credential="c", app=None)
    with pytest.raises(NoAnswerError, match="refused"):
        make_call(gone, Outgoing(b"GET", b"http://a/"))


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        silent = RunningService(listen=None, egress=f"{host}:{port}", credential="c", app=None)
        with pytest.raises(NoAnswerError, match=r"`a` did not answer within 0\.05 seconds"):
            make_call(silent, Outgoing(b"GET", b"http://a:80/"), seconds=0.05)


def problem(body: bytes, kind: str = "application/problem+json; charset=utf-8", **headers: str) -> Answer:
    named = (("content-type", kind), *headers.items())
    return Answer(403, "Forbidden", named, body, 0.0)


def test_the_reference_of_a_refusal() -> None:
    assert problem(b'{"code":"no_grant","instance":"urn:uuid:abc","title":"t"}').reference == "abc"
    assert problem(b'{"instance":"urn:uuid:abc"}', **{"x-request-id": "def"}).reference == "def"
    assert problem(b'{"instance":"urn:uuid:-"}').reference is None
    assert problem(b'{"instance":"urn:uuid:abc"}', kind="application/json").reference is None


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(lambda value: repr(value).encode())
)
def test_a_problem_may_be_anything(body: bytes) -> None:
    assert isinstance(problem(body).problem, dict)


def test_a_problem_that_is_too_large_is_none() -> None:
    assert problem(b'{"code":"x"' + b" " * 100_000 + b"}").problem == {}
