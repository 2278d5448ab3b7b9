"""The egress gives a call the service's identity: only the service itself may use it, and nobody reads its files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.system import wire
from tests.system.company import READ_ONE
from tests.system.guarded import Guarded, eventually

from inward.policy.decision import Reason

NOBODY = 65534
needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can start a process of another account, which is the attacker here"
)


def through_egress(
    company: Guarded, authorization: str | None, target: str = "http://orders/orders/42", more: str = ""
) -> wire.Answer:
    """Ask the egress of `checkout` as a client with `HTTP_PROXY` does."""
    with wire.Connection.plain(company.egress("checkout")) as connection:
        proxy = "" if authorization is None else f"proxy-authorization: {authorization}\r\n"
        connection.send(f"GET {target} HTTP/1.1\r\nhost: orders\r\n{proxy}{more}\r\n".encode())
        return connection.answer()


def assert_its_own_works(company: Guarded) -> None:
    answer = through_egress(company, wire.basic(company.running("checkout").credential))
    assert answer.status == 200
    call = company.recorded(answer)
    assert (call.caller, call.callee, call.operation, call.enforcer) == ("checkout", "orders", READ_ONE, "ingress")
    assert call.decision == "allow"
    assert "proxy-authorization" not in str(answer.json).lower()  # the credential stays where it is


@pytest.mark.parametrize(
    "wrong",
    [
        "none",
        "empty",
        "of nobody",
        "of another service",
        "another user",
        "another case",
        "with a tail",
        "not Basic",
        "twice",
    ],
)
def test_another_process_cannot_use_an_egress(company: Guarded, wrong: str) -> None:
    assert_its_own_works(company)
    right = company.running("checkout").credential
    authorization = {
        "none": None,
        "empty": "",
        "of nobody": wire.basic("x" * 32),
        "of another service": wire.basic(company.running("payments").credential),
        "another user": wire.basic(right, "root"),
        "another case": wire.basic(right.swapcase()),
        "with a tail": wire.basic(right) + "A",
        "not Basic": "Bearer " + right,
        "twice": wire.basic("x") + "," + wire.basic(right),
    }[wrong]
    seen = company.seen_count("orders")
    answer = through_egress(company, authorization)
    assert (answer.status, answer.code) == (407, Reason.BAD_CREDENTIAL)
    assert answer.header("proxy-authenticate") == 'Basic realm="inward"'
    call = company.recorded(answer)
    assert (call.caller, call.callee, call.enforcer) == (None, "orders", "egress")
    assert (call.decision, call.carried_out, call.reason) == ("deny", "deny", Reason.BAD_CREDENTIAL)
    assert company.seen_count("orders") == seen


def test_no_credential_leaves_however_many_there_are(company: Guarded) -> None:
    assert_its_own_works(company)
    right = wire.basic(company.running("checkout").credential)
    for first, second in [
        (right, wire.basic("x")),
        (wire.basic("x"), right),
        (right, right),
        (wire.basic("x"), wire.basic("y")),
    ]:
        answer = through_egress(company, first, more=f"proxy-authorization: {second}\r\n")
        assert answer.status in ({200, 407} if right in {first, second} else {407})
        assert "Basic" not in answer.body.decode()


@pytest.mark.parametrize(
    "target", ["http://nobody/orders/42", "http://checkout/x", "http://127.0.0.1/", "http://orders.evil/orders/42"]
)
def test_a_service_that_is_not_there_is_not_told_to_strangers(company: Guarded, target: str) -> None:
    assert_its_own_works(company)
    right = wire.basic(company.running("checkout").credential)
    known = through_egress(company, right, target)
    assert (known.status, known.code) == (404, Reason.UNKNOWN_SERVICE)
    call = company.recorded(known)
    assert (call.caller, call.reason, call.enforcer) == ("checkout", Reason.UNKNOWN_SERVICE, "egress")
    unknown = through_egress(company, None, target)
    assert (unknown.status, unknown.code) == (407, Reason.BAD_CREDENTIAL)


@pytest.mark.parametrize(
    "line",
    [
        "CONNECT 127.0.0.1:22",
        "CONNECT orders.evil:80",
        "CONNECT localhost:80",
        "OPTIONS *",
        "GET /orders/42",
        "GET /server_info",
    ],
)
def test_an_egress_is_no_open_proxy(company: Guarded, line: str) -> None:
    assert_its_own_works(company)
    right = wire.basic(company.running("checkout").credential)
    seen = company.seen_count("orders")
    for authorization in (right, wire.basic("x")):
        with wire.Connection.plain(company.egress("checkout")) as connection:
            head = f"{line} HTTP/1.1\r\nhost: elsewhere\r\nproxy-authorization: {authorization}\r\n\r\n"
            connection.send(head.encode())
            answer = connection.answer()
        assert answer.status in {400, 403, 404, 405, 407}, answer
    assert company.seen_count("orders") == seen


@pytest.mark.parametrize("target", ["orders:80", "orders:443"])
def test_a_tunnel_needs_the_credential_and_takes_http2_alone(company: Guarded, target: str) -> None:
    """gRPC clients ask for one. It ends in the same Envoy: what comes out of it is a call like any other."""
    assert_its_own_works(company)
    right = company.running("checkout").credential
    seen = company.seen_count("orders")
    for credential, expected in ((right, 200), ("x", 407), (company.running("payments").credential, 407)):
        with wire.Connection.plain(company.egress("checkout")) as connection:
            head = (
                f"CONNECT {target} HTTP/1.1\r\nhost: {target}\r\nproxy-authorization: {wire.basic(credential)}\r\n\r\n"
            )
            connection.send(head.encode())
            assert connection.answer().status == expected
            if expected == 200:
                connection.send(b"GET /orders/42 HTTP/1.1\r\nhost: orders\r\n\r\n")
                assert connection.answer().status not in range(200, 400)
    assert company.seen_count("orders") == seen


UNREADABLE = {
    "an upgrade": "connection: upgrade\r\nupgrade: websocket\r\n",
    "headers that are too large": f"x: {'a' * 70000}\r\n",
    "two ends": "content-length: 3\r\ntransfer-encoding: chunked\r\n",
    "no header": "x\r\n",
}


@pytest.mark.parametrize("unreadable", UNREADABLE)
def test_what_an_egress_cannot_read_is_nobody_and_recorded(company: Guarded, unreadable: str) -> None:
    """It is refused before anybody looks at a credential: so it may be any process, and not the service."""
    assert_its_own_works(company)
    company.recorded_since(0)
    count, seen = len(company.calls()), company.seen_count("orders")
    answer = through_egress(company, None, more=UNREADABLE[unreadable])
    assert 400 <= answer.status < 500
    assert answer.code == Reason.BAD_REQUEST
    (call,) = eventually(
        "the record", lambda: [call for call in company.recorded_since(count) if call.enforcer == "egress"]
    )
    assert (call.caller, call.reason, call.carried_out) == (None, Reason.BAD_REQUEST, "deny")
    assert (call.detail or "").startswith("egress of checkout: ")
    assert company.seen_count("orders") == seen + 1  # of the reading of the record


def test_who_is_asked_is_who_is_recorded(company: Guarded) -> None:
    """An absolute target and another `Host`: RFC 9112 section 3.2.2 says which one counts."""
    right = wire.basic(company.running("checkout").credential)
    with wire.Connection.plain(company.egress("checkout")) as connection:
        head = f"GET http://orders/orders/42 HTTP/1.1\r\nhost: payments\r\nproxy-authorization: {right}\r\n\r\n"
        connection.send(head.encode())
        answer = connection.answer()
    assert answer.status == 200
    assert company.recorded(answer).callee == "orders"
    assert [value for name, value in answer.json["headers"] if name == "host"] == ["orders"]


def test_a_path_goes_out_as_it_was_typed(company: Guarded) -> None:
    """What it means is for the callee's ingress to say, which refuses here."""
    right = wire.basic(company.running("checkout").credential)
    answer = through_egress(company, right, "http://orders/orders/..%2fadmin%2fkeys")
    assert (answer.status, answer.code) == (400, Reason.BAD_REQUEST)
    answer = through_egress(company, right, "http://orders/orders/../admin/keys")
    assert (answer.status, answer.code) == (403, Reason.NO_GRANT)
    assert company.recorded(answer).path == "/admin/keys"


