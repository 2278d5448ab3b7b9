"""Who is let in: nobody without an identity of the trust domain, and the right ones only where they may."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
from tests import forge
from tests.system import wire
from tests.system.company import READ_ONE, TRUST_DOMAIN
from tests.system.guarded import Guarded, eventually

from inward.policy.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.record.call import Call

GET = b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\n\r\n"
READER = f"spiffe://{TRUST_DOMAIN}/reader"
AUDITOR = f"spiffe://{TRUST_DOMAIN}/auditor"

FORGERIES: dict[str, Callable[[forge.Issuer], forge.Pair]] = {
    "another CA of the same name": lambda issuer: forge.foreign_ca(issuer, READER),
    "its own signature": lambda _: forge.self_signed(READER),
    "another trust domain's CA": lambda _: forge.other_trust_domain_ca(READER),
    "another trust domain from our CA": lambda issuer: forge.other_trust_domain(issuer, READER),
    "a trust domain that ours begins": lambda issuer: forge.other_trust_domain(issuer, READER, TRUST_DOMAIN + ".evil"),
    "expired": lambda issuer: forge.expired(issuer, READER),
    "not yet valid": lambda issuer: forge.not_yet_valid(issuer, READER),
    "two URI names, the right one last": lambda issuer: forge.two_uris(issuer, "spiffe://elsewhere.example/x", READER),
    "a DNS name alone": forge.dns_only,
    "the SPIFFE ID as a DNS name": lambda issuer: forge.dns_spelling(issuer, READER),
    "a CA certificate as a leaf": lambda issuer: forge.ca_leaf(issuer, READER),
    "signed by a leaf": lambda issuer: forge.signed_by_leaf(issuer, f"spiffe://{TRUST_DOMAIN}/stranger", READER),
}


def refused_handshake(company: Guarded, port: int) -> Call:
    """Wait for the record of a connection that came from this port."""
    found: list[Call] = eventually(
        f"a connection from port {port} in the record",
        lambda: [
            call
            for call in company.calls()
            if call.method is None and call.detail and call.detail.startswith(f"port {port}: ")
        ],
    )
    assert len(found) == 1
    return found[0]


def assert_handshake_refused(company: Guarded, port: int) -> None:
    call = refused_handshake(company, port)
    assert call.reason == Reason.BAD_IDENTITY
    assert call.caller is None  # what was presented did not verify: it is nobody's name
    assert (call.callee, call.decision, call.carried_out) == ("orders", "deny", "deny")


def test_the_right_identity_is_let_in(company: Guarded) -> None:
    answer = company.call("orders", "reader", "GET", "/orders/42")
    assert answer.status == 200
    assert answer.json["target"] == "/orders/42"
    call = company.recorded(answer)
    assert (call.caller, call.callee, call.operation) == ("reader", "orders", READ_ONE)
    assert (call.decision, call.carried_out, call.reason) == ("allow", "allow", Reason.GRANTED)
    assert call.policies == ("readers-read-one",)


@pytest.mark.parametrize("forged", FORGERIES)
def test_a_forged_certificate_is_refused(company: Guarded, forged: str) -> None:
    assert company.call("orders", "reader", "GET", "/orders/42").status == 200
    seen = company.seen_count("orders")
    identity = wire.Identity.of(FORGERIES[forged](company.issuer), company.folder)
    with company.connect("orders", identity) as connection:
        port = connection.port
        try:
            connection.send(GET)
            answer = connection.answer()
        except (ssl.SSLError, ConnectionError):
            answer = wire.Answer(0, [], b"", "refused")
    assert answer.status == 0, answer
    assert_handshake_refused(company, port)
    assert company.seen_count("orders") == seen


@pytest.mark.parametrize(
    "second", ["spiffe://elsewhere.example/x", AUDITOR, READER, "https://reader.example", READER + ","]
)
def test_two_names_are_nobody(company: Guarded, second: str) -> None:
    """Envoy's validator looks at the first URI name alone, so such a caller gets as far as the policy."""
    assert company.call("orders", "reader", "GET", "/orders/42").status == 200
    seen = company.seen_count("orders")
    identity = wire.Identity.of(forge.two_uris(company.issuer, READER, second), company.folder)
    answer = company.call("orders", identity, "GET", "/orders/42")
    assert (answer.status, answer.code) == (403, Reason.NO_GRANT)
    call = company.recorded(answer)
    assert (call.reason, call.carried_out) == (Reason.UNKNOWN_CALLER, "deny")
    assert call.caller == f"{READER},{second}"
    assert company.seen_count("orders") == seen


def test_no_certificate_is_refused(company: Guarded) -> None:
    assert company.call("orders", "reader", "GET", "/orders/42").status == 200
    seen = company.seen_count("orders")
    with company.connect("orders", None) as connection:
        port = connection.port
        try:
            connection.send(GET)
            answer = connection.answer()
        except (ssl.SSLError, ConnectionError):
            answer = wire.Answer(0, [], b"", "refused")
    assert answer.status == 0
    assert_handshake_refused(company, port)
    assert company.seen_count("orders") == seen


