"""Certificates that an intruder can make by itself: of its own authority, with any SPIFFE ID in them."""

from __future__ import annotations

import os
import ssl
import tempfile
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence

_HOUR = timedelta(hours=1)
_LEAF = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
_AUTHORITY = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


class Forger:
    """An intruder's own authority, which says that it is that of `trust_domain`."""

    def __init__(self, trust_domain: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, trust_domain)])
        self._certificate = self._made(self._name, self._key.public_key(), f"spiffe://{trust_domain}", self._key)

    def self_signed(self, spiffe_id: str) -> bytes:
        """Return a certificate that signs itself, and its key, as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "self")])
        return _pem(key, [self._made(name, key.public_key(), spiffe_id, key, issuer=name)])

    def signed(self, spiffe_id: str) -> bytes:
        """Return a certificate of this authority with the authority behind it, and its key, as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "signed")])
        return _pem(key, [self._made(name, key.public_key(), spiffe_id, self._key), self._certificate])

    def _made(
        self,
        subject: x509.Name,
        public_key: ec.EllipticCurvePublicKey,
        spiffe_id: str,
        signer: ec.EllipticCurvePrivateKey,
        issuer: x509.Name | None = None,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        authority = subject == self._name
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer or self._name)
            .serial_number(x509.random_serial_number())
            .public_key(public_key)
            .not_valid_before(now - _HOUR)
            .not_valid_after(now + _HOUR)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(_AUTHORITY if authority else _LEAF, critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(spiffe_id)]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
                critical=False,
            )
        )
        if not authority:
            both = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
            builder = builder.add_extension(x509.ExtendedKeyUsage(both), critical=False)
        return builder.sign(signer, hashes.SHA256())


def context(pem: bytes | None = None, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """Return a TLS context of an intruder, which takes any server; `version` is the only one that it speaks.

    Raises `ssl.SSLError` or `ValueError` where this machine's library does not speak that version any more.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.set_alpn_protocols(["http/1.1"])
    if version is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is what this is about
            made.minimum_version = version
            made.maximum_version = version
        made.set_ciphers("ALL:@SECLEVEL=0")
    if pem is not None:
        _load(made, pem)
    return made


def _load(made: ssl.SSLContext, pem: bytes) -> None:
    """Give a context a certificate with its key; `ssl` takes them from a file only."""
    descriptor, name = tempfile.mkstemp(prefix="inward-attack-")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        made.load_cert_chain(name)
    finally:
        Path(name).unlink()


def _pem(key: ec.EllipticCurvePrivateKey, chain: Sequence[x509.Certificate]) -> bytes:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return b"".join(each.public_bytes(Encoding.PEM) for each in chain) + private
