"""The trust bundle: what the SVIDs of a trust domain verify against (SPIFFE Trust Domain and Bundle 4).

In its JSON form, keys for other uses (JWT-SVIDs, unknown ones) are skipped, as section 4.2.2 asks; those for
X.509 are read strictly.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from inward.errors import BadInputError
from inward.identity.certificate import (
    InvalidCertificateError,
    check_signing,
    check_size,
    parse_certificates,
    parse_der_certificate,
    read_public_key,
    render_certificates,
)
from inward.identity.spiffe_id import parse_trust_domain

if TYPE_CHECKING:
    from cryptography import x509

MAX_AUTHORITIES = 64
MAX_JSON_BYTES = 1024 * 1024
MAX_KEYS = 256  # of all uses
MAX_NUMBER = 2**63 - 1
DEFAULT_REFRESH_HINT = 300  # seconds

_CURVES = {
    "secp256r1": ("P-256", 32),
    "secp384r1": ("P-384", 48),
    "secp521r1": ("P-521", 66),
}  # RFC 7518 section 6.2.1


class InvalidBundleError(BadInputError):
    """Bytes are no trust bundle, or its certificates cannot stand in one."""

    code = "invalid_bundle"


@dataclass(frozen=True, slots=True)
class TrustBundle:
    """What a trust domain trusts. One without authorities is possible and verifies nothing.

    `sequence` grows with every change; `refresh_hint` is the seconds after which to look for another one.
    """

    trust_domain: str
    authorities: tuple[x509.Certificate, ...]
    sequence: int = 0
    refresh_hint: int = DEFAULT_REFRESH_HINT

    def __post_init__(self) -> None:
        parse_trust_domain(self.trust_domain)
        if len(self.authorities) > MAX_AUTHORITIES:
            raise InvalidBundleError(f"{len(self.authorities)} authorities", hint=f"{MAX_AUTHORITIES} at most")
        if len(set(self.authorities)) != len(self.authorities):
            raise InvalidBundleError("the same authority twice")
        if not (0 <= self.sequence <= MAX_NUMBER and 0 <= self.refresh_hint <= MAX_NUMBER):
            raise InvalidBundleError("a sequence number or refresh hint that is negative or too large")
        for authority in self.authorities:
            try:
                check_size(authority)
                check_signing(authority, self.trust_domain)
            except InvalidCertificateError as error:
                raise InvalidBundleError(f"an authority that cannot be one: {error.message}") from error

    @property
    def pem(self) -> bytes:
        """The authorities as one PEM text; empty where there are none."""
        return render_certificates(self.authorities)

    @classmethod
    def parse_pem(cls, pem: bytes, trust_domain: str) -> TrustBundle:
        """Read a bundle of one or more PEM certificates, which says nothing of its trust domain."""
        try:
            return cls(trust_domain, parse_certificates(pem, limit=MAX_AUTHORITIES))
        except InvalidCertificateError as error:
            raise InvalidBundleError(f"a bundle with {error.message}", hint=error.hint) from error

    def render_json(self) -> bytes:
        """Return the SPIFFE bundle: a JWK Set with one `x509-svid` key an authority (section 4.2)."""
        return json.dumps(
            {
                "keys": [_jwk(authority) for authority in self.authorities],
                "spiffe_sequence": self.sequence,
                "spiffe_refresh_hint": self.refresh_hint,
            },
            separators=(",", ":"),
        ).encode("ascii")

    @classmethod
    def parse_json(cls, data: bytes, trust_domain: str) -> TrustBundle:
        """Read a SPIFFE bundle, which says nothing of its trust domain."""
        if len(data) > MAX_JSON_BYTES:
            raise InvalidBundleError(f"a bundle of {len(data)} bytes", hint=f"{MAX_JSON_BYTES} bytes at most")
        try:
            document = json.loads(data.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise InvalidBundleError("a bundle that is no strict JSON") from error
        if not isinstance(document, dict) or not isinstance(keys := document.get("keys"), list):
            raise InvalidBundleError("a bundle without a list of `keys`")
        if len(keys) > MAX_KEYS:
            raise InvalidBundleError(f"a bundle of {len(keys)} keys", hint=f"{MAX_KEYS} at most")
        return cls(
            trust_domain,
            tuple(
                _authority(key, index)
                for index, key in enumerate(keys)
                if not isinstance(key, dict) or key.get("use") == "x509-svid"
            ),
            _number(document, "spiffe_sequence", 0),
            _number(document, "spiffe_refresh_hint", DEFAULT_REFRESH_HINT),
        )


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice in one object")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _number(document: dict[str, Any], name: str, default: int) -> int:
    value = document.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidBundleError(f"`{name}` of the bundle is no whole number")
    return value


def _authority(key: Any, index: int) -> x509.Certificate:  # noqa: ANN401 - any JSON value
    """Return the certificate of one JWK, which is the certificate's own key (RFC 7517 section 4.7)."""
    if not isinstance(key, dict):
        raise InvalidBundleError(f"key {index} of the bundle is no object")
    chain = key.get("x5c")
    if not isinstance(chain, list) or len(chain) != 1 or not isinstance(chain[0], str):
        raise InvalidBundleError(f"key {index} of the bundle does not hold exactly one certificate in `x5c`")
    try:
        certificate = parse_der_certificate(base64.b64decode(chain[0], validate=True))
    except (ValueError, InvalidCertificateError) as error:
        raise InvalidBundleError(f"key {index} of the bundle holds a certificate that cannot be read") from error
    for name, value in _public_jwk(certificate).items():
        if key.get(name) != value:
            raise InvalidBundleError(f"key {index} of the bundle is not that of its certificate: `{name}` differs")
    return certificate


def _jwk(certificate: x509.Certificate) -> dict[str, Any]:
    der = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode("ascii")
    return {"use": "x509-svid", **_public_jwk(certificate), "x5c": [der]}


def _public_jwk(certificate: x509.Certificate) -> dict[str, str]:
    """Return the public key's JWK parameters (RFC 7518 sections 6.2.1 and 6.3.1)."""
    try:
        key = read_public_key(certificate)
    except InvalidCertificateError as error:
        raise InvalidBundleError(f"an authority that cannot be one: {error.message}") from error
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        curve, size = _CURVES[key.curve.name]
        point = key.public_numbers()
        return {"kty": "EC", "crv": curve, "x": _base64url(point.x, size), "y": _base64url(point.y, size)}
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return {"kty": "RSA", "n": _base64url(numbers.n), "e": _base64url(numbers.e)}
    raise InvalidBundleError("an authority with a key other than EC (P-256, P-384, P-521) and RSA")


def _base64url(number: int, size: int | None = None) -> str:
    octets = number.to_bytes(size or (number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