@pytest.mark.parametrize("sent", [GET, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00\x01\x02\x03" * 16])
def test_plaintext_is_refused(company: Guarded, sent: bytes) -> None:
    assert company.call("orders", "reader", "GET", "/orders/42").status == 200
    seen = company.seen_count("orders")
    with wire.Connection.plain(company.ingress("orders")) as connection:
        connection.send(sent)
        answer = connection.answer()
        port = connection.port if answer.closed != "no answer" else 0
    assert answer.status == 0
    assert b"HTTP" not in answer.body
    assert_handshake_refused(company, port)
    assert company.seen_count("orders") == seen


def test_an_older_tls_is_refused(company: Guarded) -> None:
    identity = company.identity("reader")
    with company.connect("orders", identity) as connection:
        assert isinstance(connection.socket, ssl.SSLSocket)
        assert connection.socket.version() == "TLSv1.3"
    older = wire.context(identity)
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    with wire.Connection.plain(company.ingress("orders")) as plain:
        port = plain.port
        with pytest.raises((ssl.SSLError, ConnectionError)):
            older.wrap_socket(plain.socket)
    assert_handshake_refused(company, port)


def test_a_session_is_not_resumed(company: Guarded) -> None:
    """A resumed session would skip the look at a certificate that has expired since."""
    context = wire.context(company.identity("reader"))
    session = None
    for _ in range(2):
        with wire.Connection.plain(company.ingress("orders")) as plain:
            secured = context.wrap_socket(plain.socket, session=session)
            with wire.Connection(secured) as connection:
                assert connection.call("GET", "/orders/42", host="orders").status == 200
                assert not secured.session_reused
                session = secured.session


def test_a_valid_identity_without_a_grant_is_refused(company: Guarded) -> None:
    assert company.call("orders", "auditor", "GET", "/admin/keys").status == 200
    seen = company.seen_count("orders")
    for caller in ("reader", "stranger"):
        answer = company.call("orders", caller, "GET", "/admin/keys")
        assert (answer.status, answer.code) == (403, Reason.NO_GRANT)
        call = company.recorded(answer)
        assert (call.caller, call.decision, call.carried_out) == (caller, "deny", "deny")
        assert call.reason == Reason.NO_GRANT
    assert company.seen_count("orders") == seen


UNKNOWN = ["nobody", "reader/", "reader/sub", "Reader", "readers", "reader.", "orders/reader", "r"]


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_caller_that_is_not_in_the_catalog_is_refused(company: Guarded, name: str) -> None:
    """The authority would not issue such a name: here it does, and it is nobody's all the same."""
    assert company.call("orders", "reader", "GET", "/orders/42").status == 200
    seen = company.seen_count("orders")
    spiffe_id = f"spiffe://{TRUST_DOMAIN}/{name}"
    identity = wire.Identity.of(forge.good(company.issuer, spiffe_id), company.folder)
    answer = company.call("orders", identity, "GET", "/orders/42")
    assert (answer.status, answer.code) == (403, Reason.NO_GRANT)
    call = company.recorded(answer)
    assert (call.caller, call.reason) == (spiffe_id, Reason.UNKNOWN_CALLER)
    assert (call.decision, call.carried_out) == ("deny", "deny")
    assert company.seen_count("orders") == seen


def test_a_documented_operation_with_another_method_is_refused(company: Guarded) -> None:
    assert company.call("orders", "auditor", "GET", "/orders/42").status == 200
    seen = company.seen_count("orders")
    for method in ("PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "get", "Get", "GETX", "PROPFIND", "QUERY"):
        answer = company.call("orders", "auditor", method, "/orders/42")
        assert answer.status in {400, 403}, (method, answer)
        call = company.recorded(answer) if answer.header("x-request-id") else None
        assert call is None or call.reason in {Reason.UNKNOWN_OPERATION, Reason.BAD_REQUEST}, (method, call)
    assert company.seen_count("orders") == seen


def test_an_operation_that_is_granted_to_others_is_refused(company: Guarded) -> None:
    assert company.call("orders", "auditor", "DELETE", "/orders/42").status == 200
    seen = company.seen_count("orders")
    answer = company.call("orders", "reader", "DELETE", "/orders/42")
    assert (answer.status, answer.code) == (403, Reason.NO_GRANT)
    assert company.recorded(answer).operation == "orders:deleteOrder"
    assert company.seen_count("orders") == seen


@pytest.mark.parametrize("target", ["/", "/nothing", "/orders/42/lines", "/admin", "/admin/keys/1", "/openapi.json"])
def test_an_undocumented_path_is_refused_to_everybody(company: Guarded, target: str) -> None:
    assert company.call("orders", "auditor", "GET", "/admin/keys").status == 200
    seen = company.seen_count("orders")
    answer = company.call("orders", "auditor", "GET", target)
    assert (answer.status, answer.code) == (403, Reason.UNKNOWN_OPERATION)
    call = company.recorded(answer)
    assert (call.caller, call.operation, call.reason) == ("auditor", None, Reason.UNKNOWN_OPERATION)
    assert company.seen_count("orders") == seen
