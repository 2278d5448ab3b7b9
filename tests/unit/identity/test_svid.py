from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests import forge

from inward.identity.bundle import InvalidBundleError, TrustBundle
from inward.identity.certificate import InvalidCertificateError, parse_certificates, parse_der_certificate
from inward.identity.spiffe_id import SpiffeID
from inward.identity.svid import MAX_CHAIN, X509SVID, is_expired, verify_x509_svid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DOMAIN = "shop.internal"
ORDERS = f"spiffe://{DOMAIN}/orders"
CA = forge.own_ca(DOMAIN)
BUNDLE = TrustBundle(DOMAIN, (CA.certificate,))
KEY = ec.generate_private_key(ec.SECP256R1())


def leaf(issuer: forge.Issuer = CA, uris: Sequence[str] = (ORDERS,), **changed: object) -> x509.Certificate:
    return forge.certificate(issuer, KEY.public_key(), uris=uris, **changed)  # type: ignore[arg-type] # a test's own choice


def refused(chain: Sequence[x509.Certificate], bundle: TrustBundle = BUNDLE, now: datetime | None = None) -> int:
    """Return the number of the step that refuses `chain`."""
    with pytest.raises(InvalidCertificateError) as caught:
        verify_x509_svid(chain, bundle, now or datetime.now(UTC))
    message = caught.value.message
    assert message[:1].islower() or message[:1] == "`"
    assert not message.endswith(".")
    assert message.isprintable()
    return caught.value.step


def accepted(chain: Sequence[x509.Certificate], bundle: TrustBundle = BUNDLE, now: datetime | None = None) -> None:
    assert verify_x509_svid(chain, bundle, now or datetime.now(UTC)) == SpiffeID.parse(ORDERS)


def test_a_good_leaf_proves_its_id() -> None:
    accepted([leaf()])


def test_a_leaf_may_have_dns_names_an_empty_subject_and_no_purposes() -> None:
    accepted([leaf(dns=["orders"])])
    accepted([leaf(subject=x509.Name([]))])
    accepted([leaf(purposes=None)])
    accepted([leaf(ca=None)])


def test_a_path_over_an_intermediate() -> None:
    upstream = forge.own_ca(subject=forge.name("root"))
    intermediate = forge.own_ca(DOMAIN, issuer=upstream, subject=forge.name("intermediate"))
    bundle = TrustBundle(DOMAIN, (upstream.certificate,))
    accepted([leaf(intermediate), intermediate.certificate], bundle)
    assert refused([leaf(intermediate)], bundle) == 7
    assert refused([leaf(intermediate), intermediate.certificate]) == 7


def test_an_authority_that_is_sent_along_changes_nothing() -> None:
    accepted([leaf(), CA.certificate])


def test_step_1_chains_that_are_empty_or_long() -> None:
    assert refused([]) == 1
    assert refused([leaf(), *[CA.certificate] * 4]) == 1


def test_step_1_a_certificate_that_is_too_large() -> None:
    assert refused([leaf(uris=[ORDERS], dns=[f"host-{index}.example" for index in range(1200)])]) == 1


@pytest.mark.parametrize(
    "uris",
    [
        [ORDERS, f"spiffe://{DOMAIN}/checkout"],
        [ORDERS, "https://shop.internal/"],
        [ORDERS, ORDERS],
        [],
        [ORDERS + "\n"],
        [" " + ORDERS],
        [ORDERS + "\x00"],
        [f"spiffe://{DOMAIN}"],
        [f"spiffe://{DOMAIN}/"],
        [f"spiffe://{DOMAIN}/{'a' * 2048}"],
        [f"spiffe://{DOMAIN}/orders%2f..%2fadmin"],
        [f"spiffe://{DOMAIN}/%6frders"],
        [f"spiffe://{DOMAIN.upper()}/orders"],
        [f"SPIFFE://{DOMAIN}/orders"],
        [f"spiffe://user@{DOMAIN}/orders"],
        [f"spiffe://{DOMAIN}:443/orders"],
        [f"spiffe://{DOMAIN}/orders?x=1"],
        [f"spiffe://{DOMAIN}/orders#x"],
        [f"spiffe://{DOMAIN}/../orders"],
        [f"spiffe://{DOMAIN}//orders"],
        [f"https://{DOMAIN}/orders"],
        ["spiffe://"],
        ["spiffe:///orders"],
    ],
)
def test_step_2_names(uris: list[str]) -> None:
    assert refused([leaf(uris=uris)]) == 2


def test_step_2_a_spiffe_id_that_is_no_uri_name() -> None:
    assert refused([leaf(uris=[], dns=["orders.shop.internal"])]) == 2
    assert refused([leaf(uris=[], dns=[ORDERS])]) == 2


def test_the_longest_id_is_accepted() -> None:
    longest = f"spiffe://{DOMAIN}/".ljust(2048, "a")
    assert str(verify_x509_svid([leaf(uris=[longest])], BUNDLE, datetime.now(UTC))) == longest
    assert refused([leaf(uris=[longest + "a"])]) == 2


