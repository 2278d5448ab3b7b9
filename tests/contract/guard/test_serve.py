"""The server of a guard without an Envoy: real connections, and every way in that must be none."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from tests import forge
from tests.contract.guard.own_server import OWN, TRUST_DOMAIN, Served, spiffe_id
from tests.contract.guard.people import SECRET
from tests.system import wire
from tests.system.guarded import eventually

from inward.guard.serve import protocol
from inward.guard.serve.target import MAX_HEAD_BYTES
from inward.identity.forwarded import IDENTITY_HEADERS
from inward.identity.private_files import write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def _standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture
def standing(_standing: Served) -> Served:
    """One server for all tests that change nothing about it."""
    return _standing.forget()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path) as running:
        yield running


# --- who may call, and what is recorded


def test_a_caller_is_known_by_its_certificate_and_sees_a_view(standing: Served) -> None:
    traceparent = f"00-{'1' * 32}-{'2' * 16}-01"
    seen = standing.call("till", "POST", "/people/1?a=b", body="hello", traceparent=traceparent)
    assert seen.status == 200
    assert SECRET not in seen.body.decode()
    assert seen.header("x-inward-guard") is None
    assert standing.app.callers == ["till"]
    assert standing.app.bodies == [b"hello"]
    (call,) = standing.record_of(1)
    assert (call.caller, call.callee, call.operation) == ("till", "people", "people:postPerson")
    assert (call.decision, call.carried_out, call.reason, call.policies) == (
        "allow",
        "allow",
        "granted",
        ("till-calls",),
    )
    assert (call.method, call.full_path, call.status, call.mode) == ("POST", "/people/1", 200, "enforce")
    assert (call.id, call.trace) == (seen.header("x-request-id"), "1" * 32)
    assert (call.bytes_in, call.bytes_out) == (5, len(seen.body))
    assert call.withheld == ("pii.card", "pii.email", "pii.phone")
    assert call.policy_version
    assert call.duration_us is not None


def test_who_has_no_grant_is_refused_and_recorded(standing: Served) -> None:
    refused = standing.call("stranger", "GET", "/people/1")
    assert (refused.status, refused.code) == (403, "no_grant")
    assert standing.app.scopes == []
    (call,) = standing.record_of(1)
    assert (call.id, call.caller, call.reason, call.enforcer) == (refused.reference, "stranger", "no_grant", "guard")
    assert (call.decision, call.carried_out, call.status) == ("deny", "deny", 403)


def test_who_is_not_in_the_catalog_is_refused_under_the_name_of_its_certificate(standing: Served) -> None:
    assert standing.call("nobody", "GET", "/people/1").code == "no_grant"
    (call,) = standing.record_of(1)
    assert (call.caller, call.reason) == (spiffe_id("nobody"), "unknown_caller")


def test_an_undocumented_operation_is_refused(standing: Served) -> None:
    assert standing.call("till", "GET", "/hidden").code == "unknown_operation"
    (call,) = standing.record_of(1)
    assert (call.operation, call.full_path, call.reason) == (None, "/hidden", "unknown_operation")


WRONG: dict[str, Callable[[forge.Issuer], forge.Pair]] = {
    "self-signed": lambda _: forge.self_signed(spiffe_id("till")),
    "foreign CA": lambda issuer: forge.foreign_ca(issuer, spiffe_id("till")),
    "expired": lambda issuer: forge.expired(issuer, spiffe_id("till")),
    "not yet valid": lambda issuer: forge.not_yet_valid(issuer, spiffe_id("till")),
    "two URIs": lambda issuer: forge.two_uris(issuer, spiffe_id("till")),
    "two URIs, swapped": lambda issuer: forge.two_uris(issuer, "spiffe://elsewhere.example/x", spiffe_id("till")),
    "two URIs of the system": lambda issuer: forge.two_uris(issuer, spiffe_id("till"), spiffe_id("office")),
    "a DNS name": forge.dns_only,
    "the ID as a DNS name": lambda issuer: forge.dns_spelling(issuer, spiffe_id("till")),
    "a CA": lambda issuer: forge.ca_leaf(issuer, spiffe_id("till")),
    "another trust domain": lambda issuer: forge.other_trust_domain(issuer, spiffe_id("till")),
    "another trust domain's CA": lambda _: forge.other_trust_domain_ca(spiffe_id("till")),
    "signed by a leaf": lambda issuer: forge.signed_by_leaf(issuer, spiffe_id("stranger"), spiffe_id("till")),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_certificate_that_proves_nothing_gets_nobody_in(standing: Served, wrong: str) -> None:
    with standing.connect(standing.pair(WRONG[wrong](standing.issuer))) as connection:
        try:
            answer = connection.call("GET", "/people/1", host="people")
        except OSError as error:  # closed before it could ask
            answer = wire.Answer(0, [], b"", str(error))
    assert (answer.status, answer.body) == (0, b"")
    assert standing.app.scopes == []
    (call,) = standing.record_of(1)
    assert (call.reason, call.caller, call.operation, call.full_path) == ("bad_identity", None, None, None)
    assert standing.call("till", "GET", "/people/1").status == 200


def test_who_presents_no_certificate_gets_no_answer(standing: Served) -> None:
    with standing.connect(None) as connection:
        assert connection.call("GET", "/people/1", host="people").status == 0
    assert standing.record_of(1)[0].reason == "bad_identity"
    assert standing.app.scopes == []


def test_plain_text_gets_no_answer(standing: Served) -> None:
    with wire.Connection.plain(standing.address) as connection:
        answer = connection.call("GET", "/people/1", host="people")
        assert (answer.status, answer.headers) == (0, [])
    assert standing.record_of(1)[0].reason == "bad_identity"
    assert standing.app.scopes == []


def test_who_only_looks_whether_something_listens_is_not_recorded(standing: Served) -> None:
    wire.Connection.plain(standing.address).close()
    assert standing.call("till", "GET", "/people/1").status == 200
    assert len(standing.record_of(1)) == 1


def test_nothing_older_than_tls_1_3_is_spoken(standing: Served) -> None:
    context = wire.context(standing.caller("till"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(standing.address) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain)
    assert standing.record_of(1)[0].reason == "bad_identity"


def test_no_session_is_resumed(standing: Served) -> None:
    context = wire.context(standing.caller("till"))
    with wire.Connection(context.wrap_socket(socket.create_connection(standing.address))) as first:
        assert first.call("GET", "/people/1", host="people").status == 200
        assert isinstance(first.socket, ssl.SSLSocket)
        session = first.socket.session
    again = context.wrap_socket(socket.create_connection(standing.address), session=session)
    with wire.Connection(again) as second:
        assert second.call("GET", "/people/1", host="people").status == 200
        assert again.session_reused is False


# --- what a caller claims


@pytest.mark.parametrize(
    "name", [*IDENTITY_HEADERS, "x-inward-guard", "x-inward-probe", "x-envoy-original-path", "x_forwarded_user", "a_b"]
)
def test_what_a_caller_claims_of_itself_is_dropped(standing: Served, name: str) -> None:
    with standing.connect("till") as connection:
        for spelling in (name, name.upper()):
            claim = f"URI={spiffe_id('office')}"
            connection.send(f"GET /people/1 HTTP/1.1\r\nhost: people\r\n{spelling}: {claim}\r\n\r\n".encode())
            answer = connection.answer()
            assert answer.status == 200
            assert SECRET not in answer.body.decode()
    assert standing.app.callers == ["till", "till"]
    for scope in standing.app.scopes:
        values = [value.decode() for key, value in scope["headers"] if key == name.encode()]
        assert f"URI={spiffe_id('office')}" not in values
    assert {call.caller for call in standing.record_of(2)} == {"till"}


def test_the_application_is_given_the_caller_and_the_reference_anew(standing: Served) -> None:
    seen = standing.call("office", "GET", "/people/1", x_forwarded_client_cert="URI=spiffe://people.test/till")
    headers = standing.app.scopes[0]["headers"]
    assert [value for name, value in headers if name == b"x-forwarded-client-cert"] == [
        b"URI=" + spiffe_id("office").encode()
    ]
    assert [value for name, value in headers if name == b"x-request-id"] == [
        (seen.header("x-request-id") or "").encode()
    ]
    assert SECRET in seen.body.decode()


def test_the_connection_stands_in_the_scope_as_asgi_says(standing: Served) -> None:
    assert standing.call("office", "GET", "/people/1").status == 200
    scope = standing.app.scopes[0]
    assert scope["scheme"] == "https"
    told = scope["extensions"]["tls"]
    (leaf,) = (x509.load_pem_x509_certificate(pem.encode()) for pem in told["client_cert_chain"])
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [spiffe_id("office")]
    assert told["server_cert"].encode() == standing.identity_files.svid.read_bytes()
    assert (told["client_cert_error"], told["tls_version"]) == (None, 0x0304)
    assert told["cipher_suite"] in {0x1301, 0x1302, 0x1303}
    assert not [key for key in scope if key in {"inward.connection", "inward.target"}]


# --- requests that can be read in two ways


AMBIGUOUS = [
    "/people//1",
    "//people/1",
    "/people/./1",
    "/people/x/../1",
    "/people/..",
    "/people/%2e%2e",
    "/people/.%2E/1",
    "/people%2f1",
    "/people/a%2Fb",
    "/people/a%5cb",
    "/people/a\\b",
    "/people/a%00b",
    "/people/a;b",
    "/people/a%3bb",
    "/%70eople/1",
    "/people/%31",
    "/people/%c0%af",
    "/people/%",
    "/people/%zz",
    "/people/a#b",
    "/people/1?a#b",
    "http://people/people/1",
    "people/1",
    "*",
]


@pytest.mark.parametrize("target", AMBIGUOUS)
def test_a_target_that_can_be_read_in_two_ways_is_refused(standing: Served, target: str) -> None:
    with standing.connect("office") as connection:
        answer = connection.call("GET", target, host="people")
        assert (answer.status, answer.code) == (400, "bad_request")
        assert connection.call("GET", "/people/1", host="people").status == 0  # the connection ends with it
    assert standing.app.scopes == []
    (call,) = standing.record_of(1)
    assert (call.reason, call.caller, call.id) == ("bad_request", "office", answer.reference)


MALFORMED = {
    "no host": b"GET /people/1 HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /people/1 HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
    "two lengths": b"POST /people/1 HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "length and chunks": b"POST /people/1 HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n"
    b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks, then something": b"POST /people/1 HTTP/1.1\r\nhost: a\r\n"
    b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"POST /people/1 HTTP/1.1\r\nhost: a\r\ncontent-length : 1\r\n\r\na",
    "a negative length": b"POST /people/1 HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
    "a folded header": b"GET /people/1 HTTP/1.1\r\nhost: a\r\nx: a\r\n content-length: 5\r\n\r\n",
    "a bare line feed": b"GET /people/1 HTTP/1.1\nhost: a\n\n",
    "a null": b"GET /people/1 HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n",
    "an upgrade": b"GET /people/1 HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    "HTTP/2 in clear text": b"GET /people/1 HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "another version": b"GET /people/1 HTTP/2.0\r\nhost: a\r\n\r\n",
    "a tunnel": b"CONNECT people:80 HTTP/1.1\r\nhost: a\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x00\x00 what\r\n\r\n",
    "too many headers": b"GET /people/1 HTTP/1.1\r\nhost: a\r\n" + b"x: y\r\n" * (MAX_HEAD_BYTES // 3) + b"\r\n",
    "too long a header": b"GET /people/1 HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 2 * MAX_HEAD_BYTES + b"\r\n\r\n",
    "too long a target": b"GET /people/" + b"a" * 2 * MAX_HEAD_BYTES + b" HTTP/1.1\r\nhost: a\r\n\r\n",
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_request_is_refused_and_nothing_behind_it_is_read(standing: Served, what: str) -> None:
    smuggled = b"GET /people/smuggled HTTP/1.1\r\nhost: people\r\n\r\n"
    with standing.connect("office") as connection:
        connection.send(MALFORMED[what] + smuggled)
        answers = [answer for answer in connection.rest() if answer.status]
    assert [answer.status for answer in answers] in ([400], [])
    assert standing.app.scopes == []
    assert {(call.reason, call.caller) for call in standing.record_of(1)} == {("bad_request", "office")}


def test_a_body_that_breaks_off_in_a_bad_chunk_is_no_body(standing: Served) -> None:
    with standing.connect("office") as connection:
        head = b"POST /people/1 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\nxyz\r\n"
        connection.send(head + b"GET /people/smuggled HTTP/1.1\r\nhost: people\r\n\r\n")
        assert [answer.status for answer in connection.rest() if answer.status] in ([400], [])
    calls = standing.record_of(2)
    assert sorted(call.reason for call in calls) == ["bad_request", "granted"]
    assert standing.app.bodies == []


def test_what_stands_behind_a_body_is_no_header(standing: Served) -> None:
    chunked = b"POST /people/1 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n"
    with standing.connect("office") as connection:
        connection.send(chunked + b"0\r\nhost: b\r\ntxn-token: a.b.c\r\nx-behind: body\r\n\r\n")
        assert connection.answer().status == 200
        assert connection.call("GET", "/people/1", host="a").status == 200
    assert standing.app.bodies == [b"ab", b""]
    names = {bytes(name) for name, _ in standing.app.scopes[0]["headers"]}
    assert b"host" in names
    assert names.isdisjoint({b"txn-token", b"x-behind"})


ENDLESS = {
    "trailers": b"0\r\n" + b"x: y\r\n" * (MAX_HEAD_BYTES // 2),
    "a trailer": b"0\r\nx: " + b"y" * 3 * MAX_HEAD_BYTES,
    "an extension of a chunk": b"1;x=" + b"y" * 3 * MAX_HEAD_BYTES,
}


@pytest.mark.parametrize("what", ENDLESS)
def test_what_is_no_body_has_an_end(standing: Served, what: str) -> None:
    head = b"POST /people/1 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n"
    with standing.connect("office") as connection:
        connection.send(head)
        with contextlib.suppress(OSError):  # it may be closed while this is sent
            connection.send(ENDLESS[what])
        assert [answer.status for answer in connection.rest() if answer.status] == []
    assert "bad_request" in {call.reason for call in standing.record_of(2)}
    assert standing.app.bodies == []


def test_a_body_is_not_bounded_with_what_is_around_it(standing: Served) -> None:
    chunks = b"1\r\nx\r\n" * MAX_HEAD_BYTES
    with standing.connect("office") as connection:
        connection.send(b"POST /people/1 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n" + chunks)
        connection.send(b"0\r\n\r\n")
        assert connection.answer().status == 200
    assert standing.app.bodies == [b"x" * MAX_HEAD_BYTES]


def test_requests_one_after_another_are_each_answered_and_recorded(standing: Served) -> None:
    with standing.connect("office") as connection:
        connection.send(b"".join(f"GET /people/{each} HTTP/1.1\r\nhost: a\r\n\r\n".encode() for each in range(4)))
        answers = [connection.answer() for _ in range(4)]
    assert [json.loads(answer.body)["path"] for answer in answers] == [f"/people/{each}" for each in range(4)]
    assert [call.full_path for call in standing.record_of(4)] == [f"/people/{each}" for each in range(4)]


def test_a_malformed_request_behind_a_good_one_writes_nothing_into_its_answer(standing: Served) -> None:
    with standing.connect("office") as connection:
        connection.send(b"GET /people/1 HTTP/1.1\r\nhost: a\r\n\r\nno HTTP\r\n\r\n")
        answers = connection.rest()
    assert [answer.status for answer in answers if answer.status] in ([], [200], [200, 400])
    assert "bad_request" in {call.reason for call in standing.record_of(2)}


@pytest.mark.parametrize(("target", "method"), [("/people/streamed", "GET"), ("/people/1", "HEAD")])
def test_any_answer_is_recorded(standing: Served, target: str, method: str) -> None:
    with standing.connect("office") as connection:
        connection.send(f"{method} {target} HTTP/1.1\r\nhost: people\r\n\r\n".encode())
        assert connection.answer(to=method).status == 200
    (call,) = standing.record_of(1)
    assert (call.status, call.reason, call.method) == (200, "granted", method)


def test_an_application_that_fails_is_recorded(standing: Served) -> None:
    assert standing.call("office", "GET", "/people/crash").status == 500
    (call,) = standing.record_of(1)
    assert (call.status, call.reason) == (500, "granted")


# --- what changes while it runs


def test_identities_rotate_under_load_without_a_failed_call(served: Served) -> None:
    """New SVIDs every few milliseconds, and a new CA: old connections stay, new ones get what is new."""
    second = forge.own_ca(TRUST_DOMAIN)
    callers = [served.caller("office"), served.pair(forge.good(second, spiffe_id("office")))]
    stop = threading.Event()
    failed: list[Any] = []
    done = [0, 0]

    def keep_calling(number: int) -> None:
        kept = served.connect(callers[0])
        while not stop.is_set():
            with served.connect(callers[number]) as fresh:
                for connection in (fresh, kept):
                    answer = connection.call("GET", "/people/1", host="people")
                    if answer.status != 200:
                        failed.append(answer)
                    if answer.header("connection") == "close":
                        failed.append("closed")
            done[number] += 1
        kept.close()

    served.trust(served.issuer, second)
    eventually("the second CA is trusted", lambda: len(served.identity.current().bundle.authorities) == 2)
    threads = [threading.Thread(target=keep_calling, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    serials = set()
    for turn in range(12):
        served.issue(second if turn % 2 else served.issuer)
        new = x509.load_pem_x509_certificate(served.identity_files.svid.read_bytes()).serial_number
        eventually("it is in use", partial(_uses, served, new))
        serials.add(_serial_of(served))
        eventually("calls go on", partial(_reached, done, sum(done) + 2))
    stop.set()
    for thread in threads:
        thread.join(30)
    assert failed == []
    assert min(done) > 5
    assert len(serials) == 12


def _uses(served: Served, serial: int) -> bool:
    return served.identity.current().svid.serial == serial


def _reached(done: list[int], count: int) -> bool:
    return sum(done) >= count


def _serial_of(served: Served) -> int:
    """Return the serial number of what a new handshake is shown."""
    with served.connect("office") as connection:
        assert isinstance(connection.socket, ssl.SSLSocket)
        der = connection.socket.getpeercert(binary_form=True)
        assert der is not None
        return x509.load_der_x509_certificate(der).serial_number


def test_files_that_do_not_fit_together_leave_the_identity_before(served: Served) -> None:
    before = served.identity.current().svid.serial
    _, key = forge.good(served.issuer, str(OWN))
    write_private(served.identity_files.key, key)
    assert served.call("office", "GET", "/people/1").status == 200
    write_private(served.identity_files.bundle, b"")
    assert served.call("office", "GET", "/people/1").status == 200
    assert served.identity.current().svid.serial == before


def test_a_connection_ends_with_the_trust_in_its_ca(served: Served) -> None:
    second = forge.own_ca(TRUST_DOMAIN)
    with served.connect("office") as connection:
        assert connection.call("GET", "/people/1", host="people").status == 200
        served.trust(second)
        eventually("it is trusted", lambda: served.identity.current().bundle.pem == second.pem)
        refused = connection.call("GET", "/people/1", host="people")
        assert (refused.status, refused.code) == (403, "bad_identity")
        assert connection.call("GET", "/people/1", host="people").status == 0
    assert len(served.app.scopes) == 1
    call = served.record_of(2)[1]
    assert (call.reason, call.caller) == ("bad_identity", None)


def test_a_connection_ends_with_the_certificate_that_it_was_opened_with(served: Served) -> None:
    with served.connect("office") as connection:
        assert connection.call("GET", "/people/1", host="people").status == 200
        served.clock.ahead = timedelta(minutes=70)
        assert connection.call("GET", "/people/1", host="people").code == "bad_identity"
    assert len(served.app.scopes) == 1


def test_a_connection_is_closed_after_an_answer_before_its_certificate_ends(served: Served) -> None:
    with served.connect("office") as connection:
        assert connection.call("GET", "/people/1", host="people").header("connection") is None
        served.clock.ahead = timedelta(minutes=16)
        last = connection.call("GET", "/people/1", host="people")
        assert (last.status, last.header("connection")) == (200, "close")
        assert connection.call("GET", "/people/1", host="people").status == 0


def test_quarantine_holds_on_connections_that_are_open(served: Served) -> None:
    with served.connect("till") as till, served.connect("office") as office:
        assert till.call("GET", "/people/1", host="people").status == 200
        write_private(served.quarantine, b'{"till":{"service":"till","since":"","reason":""}}')
        refused = till.call("GET", "/people/1", host="people")
        assert (refused.status, refused.code) == (403, "quarantined")
        assert office.call("GET", "/people/1", host="people").status == 200
        write_private(served.quarantine, b'{"people":{"service":"people","since":"","reason":""}}')
        assert office.call("GET", "/people/1", host="people").code == "quarantined"
    write_private(served.quarantine, b"{}")
    assert served.call("till", "GET", "/people/1").status == 200
    assert [call.reason for call in served.record_of(5)] == [
        "granted",
        "quarantined",
        "granted",
        "quarantined",
        "granted",
    ]


def test_a_list_that_cannot_be_read_lets_nobody_in(served: Served) -> None:
    write_private(served.quarantine, b'{"till": ')
    assert served.call("office", "GET", "/people/1").code == "quarantined"
    served.quarantine.unlink()
    served.quarantine.mkdir(mode=0o700)
    assert served.call("office", "GET", "/people/1").code == "quarantined"


def test_in_mode_observe_nothing_is_refused_but_what_nobody_may_do(tmp_path: Path) -> None:
    with Served(tmp_path, mode="observe") as served:
        assert served.call("stranger", "GET", "/people/1").status == 200
        assert served.call("stranger", "GET", "/people//1").status == 400
        write_private(served.quarantine, b'{"stranger":{}}')
        assert served.call("stranger", "GET", "/people/1").status == 403
        first, second, third = served.record_of(3)
    assert (first.reason, first.decision, first.carried_out, first.mode) == ("no_grant", "deny", "allow", "observe")
    assert (second.reason, second.carried_out) == ("bad_request", "deny")
    assert (third.reason, third.decision, third.carried_out) == ("quarantined", "deny", "deny")


# --- what is slow, and what cannot be recorded


def test_slow_handshakes_hold_up_nobody_and_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HANDSHAKE_SECONDS", 0.3)
    with Served(tmp_path) as served:
        slow = [wire.Connection.plain(served.address) for _ in range(50)]
        for connection in slow:
            connection.send(b"\x16\x03\x01")
        assert served.call("office", "GET", "/people/1").status == 200
        assert [connection.answer().status for connection in slow] == [0] * 50
        assert {connection.answer().closed for connection in slow} <= {"closed", "[Errno 104] Connection reset by peer"}
        for connection in slow:
            connection.close()
        eventually("none is left", lambda: not served.config.handshakes)
        assert len(served.record_of(1)) == 1


def test_handshakes_beyond_a_number_are_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_HANDSHAKES", 2)
    with Served(tmp_path) as served:
        waiting = [wire.Connection.plain(served.address) for _ in range(2)]
        eventually("two wait", lambda: len(served.config.handshakes) == 2)
        with pytest.raises(OSError, match=r".*"):
            served.connect("office")
        for connection in waiting:
            connection.close()
        eventually("none waits", lambda: not served.config.handshakes)
        assert served.call("office", "GET", "/people/1").status == 200


@pytest.mark.parametrize("sent", [b"", b"GET /people/1 HTTP/1.1\r\nhost: a\r\n"])
def test_a_head_that_does_not_come_ends_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    with Served(tmp_path) as served, served.connect("office") as connection:
        connection.send(sent)
        answer = connection.answer()
        assert (answer.status, answer.closed) == (0, "closed")
        assert served.app.scopes == []


def test_a_log_that_is_rotated_goes_on_in_the_next_file(served: Served) -> None:
    with served.connect("office") as connection:
        for turn in range(4):
            assert connection.call("GET", f"/people/{turn}", host="people").status == 200
            served.log.switch()
    assert [call.full_path for call in served.record_of(4)] == [f"/people/{turn}" for turn in range(4)]
    assert len(served.log.numbers()) == 5


def test_what_cannot_be_recorded_is_not_answered_to_its_end(served: Served) -> None:
    with served.connect("office") as connection:
        assert connection.call("GET", "/people/1", host="people").status == 200
        served.log.symlink.unlink()
        answer = connection.call("GET", "/people/2", host="people")
        assert answer.status == 0
        assert SECRET not in answer.body.decode() or answer.closed
    served.log.switch()
    assert served.call("office", "GET", "/people/3").status == 200
    assert [call.full_path for call in served.record_of(2)] == ["/people/1", "/people/3"]


def test_an_answer_that_is_held_back_does_not_get_out_unrecorded(served: Served) -> None:
    served.log.symlink.unlink()
    with served.connect("till") as connection:
        answer = connection.call("GET", "/people/1", host="people")
    assert answer.status == 0
    assert b"Ada" not in answer.body
    assert len(served.app.scopes) == 1
