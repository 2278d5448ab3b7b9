"""Targets and request lines of HTTP/1.1 that try to reach more than was granted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.system.guarded import Seen
from tests.system.widening import assert_nothing_widened, send, sender, wrong_with

if TYPE_CHECKING:
    from tests.system.guarded import Guarded

TARGETS = [
    # dot segments
    "/orders/../admin/keys",
    "/orders/42/../../admin/keys",
    "/orders/./../admin/keys",
    "/orders/./42",
    "/orders/42/.",
    "/orders/42/..",
    "/orders/..",
    "/orders/.",
    "/./admin/keys",
    "/../../admin/keys",
    "/admin/keys/../../orders/42/../../admin/keys",
    "/orders/%2e%2e/admin/keys",
    "/orders/%2E%2E/admin/keys",
    "/orders/.%2e/admin/keys",
    "/orders/%2e./admin/keys",
    "/orders/%2e",
    "/orders/%2e%2e",
    "/orders/42/%2e%2e/%2e%2e/admin/keys",
    "/orders/...",
    "/orders/..;/admin/keys",
    "/orders/..%3b/admin/keys",
    "/orders/%2e%2e;/admin/keys",
    "/orders/.;/../admin/keys",
    # other spellings of a literal
    "/orders/42:keys",
    "/orders/42%3Akeys",
    "/orders/42%3akeys",
    "/orders/42%3Akey%73",
    "/orders/a%3Ab%3Akeys",
    # slashes
    "//admin/keys",
    "//orders/42",
    "/orders//42",
    "/orders//",
    "/orders//../admin/keys",
    "///orders///..///admin///keys",
    "/orders/..//admin/keys",
    "/admin//keys",
    "/orders/%2f",
    "/orders/%2F..%2Fadmin%2Fkeys",
    "/orders/..%2fadmin%2fkeys",
    "/orders/x%2f..%2f..%2fadmin%2fkeys",
    "/orders%2f42",
    "%2forders%2f42",
    "/%2forders/42",
    # backslashes
    "/orders/..\\admin\\keys",
    "/orders/..%5cadmin%5ckeys",
    "/orders/%5c..%5c..%5cadmin%5ckeys",
    "\\admin\\keys",
    "/\\admin/keys",
    "/orders\\42",
    "/orders/%5C",
    # controls
    "/orders/42%00",
    "/orders/%00/../../admin/keys",
    "/admin/keys%00/orders/42",
    "/orders/42%0d%0aX-Remote-User:%20root",
    "/orders/42%0aDELETE%20/orders/42",
    "/orders/%0d",
    "/orders/%09",
    "/orders/%1f",
    "/orders/%7f",
    "/orders/\x0042",
    "/orders/\x0142",
    "/orders/42\x7f",
    "/orders/42\t",
    "/orders/\x0b42",
    # path parameters
    "/orders/42;x=y",
    "/orders;x=y/42",
    "/orders/42;/../../admin/keys",
    "/orders/42%3bx=y",
    "/;/admin/keys",
    "/admin/keys;/orders/42",
    "/admin;x=/orders/keys",
    "/orders/;",
    # the end and the case
    "/orders/42/",
    "/orders/",
    "/orders",
    "/admin/keys/",
    "/ORDERS/42",
    "/Orders/42",
    "/orders/42/DELETE",
    "/ADMIN/KEYS",
    "/%41dmin/keys",
    "/%61dmin/keys",
    "/%6frders/42",
    "/orders/%34%32",
    "/admin/key%73",
    # encodings that are wrong, and encodings of encodings
    "/orders/%c0%af..%c0%afadmin",
    "/orders/%c0%ae%c0%ae/admin/keys",
    "/orders/%c0%ae%c0%ae",
    "/orders/%c1%9c",
    "/orders/%e0%80%af",
    "/orders/%e0%80%ae%e0%80%ae/admin/keys",
    "/orders/%f0%80%80%af",
    "/orders/%f8%80%80%80%af",
    "/orders/%ff",
    "/orders/%252e%252e/admin/keys",
    "/orders/%252e%252e%252fadmin%252fkeys",
    "/orders/%25%32%65",
    "/orders/%%32%65",
    "/orders/%",
    "/orders/%2",
    "/orders/%zz",
    "/orders/%u002e%u002e/admin/keys",
    "/orders/\xe9",
    "/orders/\xc0\xaf",
    "/orders/\xef\xbc\x8f..",  # a fullwidth solidus
    "/orders/%ef%bc%8f..%ef%bc%8fadmin",
    # queries and fragments
    "/admin/keys?/orders/42",
    "/admin/keys?x=/../orders/42",
    "/admin/keys%3f/orders/42",
    "/orders/42?/../../admin/keys",
    "/orders/42?x=../../admin/keys",
    "/orders/42?",
    "/orders/42??",
    "/orders?/42",
    "/orders/?/42",
    "?/orders/42",
    "/admin/keys#/orders/42",
    "/orders/42#/../admin/keys",
    "/orders/42#",
    "/admin/keys%23/orders/42",
    "/orders/42%23",
    "/orders/42%3f",
    "/orders/42/../../admin/keys?x#y",
    # absolute and other forms of a request line
    "http://orders/orders/42",
    "https://orders/orders/42",
    "HTTP://ORDERS/orders/42",
    "http://orders:80/orders/42",
    "http://payments/orders/42",
    "http://orders/admin/keys",
    "http://orders/orders/../admin/keys",
    "http://orders//admin/keys",
    "http://orders",
    "http://orders?/orders/42",
    "http://orders/orders/42@payments/admin/keys",
    "http://reader@orders/admin/keys",
    "http://orders\\admin\\keys",
    "http:///orders/42",
    "http:/admin/keys",
    "http:admin/keys",
    "ftp://orders/orders/42",
    "file:///admin/keys",
    "//orders/admin/keys",
    "orders/42",
    "orders",
    "admin/keys",
    ".",
    "..",
    "*",
    "*/orders/42",
    "",
    " /orders/42",
    "/orders/42 ",
    "/orders/42 /admin/keys",
    "/admin/keys /orders/42",
    "/orders/4 2",
    "/orders/42 HTTP/1.1 /admin/keys",
    "/orders/42 HTTP/1.0\r\nx:",
    "/admin/keys HTTP/1.1\r\nx: /orders/42",
    "/orders/" + "a" * 9000,
    "/orders/" + "../" * 500 + "admin/keys",
]

RAW: dict[str, bytes] = {
    "no host": b"GET /orders/42 HTTP/1.1\r\n\r\n",
    "no host, HTTP/1.0": b"GET /orders/42 HTTP/1.0\r\n\r\n",
    "an empty host": b"GET /orders/42 HTTP/1.1\r\nhost:\r\n\r\n",
    "two hosts": b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\nhost: payments\r\n\r\n",
    "two hosts, the same": b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\nhost: orders\r\n\r\n",
    "the host of another service": b"GET /orders/42 HTTP/1.1\r\nhost: payments\r\n\r\n",
    "a host with a path": b"GET /orders/42 HTTP/1.1\r\nhost: orders/admin/keys\r\n\r\n",
    "a host with a user": b"GET /orders/42 HTTP/1.1\r\nhost: admin@orders\r\n\r\n",
    "a host with a space": b"GET /orders/42 HTTP/1.1\r\nhost: orders payments\r\n\r\n",
    "a host with a comma": b"GET /orders/42 HTTP/1.1\r\nhost: orders,payments\r\n\r\n",
    "absolute form and another host": b"GET http://orders/orders/42 HTTP/1.1\r\nhost: payments\r\n\r\n",
    "absolute form without a host": b"GET http://payments/orders/42 HTTP/1.1\r\n\r\n",
    "a blank before the host": b"GET /orders/42 HTTP/1.1\r\n host: orders\r\n\r\n",
    "a blank after a name": b"GET /orders/42 HTTP/1.1\r\nhost : orders\r\n\r\n",
    "a folded header": b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\nx-a: b\r\n c: d\r\n\r\n",
    "a bare line feed": b"GET /orders/42 HTTP/1.1\nhost: orders\n\n",
    "a bare line feed in a header": b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\nx: a\nx-remote-user: b\r\n\r\n",
    "a bare carriage return": b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\nx: a\rx-remote-user: b\r\n\r\n",
    "a null in a header": b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\nx: a\0b\r\n\r\n",
    "a header without a colon": b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\nx\r\n\r\n",
    "an empty name": b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\n: x\r\n\r\n",
    "HTTP/0.9": b"GET /admin/keys\r\n",
    "HTTP/1.2": b"GET /orders/42 HTTP/1.2\r\nhost: orders\r\n\r\n",
    "HTTP/2.0": b"GET /orders/42 HTTP/2.0\r\nhost: orders\r\n\r\n",
    "HTTP/1.1 in lower case": b"GET /orders/42 http/1.1\r\nhost: orders\r\n\r\n",
    "two spaces": b"GET  /orders/42 HTTP/1.1\r\nhost: orders\r\n\r\n",
    "tabs": b"GET\t/admin/keys\tHTTP/1.1\r\nhost: orders\r\n\r\n",
    "empty lines before": b"\r\n\r\nGET /orders/42 HTTP/1.1\r\nhost: orders\r\n\r\n",
    "a method in lower case": b"get /orders/42 HTTP/1.1\r\nhost: orders\r\n\r\n",
    "a method with a tail": b"GET/ /orders/42 HTTP/1.1\r\nhost: orders\r\n\r\n",
    "CONNECT": b"CONNECT orders:443 HTTP/1.1\r\nhost: orders\r\n\r\n",
    "CONNECT to a path": b"CONNECT /orders/42 HTTP/1.1\r\nhost: orders\r\n\r\n",
    "CONNECT to the admin": b"CONNECT 127.0.0.1:9901 HTTP/1.1\r\nhost: 127.0.0.1:9901\r\n\r\n",
    "OPTIONS *": b"OPTIONS * HTTP/1.1\r\nhost: orders\r\n\r\n",
    "TRACE": b"TRACE /orders/42 HTTP/1.1\r\nhost: orders\r\n\r\n",
    "PRI": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an upgrade to h2c": b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\nconnection: Upgrade, HTTP2-Settings\r\n"
    b"upgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
    "an upgrade to a web socket": b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\nconnection: Upgrade\r\n"
    b"upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    b"DELETE /orders/42 HTTP/1.1\r\nhost: orders\r\n\r\n",
    "an upgrade to TLS": b"OPTIONS * HTTP/1.1\r\nhost: orders\r\nconnection: Upgrade\r\nupgrade: TLS/1.0\r\n\r\n",
    "another method by a header": b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\nx-http-method-override: DELETE\r\n"
    b"x-http-method: DELETE\r\nx-method-override: DELETE\r\n\r\n",
    "another method by a header with underscores": b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\n"
    b"x_http_method_override: DELETE\r\n\r\n",
    "another path by a header": b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\nx-original-url: /admin/keys\r\n"
    b"x-rewrite-url: /admin/keys\r\nx-forwarded-uri: /admin/keys\r\nx-envoy-original-path: /admin/keys\r\n\r\n",
    "another host by a header": b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\nx-forwarded-host: payments\r\n"
    b"x-host: payments\r\nforwarded: host=payments\r\n\r\n",
    "pseudo-headers": b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\n:path: /admin/keys\r\n:method: DELETE\r\n\r\n",
    "Expect": b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\nexpect: 100-continue\r\ncontent-length: 43\r\n\r\n"
    b"DELETE /orders/42 HTTP/1.1\r\nhost: orders\r\n\r\n",
    "pipelined": b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\n\r\nDELETE /orders/42 HTTP/1.1\r\nhost: orders\r\n\r\n"
    b"GET /admin/keys HTTP/1.1\r\nhost: orders\r\n\r\n",
}


def test_no_target_widens_a_grant(company: Guarded) -> None:
    data = {target: f"GET {target} HTTP/1.1\r\nhost: orders\r\n\r\n".encode("latin-1") for target in TARGETS}
    assert_nothing_widened(company, {ascii(target): sender(company, content) for target, content in data.items()})


def test_no_request_widens_a_grant(company: Guarded) -> None:
    assert_nothing_widened(company, {name: sender(company, content) for name, content in RAW.items()})


def test_the_tests_would_notice() -> None:
    """What counts as wrong does."""
    right = Seen("GET", "/orders/42?x=/../admin/keys", [("host", "orders")], "", [])
    assert wrong_with(right) is None
    for method, target in [
        ("DELETE", "/orders/42"),
        ("GET", "/admin/keys"),
        ("GET", "/orders"),
        ("GET", "/orders/.."),
        ("GET", "/orders/a%2fb"),
        ("GET", "/orders/42%3Akeys"),
        ("GET", "/orders/42/"),
        ("GET", "/orders/42;x=y"),
        ("GET", "//orders/42"),
    ]:
        assert wrong_with(Seen(method, target, [("host", "orders")], "", [])), target
    for headers in [
        [],
        [("host", "a"), ("host", "b")],
        [("host", "a"), ("content-length", "1"), ("transfer-encoding", "chunked")],
        [("host", "a"), ("X-HTTP-Method-Override", "DELETE")],
        [("host", "a"), ("x_remote_user", "root")],
    ]:
        assert wrong_with(Seen("GET", "/orders/42", headers, "", [])), headers


def test_ordinary_requests_do_pass(company: Guarded) -> None:
    """What is refused above is refused for what it is, and not because everything is."""
    targets = [
        "/orders/42?a=b&c=%2F",
        "/orders/a%20b",
        "/orders/%C3%A9",
        "/orders/a.b~c-d_e",
        "/orders/a:b@c!$&'()*+,=",
        "/orders/a%3Ab%40c%21%3akey",
    ]
    for target in targets:
        (answer,) = send(company, f"GET {target} HTTP/1.1\r\nhost: orders\r\n\r\n".encode())
        assert (answer.status, answer.json["target"]) == (200, target)
