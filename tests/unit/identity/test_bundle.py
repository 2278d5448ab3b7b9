from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from tests import forge

from inward.identity.bundle import MAX_AUTHORITIES, MAX_JSON_BYTES, InvalidBundleError, TrustBundle
from inward.identity.spiffe_id import InvalidSpiffeIDError

DOMAIN = "shop.internal"
CA = forge.own_ca(DOMAIN)
OTHER = forge.own_ca(DOMAIN)
BUNDLE = TrustBundle(DOMAIN, (CA.certificate, OTHER.certificate), 7, 60)


def document() -> dict[str, Any]:
    read = json.loads(BUNDLE.render_json())
    assert isinstance(read, dict)
    return read


def refused(changed: object, said: str) -> None:
    data = changed if isinstance(changed, bytes) else json.dumps(changed).encode()
    with pytest.raises(InvalidBundleError, match=said) as caught:
        TrustBundle.parse_json(data, DOMAIN)
    assert caught.value.message.isprintable()


def test_the_json_form() -> None:
    read = document()
    assert read["spiffe_sequence"] == 7
    assert read["spiffe_refresh_hint"] == 60
    first = read["keys"][0]
    assert set(first) == {"use", "kty", "crv", "x", "y", "x5c"}
    assert (first["use"], first["kty"], first["crv"]) == ("x509-svid", "EC", "P-256")
    assert base64.b64decode(first["x5c"][0]) == CA.certificate.public_bytes(Encoding.DER)
    point = CA.private_key.public_key().public_numbers()
    assert int.from_bytes(base64.urlsafe_b64decode(first["x"] + "=")) == point.x
    assert TrustBundle.parse_json(BUNDLE.render_json(), DOMAIN) == BUNDLE


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_coordinates_have_the_length_of_the_curve(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    bundle = TrustBundle(DOMAIN, (forge.own_ca(DOMAIN, private_key=key).certificate,))
    (jwk,) = json.loads(bundle.render_json())["keys"]
    size = (curve.key_size + 7) // 8
    assert [len(base64.urlsafe_b64decode(jwk[name] + "==")) for name in ("x", "y")] == [size, size]
    assert TrustBundle.parse_json(bundle.render_json(), DOMAIN) == bundle


def test_rsa_authorities() -> None:
    key = rsa.generate_private_key(65537, 2048)
    ca = forge.own_ca(DOMAIN, private_key=key)  # type: ignore[arg-type] # the forge makes EC keys itself
    bundle = TrustBundle(DOMAIN, (ca.certificate,))
    (jwk,) = json.loads(bundle.render_json())["keys"]
    assert (jwk["kty"], jwk["e"]) == ("RSA", "AQAB")
    assert TrustBundle.parse_json(bundle.render_json(), DOMAIN) == bundle


def test_other_curves_are_refused() -> None:
    ca = forge.own_ca(DOMAIN, private_key=ec.generate_private_key(ec.SECP256K1()))
    with pytest.raises(InvalidBundleError, match="a key other than"):
        TrustBundle(DOMAIN, (ca.certificate,)).render_json()


def test_the_pem_form() -> None:
    assert BUNDLE.pem == CA.pem + OTHER.pem
    assert TrustBundle.parse_pem(BUNDLE.pem, DOMAIN).authorities == BUNDLE.authorities
    with pytest.raises(InvalidBundleError, match="no certificate"):
        TrustBundle.parse_pem(b"", DOMAIN)


def test_keys_for_other_uses_are_skipped() -> None:
    read = document()
    read["keys"] += [
        {"use": "jwt-svid", "kty": "EC", "kid": "x"},
        {"kty": "RSA"},
        {"use": "x", "x5c": 3},
        {"use": 1},
    ]
    assert TrustBundle.parse_json(json.dumps(read).encode(), DOMAIN) == BUNDLE


def test_what_is_not_said_has_defaults() -> None:
    bundle = TrustBundle.parse_json(b'{"keys":[]}', DOMAIN)
    assert bundle == TrustBundle(DOMAIN, (), 0, 300)
    assert bundle.pem == b""


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000, b'{"keys":[],"keys":[]}', b'{"keys":[],"x":NaN}'])
def test_what_is_no_json(data: bytes) -> None:
    refused(data, "no strict JSON")


def test_a_number_of_too_many_digits() -> None:
    refused(b'{"keys":[],"spiffe_sequence":' + b"9" * 10_000 + b"}", "no strict JSON")


@pytest.mark.parametrize("changed", [[], 1, {}, {"keys": {}}, {"keys": None}])
def test_what_has_no_keys(changed: object) -> None:
    refused(changed, "a list of `keys`")


@pytest.mark.parametrize("value", [True, 1.5, "1", None, [], -1, 2**63])
@pytest.mark.parametrize("name", ["spiffe_sequence", "spiffe_refresh_hint"])
def test_numbers(name: str, value: object) -> None:
    refused(document() | {name: value}, "number")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"x5c": None}, "exactly one certificate"),
        ({"x5c": []}, "exactly one certificate"),
        ({"x5c": ["AAAA", "AAAA"]}, "exactly one certificate"),
        ({"x5c": [1]}, "exactly one certificate"),
        ({"x5c": ["AAAA"]}, "cannot be read"),
        ({"x5c": ["é"]}, "cannot be read"),
        ({"x5c": ["-_-_"]}, "cannot be read"),
        ({"kty": "RSA"}, "`kty` differs"),
        ({"crv": "P-384"}, "`crv` differs"),
        ({"x": "AAAA"}, "`x` differs"),
        ({"y": None}, "`y` differs"),
    ],
)
def test_keys_that_are_not_as_they_should_be(changed: dict[str, object], said: str) -> None:
    read = document()
    read["keys"][1] |= changed
    refused(read, said)


def test_a_key_that_is_no_object() -> None:
    refused({"keys": [1]}, "key 0 of the bundle is no object")


def test_limits() -> None:
    refused(b" " * (MAX_JSON_BYTES + 1), "bytes")
    refused({"keys": [{}] * 257}, "257 keys")
    refused({"keys": [document()["keys"][0]] * 2}, "twice")
    with pytest.raises(InvalidBundleError, match="65 authorities"):
        TrustBundle(DOMAIN, (CA.certificate,) * (MAX_AUTHORITIES + 1))


def test_what_cannot_be_an_authority() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = forge.certificate(CA, key.public_key(), uris=[f"spiffe://{DOMAIN}/orders"])
    for certificate in (leaf, forge.own_ca("elsewhere.example").certificate):
        with pytest.raises(InvalidBundleError, match="an authority that cannot be one"):
            TrustBundle(DOMAIN, (certificate,))
    with pytest.raises(InvalidSpiffeIDError):
        TrustBundle("Shop", (CA.certificate,))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["keys", "use", "x5c", "kty", "spiffe_sequence"]),
                inner | st.just("x509-svid"),
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_read_or_refused(value: object) -> None:
    try:
        bundle = TrustBundle.parse_json(json.dumps(value).encode(), DOMAIN)
    except InvalidBundleError as error:
        refused = error.message
        assert refused.isprintable()
    else:
        assert bundle.authorities == ()
