"""Certificates that must be refused, for attacks on a real system; functions return `(chain_pem, key_pem)`.

Where a function takes an `Issuer`, give it the running authority's own CA (`issuer_of`), so that the only
thing wrong with the certificate is what the function is named after. Show first that `good` of the same
issuer is let in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inward.authority.ca import Authority

BOTH_SIDES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
DIGITAL_SIGNATURE = frozenset({"digital_signature"})
SIGNING = frozenset({"key_cert_sign", "crl_sign"})
_ALL_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)

Pair = tuple[bytes, bytes]


@dataclass(frozen=True)
class Issuer:
    """A CA certificate with its key."""

    certificate: x509.Certificate
    private_key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def issuer_of(authority: Authority, now: datetime | None = None) -> Issuer:
    """Return the CA that signs for `authority` at `now`. Only reads: it may be another process's.

    For a system that runs: `issuer_of(Authority(trust_domain, FolderKeyStore(folder)))` with the folder of
    its state.
    """
    now = now or datetime.now(UTC)
    active = [one for one in authority._state.generations if one.is_active(now)]
    newest = max(active, key=lambda one: one.activates_at)
    return Issuer(newest.certificate, newest.private_key)


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def usage(usages: frozenset[str]) -> x509.KeyUsage:
    return x509.KeyUsage(**{one: one in usages for one in _ALL_USAGES})


def certificate(
    issuer: Issuer | None,
    public_key: ec.EllipticCurvePublicKey,
    *,
    private_key: ec.EllipticCurvePrivateKey | None = None,
    subject: x509.Name | None = None,
    uris: Sequence[str] = (),
    dns: Sequence[str] = (),
    ca: bool | None = False,
    path_length: int | None = None,
    usages: frozenset[str] | None = DIGITAL_SIGNATURE,
    usage_is_critical: bool = True,
    purposes: Sequence[x509.ObjectIdentifier] | None = BOTH_SIDES,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    others: Sequence[x509.ExtensionType] = (),
) -> x509.Certificate:
    """Mint any certificate. Without an issuer it signs itself with `private_key`."""
    now = datetime.now(UTC)
    subject = name("forged") if subject is None else subject
    signer = private_key if issuer is None else issuer.private_key
    assert signer is not None
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .serial_number(x509.random_serial_number())
        .public_key(public_key)
        .not_valid_before(not_before or now - timedelta(minutes=1))
        .not_valid_after(not_after or now + timedelta(hours=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(identifier, critical=False)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    if usages is not None:
        builder = builder.add_extension(usage(usages), critical=usage_is_critical)
    if purposes is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
    names += [x509.DNSName(one) for one in dns]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=not list(subject))
    for other in others:
        builder = builder.add_extension(other, critical=False)
    return builder.sign(signer, hashes.SHA256())


def own_ca(
    trust_domain: str | None = None,
    *,
    issuer: Issuer | None = None,
    subject: x509.Name | None = None,
    private_key: ec.EllipticCurvePrivateKey | None = None,
    path_length: int | None = None,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
) -> Issuer:
    """Return an attacker's CA: it signs itself, or is signed by `issuer`, and may claim a trust domain."""
    key = private_key or ec.generate_private_key(ec.SECP256R1())
    made = certificate(
        issuer,
        key.public_key(),
        private_key=key,
        subject=name("forged CA") if subject is None else subject,
        uris=[f"spiffe://{trust_domain}"] if trust_domain else [],
        ca=True,
        path_length=path_length,
        usages=SIGNING,
        purposes=None,
        not_before=not_before,
        not_after=not_after,
    )
    return Issuer(made, key)


def key_pem(private_key: ec.EllipticCurvePrivateKey) -> bytes:
    return private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def good(issuer: Issuer, spiffe_id: str) -> Pair:
    """A certificate with nothing wrong: it proves that the others are refused for what is wrong with them."""
    key = ec.generate_private_key(ec.SECP256R1())
    return certificate(issuer, key.public_key(), uris=[spiffe_id]).public_bytes(Encoding.PEM), key_pem(key)


