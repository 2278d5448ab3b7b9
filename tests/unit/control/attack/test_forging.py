from __future__ import annotations

import ssl
from datetime import UTC, datetime

import pytest
from cryptography import x509

from inward.control.attack.forging import Forger, context
from inward.identity.bundle import TrustBundle
from inward.identity.certificate import InvalidCertificateError
from inward.identity.svid import verify_x509_svid

SPIFFE_ID = "spiffe://company.test/office"


def test_a_forged_identity_has_nothing_wrong_but_its_authority() -> None:
    """Else it would be refused for something else, and say nothing."""
    chain = x509.load_pem_x509_certificates(Forger("company.test").signed(SPIFFE_ID))
    leaf, authority = chain
    now = datetime.now(UTC)
    assert str(verify_x509_svid([leaf], TrustBundle("company.test", (authority,)), now)) == SPIFFE_ID
    (other,) = x509.load_pem_x509_certificates(Forger("company.test").signed(SPIFFE_ID))[1:]
    with pytest.raises(InvalidCertificateError):
        verify_x509_svid(chain, TrustBundle("company.test", (other,)), now)


def test_one_that_signs_itself_has_no_authority() -> None:
    (leaf,) = x509.load_pem_x509_certificates(Forger("company.test").self_signed(SPIFFE_ID))
    leaf.verify_directly_issued_by(leaf)
    name = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert name.get_values_for_type(x509.UniformResourceIdentifier) == [SPIFFE_ID]


def test_a_context_speaks_what_it_is_told_to() -> None:
    made = context(Forger("company.test").signed(SPIFFE_ID), ssl.TLSVersion.TLSv1_2)
    assert (made.minimum_version, made.maximum_version) == (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
    assert context().maximum_version == ssl.TLSVersion.MAXIMUM_SUPPORTED
