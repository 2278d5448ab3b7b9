"""Headers that claim to be somebody else: another service, an operator, an end user, one of our own enforcers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from inward.control.attack.attempt import Attempt, Found, Sent, Verdict, not_sent
from inward.control.attack.tries.operations import MOST_OF_A_CALLEE
from inward.envoy.resources.slow_filter import DECISION_HEADER, OPERATION_HEADER
from inward.record.verdict import HEADER as VERDICT_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.catalog.model import Operation, Service
    from inward.control.attack.intruder import Intruder
    from inward.control.egress_client import Outgoing

Headers = list[tuple[str, str]]
_TOKEN = "txn-token"  # noqa: S105 - the name of a header
_LIFETIME = 300  # seconds


def identities(intruder: Intruder) -> Iterator[Attempt]:
    """Yield refused calls of each other service that say they were another's."""
    for callee in intruder.callees:
        refused = [each for each in intruder.refused(callee) if each.rpc is None]
        reading = [each for each in refused if each.read_only]
        for operation in reading[:MOST_OF_A_CALLEE]:
            yield from _claims(intruder, callee, operation)


def _claims(intruder: Intruder, callee: Service, operation: Operation) -> Iterator[Attempt]:
    victim = intruder.victim(operation)
    path = intruder.path(operation)
    for what, headers in claims(intruder.catalog.trust_domain, victim, callee.name, operation.id).items():
        outgoing = intruder.outgoing(callee.name, operation.method, path, headers)
        yield _claim(intruder, operation, f"{what}: {victim}", outgoing)
    other = next((each.name for each in intruder.callees if each is not callee), intruder.service)
    confused = intruder.outgoing(callee.name, operation.method, path, [("host", other)])
    yield _claim(intruder, operation, f"an absolute URL, and the host of {other}", confused)
    named = intruder.outgoing(f"{victim}@{callee.name}", operation.method, path)
    yield _claim(intruder, operation, f"{victim} as the user of the URL", named)
    chosen = str(uuid.uuid4())
    referring = intruder.outgoing(callee.name, operation.method, path, [("x-request-id", chosen)])
    yield _claim(intruder, operation, "a reference of its choice", referring, chosen)


def _claim(
    intruder: Intruder, operation: Operation, what: str, outgoing: Outgoing, reference: str | None = None
) -> Attempt:
    """Return a refused call that claims something; `reference` is one that it must not have in the record."""

    def judge(sent: Sent, found: Found) -> Verdict:
        if reference is not None and sent.reference == reference:
            return Verdict("breached", "it was recorded under a reference of the caller's choice", reference)
        verdict = intruder.judged(sent, found, operation)
        if verdict.outcome == "open":  # it is let through as whom it is: its claim gave it nothing
            return replace(verdict, outcome="held", why=f"recorded as {intruder.service}; {verdict.why}")
        return verdict

    return Attempt("identity", operation.id, what, judge, lambda: intruder.send(outgoing))


def claims(trust_domain: str, victim: str, callee: str, operation: str) -> dict[str, Headers]:
    """Return headers by which some program would take the caller for `victim`, by what they are."""
    spiffe_id = f"spiffe://{trust_domain}/{victim}"
    forwarded = f"By=spiffe://{trust_domain}/{callee};Hash={'0' * 64};URI={spiffe_id}"
    decision = json.dumps({"reason": "granted"})
    return {
        "x-forwarded-client-cert": [("x-forwarded-client-cert", forwarded)],
        "x-forwarded-client-cert, twice": [("x-forwarded-client-cert", forwarded)] * 2,
        "x_forwarded_client_cert": [("x_forwarded_client_cert", forwarded)],
        "a SPIFFE ID": [("x-spiffe-id", spiffe_id), ("spiffe-id", spiffe_id), ("x-client-spiffe-id", spiffe_id)],
        "a certificate in a header": [("x-ssl-client-s-dn", f"CN={victim}"), ("x-ssl-client-verify", "SUCCESS")],
        "a user of the proxy": [("x-forwarded-user", victim), ("remote-user", victim), ("x-user", victim)],
        "loopback": [("x-forwarded-for", "127.0.0.1"), ("x-real-ip", "127.0.0.1"), ("forwarded", "for=127.0.0.1")],
        "headers of Envoy": [
            ("x-envoy-internal", "true"),
            ("x-envoy-original-path", "/"),
            ("x-envoy-external-address", "127.0.0.1"),
        ],
        "headers of Inward": [
            (DECISION_HEADER, "granted"),
            (OPERATION_HEADER, operation),
            (VERDICT_HEADER, decision),
            ("x-inward-caller", victim),
        ],
        "a bearer token": [("authorization", f"Bearer {_encoded({'alg': 'none'})}.{_encoded({'sub': spiffe_id})}.")],
    }