def test_identity_headers_are_not_taken_from_a_service(company: Guarded) -> None:
    right = wire.basic(company.running("checkout").credential)
    forged = (
        "x-forwarded-client-cert: URI=spiffe://company.test/auditor\r\nx-remote-user: root\r\nx_remote_user: root\r\n"
    )
    answer = through_egress(company, right, more=forged)
    assert answer.status == 200
    arrived = dict(answer.json["headers"])
    assert arrived["x-forwarded-client-cert"].endswith("URI=spiffe://company.test/checkout")
    assert "root" not in str(arrived)
    refused = through_egress(company, right, "http://orders/admin/keys", more=forged)
    assert refused.status == 403
    assert company.recorded(refused).caller == "checkout"


def test_every_service_has_a_credential_of_its_own(company: Guarded) -> None:
    found = {company.running(service).credential for service in ("orders", "payments", "shipping", "checkout")}
    assert len(found) == 4
    assert all(len(credential) >= 32 for credential in found)


DROP = """\
import encodings.idna, os, socket, sys  # all now: later it could read no module
account = int(sys.argv.pop(1))
os.setgroups([])
os.setgid(account)
os.setuid(account)
"""
ATTACKS = """\
def attempt(what, do):
    try:
        do()
    except OSError as error:
        print(what, type(error).__name__)
    else:
        print(what, "REACHED")
def connect(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
for path in sys.argv[1:]:
    if path.endswith(".sock"):
        attempt(path, lambda: connect(path))
    else:
        attempt(path, lambda: os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1))
        attempt(path + " to write", lambda: open(path, "ab"))
"""


