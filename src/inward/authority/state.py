"""The authority's state as bytes: every generation of its CA that has not expired, with its key.

What is read is checked as strictly as what anybody else gives: a state that is torn, edited or of another
trust domain is one error that says what to do, and never a reason to start over quietly.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - msgspec reads it at run time

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from inward.authority.generation import Generation
from inward.errors import InwardError
from inward.identity.certificate import (
    InvalidCertificateError,
    check_signing,
    parse_certificates,
    parse_private_key,
    read_public_key,
    render_certificates,
    render_private_key,
)

MAX_GENERATIONS = 16
FORMAT = "inward-authority-1"


class AuthorityStateError(InwardError):
    """The stored state of the authority cannot be used."""

    code = "authority_state"


@dataclass(frozen=True, slots=True)
class AuthorityState:
    """The generations, in the order of their making, and how often that list has changed."""

    sequence: int = 0
    generations: tuple[Generation, ...] = ()


class _StoredGeneration(msgspec.Struct, forbid_unknown_fields=True):
    certificate: str
    private_key: str
    created: datetime
    activates_at: datetime


class _StoredState(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    trust_domain: str
    sequence: int
    generations: list[_StoredGeneration]


def render_state(state: AuthorityState, trust_domain: str) -> bytes:
    """Return the state as JSON. It holds private keys: give it to a `KeyStore` and nothing else."""
    return msgspec.json.encode(
        _StoredState(
            FORMAT,
            trust_domain,
            state.sequence,
            [
                _StoredGeneration(
                    render_certificates([generation.certificate]).decode("ascii"),
                    render_private_key(generation.private_key).decode("ascii"),
                    generation.created,
                    generation.activates_at,
                )
                for generation in state.generations
            ],
        )
    )


def parse_state(data: bytes, trust_domain: str) -> AuthorityState:
    """Return the state that `render_state` made for that trust domain, or raise `AuthorityStateError`."""
    try:
        stored = msgspec.json.decode(data, type=_StoredState, strict=True)
    except msgspec.DecodeError as error:
        raise AuthorityStateError(f"cannot be read: {str(error)[:200]}") from error
    if stored.format != FORMAT:
        raise AuthorityStateError(f"is in the format {stored.format[:50]!a} and not in `{FORMAT}`")
    if stored.trust_domain != trust_domain:
        raise AuthorityStateError(f"is of the trust domain {stored.trust_domain[:255]!a}, not of `{trust_domain}`")
    if len(stored.generations) > MAX_GENERATIONS or stored.sequence < 0:
        raise AuthorityStateError("has more generations, or a smaller sequence number, than there can be")
    try:
        generations = tuple(_parse_generation(one, trust_domain) for one in stored.generations)
    except InvalidCertificateError as error:
        raise AuthorityStateError(f"holds {error.message}") from error
    return AuthorityState(stored.sequence, generations)


def _parse_generation(stored: _StoredGeneration, trust_domain: str) -> Generation:
    (certificate,) = parse_certificates(stored.certificate.encode("utf-8"), limit=1)
    check_signing(certificate, trust_domain)
    private_key = parse_private_key(stored.private_key.encode("utf-8"))
    if not isinstance(private_key, ec.EllipticCurvePrivateKey) or (
        private_key.public_key() != read_public_key(certificate)
    ):
        raise AuthorityStateError("holds a key that is not that of its certificate")
    if stored.created.tzinfo is None or stored.activates_at.tzinfo is None:
        raise AuthorityStateError("holds a time without a time zone")
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not (start <= stored.created <= end and start <= stored.activates_at <= end):
        raise AuthorityStateError("holds a generation whose times are not in order")
    return Generation(certificate, private_key, stored.created, stored.activates_at)
