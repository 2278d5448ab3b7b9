"""Connections that do not go through its own egress.

They go to ingresses, without an identity or with a forged one; to what listens behind an Envoy; to egresses of others.
What any process of the account can do, whoever it is, is not tried but named: the sockets and files of one account are
open to all its processes (docs/threats.md). What is looked at is that they are closed to other accounts.
"""

from __future__ import annotations

import os
import ssl
import stat
from typing import TYPE_CHECKING

from inward.control.attack import wire
from inward.control.attack.attempt import Attempt, Found, Sent, Verdict, not_sent
from inward.control.attack.forging import Forger, context
from inward.control.attack.intruder import USER_AGENT
from inward.control.attack.processes import listening
from inward.control.run.services import reachable
from inward.control.running import parse_address
from inward.envoy.resources.egress import proxy_authorization

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from inward.catalog.model import Address
    from inward.control.attack.intruder import Intruder
    from inward.control.running import RunningService

ELSEWHERE = "elsewhere.example"  # a trust domain that nobody here trusts (RFC 2606)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def connections(intruder: Intruder) -> Iterator[Attempt]:
    """Yield connections to the ingress of each other service, none with an identity that was issued."""
    domain = intruder.catalog.trust_domain
    forgers = Forger(domain), Forger(ELSEWHERE)
    for callee in intruder.callees:
        other = intruder.others.get(callee.name)
        if other is None or other.listen is None:
            why = Verdict("untried", "it is not started by this `inward up`")
            yield not_sent("connection", callee.name, "its ingress", why)
            continue
        operation = next((each for each in callee.operations if each.read_only), None)
        victim = intruder.victim(operation) if operation else callee.name
        request = _request(intruder.path(operation) if operation else "/", callee.name)
        address = reachable(parse_address(other.listen))
        for what, made in _contexts(*forgers, f"spiffe://{domain}/{victim}", f"spiffe://{ELSEWHERE}/{victim}").items():
            yield _handshake(callee.name, address, what, made, request, by_port=not other.serves_tls)


def _contexts(
    own: Forger, foreign: Forger, spiffe_id: str, elsewhere: str
) -> dict[str, Callable[[], ssl.SSLContext | None]]:
    name = spiffe_id.rpartition("/")[2]
    return {
        "plain HTTP": lambda: None,
        "TLS without a certificate": context,
        f"a certificate that signs itself: {name}": lambda: context(own.self_signed(spiffe_id)),
        f"an authority of its own, of the same trust domain: {name}": lambda: context(own.signed(spiffe_id)),
        f"an authority of another trust domain: {name}": lambda: context(foreign.signed(spiffe_id)),
        f"an identity of another trust domain: {name}": lambda: context(foreign.signed(elsewhere)),
        "TLS 1.2": lambda: context(own.signed(spiffe_id), ssl.TLSVersion.TLSv1_2),
        "TLS 1.1": lambda: context(own.signed(spiffe_id), ssl.TLSVersion.TLSv1_1),
    }


def _handshake(
    callee: str,
    address: Address,
    what: str,
    made: Callable[[], ssl.SSLContext | None],
    request: bytes,
    *,
    by_port: bool,
) -> Attempt:
    """Return a connection. `by_port`: it is an Envoy's, which records the port of a handshake that fails."""

    def send() -> Sent:
        try:
            chosen = made()
        except (ssl.SSLError, ValueError):
            return Sent(said="this machine's own TLS library does not speak it any more")
        return wire.attempt(lambda: wire.ask(address, request, context=chosen))

    def judge(sent: Sent, found: Found) -> Verdict:
        if sent.status is not None:
            return Verdict("breached", f"it was answered {sent.status}", sent.reference)
        if sent.port is None:
            return Verdict("untried", sent.said)
        failed = found.handshake(callee, sent.port)
        if failed is None and by_port:
            return Verdict("untried", f"{sent.said}, and the record has no handshake of it")
        return Verdict("held", sent.said, failed.id if failed is not None else None)

    return Attempt("connection", callee, what, judge, send, callee if by_port else "")


# --- behind an Envoy


def listeners(intruder: Intruder) -> Iterator[Attempt]:
    """Yield connections to the ports of other services that are not their Envoys', and a look at their files."""
    domain = intruder.catalog.trust_domain
    for name, other in intruder.others.items():
        service = intruder.catalog.services.get(name)
        operation = next((each for each in service.operations if each.read_only), None) if service else None
        victim = intruder.victim(operation) if operation else name
        forged = f"x-forwarded-client-cert: By=spiffe://{domain}/{name};Hash={'0' * 64};URI=spiffe://{domain}/{victim}"
        request = _request(intruder.path(operation) if operation else "/", name, forged)
        told = _addresses(other)
        if other.app is not None and not other.app.startswith("/") and not other.serves_tls:
            yield _port(name, reachable(parse_address(other.app)), request, victim, known=True)
        for address in listening(intruder.layout, name):
            if reachable(address) not in told:
                yield _port(name, reachable(address), request, victim, known=False)
        folder = intruder.layout.service(name).path
        yield _closed(name, "its sockets and files, as another account", [folder])
    ours = [intruder.layout.run, intruder.layout.state]
    yield _closed("inward", "the slow path, keys and the record, as another account", ours)