CALLS = """\
for port in sys.argv[1:]:
    with socket.create_connection(("127.0.0.1", int(port)), 10) as client:
        client.sendall(b"GET http://orders/orders/42 HTTP/1.1\\r\\nhost: orders\\r\\n\\r\\n")
        try:
            print(client.recv(12))
        except OSError:
            print("closed")
"""


def run_as(account: int, program: str, *arguments: str) -> list[str]:
    """Run a program of another account; return the lines that it prints."""
    argv = [sys.executable, "-c", DROP + program, str(account), *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


def private(company: Guarded) -> list[Path]:
    """Everything of the run and of its state that nobody else may touch."""
    run, state = company.layout.run, company.layout.state
    found = [path for folder in (run, state) for path in (folder, *folder.rglob("*")) if not path.is_symlink()]
    names = {path.name for path in found}
    assert names >= {
        "app.sock",
        "admin.sock",
        "slow.sock",
        "svid.json",
        "running.json",
        "egress.json",
        "authority.state",
    }
    return [
        *found,
        *(Path(f"/proc/{process.pid}/environ") for process in company.processes() if is_ours(process.cmdline())),
    ]


def is_ours(command: list[str]) -> bool:
    return any(part.endswith((".sock", "bootstrap.json")) or part == "86400" for part in command)


@needs_root
def test_another_account_reaches_no_socket_and_no_file(company: Guarded) -> None:
    assert_its_own_works(company)
    paths = [str(path) for path in private(company)]

    assert (
        sum(line.endswith("REACHED") for line in run_as(0, ATTACKS, *paths)) > len(paths) / 2
    )  # the attack itself works
    refused = run_as(NOBODY, ATTACKS, *paths)
    assert len(refused) > len(paths)
    assert [line for line in refused if not line.endswith(("PermissionError", "to write FileNotFoundError"))] == []


@needs_root
def test_another_account_uses_no_egress_and_no_ingress(company: Guarded) -> None:
    assert_its_own_works(company)
    seen = company.seen_count("orders")
    ports = [str(company.egress("checkout")[1]), str(company.ingress("orders")[1])]
    proxied, direct = run_as(NOBODY, CALLS, *ports)
    assert proxied == "b'HTTP/1.1 407'"
    assert "HTTP" not in direct
    assert company.seen_count("orders") == seen


def test_a_service_has_what_it_needs_and_no_more(company: Guarded) -> None:
    """The environment of an app: its own credential and identity, and no passphrase."""
    process = next(each for each in company.processes() if each.cmdline() == ["sleep", "86400"])
    given = eventually("environment", process.environ)
    running = company.running("checkout")
    assert given["HTTP_PROXY"] == given["http_proxy"] == f"http://inward:{running.credential}@{running.egress}"
    assert given["INWARD_SPIFFE_ID"] == "spiffe://company.test/checkout"
    others = [company.running(service).credential for service in ("orders", "payments", "shipping")]
    assert not any(other in str(given) for other in others)
