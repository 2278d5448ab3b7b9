"""X.509-SVIDs: the identity documents of workloads, and their verification (SPIFFE X509-SVID)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography.x509 import verification

from inward.identity.certificate import (
    UNREADABLE,
    InvalidCertificateError,
    PrivateKey,
    check_leaf,
    check_signing,
    check_size,
    parse_certificates,
    parse_private_key,
    read_public_key,
    render_certificates,
    render_private_key,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography import x509

    from inward.identity.bundle import TrustBundle
    from inward.identity.spiffe_id import SpiffeID

MAX_CHAIN = 4  # the leaf, and up to three intermediates


@dataclass(frozen=True, slots=True)
class X509SVID:
    """A workload's certificate chain, leaf first, with the leaf's private key.

    Whoever holds one knows that the leaf keeps the rules for leaves and that the key is the leaf's; not that
    the chain verifies: that is `verify_x509_svid`. Its text never shows the key.
    """

    chain: tuple[x509.Certificate, ...]
    private_key: PrivateKey = field(repr=False, compare=False)
    spiffe_id: SpiffeID = field(init=False)

    def __post_init__(self) -> None:
        _check_length(self.chain)
        object.__setattr__(self, "spiffe_id", check_leaf(self.leaf))
        if self.private_key.public_key() != read_public_key(self.leaf):
            raise InvalidCertificateError(f"the private key is not that of the leaf of `{self.spiffe_id}`")

    @property
    def leaf(self) -> x509.Certificate:
        """The workload's own certificate."""
        return self.chain[0]

    @property
    def serial(self) -> int:
        """The leaf's serial number."""
        return self.leaf.serial_number

    @property
    def not_before(self) -> datetime:
        """The first second of the leaf's validity, in UTC."""
        return self.leaf.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """The last second of the leaf's validity, in UTC."""
        return self.leaf.not_valid_after_utc

    @property
    def chain_pem(self) -> bytes:
        """The chain as PEM, leaf first: what a TLS server is given."""
        return render_certificates(self.chain)

    @property
    def key_pem(self) -> bytes:
        """The private key as unencrypted PKCS#8 PEM. Write it into a private folder and nowhere else."""
        return render_private_key(self.private_key)

    @classmethod
    def parse(cls, chain_pem: bytes, key_pem: bytes) -> X509SVID:
        """Read a chain, leaf first, and the leaf's unencrypted key. Nothing is said of who signed it."""
        return cls(parse_certificates(chain_pem, limit=MAX_CHAIN), parse_private_key(key_pem))


def is_expired(certificate: x509.Certificate, now: datetime) -> bool:
    """Return whether the last second of a certificate, itself valid (RFC 5280 section 4.1.2.5), is over."""
    return now >= certificate.not_valid_after_utc + timedelta(seconds=1)


def verify_x509_svid(chain: Sequence[x509.Certificate], bundle: TrustBundle, now: datetime) -> SpiffeID:
    """Return the SPIFFE ID that `chain`, leaf first, proves at `now`, or raise `InvalidCertificateError`.

    Steps:

    1. The chain has 1 to 4 certificates of bounded size; nothing is computed on more.
    2. The leaf has exactly one URI name, and it is a SPIFFE ID with a path (X509-SVID section 2).
    3. The leaf can sign, and cannot sign certificates (sections 4.1 and 4.3).
    4. The leaf is for both sides of TLS, where it says what it is for (section 4.4).
    5. The leaf is of the bundle's trust domain, and no intermediate is of another one (section 3.2).
    6. Every certificate of the chain is valid at `now` (section 5.1; RFC 5280 section 6.1.3).
    7. A path leads from the leaf to an authority of the bundle that is valid at `now` (the same).

    Left to the caller: that the peer holds the leaf's key (the TLS handshake proves it), and whether this
    identity may do what it asks for.
    """
    # 1. The chain has 1 to 4 certificates of bounded size; nothing is computed on more.
    _check_length(chain)
    for certificate in chain:
        check_size(certificate, step=1)
    leaf, *intermediates = chain

    # 2. to 4. The leaf keeps the rules for leaves; the steps have the same numbers in there.
    spiffe_id = check_leaf(leaf)

    # 5. The leaf is of the bundle's trust domain, and no intermediate is of another one.
    if spiffe_id.trust_domain != bundle.trust_domain:
        raise InvalidCertificateError(f"`{spiffe_id}` is not of the trust domain `{bundle.trust_domain}`", step=5)
    for certificate in intermediates:
        check_signing(certificate, bundle.trust_domain, step=5)

    # 6. Every certificate of the chain is valid at `now`.
    for certificate in chain:
        _check_validity(certificate, spiffe_id, now)

    # 7. A path leads from the leaf to an authority of the bundle that is valid at `now`.
    _check_path(leaf, intermediates, bundle, spiffe_id, now)
    return spiffe_id


def _check_length(chain: Sequence[x509.Certificate]) -> None:
    if not 1 <= len(chain) <= MAX_CHAIN:
        hint = f"the leaf first, and {MAX_CHAIN - 1} intermediates at most"
        raise InvalidCertificateError(f"a chain of {len(chain)} certificates", hint=hint, step=1)


def _check_validity(certificate: x509.Certificate, spiffe_id: SpiffeID, now: datetime) -> None:
    if now < certificate.not_valid_before_utc:
        when = f"is not valid before {certificate.not_valid_before_utc:%Y-%m-%dT%H:%M:%SZ}"
    elif is_expired(certificate, now):
        when = f"has expired at {certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}"
    else:
        return
    message = f"a certificate of `{spiffe_id}` {when}, and it is {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    raise InvalidCertificateError(message, hint="if that is not the time, set the clock", step=6)


def _check_path(
    leaf: x509.Certificate,
    intermediates: list[x509.Certificate],
    bundle: TrustBundle,
    spiffe_id: SpiffeID,
    now: datetime,
) -> None:
    if not bundle.authorities:
        raise InvalidCertificateError(f"the trust domain `{bundle.trust_domain}` has no authority", step=7)
    builder = (
        verification.PolicyBuilder()
        .store(verification.Store(list(bundle.authorities)))
        .time(now)
        .max_chain_depth(MAX_CHAIN - 1)
    )
    try:
        builder.build_client_verifier().verify(leaf, intermediates)
    except (verification.VerificationError, *UNREADABLE) as error:  # some parts are only read here
        detail = str(error).partition("\n")[0][:200]
        message = f"no path from `{spiffe_id}` to an authority of `{bundle.trust_domain}`: {detail!a}"
        raise InvalidCertificateError(message, step=7) from error
