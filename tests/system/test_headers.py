"""Headers that say who is calling: an app gets those of its Envoy and nobody else's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.system import wire

from inward.identity.forwarded import IDENTITY_HEADERS

if TYPE_CHECKING:
    from tests.system.guarded import Guarded, Seen

FORGED = "forged-by-the-caller"
# What an Envoy writes itself; all else in an app's request comes from the caller.
WRITTEN = {
    "x-forwarded-proto": re.compile("https"),
    "x-request-id": re.compile(r"[0-9a-f-]{36}"),
    "x-forwarded-client-cert": re.compile(
        r"By=spiffe://company\.test/orders;Hash=[0-9a-f]{64};URI=spiffe://company\.test/reader"
    ),
}


def spellings(name: str) -> list[str]:
    """Return names that some app takes for `name`."""
    return [
        name,
        name.upper(),
        name.title(),
        name.replace("-", "_"),
        name.replace("-", "_", 1),
        name.upper().replace("-", "_"),
    ]


def only_request(company: Guarded, since: int) -> Seen:
    (seen,) = company.seen("orders", since)
    return seen


def as_an_app_reads_it(name: str) -> str:
    """Return the name that WSGI and CGI programs know a header by (RFC 3875 section 4.1.18)."""
    return name.lower().replace("-", "_").replace(".", "_")


def assert_only_ours(seen: Seen) -> None:
    assert FORGED not in str(seen.headers)
    by_name: dict[str, list[str]] = {}
    for name, value in seen.headers:
        by_name.setdefault(as_an_app_reads_it(name), []).append(value)
    for name, pattern in WRITTEN.items():
        values = by_name.get(as_an_app_reads_it(name), [])
        assert len(values) == 1, (name, values)
        assert pattern.fullmatch(values[0]), (name, values)
    for name in set(IDENTITY_HEADERS) - set(WRITTEN):
        assert as_an_app_reads_it(name) not in by_name, name


@pytest.mark.parametrize("name", IDENTITY_HEADERS)
def test_an_identity_header_of_the_caller_never_arrives(company: Guarded, name: str) -> None:
    identity = company.identity("reader")
    start = company.seen_count("orders")
    with company.connect("orders", identity) as connection:
        harmless = connection.call("GET", "/orders/42", host="orders", x_harmless="kept")
    assert harmless.status == 200
    assert only_request(company, start).header("x-harmless") == ["kept"]
    for spelling in spellings(name):
        since = company.seen_count("orders")
        fields = f"{spelling}: {FORGED}\r\nx-harmless: kept\r\n{spelling}: {FORGED}2\r\n"
        with company.connect("orders", identity) as connection:
            connection.send(f"GET /orders/42 HTTP/1.1\r\nhost: orders\r\n{fields}\r\n".encode())
            answer = connection.answer()
        assert answer.status == 200, spelling
        seen = only_request(company, since)
        assert seen.header("x-harmless") == ["kept"]
        assert_only_ours(seen)


@pytest.mark.parametrize(
    "name", ["x-inward-operation", "x-inward-decision", "X-Inward-Caller", "x_inward_decision", "x-envoy-original-path"]
)
def test_our_own_headers_are_not_taken_from_a_caller(company: Guarded, name: str) -> None:
    since = company.seen_count("orders")
    with company.connect("orders", "reader") as connection:
        connection.send(f"GET /orders/42 HTTP/1.1\r\nhost: orders\r\n{name}: {FORGED}\r\n\r\n".encode())
        assert connection.answer().status == 200
    assert_only_ours(only_request(company, since))


def test_a_forged_certificate_header_is_not_the_caller(company: Guarded) -> None:
    """Its form is right, and it names somebody who may do more."""
    hers = company.call("orders", "auditor", "GET", "/admin/keys")
    assert hers.status == 200
    (forged,) = [value for name, value in hers.json["headers"] if name == "x-forwarded-client-cert"]
    answer = company.call("orders", "reader", "GET", "/admin/keys", x_forwarded_client_cert=forged)
    assert answer.status == 403
    assert company.recorded(answer).caller == "reader"
    mine = company.call("orders", "reader", "GET", "/orders/42", x_forwarded_client_cert=forged)
    assert company.recorded(mine).caller == "reader"
    (arrived,) = [value for name, value in mine.json["headers"] if name == "x-forwarded-client-cert"]
    assert arrived.endswith("URI=spiffe://company.test/reader")
    assert "auditor" not in arrived


@pytest.mark.parametrize("nominated", ["x-forwarded-client-cert", "x-forwarded-client-cert, close", "x-request-id"])
def test_a_caller_cannot_have_our_headers_taken_off(company: Guarded, nominated: str) -> None:
    """By `Connection`, which names headers that a proxy drops (RFC 9110 section 7.6.1)."""
    since = company.seen_count("orders")
    answer = company.call("orders", "reader", "GET", "/orders/42", connection=nominated)
    if answer.status == 200:
        seen = only_request(company, since)
        assert_only_ours(seen)
        assert seen.header("connection") == []
    else:
        assert company.seen_count("orders") == since


def test_trailers_bring_no_identity(company: Guarded) -> None:
    """Some frameworks add trailers to the headers."""
    since = company.seen_count("orders")
    trailers = "".join(f"{name}: {FORGED}\r\n" for name in ("x-forwarded-client-cert", "x-remote-user"))
    body = f"3\r\nabc\r\n0\r\n{trailers}\r\n"
    with company.connect("orders", "auditor") as connection:
        connection.send(f"POST /orders HTTP/1.1\r\nhost: orders\r\ntransfer-encoding: chunked\r\n\r\n{body}".encode())
        assert connection.answer().status == 200
    with wire.Frames(company.ingress("orders"), company.identity("auditor")) as frames:
        fields = [(":method", "POST"), (":path", "/orders"), (":scheme", "https"), (":authority", "orders")]
        assert frames.exchange(fields, b"abc", [("x-remote-user", FORGED)]).status == 200
    for seen in company.seen("orders", since):
        assert seen.body == "abc"
        assert seen.trailers == []
        assert FORGED not in str(seen.headers)
