"""Certificates and their keys as bytes, and what SPIFFE asks of a single certificate (X509-SVID 2 to 4).

Everything here looks at one certificate at a time. Signatures, validity and paths are the business of
`svid.verify_x509_svid`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from inward.errors import BadInputError
from inward.identity.spiffe_id import InvalidSpiffeIDError, SpiffeID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

MAX_PEM_BYTES = 256 * 1024  # of a whole file
MAX_CERTIFICATE_BYTES = 16 * 1024  # of one, as DER
MIN_RSA_BITS = 2048

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

# What the library raises for bytes that are no certificate or key, or hold something that it does not know.
UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)

_E = TypeVar("_E", bound=x509.ExtensionType)
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")


class InvalidCertificateError(BadInputError):
    """A certificate, a chain or a key cannot be read, breaks a rule of SPIFFE, or does not verify.

    `step` is the step of `verify_x509_svid` that refused it, 0 where none did.
    """

    code = "invalid_certificate"

    def __init__(self, message: str, *, hint: str = "", step: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.step = step


def parse_certificates(pem: bytes, *, limit: int) -> tuple[x509.Certificate, ...]:
    """Return the one to `limit` certificates of a PEM text that holds nothing else (RFC 7468 section 5.1)."""
    _check_pem_size(pem)
    blocks = _PEM.findall(pem)
    if not blocks:
        hint = "it starts with `-----BEGIN CERTIFICATE-----`"
        raise InvalidCertificateError("no certificate in PEM format", hint=hint)
    if len(blocks) > limit:
        raise InvalidCertificateError(f"{len(blocks)} certificates", hint=f"{limit} at most")
    if _PEM.sub(b"", pem).strip():
        raise InvalidCertificateError("something other than certificates beside the certificates")
    try:
        certificates = tuple(x509.load_pem_x509_certificate(block) for block in blocks)
    except UNREADABLE as error:
        raise InvalidCertificateError("a certificate that cannot be read") from error
    for certificate in certificates:
        check_size(certificate)
    return certificates


def parse_der_certificate(der: bytes) -> x509.Certificate:
    """Return the certificate of a DER encoding, of 16 KiB at most."""
    try:
        certificate = x509.load_der_x509_certificate(der[: MAX_CERTIFICATE_BYTES + 1])
    except UNREADABLE as error:
        raise InvalidCertificateError("a certificate that cannot be read") from error
    check_size(certificate)
    return certificate


def check_size(certificate: x509.Certificate, *, step: int = 0) -> None:
    """Raise `InvalidCertificateError` for a certificate of more than 16 KiB."""
    if len(certificate.public_bytes(Encoding.DER)) > MAX_CERTIFICATE_BYTES:
        hint = f"{MAX_CERTIFICATE_BYTES} bytes at most"
        raise InvalidCertificateError("a certificate that is too large", hint=hint, step=step)


def render_certificates(certificates: Sequence[x509.Certificate]) -> bytes:
    """Return the certificates as one PEM text, in their order."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def parse_private_key(pem: bytes) -> PrivateKey:
    """Return the unencrypted EC or RSA key of a PEM text (PKCS#8, RFC 5208; older formats are read too)."""
    _check_pem_size(pem)
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError as error:  # how the library says that a passphrase is missing
        hint = "keep it unencrypted, in a private folder"
        raise InvalidCertificateError("a private key that is encrypted", hint=hint) from error
    except UNREADABLE as error:
        raise InvalidCertificateError("a private key that cannot be read") from error
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= MIN_RSA_BITS:
        return key
    hint = f"use an EC key, or RSA of {MIN_RSA_BITS} bits or more"
    raise InvalidCertificateError("a private key of another kind", hint=hint)