def _addresses(other: RunningService) -> set[Address]:
    """Return where a service is said to listen."""
    told = [each for each in (other.listen, other.egress, other.app) if each and not each.startswith("/")]
    return {reachable(parse_address(each)) for each in told}


def _port(name: str, address: Address, request: bytes, victim: str, *, known: bool) -> Attempt:
    def judge(sent: Sent, _found: Found) -> Verdict:
        if sent.port is None:
            return Verdict("held", f"nothing took the connection: {sent.said}")
        answered = f"it answered {sent.status}" if sent.status is not None else "it took the connection"
        if known:
            return Verdict("open", f"{answered}, past its Envoy: its `run` line has a port")
        return Verdict("breached", f"{answered}, past its Envoy, at a port that inward.yaml does not name")

    what = f"{address}, as {victim}"
    return Attempt("listener", name, what, judge, lambda: wire.attempt(lambda: wire.ask(address, request)))


def _closed(target: str, what: str, folders: list[Path]) -> Attempt:
    """Return a look at whether folders are closed to other accounts."""

    def judge(sent: Sent, _found: Found) -> Verdict:
        return (
            Verdict("breached", sent.said) if sent.said else Verdict("held", "only this account can enter the folder")
        )

    def send() -> Sent:
        for folder in folders:
            try:
                status = folder.stat()
            except OSError:
                continue  # there is nothing
            if stat.S_IMODE(status.st_mode) & _OTHERS or status.st_uid not in {os.geteuid(), 0}:
                return Sent(said=f"other accounts can enter `{folder}` (mode {stat.S_IMODE(status.st_mode):o})")
        return Sent()

    return Attempt("listener", target, what, judge, send)


# --- egresses


def egresses(intruder: Intruder) -> Iterator[Attempt]:
    """Yield calls through the egresses of others, and calls of what is no service through its own."""
    callee = next((each.name for each in intruder.callees), intruder.service)
    for name, other in intruder.others.items():
        credentials = {"without a credential": None, "with a wrong one": intruder.tag, "with its own": "own"}
        for what, credential in credentials.items():
            told = intruder.own.credential if credential == "own" else credential
            yield _borrowed(name, parse_address(other.egress), what, _proxied(f"http://{callee}/", callee, told))
    own = parse_address(intruder.own.egress)
    port = next((parse_address(each.egress).port for each in intruder.others.values()), own.port)
    for host in (f"127.0.0.1:{port}", "localhost:9901", "169.254.169.254", f"{callee}.{ELSEWHERE}"):
        request = _proxied(f"http://{host}/", host, intruder.own.credential)
        yield _open_proxy(intruder.service, own, f"GET http://{host}/", request)
    for host in ("127.0.0.1:22", f"{ELSEWHERE}:443"):
        request = _proxied(host, host, intruder.own.credential, "CONNECT")
        yield _open_proxy(intruder.service, own, f"a tunnel to {host}", request)


def _borrowed(name: str, address: Address, what: str, request: bytes) -> Attempt:
    def judge(sent: Sent, found: Found) -> Verdict:
        call = found.call(sent.reference)
        if sent.status is None:
            return Verdict("untried", sent.said)
        if call is None or call.caller is not None or call.carried_out == "allow":
            as_whom = f"as `{call.caller}`" if call is not None and call.caller else "and the record does not have it"
            return Verdict("breached", f"it was answered {sent.status}, {as_whom}", sent.reference)
        return Verdict("held", call.reason, call.id)

    return Attempt(
        "egress", name, f"its egress, {what}", judge, lambda: wire.attempt(lambda: wire.ask(address, request))
    )


def _open_proxy(name: str, address: Address, what: str, request: bytes) -> Attempt:
    method = request.partition(b" ")[0].decode("ascii")

    def judge(sent: Sent, found: Found) -> Verdict:
        call = found.call(sent.reference)
        if sent.status is None:
            return Verdict("untried", sent.said)
        if call is None or call.carried_out == "allow":
            return Verdict("breached", f"it was answered {sent.status}", sent.reference)
        return Verdict("held", call.reason, call.id)

    def send() -> Sent:
        return wire.attempt(lambda: wire.ask(address, request, method=method))

    return Attempt("egress", name, what, judge, send)


def _proxied(target: str, host: str, credential: str | None, method: str = "GET") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", f"host: {host}", "connection: close", f"user-agent: {USER_AGENT}"]
    if credential is not None:
        lines.append(f"proxy-authorization: {proxy_authorization(credential)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _request(path: str, host: str, *headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", f"host: {host}", "connection: close", f"user-agent: {USER_AGENT}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
