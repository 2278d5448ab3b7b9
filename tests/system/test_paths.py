"""No way of writing a request widens a grant.

`reader` may read one order, `GET /orders/{id}`, and nothing else. Whatever it sends, what reaches the app is that
operation or nothing; and the record never says that another operation was allowed to it.
"""

from __future__ import annotations

import posixpath
import re
import ssl
from concurrent.futures import ThreadPoolExecutor
from collections.abc import Callable, Mapping
from urllib.parse import unquote

import pytest
from tests.system import wire
from tests.system.guarded import READ_ONE, Guarded, Seen

from inward.catalog.template import PathTemplate
from inward.envoy.ingress import IDENTITY_HEADERS

pytestmark = pytest.mark.xdist_group("company")

MAY = PathTemplate("/orders/{id}")
SHORT = 0.4  # seconds to wait for an answer to what may be half a request

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
    "an upgrade to a web socket": b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
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

# Where one request ends: everybody between the caller and the app must agree on it.
_HIDDEN = b"DELETE /orders/42 HTTP/1.1\r\nhost: orders\r\nx-hidden: yes\r\n\r\n"
_START = b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\n"


def _framed(fields: bytes, body: bytes) -> bytes:
    return _START + fields + b"\r\n" + body


def _chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


_END = b"0\r\n\r\n"
_LENGTH = b"content-length: %d\r\n" % len(_HIDDEN)
FRAMINGS: dict[str, bytes] = {
    "a body that looks like a request": _framed(_LENGTH, _HIDDEN),
    "two lengths": _framed(b"content-length: 0\r\n" + _LENGTH, _HIDDEN),
    "two lengths, the longer first": _framed(_LENGTH + b"content-length: 0\r\n", _HIDDEN),
    "two lengths, the same": _framed(_LENGTH + _LENGTH, _HIDDEN),
    "two lengths in one": _framed(b"content-length: 0, %d\r\n" % len(_HIDDEN), _HIDDEN),
    "a length with a sign": _framed(b"content-length: +%d\r\n" % len(_HIDDEN), _HIDDEN),
    "a negative length": _framed(b"content-length: -1\r\n", _HIDDEN),
    "a length in hexadecimal": _framed(b"content-length: 0x10\r\n", _HIDDEN),
    "a length with a leading zero": _framed(b"content-length: 0%d\r\n" % len(_HIDDEN), _HIDDEN),
    "a length that is too large": _framed(b"content-length: 99999999999999999999\r\n", _HIDDEN),
    "an empty length": _framed(b"content-length:\r\n", _HIDDEN),
    "a length with a blank in it": _framed(b"content-length: 1 0\r\n", _HIDDEN),
    "a length with a tail": _framed(b"content-length: 0;x\r\n", _HIDDEN),
    "a length with an underscore": _framed(b"content_length: %d\r\n" % len(_HIDDEN), _HIDDEN),
    "a blank before the colon": _framed(b"content-length : %d\r\n" % len(_HIDDEN), _HIDDEN),
    "length and chunks": _framed(_LENGTH + b"transfer-encoding: chunked\r\n", _END + _HIDDEN),
    "chunks and length": _framed(b"transfer-encoding: chunked\r\ncontent-length: 5\r\n", _END + _HIDDEN),
    "length for all and chunks": _framed(
        b"content-length: %d\r\ntransfer-encoding: chunked\r\n" % (len(_END) + len(_HIDDEN)), _END + _HIDDEN
    ),
    "two chunked": _framed(b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", _END + _HIDDEN),
    "chunked, chunked": _framed(b"transfer-encoding: chunked, chunked\r\n", _END + _HIDDEN),
    "chunked and identity": _framed(b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n", _END + _HIDDEN),
    "identity and length": _framed(b"transfer-encoding: identity\r\n" + _LENGTH, _HIDDEN),
    "gzip, chunked": _framed(b"transfer-encoding: gzip, chunked\r\n", _END + _HIDDEN),
    "xchunked": _framed(b"transfer-encoding: xchunked\r\n" + _LENGTH, _HIDDEN),
    "chunked with a tab": _framed(b"transfer-encoding:\tchunked\r\n", _END + _HIDDEN),
    "chunked with a vertical tab": _framed(b"transfer-encoding: \x0bchunked\r\n" + _LENGTH, _HIDDEN),
    "chunked with a null": _framed(b"transfer-encoding: chunked\0\r\n" + _LENGTH, _HIDDEN),
    "chunked in quotes": _framed(b'transfer-encoding: "chunked"\r\n' + _LENGTH, _HIDDEN),
    "chunked in capitals": _framed(b"Transfer-Encoding: CHUNKED\r\n", _END + _HIDDEN),
    "chunked, folded": _framed(b"transfer-encoding:\r\n chunked\r\n", _END + _HIDDEN),
    "chunked, blank before the colon": _framed(b"transfer-encoding : chunked\r\n" + _LENGTH, _HIDDEN),
    "chunked with an underscore": _framed(b"transfer_encoding: chunked\r\n" + _LENGTH, _HIDDEN),
    "chunked after a line feed": _framed(b"x: y\ntransfer-encoding: chunked\r\n" + _LENGTH, _HIDDEN),
    "chunked after a carriage return": _framed(b"x: y\rtransfer-encoding: chunked\r\n" + _LENGTH, _HIDDEN),
    "chunked, HTTP/1.0": b"GET /orders/42 HTTP/1.0\r\nhost: orders\r\ntransfer-encoding: chunked\r\n\r\n" + _END + _HIDDEN,
    "a chunk extension": _framed(b"transfer-encoding: chunked\r\n", b"0;x=\n" + _HIDDEN),
    "a long chunk extension": _framed(b"transfer-encoding: chunked\r\n", b"0;" + b"x" * 5000 + b"\r\n\r\n" + _HIDDEN),
    "a chunk size with a line feed": _framed(b"transfer-encoding: chunked\r\n", b"0\n\n" + _HIDDEN),
    "a chunk size with a sign": _framed(b"transfer-encoding: chunked\r\n", b"+0\r\n\r\n" + _HIDDEN),
    "a chunk size with 0x": _framed(b"transfer-encoding: chunked\r\n", b"0x0\r\n\r\n" + _HIDDEN),
    "a chunk size that overflows": _framed(
        b"transfer-encoding: chunked\r\n", b"10000000000000000\r\n" + _HIDDEN + _END
    ),
    "a chunk that is longer than it says": _framed(b"transfer-encoding: chunked\r\n", b"1\r\nab\r\n" + _END + _HIDDEN),
    "a chunk that holds a request": _framed(b"transfer-encoding: chunked\r\n", _chunk(_HIDDEN) + _END),
    "trailers that are a request": _framed(b"transfer-encoding: chunked\r\n", b"0\r\n" + _HIDDEN),
    "a length among the trailers": _framed(
        b"transfer-encoding: chunked\r\n", b"0\r\ncontent-length: %d\r\n\r\n" % len(_HIDDEN) + _HIDDEN
    ),
    "half a body": _framed(b"content-length: 5000\r\n", _HIDDEN),
}


def wrong_with(seen: Seen) -> str | None:
    """Return why a request that reached the app is none that `reader` may make; None if it may."""
    path, _, _ = seen.target.partition("?")
    if seen.method != "GET" or MAY.match(path) is None:
        return "it is another operation"
    meant = posixpath.normpath(unquote(path).replace("\\", "/"))
    if not re.fullmatch(r"/orders/[^/;\x00-\x1f\x7f]+", meant):
        return f"an app may read it as {meant!r}"
    lengths, chunks = seen.header("content-length"), seen.header("transfer-encoding")
    if len(lengths) + len(chunks) > 1 or any(name.lower() == "x-hidden" for name, _ in seen.headers):
        return "it does not end where another reader ends it"
    names = [name.lower() for name, _ in seen.headers]
    if names.count("host") != 1 or any(name.startswith(":") or "_" in name for name in names):
        return "its headers are ambiguous"
    if set(names) & set(IDENTITY_HEADERS) - {"x-forwarded-client-cert", "x-forwarded-proto", "x-request-id"}:
        return "it says who the caller is"
    if {"upgrade", "x-http-method-override", "x-http-method", "x-original-url", "x-rewrite-url"} & set(names):
        return "it asks the app for something else"
    return None


def assert_nothing_widened(company: Guarded, attacks: Mapping[str, Callable[[], object]]) -> None:
    """Make the attacks; hold what the apps saw and what was recorded to what `reader` may."""
    assert company.call("orders", "auditor", "GET", "/admin/keys").status == 200
    assert company.call("orders", "auditor", "DELETE", "/orders/42").status == 200
    assert company.call("orders", "reader", "GET", "/orders/42").status == 200
    company.recorded_since(0)
    recorded = len(company.calls())
    elsewhere = company.seen_count("payments")
    start = company.seen_count("orders")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda attack: attack(), attacks.values()))
    found = company.recorded_since(recorded)
    wrong = [f"{why}: {seen}" for seen in company.seen("orders", start) if (why := wrong_with(seen)) is not None]
    assert wrong == []
    assert company.seen_count("payments") == elsewhere
    assert len(found) >= len(attacks) / 2
    for call in found:
        assert call.caller == "reader", call
        if call.decision == "allow":
            assert call.operation == READ_ONE, call
            assert MAY.match(call.path or "") is not None, call
        assert call.decision == call.carried_out, call