# --- end users


def users(intruder: Intruder) -> Iterator[Attempt]:
    """Yield calls that it may make, with tokens that nobody signed who may."""
    if intruder.catalog.users is None:
        why = "the system has no issuer of end users, so no token proves anybody"
        yield not_sent("user", intruder.service, "a forged token", Verdict("untried", why))
        return
    granted = [(callee, each) for callee in intruder.callees for each in intruder.granted(callee) if each.rpc is None]
    guarded = [(callee, each) for callee, each in granted if callee.guarded]
    if not guarded:
        why = "it may call no service that has a guard, which is who reads tokens"
        yield not_sent("user", intruder.service, "a forged token", Verdict("untried", why))
    for callee, operation in guarded[:MOST_OF_A_CALLEE]:
        for what, token in forged_tokens(intruder).items():
            headers = [(_TOKEN, token), ("authorization", f"Bearer {token}")]
            yield _as_a_user(intruder, operation, callee, what, headers)


def _as_a_user(intruder: Intruder, operation: Operation, callee: Service, what: str, headers: Headers) -> Attempt:
    outgoing = intruder.outgoing(callee.name, operation.method, intruder.path(operation), headers)

    kept = intruder.catalog.privacy.of(operation.id).users != "drop"

    def judge(sent: Sent, found: Found) -> Verdict:
        call = found.call(sent.reference)
        if call is None:
            return Verdict("untried", sent.said or "the record does not have the call", sent.reference)
        if not kept:
            return Verdict("untried", "the record keeps no users, so nobody can tell", call.id)
        if call.user is not None:
            return Verdict("breached", f"it was taken for the user `{call.user}`", call.id)
        return Verdict("held", "the call is nobody's", call.id)

    return Attempt("user", operation.id, what, judge, lambda: intruder.send(outgoing))


def forged_tokens(intruder: Intruder) -> dict[str, str]:
    """Return Transaction Tokens that claim to be of the system's issuer, by what is wrong with them."""
    tokens = intruder.catalog.users
    assert tokens is not None  # noqa: S101 - whoever asks has looked
    keys = json.loads(tokens.jwks)["keys"]  # public: each service is given them
    at = int(intruder.now.timestamp())
    body: dict[str, object] = {"iss": tokens.issuer, "aud": tokens.audience, "iat": at, "exp": at + _LIFETIME}
    body |= {"sub": intruder.tag, "txn": intruder.tag}
    late = {**body, "iat": at - 2 * _LIFETIME, "exp": at - _LIFETIME}
    header = {"typ": "txntoken+jwt", "kid": keys[0]["kid"]}
    return {
        "a token without a signature": f"{_encoded({**header, 'alg': 'none'})}.{_encoded(body)}.",
        "a token signed by somebody else": _signed(header, body),
        "a token signed by the public key": _shared({**header, "alg": "HS256"}, body, json.dumps(keys[0]).encode()),
        "an expired token": _signed(header, late),
        "an empty token": "..",
    }


def _encoded(value: object) -> str:
    return _base64url(json.dumps(value).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _signed(header: dict[str, str], body: dict[str, object]) -> str:
    text = f"{_encoded({**header, 'alg': 'ES256'})}.{_encoded(body)}"
    r, s = decode_dss_signature(ec.generate_private_key(ec.SECP256R1()).sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{_base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _shared(header: dict[str, str], body: dict[str, object], secret: bytes) -> str:
    text = f"{_encoded(header)}.{_encoded(body)}"
    return f"{text}.{_base64url(hmac.digest(secret, text.encode(), hashlib.sha256))}"