def test_step_3_what_a_leaf_may_do_with_its_key() -> None:
    assert refused([leaf(ca=True)]) == 3
    assert refused([leaf(ca=True, usages=forge.DIGITAL_SIGNATURE | forge.SIGNING)]) == 3
    assert refused([leaf(usages=None)]) == 3
    assert refused([leaf(usage_is_critical=False)]) == 3
    assert refused([leaf(usages=frozenset({"key_agreement"}))]) == 3
    assert refused([leaf(usages=forge.DIGITAL_SIGNATURE | {"key_cert_sign"})]) == 3
    assert refused([leaf(usages=forge.DIGITAL_SIGNATURE | {"crl_sign"})]) == 3


@pytest.mark.parametrize(
    "purposes",
    [
        [ExtendedKeyUsageOID.SERVER_AUTH],
        [ExtendedKeyUsageOID.CLIENT_AUTH],
        [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE],
        [ExtendedKeyUsageOID.CODE_SIGNING],
    ],
)
def test_step_4_purposes(purposes: list[x509.ObjectIdentifier]) -> None:
    assert refused([leaf(purposes=purposes)]) == 4


def test_step_5_another_trust_domain() -> None:
    assert refused([leaf(uris=["spiffe://elsewhere.example/orders"])]) == 5
    assert refused([leaf(uris=[f"spiffe://{DOMAIN}.example/orders"])]) == 5
    elsewhere = forge.own_ca("elsewhere.example", issuer=CA, subject=forge.name("elsewhere"))
    assert refused([leaf(elsewhere), elsewhere.certificate]) == 5
    assert refused([leaf(), leaf()]) == 5  # an intermediate that is no CA


def test_step_6_time() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    ca = forge.own_ca(DOMAIN, not_before=start - timedelta(days=1), not_after=start + timedelta(days=1))
    bundle = TrustBundle(DOMAIN, (ca.certificate,))
    end = start + timedelta(hours=1)
    chain = [leaf(ca, not_before=start, not_after=end)]
    assert refused(chain, bundle, start - timedelta(microseconds=1)) == 6
    accepted(chain, bundle, start)
    accepted(chain, bundle, end + timedelta(microseconds=999_999))
    assert refused(chain, bundle, end + timedelta(seconds=1)) == 6
    assert not is_expired(chain[0], end)
    assert is_expired(chain[0], end + timedelta(seconds=1))


def test_step_6_time_of_an_intermediate() -> None:
    now = datetime.now(UTC)
    old = forge.own_ca(issuer=CA, subject=forge.name("old"), not_after=now - timedelta(seconds=5))
    assert refused([leaf(old), old.certificate]) == 6


def test_step_7_time_of_the_authority() -> None:
    now = datetime.now(UTC)
    old = forge.own_ca(DOMAIN, not_after=now - timedelta(seconds=5))
    assert refused([leaf(old)], TrustBundle(DOMAIN, (old.certificate,))) == 7


def test_step_7_no_path() -> None:
    same_name = forge.own_ca(DOMAIN, subject=CA.certificate.subject)
    assert refused([leaf(same_name)]) == 7
    assert refused([leaf(same_name), same_name.certificate]) == 7
    assert refused([leaf()], TrustBundle(DOMAIN, ())) == 7
    chain, _ = forge.self_signed(ORDERS)
    assert refused(parse_certificates(chain, limit=2)) == 7
    short = forge.own_ca(DOMAIN, path_length=0, subject=forge.name("short"))
    below = forge.own_ca(DOMAIN, issuer=short, subject=forge.name("below"))
    assert refused([leaf(below), below.certificate], TrustBundle(DOMAIN, (short.certificate,))) == 7


def test_step_7_a_changed_signature() -> None:
    der = bytearray(leaf().public_bytes(Encoding.DER))
    der[-1] ^= 1
    assert refused([x509.load_der_x509_certificate(bytes(der))]) == 7


def test_a_signature_by_a_leaf_is_none() -> None:
    chain, _ = forge.signed_by_leaf(CA, f"spiffe://{DOMAIN}/checkout", ORDERS)
    assert refused(parse_certificates(chain, limit=2)) == 5


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(
    of_ca=st.booleans(),
    changes=st.lists(st.tuples(st.integers(0, 499), st.integers(1, 255)), min_size=1, max_size=3),
)
@settings(max_examples=300, deadline=None)
def test_a_changed_certificate_never_proves_anything_and_never_ends_in_a_traceback(
    *, of_ca: bool, changes: list[tuple[int, int]]
) -> None:
    good = leaf()
    der = bytearray((CA.certificate if of_ca else good).public_bytes(Encoding.DER))
    for at, difference in changes:
        der[at % len(der)] ^= difference
    assume(bytes(der) not in {CA.certificate.public_bytes(Encoding.DER), good.public_bytes(Encoding.DER)})
    try:
        changed = parse_der_certificate(bytes(der))
    except InvalidCertificateError:
        return
    refused([changed])
    now = datetime.now(UTC)
    for attempt in (
        lambda: verify_x509_svid([good, changed], BUNDLE, now),
        lambda: verify_x509_svid([good], TrustBundle(DOMAIN, (changed,)), now),
        lambda: X509SVID((changed,), KEY),
        lambda: TrustBundle(DOMAIN, (changed,)).render_json(),
    ):
        with contextlib.suppress(InvalidCertificateError, InvalidBundleError):
            attempt()


