"""One generation of the CA: a key, its certificate, and what they sign (SPIFFE X509-SVID, RFC 5280)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from inward.identity.svid import X509SVID, is_expired

if TYPE_CHECKING:
    from inward.identity.spiffe_id import SpiffeID

_ORGANIZATION = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Inward")


@dataclass(frozen=True, slots=True)
class Generation:
    """A CA key and its self-signed certificate. Times are in UTC.

    `created` is when it was made (its validity is backdated), and `activates_at` from when on it signs. Its
    text never shows the key.
    """

    certificate: x509.Certificate
    private_key: ec.EllipticCurvePrivateKey = field(repr=False, compare=False)
    created: datetime
    activates_at: datetime

    @property
    def not_after(self) -> datetime:
        """The last second of its validity. Nothing that it signs outlives that."""
        return self.certificate.not_valid_after_utc

    def is_expired(self, now: datetime) -> bool:
        """Return whether it, and so everything that it signed, has expired."""
        return is_expired(self.certificate, now)

    def is_active(self, now: datetime) -> bool:
        """Return whether it may sign at `now`."""
        return self.certificate.not_valid_before_utc <= now and self.activates_at <= now and not self.is_expired(now)

    def at(self, fraction: float) -> datetime:
        """Return the time at which that fraction of its life has passed."""
        return self.created + (self.not_after - self.created) * fraction

    @classmethod
    def create(
        cls, trust_domain: str, now: datetime, ttl: timedelta, backdate: timedelta, activates_at: datetime
    ) -> Generation:
        """Make a key and its certificate, valid from `backdate` before `now` until `ttl` after it."""
        private_key = ec.generate_private_key(ec.SECP256R1())
        serial = x509.random_serial_number()
        # The serial number in the subject tells generations apart wherever a path is built by names.
        subject = x509.Name([_ORGANIZATION, x509.NameAttribute(NameOID.SERIAL_NUMBER, f"{serial:x}")])
        identifier = x509.SubjectKeyIdentifier.from_public_key(private_key.public_key())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .serial_number(serial)
            .public_key(private_key.public_key())
            .not_valid_before(_whole_second(now - backdate))
            .not_valid_after(_whole_second(now + ttl))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(certificates=True), critical=True)
            .add_extension(identifier, critical=False)
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"spiffe://{trust_domain}")]),
                critical=False,
            )
            .sign(private_key, hashes.SHA256())
        )
        return cls(certificate, private_key, now.astimezone(UTC), activates_at.astimezone(UTC))

    def issue(self, spiffe_id: SpiffeID, now: datetime, ttl: timedelta, backdate: timedelta) -> X509SVID:
        """Make a key and sign an SVID for it, valid until `ttl` after `now`, but not beyond this CA."""
        private_key = ec.generate_private_key(ec.SECP256R1())
        own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        certificate = (
            x509.CertificateBuilder()
            # A subject that says nothing, as SPIRE's: an empty one makes the SAN critical (RFC 5280 section
            # 4.2.1.6), which some verifiers cannot read.
            .subject_name(x509.Name([_ORGANIZATION]))
            .issuer_name(self.certificate.subject)
            .serial_number(x509.random_serial_number())
            .public_key(private_key.public_key())
            .not_valid_before(max(_whole_second(now - backdate), self.certificate.not_valid_before_utc))
            # INVARIANT: no SVID outlives its CA, so that the CA can leave the bundle at its end.
            .not_valid_after(min(_whole_second(now + ttl), self.not_after))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(certificates=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(private_key.public_key()), critical=False)
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(str(spiffe_id))]), critical=False
            )
            .sign(self.private_key, hashes.SHA256())
        )
        return X509SVID((certificate,), private_key)


def _whole_second(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(microsecond=0)


def _key_usage(*, certificates: bool) -> x509.KeyUsage:
    """Return the key usage of a CA (keyCertSign, cRLSign) or of a leaf (digitalSignature)."""
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )
