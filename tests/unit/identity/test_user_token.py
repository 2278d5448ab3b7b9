"""Tokens of end users: whom a right one proves, and that nothing else proves anybody."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tokens import ISSUER, Signer, claims, key_set, number, secret_from_public_key

from inward.identity.user_token import MAX_KEYS, MAX_TEXT, MAX_TOKEN_BYTES, SKEW, EndUser, UserTokenError, UserTokens

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)
RIGHT = claims(NOW)
EC, RSA, PSS = Signer(), Signer.rsa("RS256"), Signer.rsa("PS256")
PSS.kid = "p1"
TOKENS = UserTokens(ISSUER, "shop.internal", key_set(EC, RSA, PSS))
END = NOW + timedelta(seconds=300)


@pytest.mark.parametrize("signer", [EC, RSA, PSS], ids=lambda signer: signer.algorithm)
def test_a_token_proves_whom_it_is_about(signer: Signer) -> None:
    token = signer.token(RIGHT | {"scope": "orders:read  orders:write", "req_wl": "storefront"})
    assert TOKENS.verify(token, NOW) == EndUser("ada", "t-1", ("orders:read", "orders:write"), END)


@pytest.mark.parametrize(
    "more",
    [
        {"iss": None},
        {"scope": None},
        {"aud": ["x", "shop.internal"]},
        {"nbf": NOW.timestamp()},
        {"exp": 1e11},
        {"exp": 253_402_300_799},
    ],
)
def test_what_need_not_be_there_need_not(more: dict[str, Any]) -> None:
    assert TOKENS.verify(EC.token(claims(NOW, **more)), NOW).subject == "ada"


@pytest.mark.parametrize("typ", ["txntoken+jwt", "TxnToken+JWT", "application/txntoken+jwt"])
def test_the_type_is_a_media_type(typ: str) -> None:
    assert TOKENS.verify(EC.token(RIGHT, typ=typ), NOW).subject == "ada"


def test_it_holds_from_its_first_second_to_its_last() -> None:
    token = EC.token(RIGHT)
    for moment in (NOW - SKEW, NOW, END, END + SKEW - timedelta(seconds=1)):
        assert TOKENS.verify(token, moment).expires == END
    for moment in (NOW - SKEW - timedelta(seconds=1), END + SKEW):
        with pytest.raises(UserTokenError):
            TOKENS.verify(token, moment)


WRONG: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "two parts": lambda: "a.b",
    "five parts": lambda: "a.b.c.d.e",
    "an empty signature": lambda: EC.token(RIGHT).rpartition(".")[0] + ".",
    "padding": lambda: EC.token(RIGHT) + "=",
    "a line feed": lambda: EC.token(RIGHT) + "\n",
    "too long": lambda: EC.token(RIGHT | {"x": "y" * MAX_TOKEN_BYTES}),
    "no algorithm": lambda: EC.token(RIGHT, alg="none"),
    "no algorithm and no signature": lambda: EC.token(RIGHT, alg="none").rpartition(".")[0] + ".AA",
    "the public key as a secret": lambda: secret_from_public_key(EC, RIGHT),
    "another algorithm than the key's": lambda: RSA.token(RIGHT, alg="PS256"),
    "another key's algorithm": lambda: EC.token(RIGHT, kid="r1", alg="RS256"),
    "no key": lambda: EC.token(RIGHT, kid=None),
    "an unknown key": lambda: Signer("k2").token(RIGHT),
    "another key of the same name": lambda: Signer("k1").token(RIGHT),
    "a list for a key": lambda: EC.token(RIGHT, kid=["k1"]),
    "a key of its own": lambda: Signer("k3").token(RIGHT, jwk=Signer("k3").jwk),
    "another type": lambda: EC.token(RIGHT, typ="JWT"),
    "no type": lambda: EC.token(RIGHT, {"alg": "ES256", "kid": "k1"}),
    "something critical": lambda: EC.token(RIGHT, crit=["b64"], b64=False),
    "a header twice": lambda: EC.token(RIGHT, b'{"alg":"ES256","kid":"k1","typ":"JWT","typ":"txntoken+jwt"}'),
    "a header that is a list": lambda: EC.token(RIGHT, b"[]"),
    "a header that is no JSON": lambda: EC.token(RIGHT, b"{"),
    "claims that are no JSON": lambda: EC.token(b"no"),
    "claims in UTF-16": lambda: EC.token(json.dumps(RIGHT).encode("utf-16")),
    "claims too deep": lambda: EC.token(b'{"a":' * 1500 + b"1" + b"}" * 1500),
    "a claim twice": lambda: EC.token(json.dumps(RIGHT).encode()[:-1] + b',"sub":"root"}'),
    "another audience": lambda: EC.token(claims(NOW, aud="elsewhere")),
    "no audience": lambda: EC.token(claims(NOW, aud=None)),
    "an audience within another": lambda: EC.token(claims(NOW, aud=[["shop.internal"]])),
    "another issuer": lambda: EC.token(claims(NOW, iss="https://elsewhere")),
    "an issuer that is none": lambda: EC.token({**RIGHT, "iss": None}),
    "no subject": lambda: EC.token(claims(NOW, sub=None)),
    "an empty subject": lambda: EC.token(claims(NOW, sub="")),
    "a subject that is a number": lambda: EC.token(claims(NOW, sub=1)),
    "a subject too long": lambda: EC.token(claims(NOW, sub="a" * (MAX_TEXT + 1))),
    "half a character in the subject": lambda: EC.token(claims(NOW, sub="ada\ud800")),
    "half a character in the scope": lambda: EC.token(claims(NOW, scope="a\udfff")),
    "no transaction": lambda: EC.token(claims(NOW, txn=None)),
    "a scope that is a list": lambda: EC.token(claims(NOW, scope=["a"])),
    **{
        f"{name} {value!r}": lambda name=name, value=value: EC.token({**RIGHT, name: value})  # type: ignore[misc] # names
        for name in ("iat", "exp")
        for value in (None, "1", True, -1, float("nan"), float("inf"), 10**30)
    },
    "not before tomorrow": lambda: EC.token(claims(NOW, nbf=(NOW + timedelta(days=1)).timestamp())),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_nothing_else_proves_anybody(wrong: str) -> None:
    token = WRONG[wrong]()
    with pytest.raises(UserTokenError) as caught:
        TOKENS.verify(token, NOW)
    for part in token.split("."):
        assert len(part) < 4 or part not in f"{caught.value} {caught.value.hint}"
    assert TOKENS.verify(EC.token(RIGHT), NOW).subject == "ada"


@given(st.data())
def test_a_token_of_which_a_bit_is_changed_proves_nobody(data: st.DataObject) -> None:
    token = EC.token(RIGHT)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda character: character != token[at]))
    changed = token[:at] + other + token[at + 1 :]
    try:
        found = TOKENS.verify(changed, NOW)
    except UserTokenError:
        return
    # the last character of a part in base64 has bits that mean nothing
    assert found == TOKENS.verify(token, NOW)
    assert at == len(token) - 1


@given(st.text(max_size=200))
def test_no_text_makes_it_fail_in_another_way(text: str) -> None:
    with pytest.raises(UserTokenError):
        TOKENS.verify(text, NOW)


BAD_KEYS: dict[str, Any] = {
    "no list": {"keys": {}},
    "no keys": {"keys": []},
    "a text": {"keys": ["k"]},
    "too many": {"keys": [EC.jwk | {"kid": str(each)} for each in range(MAX_KEYS + 1)]},
    "a private key": {"keys": [EC.jwk | {"d": "AA"}]},
    "a secret": {"keys": [EC.jwk, {"kty": "oct", "kid": "s", "k": "AA"}]},
    "no id": {"keys": [{name: value for name, value in EC.jwk.items() if name != "kid"}]},
    "an id twice": {"keys": [EC.jwk, Signer("k1").jwk]},
    "another curve": {"keys": [EC.jwk | {"crv": "P-384"}]},
    "a point that is not on the curve": {"keys": [EC.jwk | {"x": number(5)}]},
    "half a point": {"keys": [{name: value for name, value in EC.jwk.items() if name != "y"}]},
    "a short RSA key": {"keys": [RSA.jwk | {"n": number((1 << 1023) + 1)}]},
    "keys for encryption": {"keys": [EC.jwk | {"use": "enc"}]},
    "keys for another algorithm": {"keys": [EC.jwk | {"alg": "ES512"}]},
    "keys of a kind that is not known": {"keys": [{"kty": "OKP", "kid": "o", "crv": "Ed25519", "x": "AA"}]},
}


@pytest.mark.parametrize("bad", BAD_KEYS)
def test_a_set_without_a_key_that_could_be_used_is_none(bad: str) -> None:
    with pytest.raises(UserTokenError):
        UserTokens(ISSUER, "shop.internal", json.dumps(BAD_KEYS[bad]).encode())


def test_keys_of_a_kind_that_is_not_known_are_passed_over() -> None:
    jwks = {"keys": [{"kty": "OKP", "kid": "o", "crv": "Ed25519", "x": "AA"}, EC.jwk | {"use": "sig", "extra": 1}]}
    found = UserTokens(ISSUER, "shop.internal", json.dumps(jwks).encode()).verify(EC.token(RIGHT), NOW)
    assert found.subject == "ada"
