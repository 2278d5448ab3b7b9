from __future__ import annotations

import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from inward.authority.generation import Generation
from inward.identity.bundle import TrustBundle
from inward.identity.certificate import render_certificates
from inward.identity.spiffe_id import SpiffeID
from inward.identity.svid import X509SVID, verify_x509_svid

if TYPE_CHECKING:
    from pathlib import Path

DOMAIN = "shop.internal"
ORDERS = SpiffeID.of_service(DOMAIN, "orders")
CHECKOUT = SpiffeID.of_service(DOMAIN, "checkout")
HOUR = timedelta(hours=1)
BACKDATE = timedelta(seconds=10)


def made(now: datetime, ttl: timedelta = 24 * HOUR) -> Generation:
    return Generation.create(DOMAIN, now, ttl, BACKDATE, now)


def test_the_ca_certificate() -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, 999_999, tzinfo=UTC)
    generation = made(now)
    certificate = generation.certificate
    assert certificate.not_valid_before_utc == datetime(2026, 1, 1, 11, 59, 50, tzinfo=UTC)
    assert certificate.not_valid_after_utc == datetime(2026, 1, 2, 12, tzinfo=UTC) == generation.not_after
    assert certificate.serial_number.bit_length() > 64
    assert certificate.issuer == certificate.subject
    extensions = certificate.extensions
    constraints = extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert usage.value.crl_sign
    assert not usage.value.digital_signature
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.UniformResourceIdentifier(f"spiffe://{DOMAIN}")]
    assert extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert "private_key" not in repr(generation)


def test_the_leaf() -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, 999_999, tzinfo=UTC)
    generation = made(now - HOUR)
    svid = generation.issue(ORDERS, now, HOUR, BACKDATE)
    assert svid.spiffe_id == ORDERS
    assert svid.not_before == datetime(2026, 1, 1, 11, 59, 50, tzinfo=UTC)
    assert svid.not_after == datetime(2026, 1, 1, 13, tzinfo=UTC)
    assert svid.serial.bit_length() > 64
    assert isinstance(svid.private_key, ec.EllipticCurvePrivateKey)
    assert isinstance(svid.private_key.curve, ec.SECP256R1)
    extensions = svid.leaf.extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.UniformResourceIdentifier(str(ORDERS))]
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_agreement
    purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(purposes) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    own = generation.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    issuer = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert issuer.key_identifier == own.digest
    assert extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert svid.leaf.subject.rfc4514_string() == "O=Inward"


def test_no_two_leaves_share_a_key_or_a_serial_number() -> None:
    now = datetime.now(UTC)
    generation = made(now)
    svids = [generation.issue(ORDERS, now, HOUR, BACKDATE) for _ in range(5)]
    assert len({svid.serial for svid in svids}) == 5
    assert len({svid.key_pem for svid in svids}) == 5


def test_no_leaf_outlives_or_precedes_its_ca() -> None:
    now = datetime.now(UTC)
    generation = made(now, ttl=HOUR)
    svid = generation.issue(ORDERS, now + HOUR / 2, HOUR, timedelta(hours=2))
    assert svid.not_after == generation.not_after
    assert svid.not_before == generation.certificate.not_valid_before_utc


def test_a_clock_in_another_time_zone() -> None:
    now = datetime.fromisoformat("2026-01-01T14:00:00+02:00")
    generation = made(now)
    svid = generation.issue(ORDERS, now, HOUR, BACKDATE)
    assert svid.not_after == datetime(2026, 1, 1, 13, tzinfo=UTC)
    bundle = TrustBundle(DOMAIN, (generation.certificate,))
    assert verify_x509_svid(svid.chain, bundle, now) == ORDERS


@pytest.mark.parametrize("purpose", ["sslserver", "sslclient"])
def test_openssl_accepts_it(tmp_path: Path, purpose: str) -> None:
    now = datetime.now(UTC)
    old, new = made(now - HOUR), made(now)
    (tmp_path / "bundle.pem").write_bytes(render_certificates([old.certificate, new.certificate]))
    for generation, code in ((old, 0), (new, 0), (made(now), 2)):
        (tmp_path / "leaf.pem").write_bytes(generation.issue(ORDERS, now, HOUR, BACKDATE).chain_pem)
        command = ["openssl", "verify", "-x509_strict", "-check_ss_sig", "-purpose", purpose, "-no-CApath"]
        files = ["-CAfile", str(tmp_path / "bundle.pem"), str(tmp_path / "leaf.pem")]
        done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr


def context(side: int, svid: X509SVID, trusted: Generation, folder: Path) -> ssl.SSLContext:
    made_context = ssl.SSLContext(side)
    made_context.check_hostname = False
    made_context.verify_mode = ssl.CERT_REQUIRED
    made_context.verify_flags |= ssl.VERIFY_X509_STRICT
    file = folder / f"{svid.serial:x}.pem"
    file.write_bytes(svid.chain_pem + svid.key_pem)
    made_context.load_cert_chain(file)
    made_context.load_verify_locations(cadata=render_certificates([trusted.certificate]).decode())
    return made_context


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> tuple[bytes, bytes]:
    """Let two sides of TLS talk in memory; return the certificate that each has of the other."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    waiting = list(sides)
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
    assert not waiting
    sides[0].write(b"ping")
    assert sides[1].read() == b"ping"
    certificates = [side.getpeercert(binary_form=True) for side in sides]
    assert certificates[0] is not None
    assert certificates[1] is not None
    return certificates[0], certificates[1]


def test_mutual_tls(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    generation, other = made(now), made(now)
    orders = generation.issue(ORDERS, now, HOUR, BACKDATE)
    checkout = generation.issue(CHECKOUT, now, HOUR, BACKDATE)
    foreign = other.issue(CHECKOUT, now, HOUR, BACKDATE)
    server = context(ssl.PROTOCOL_TLS_SERVER, orders, generation, tmp_path)

    seen = shake_hands(context(ssl.PROTOCOL_TLS_CLIENT, checkout, generation, tmp_path), server)
    bundle = TrustBundle(DOMAIN, (generation.certificate,))
    ids = [verify_x509_svid([x509.load_der_x509_certificate(der)], bundle, now) for der in seen]
    assert ids == [ORDERS, CHECKOUT]

    with pytest.raises(ssl.SSLError, match=r"(?i)verify.failed"):
        shake_hands(context(ssl.PROTOCOL_TLS_CLIENT, foreign, generation, tmp_path), server)
    with pytest.raises(ssl.SSLError, match=r"(?i)verify.failed"):
        shake_hands(context(ssl.PROTOCOL_TLS_CLIENT, checkout, other, tmp_path), server)
