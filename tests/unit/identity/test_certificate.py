from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from tests import forge

from inward.identity.certificate import (
    MAX_CERTIFICATE_BYTES,
    MAX_PEM_BYTES,
    InvalidCertificateError,
    check_signing,
    parse_certificates,
    parse_der_certificate,
    parse_private_key,
    render_certificates,
    render_private_key,
)

DOMAIN = "shop.internal"
CA = forge.own_ca(DOMAIN)
KEY = ec.generate_private_key(ec.SECP256R1())


class TestParseCertificates:
    def test_it_reads_what_is_written(self) -> None:
        both = (CA.certificate, forge.own_ca().certificate)
        assert parse_certificates(render_certificates(both), limit=2) == both
        assert parse_certificates(b"\r\n" + CA.pem.replace(b"\n", b"\r\n"), limit=1) == both[:1]

    @pytest.mark.parametrize(
        ("pem", "said"),
        [
            (b"", "no certificate"),
            (b"-----BEGIN CERTIFICATE-----\n", "no certificate"),
            (forge.key_pem(KEY), "no certificate"),
            (CA.pem + forge.key_pem(KEY), "something other"),
            (b"Subject: somebody\n" + CA.pem, "something other"),
            (CA.pem + CA.pem + CA.pem, "3 certificates"),
            (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
            (CA.pem + b"\n" * MAX_PEM_BYTES, "bytes of PEM"),
        ],
    )
    def test_what_it_refuses(self, pem: bytes, said: str) -> None:
        with pytest.raises(InvalidCertificateError, match=said):
            parse_certificates(pem, limit=2)

    def test_a_certificate_that_is_too_large(self) -> None:
        large = forge.certificate(CA, KEY.public_key(), dns=[f"host-{index}.example" for index in range(1200)])
        with pytest.raises(InvalidCertificateError, match="too large"):
            parse_certificates(render_certificates([large]), limit=1)
        with pytest.raises(InvalidCertificateError):
            parse_der_certificate(large.public_bytes(Encoding.DER))
        assert len(large.public_bytes(Encoding.DER)) > MAX_CERTIFICATE_BYTES

    @pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
    @given(st.binary(max_size=200), st.integers(0, 10_000))
    def test_bytes_that_were_changed_are_refused_or_read(self, noise: bytes, at: int) -> None:
        der = bytearray(CA.certificate.public_bytes(Encoding.DER))
        at %= len(der)
        der[at : at + len(noise)] = noise
        for parse in (parse_der_certificate, lambda data: parse_certificates(data, limit=2)):
            try:
                parse(bytes(der))
            except InvalidCertificateError as error:
                refused = error.message
                assert refused.isprintable()


class TestPrivateKeys:
    @pytest.mark.parametrize("key", [KEY, rsa.generate_private_key(65537, 2048)])
    def test_it_reads_what_is_written(self, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
        pem = render_private_key(key)
        assert pem.startswith(b"-----BEGIN PRIVATE KEY-----")
        assert render_private_key(parse_private_key(pem)) == pem

    def test_what_it_refuses(self) -> None:
        def pkcs8(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey) -> bytes:
            return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

        weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - it must be refused
        sealed = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
        for pem, said in (
            (b"", "cannot be read"),
            (CA.pem, "cannot be read"),
            (sealed, "encrypted"),
            (pkcs8(ed25519.Ed25519PrivateKey.generate()), "another kind"),
            (pkcs8(weak), "another kind"),
            (b" " * (MAX_PEM_BYTES + 1), "bytes of PEM"),
        ):
            with pytest.raises(InvalidCertificateError, match=said):
                parse_private_key(pem)


class TestCheckSigning:
    def test_a_signing_certificate_of_the_trust_domain_or_of_none(self) -> None:
        check_signing(CA.certificate, DOMAIN)
        check_signing(forge.own_ca().certificate, DOMAIN)

    @pytest.mark.parametrize(
        "claimed", ["elsewhere.example", f"{DOMAIN}/orders", f"{DOMAIN}/", DOMAIN.upper(), f"{DOMAIN}\n"]
    )
    def test_one_of_another_trust_domain(self, claimed: str) -> None:
        with pytest.raises(InvalidCertificateError, match="a signing certificate of") as caught:
            check_signing(forge.own_ca(claimed).certificate, DOMAIN)
        assert caught.value.message.isprintable()

    def test_one_that_is_no_ca(self) -> None:
        for ca in (False, None):
            certificate = forge.certificate(CA, KEY.public_key(), ca=ca)
            with pytest.raises(InvalidCertificateError, match="no CA"):
                check_signing(certificate, DOMAIN)
