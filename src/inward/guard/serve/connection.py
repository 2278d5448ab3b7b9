"""One connection by mutual TLS: whose it is, for how long that holds, and what the application may know of it.

Rules:

1. OpenSSL has verified the peer's certificate in the handshake, and that the peer holds its key. `verify_x509_svid` is
   asked on top: two URI names, a CA, another trust domain or a wrong key usage are nothing that OpenSSL refuses.
2. What held at the handshake is asked again when the trust bundle has changed or a certificate of the peer's chain has
   ended: no connection outlives what it was opened with.
3. A connection is closed, after an answer, long before that: when half of the life of the peer's SVID that was left
   is over, and after `MOST_SECONDS`. So a caller whose SVID is renewed in time never meets rule 2.
"""

from __future__ import annotations

import ssl
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from inward.identity.certificate import (
    InvalidCertificateError,
    parse_der_certificate,
    render_certificates,
)
from inward.identity.svid import MAX_CHAIN, verify_x509_svid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography import x509

    from inward.guard.serve.identity import FollowedIdentity

MOST_SECONDS = 900.0
_VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}  # RFC 8446 section 4.2.1
_SUITES = {  # RFC 8446 appendix B.4
    "TLS_AES_128_GCM_SHA256": 0x1301,
    "TLS_AES_256_GCM_SHA384": 0x1302,
    "TLS_CHACHA20_POLY1305_SHA256": 0x1303,
}


class Connection:
    """A connection whose peer presented `chain`, leaf first, at `now`; `address` is where it came from.

    Raises `InvalidCertificateError` where that proves no SPIFFE ID of the trust domain.
    """

    def __init__(
        self, chain: Sequence[x509.Certificate], identity: FollowedIdentity, now: datetime, address: str | None = None
    ) -> None:
        self.address = address
        self._chain = tuple(chain)
        self._identity = identity
        self._verify(now)
        left = min((self._until - now) / 2, timedelta(seconds=MOST_SECONDS))
        self._renew_at = now + left

    def _verify(self, now: datetime) -> None:
        bundle = self._identity.current().bundle
        self.peer = str(verify_x509_svid(self._chain, bundle, now))
        self._bundle = bundle
        self._until = min(certificate.not_valid_after_utc for certificate in self._chain)

    def verified(self, now: datetime) -> str | None:
        """Return the SPIFFE ID that the connection still proves; None where it does not any more."""
        if self._identity.current().bundle is self._bundle and now < self._until:
            return self.peer
        try:
            self._verify(now)
        except InvalidCertificateError:
            return None
        return self.peer

    def is_old(self, now: datetime) -> bool:
        """Whether the connection is to be closed after the next answer."""
        return now >= self._renew_at

    def extension(self, ssl_object: ssl.SSLObject) -> dict[str, Any]:
        """Return the scope's `tls` extension (ASGI TLS extension 0.2)."""
        suite = ssl_object.cipher()
        return {
            "server_cert": self._identity.current().svid_pem,
            "client_cert_chain": [render_certificates([certificate]).decode("ascii") for certificate in self._chain],
            "client_cert_name": self._chain[0].subject.rfc4514_string(),
            "client_cert_error": None,
            "tls_version": _VERSIONS.get(ssl_object.version() or ""),
            "cipher_suite": _SUITES.get(suite[0]) if suite else None,
        }


def presented(ssl_object: ssl.SSLObject) -> tuple[x509.Certificate, ...]:
    """Return the chain that the peer of a finished handshake presented, leaf first; nothing is said of its signatures.

    Raises `InvalidCertificateError` for none, one that is too long, and one that cannot be read.
    """
    leaf = ssl_object.getpeercert(binary_form=True)
    if leaf is None:
        raise InvalidCertificateError("no certificate")
    chain = _chain_of(ssl_object)
    if not chain or chain[0] != leaf or len(chain) > MAX_CHAIN:
        raise InvalidCertificateError(f"a chain of {len(chain)} certificates", hint=f"{MAX_CHAIN} at most")
    return tuple(parse_der_certificate(each) for each in chain)


def _chain_of(ssl_object: ssl.SSLObject) -> list[bytes]:
    if sys.version_info >= (3, 13):
        return [bytes(each) for each in ssl_object.get_unverified_chain()]
    # Before 3.13 the same function is there, and not public.
    inner: Any = ssl_object._sslobj  # type: ignore[attr-defined]  # noqa: SLF001 - see above
    return [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in inner.get_unverified_chain() or ()]