def render_private_key(key: PrivateKey) -> bytes:
    """Return the key as unencrypted PKCS#8 PEM. Write it into a private folder and nowhere else."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def read_public_key(certificate: x509.Certificate) -> CertificatePublicKeyTypes:
    """Return a certificate's public key, which reading the certificate itself does not look at."""
    try:
        return certificate.public_key()
    except UNREADABLE as error:
        raise InvalidCertificateError("a certificate with a key that cannot be read") from error


def check_signing(certificate: x509.Certificate, trust_domain: str, *, step: int = 0) -> None:
    """Raise `InvalidCertificateError` unless a signing certificate is a CA, and of no other trust domain.

    It needs no SPIFFE ID; one that it has is the trust domain's own, without a path (X509-SVID section 3.2).
    """
    extensions = _extensions(certificate, step=step)
    constraints = _find(extensions, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        raise InvalidCertificateError("a signing certificate that is no CA", step=step)
    for uri in _uris(extensions):
        if uri.lower().startswith("spiffe:") and uri != f"spiffe://{trust_domain}":
            message = f"a signing certificate of {uri[:100]!a} for the trust domain `{trust_domain}`"
            raise InvalidCertificateError(message, step=step)


def check_leaf(certificate: x509.Certificate) -> SpiffeID:
    """Return the SPIFFE ID of a leaf that keeps the rules for leaves: steps 2 to 4 of `verify_x509_svid`."""
    # 2. The leaf has exactly one URI name, and it is a SPIFFE ID with a path (X509-SVID section 2).
    extensions = _extensions(certificate, step=2)
    uris = _uris(extensions)
    if len(uris) != 1:
        raise InvalidCertificateError(f"a leaf with {len(uris)} URI names instead of one", step=2)
    try:
        spiffe_id = SpiffeID.parse(uris[0])
    except InvalidSpiffeIDError as error:
        message = f"a leaf whose URI name is no SPIFFE ID: {error.message}"
        raise InvalidCertificateError(message, step=2) from error
    if not spiffe_id.path:
        raise InvalidCertificateError(f"a leaf for the trust domain itself, `{spiffe_id}`", step=2)

    # 3. The leaf can sign, and cannot sign certificates (sections 4.1 and 4.3).
    constraints = _find(extensions, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise InvalidCertificateError(f"the leaf of `{spiffe_id}` is a CA", step=3)
    usage = _find(extensions, x509.KeyUsage)
    if usage is None or not extensions.get_extension_for_class(x509.KeyUsage).critical:
        raise InvalidCertificateError(f"the leaf of `{spiffe_id}` has no critical key usage", step=3)
    if not usage.digital_signature:
        raise InvalidCertificateError(f"the leaf of `{spiffe_id}` lacks digitalSignature", step=3)
    if usage.key_cert_sign or usage.crl_sign:
        raise InvalidCertificateError(f"the leaf of `{spiffe_id}` may sign certificates", step=3)

    # 4. The leaf is for both sides of TLS, where it says what it is for (section 4.4).
    purposes = _find(extensions, x509.ExtendedKeyUsage)
    both = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    if purposes is not None and not both <= set(purposes):
        raise InvalidCertificateError(f"the leaf of `{spiffe_id}` is not for both sides of TLS", step=4)
    return spiffe_id


def _check_pem_size(pem: bytes) -> None:
    if len(pem) > MAX_PEM_BYTES:
        raise InvalidCertificateError(f"{len(pem)} bytes of PEM", hint=f"{MAX_PEM_BYTES} at most")


def _extensions(certificate: x509.Certificate, *, step: int) -> x509.Extensions:
    try:
        return certificate.extensions
    except UNREADABLE as error:
        message = "a certificate with extensions that cannot be read"
        raise InvalidCertificateError(message, step=step) from error


def _find(extensions: x509.Extensions, kind: type[_E]) -> _E | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _uris(extensions: x509.Extensions) -> list[str]:
    names = _find(extensions, x509.SubjectAlternativeName)
    return names.get_values_for_type(x509.UniformResourceIdentifier) if names is not None else []