FORGERIES: list[tuple[Callable[[], forge.Pair], int]] = [
    (lambda: forge.foreign_ca(CA, ORDERS), 7),
    (lambda: forge.self_signed(ORDERS), 7),
    (lambda: forge.other_trust_domain(CA, ORDERS), 5),
    (lambda: forge.other_trust_domain_ca(ORDERS), 5),
    (lambda: forge.expired(CA, ORDERS), 6),
    (lambda: forge.not_yet_valid(CA, ORDERS), 6),
    (lambda: forge.two_uris(CA, ORDERS), 2),
    (lambda: forge.two_uris(CA, "spiffe://elsewhere.example/other", ORDERS), 2),
    (lambda: forge.dns_only(CA), 2),
    (lambda: forge.dns_spelling(CA, ORDERS), 2),
    (lambda: forge.ca_leaf(CA, ORDERS), 3),
]


@pytest.mark.parametrize(("make", "step"), FORGERIES)
def test_the_forge_forges_what_it_says(make: Callable[[], forge.Pair], step: int) -> None:
    accepted(parse_certificates(forge.good(CA, ORDERS)[0], limit=1))
    assert refused(parse_certificates(make()[0], limit=MAX_CHAIN)) == step


def test_many_cas_of_one_name_and_key_are_refused_quickly() -> None:
    """Path building tries each order of what is presented with each authority: both are few."""
    key = ec.generate_private_key(ec.SECP256R1())
    storm = [forge.own_ca(private_key=key, subject=forge.name("storm")) for _ in range(MAX_CHAIN - 1)]
    stranger = ec.generate_private_key(ec.SECP256R1())
    # Signed under the storm's name by another key, so that no path ends and all are tried.
    last = forge.Issuer(storm[0].certificate, stranger)
    authorities = tuple(forge.own_ca(private_key=key, subject=forge.name("storm")).certificate for _ in range(16))
    bundle = TrustBundle(DOMAIN, authorities)
    started = time.process_time()
    assert refused([leaf(last), *[one.certificate for one in storm]], bundle) == 7
    root = forge.Issuer(forge.own_ca(subject=forge.name("nowhere")).certificate, key)
    crossed = [forge.own_ca(issuer=one, private_key=key, subject=forge.name("storm")) for one in [*storm[:2], root]]
    assert refused([leaf(crossed[0]), *[one.certificate for one in crossed]]) == 7
    assert time.process_time() - started < 2


class TestX509SVID:
    def test_what_it_says_of_itself(self) -> None:
        certificate = leaf()
        svid = X509SVID((certificate, CA.certificate), KEY)
        assert svid.spiffe_id == SpiffeID.parse(ORDERS)
        assert svid.serial == certificate.serial_number
        assert svid.not_before == certificate.not_valid_before_utc
        assert svid.not_after == certificate.not_valid_after_utc
        assert svid.leaf is certificate

    def test_it_reads_what_it_writes(self) -> None:
        svid = X509SVID((leaf(), CA.certificate), KEY)
        again = X509SVID.parse(svid.chain_pem, svid.key_pem)
        assert again == svid
        assert again.key_pem == svid.key_pem

    def test_its_text_does_not_show_the_key(self) -> None:
        text = repr(X509SVID((leaf(),), KEY))
        assert "private_key" not in text
        assert ORDERS.removeprefix(f"spiffe://{DOMAIN}") in text

    def test_a_key_of_another(self) -> None:
        with pytest.raises(InvalidCertificateError, match="not that of the leaf"):
            X509SVID((leaf(),), ec.generate_private_key(ec.SECP256R1()))
        with pytest.raises(InvalidCertificateError, match="not that of the leaf"):
            X509SVID((leaf(),), rsa.generate_private_key(65537, 2048))

    @pytest.mark.parametrize("uris", [[], [ORDERS, ORDERS], [ORDERS + "\n"]])
    def test_it_keeps_the_rules_for_leaves(self, uris: list[str]) -> None:
        with pytest.raises(InvalidCertificateError):
            X509SVID((leaf(uris=uris),), KEY)

    def test_chains_that_are_empty_or_long(self) -> None:
        for chain in ((), (leaf(), *[CA.certificate] * MAX_CHAIN)):
            with pytest.raises(InvalidCertificateError, match="a chain of"):
                X509SVID(chain, KEY)