def send(company: Guarded, data: bytes) -> list[wire.Answer]:
    with company.connect("orders", company.reader) as connection:
        try:
            connection.send(data)
        except (ssl.SSLError, ConnectionError):
            return []
        return connection.rest(SHORT)


def sender(company: Guarded, data: bytes) -> Callable[[], object]:
    return lambda: send(company, data)


def test_no_target_widens_a_grant(company: Guarded) -> None:
    data = {target: f"GET {target} HTTP/1.1\r\nhost: orders\r\n\r\n".encode("latin-1") for target in TARGETS}
    assert_nothing_widened(company, {ascii(target): sender(company, content) for target, content in data.items()})


def test_no_request_widens_a_grant(company: Guarded) -> None:
    assert_nothing_widened(company, {name: sender(company, content) for name, content in RAW.items()})


def test_a_request_ends_for_everybody_at_one_place(company: Guarded) -> None:
    assert_nothing_widened(company, {name: sender(company, content) for name, content in FRAMINGS.items()})


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
    targets = ["/orders/42?a=b&c=%2F", "/orders/a%20b", "/orders/%C3%A9", "/orders/a.b~c-d_e", "/orders/a:b@c!$&'()*+,="]
    for target in targets:
        (answer,) = send(company, f"GET {target} HTTP/1.1\r\nhost: orders\r\n\r\n".encode())
        assert (answer.status, answer.json["target"]) == (200, target)
