"""Fields and bodies of HTTP/2 that try to reach more than was granted, or to become another request of HTTP/1.1."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.system import wire
from tests.system.widening import SHORT, assert_nothing_widened

if TYPE_CHECKING:
    from tests.system.guarded import Guarded

_HIDDEN = b"DELETE /orders/42 HTTP/1.1\r\nhost: orders\r\nx-hidden: yes\r\n\r\n"
_END = b"0\r\n\r\n"
Change = Callable[[wire.Headers], wire.Headers]


def _with(**changed: str) -> Change:
    """Return the change that gives pseudo-headers another value."""
    return lambda fields: [(name, changed.get(name.removeprefix(":"), value)) for name, value in fields]


def _and(*more: tuple[str, str]) -> Change:
    return lambda fields: [*fields, *more]


def _before(*more: tuple[str, str]) -> Change:
    return lambda fields: [*more, *fields]


def _without(name: str) -> Change:
    return lambda fields: [field for field in fields if field[0] != name]


FIELDS = [(":method", "GET"), (":scheme", "https"), (":authority", "orders"), (":path", "/orders/42")]
PSEUDO: dict[str, Change] = {
    "a path without a slash": _with(path="orders/42"),
    "a path without a slash, another": _with(path="admin/keys"),
    "an empty path": _with(path=""),
    "a path that is a star": _with(path="*"),
    "a path with spaces": _with(path="/orders/42 HTTP/1.1"),
    "a path that is a request": _with(path="/orders/42 HTTP/1.1\r\nhost: x\r\n\r\nDELETE /orders/42"),
    "a path with a line feed": _with(path="/orders/42\nx: y"),
    "a path with a carriage return": _with(path="/orders/42\rx"),
    "a path with a null": _with(path="/orders/42\0"),
    "a path with a tab": _with(path="/orders/42\t"),
    "an absolute path": _with(path="https://orders/admin/keys"),
    "an absolute path of another": _with(path="https://payments/orders/42"),
    "a path with a fragment": _with(path="/admin/keys#/orders/42"),
    "dot segments": _with(path="/orders/../admin/keys"),
    "encoded dot segments": _with(path="/orders/%2e%2e/admin/keys"),
    "a backslash": _with(path="/orders\\..\\admin\\keys"),
    "an encoded slash": _with(path="/orders/..%2fadmin"),
    "two paths": _and((":path", "/admin/keys")),
    "two paths, the other first": _before((":path", "/admin/keys")),
    "two methods": _and((":method", "DELETE")),
    "two methods, the other first": _before((":method", "DELETE")),
    "two authorities": _and((":authority", "payments")),
    "two schemes": _and((":scheme", "http")),
    "no path": _without(":path"),
    "no method": _without(":method"),
    "no scheme": _without(":scheme"),
    "no authority": _without(":authority"),
    "authority and host": _and(("host", "payments")),
    "host and no authority": lambda fields: [*_without(":authority")(fields), ("host", "payments")],
    "two hosts": _and(("host", "orders"), ("host", "payments")),
    "an authority with a path": _with(authority="orders/admin/keys?"),
    "an authority with a user": _with(authority="root@orders"),
    "an authority with a line feed": _with(authority="orders\r\nx-remote-user: root"),
    "an empty authority": _with(authority=""),
    "a method in lower case": _with(method="get"),
    "a method with a space": _with(method="GET /admin/keys HTTP/1.1"),
    "a method with a line feed": _with(method="GET /admin/keys HTTP/1.1\r\nhost: orders\r\n\r\nGET"),
    "CONNECT": _with(method="CONNECT"),
    "CONNECT as it should be": lambda _: [(":method", "CONNECT"), (":authority", "127.0.0.1:9901")],
    "CONNECT of another protocol": lambda fields: [*_with(method="CONNECT")(fields), (":protocol", "websocket")],
    "an empty method": _with(method=""),
    "scheme http": _with(scheme="http"),
    "scheme file": _with(scheme="file"),
    "a scheme that is a URL": _with(scheme="https://payments/orders/42?"),
    "a scheme with a line feed": _with(scheme="https\r\nx: y"),
    "a pseudo-header that is late": _and(("x-a", "b"), (":path", "/admin/keys")),
    "an unknown pseudo-header": _and((":forwarded", "x")),
    "a status": _and((":status", "200")),
    "a header with a line feed": _and(("x-a", "b\r\nx-remote-user: root")),
    "a header with a request": _and(("x-a", "b\r\n\r\nDELETE /orders/42 HTTP/1.1\r\nhost: orders\r\n\r\n")),
    "a header with a null": _and(("x-a", "b\0c")),
    "a name with a line feed": _and(("x-a\r\nx-remote-user", "root")),
    "a name with a colon": _and(("x-a: b\r\nx-remote-user", "root")),
    "a name with a space": _and(("x a", "b")),
    "a name in capitals": _and(("X-Remote-User", "root")),
    "an empty name": _and(("", "x")),
    "a name with underscores": _and(("x_remote_user", "root")),
    "Transfer-Encoding": _and(("transfer-encoding", "chunked")),
    "Connection": _and(("connection", "x-forwarded-client-cert")),
    "Upgrade": _and(("upgrade", "websocket"), ("connection", "upgrade")),
    "TE": _and(("te", "chunked")),
    "a length and no body": _and(("content-length", "100")),
    "two lengths": _and(("content-length", "0"), ("content-length", "100")),
    "another method by a header": _and(("x-http-method-override", "DELETE"), ("x-original-url", "/admin/keys")),
}


def framed(company: Guarded, fields: wire.Headers, body: bytes | None = None) -> Callable[[], object]:
    def attack() -> None:
        with wire.Frames(company.ingress("orders"), company.reader) as frames:
            frames.exchange(fields, body, seconds=SHORT)

    return attack


def test_no_fields_of_http2_widen_a_grant(company: Guarded) -> None:
    with wire.Frames(company.ingress("orders"), company.reader) as frames:
        assert frames.exchange(FIELDS).status == 200
    assert_nothing_widened(company, {name: framed(company, change(FIELDS)) for name, change in PSEUDO.items()})


BODIES: dict[str, tuple[wire.Headers, bytes]] = {
    "a body that looks like a request": ([], _HIDDEN),
    "a length that is too small": ([("content-length", "1")], _HIDDEN),
    "a length that is nothing": ([("content-length", "0")], _HIDDEN),
    "a length that is too large": ([("content-length", "5000")], _HIDDEN),
    "two lengths": ([("content-length", "0"), ("content-length", f"{len(_HIDDEN)}")], _HIDDEN),
    "chunks": ([("transfer-encoding", "chunked")], _END + _HIDDEN),
    "chunks and length": ([("transfer-encoding", "chunked"), ("content-length", "5")], _END + _HIDDEN),
}


def test_a_body_of_http2_is_one_body(company: Guarded) -> None:
    attacks = {name: framed(company, [*FIELDS, *fields], body) for name, (fields, body) in BODIES.items()}
    assert_nothing_widened(company, attacks)