def foreign_ca(issuer: Issuer, spiffe_id: str) -> Pair:
    """The right SPIFFE ID, signed by a CA with the same subject and another key, which is sent along."""
    trust_domain = spiffe_id.removeprefix("spiffe://").partition("/")[0]
    impostor = own_ca(trust_domain, subject=issuer.certificate.subject)
    chain, key = good(impostor, spiffe_id)
    return chain + impostor.pem, key


def self_signed(spiffe_id: str) -> Pair:
    """The right SPIFFE ID, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = certificate(None, key.public_key(), private_key=key, uris=[spiffe_id])
    return made.public_bytes(Encoding.PEM), key_pem(key)


def other_trust_domain(issuer: Issuer, spiffe_id: str, trust_domain: str = "elsewhere.example") -> Pair:
    """The same path in another trust domain, signed by the right CA: what a misused CA could do."""
    path = spiffe_id.removeprefix("spiffe://").partition("/")[2]
    return good(issuer, f"spiffe://{trust_domain}/{path}")


def other_trust_domain_ca(spiffe_id: str, trust_domain: str = "elsewhere.example") -> Pair:
    """The same path in another trust domain, from that trust domain's own CA, which is sent along."""
    issuer = own_ca(trust_domain)
    chain, key = other_trust_domain(issuer, spiffe_id, trust_domain)
    return chain + issuer.pem, key


def expired(issuer: Issuer, spiffe_id: str) -> Pair:
    """A certificate that has ended a minute ago."""
    now = datetime.now(UTC)
    return _leaf(issuer, uris=[spiffe_id], not_before=now - timedelta(hours=1), not_after=now - timedelta(minutes=1))


def not_yet_valid(issuer: Issuer, spiffe_id: str) -> Pair:
    """A certificate that begins in half an hour."""
    now = datetime.now(UTC)
    begin = now + timedelta(minutes=30)
    return _leaf(issuer, uris=[spiffe_id], not_before=begin, not_after=begin + timedelta(minutes=30))


def two_uris(issuer: Issuer, spiffe_id: str, second: str = "spiffe://elsewhere.example/other") -> Pair:
    """Two URI names; the right one is the first. Swap the arguments for the other order."""
    return _leaf(issuer, uris=[spiffe_id, second])


def dns_only(issuer: Issuer, host: str = "orders.shop.internal") -> Pair:
    """A DNS name and no URI name."""
    return _leaf(issuer, dns=[host])


def dns_spelling(issuer: Issuer, spiffe_id: str) -> Pair:
    """The SPIFFE ID where a DNS name should be, for verifiers that compare names of any kind."""
    return _leaf(issuer, dns=[spiffe_id])


def ca_leaf(issuer: Issuer, spiffe_id: str) -> Pair:
    """A leaf that is a CA and may sign certificates."""
    return _leaf(issuer, uris=[spiffe_id], ca=True, usages=DIGITAL_SIGNATURE | SIGNING)


def signed_by_leaf(issuer: Issuer, holder: str, spiffe_id: str) -> Pair:
    """What the holder of a good SVID could try: to sign another identity with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = certificate(issuer, key.public_key(), uris=[holder], subject=name("a leaf"))
    chain, forged_key = good(Issuer(leaf, key), spiffe_id)
    return chain + leaf.public_bytes(Encoding.PEM), forged_key


def _leaf(
    issuer: Issuer,
    *,
    uris: Sequence[str] = (),
    dns: Sequence[str] = (),
    ca: bool = False,
    usages: frozenset[str] = DIGITAL_SIGNATURE,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    made = certificate(
        issuer,
        key.public_key(),
        uris=uris,
        dns=dns,
        ca=ca,
        usages=usages,
        not_before=not_before,
        not_after=not_after,
    )
    return made.public_bytes(Encoding.PEM), key_pem(key)
