"""Tokens of end users: OAuth Transaction Tokens, and their verification against the keys of one issuer. No I/O.

A Transaction Token is a JWT (RFC 7519) that goes unmodified from service to service and says on whose behalf all of
them work. Rules, the numbers of which stand in `UserTokens.verify` too:

1. A token is three parts in base64url without padding, of `MAX_TOKEN_BYTES` at most (RFC 7515 section 7.1).
2. Its header is strict JSON, says `txntoken+jwt`, and asks for nothing that is not understood (`crit`).
3. Its `kid` names a key of the issuer. INVARIANT: the key says by which algorithm it is used, and never the token
   (RFC 8725 section 3.1): `none` and a public key that is taken for a secret are no cases.
4. The signature is that of the first two parts.
5. The claims are strict JSON: `aud` is the trust domain's, `iss`, where it is there, the issuer's.
6. It holds now (`iat`, `exp`, `nbf`), give or take `SKEW`.
7. `sub` and `txn` are texts: who the user is to the issuer, and which transaction this is.

It leaves out what a user may do, and that a token was not copied: whoever has one can pass it on until it ends.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from inward.errors import BadInputError
from inward.identity.certificate import MIN_RSA_BITS

TYPE = "txntoken+jwt"
MAX_TOKEN_BYTES = 16 * 1024
MAX_KEYS = 64
MAX_TEXT = 1024  # characters of a subject, a transaction, a key id
SKEW = timedelta(seconds=30)
_ALGORITHMS = {"EC": ("ES256",), "RSA": ("RS256", "PS256")}  # the first is meant where a key does not say
_P256_BYTES = 32
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_FAR = 1 << 40  # seconds; no time beyond it is meant, and datetime knows none


class UserTokenError(BadInputError):
    """A token proves nobody, or keys are none by which one could."""

    code = "user_token"


@dataclass(frozen=True, slots=True)
class EndUser:
    """On whose behalf a call is made, as its token proves.

    `subject` is the issuer's name for the user, `transaction` the id of what all calls with this token belong to,
    `scope` what the token is for (RFC 6749 section 3.3), `expires` the time from which on it proves nothing.
    """

    subject: str
    transaction: str
    scope: tuple[str, ...]
    expires: datetime


@dataclass(frozen=True, slots=True)
class _Key:
    algorithm: str
    public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class UserTokens:
    """Whose tokens are believed, and for whom they must be made. `jwks` is the issuer's JWK Set (RFC 7517 section 5).

    Raises `UserTokenError` for a set without a key that can be used.
    """

    issuer: str
    audience: str
    jwks: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _parse_keys(self.jwks)

    def verify(self, token: str, now: datetime) -> EndUser:
        """Return whom a token proves at `now`, or raise `UserTokenError`, which has nothing of the token in it."""
        # 1. A token is three parts in base64url.
        parts = token.split(".") if len(token) <= MAX_TOKEN_BYTES else []
        if len(parts) != 3 or not all(_BASE64URL.fullmatch(part) for part in parts):  # noqa: PLR2004 - see above
            raise UserTokenError("a token that is no signed JWT")
        # 2. Its header says what it is, and asks for nothing that is not understood.
        header = _object(_decoded(parts[0]), "header")
        if str(header.get("typ", "")).lower().removeprefix("application/") != TYPE or "crit" in header:
            raise UserTokenError(f"a token that is no `{TYPE}`")
        # 3. Its key is one of the issuer's, and that key's algorithm is the token's.
        kid = header.get("kid")
        key = _parse_keys(self.jwks).get(kid) if isinstance(kid, str) else None
        if key is None or header.get("alg") != key.algorithm:
            raise UserTokenError("a token whose key is none of the issuer's, or is used in another way")
        # 4. The signature is that of the first two parts.
        _check_signature(key, f"{parts[0]}.{parts[1]}".encode("ascii"), _decoded(parts[2]))
        # 5. It is this issuer's, and made for this trust domain.
        claims = _object(_decoded(parts[1]), "claims")
        audience = claims.get("aud")
        if self.audience not in (audience if isinstance(audience, list) else [audience]):
            raise UserTokenError("a token for another audience")
        if claims.get("iss", self.issuer) != self.issuer:
            raise UserTokenError("a token of another issuer")
        # 6. It holds now.
        expires = _time(claims, "exp")
        if expires <= now - SKEW:  # the other way round it could be beyond the last year
            raise UserTokenError("a token that has expired")
        if _time(claims, "iat") > now + SKEW or ("nbf" in claims and _time(claims, "nbf") > now + SKEW):
            raise UserTokenError("a token that does not hold yet")
        # 7. It says who and what for.
        scope = claims.get("scope", "")
        if not isinstance(scope, str) or not _is_unicode(scope):
            raise UserTokenError("a token whose scope is no text")
        return EndUser(_text(claims, "sub"), _text(claims, "txn"), tuple(scope.split()), expires)


def _check_signature(key: _Key, signed: bytes, signature: bytes) -> None:
    if isinstance(key.public, ec.EllipticCurvePublicKey) and len(signature) != 2 * _P256_BYTES:  # RFC 7518 section 3.4
        raise UserTokenError("a token whose signature has another length")
    try:
        if isinstance(key.public, ec.EllipticCurvePublicKey):
            r, s = (int.from_bytes(half, "big") for half in (signature[:_P256_BYTES], signature[_P256_BYTES:]))
            key.public.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
        elif key.algorithm == "RS256":
            key.public.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        else:  # RFC 7518 section 3.5
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
            key.public.verify(signature, signed, pss, hashes.SHA256())
    except InvalidSignature:
        raise UserTokenError("a token whose signature is not the issuer's") from None


@lru_cache(maxsize=16)
def _parse_keys(jwks: bytes) -> dict[str, _Key]:
    """Return the keys of a JWK Set by their ids; those of unknown kinds are passed over, as section 5 asks."""
    listed = _object(jwks, "key set").get("keys")
    if not isinstance(listed, list) or len(listed) > MAX_KEYS or not all(isinstance(each, dict) for each in listed):
        raise UserTokenError("a key set without a list of `keys`", hint=f"{MAX_KEYS} keys at most")
    found: dict[str, _Key] = {}
    for each in listed:
        if _PRIVATE & each.keys():
            raise UserTokenError("a key set that holds a secret", hint="keep public keys in it only")
        kind, kid = each.get("kty"), each.get("kid")
        if kind not in _ALGORITHMS or each.get("use", "sig") != "sig":
            continue
        algorithm = each.get("alg", _ALGORITHMS[kind][0])
        if algorithm not in _ALGORITHMS[kind]:
            continue
        if not isinstance(kid, str) or not kid or len(kid) > MAX_TEXT or kid in found:
            raise UserTokenError("a key set with a key that has no `kid` of its own")
        found[kid] = _Key(algorithm, _public_key(each, kid))
    if not found:
        raise UserTokenError(
            "a key set without a key that can verify a token", hint="EC keys for ES256, RSA ones for RS256 or PS256"
        )
    return found


def _public_key(jwk: dict[str, Any], kid: str) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
    try:
        if jwk["kty"] == "EC":
            if jwk["crv"] != "P-256":
                raise ValueError("another curve")  # noqa: TRY301 - all end in the same way
            x, y = _number(jwk["x"]), _number(jwk["y"])
            return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        key = rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"])).public_key()
        if key.key_size < MIN_RSA_BITS:
            raise ValueError("too short a key")  # noqa: TRY301 - as above
    except (KeyError, ValueError, UserTokenError):
        raise UserTokenError(
            f"a key set whose key {kid[:100]!a} cannot be used", hint=f"EC on P-256, or RSA of {MIN_RSA_BITS} bits"
        ) from None
    return key


def _number(value: Any) -> int:  # noqa: ANN401 - any JSON value
    if not isinstance(value, str) or not _BASE64URL.fullmatch(value):
        raise UserTokenError("no number")
    return int.from_bytes(_decoded(value), "big")


def _decoded(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise UserTokenError("a token that is no base64url") from None


def _object(data: bytes, what: str) -> dict[str, Any]:
    """Return a strict JSON object in UTF-8, in which no name stands twice."""
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UserTokenError(f"a {what} that is no strict JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice in one object")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _time(claims: dict[str, Any], name: str) -> datetime:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _FAR:
        raise UserTokenError(f"a token whose `{name}` is no time")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise UserTokenError(f"a token whose `{name}` is no time") from None


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT or not _is_unicode(value):
        raise UserTokenError(f"a token without `{name}`")
    return value


def _is_unicode(text: str) -> bool:
    """Return whether a text can be written: JSON can hold halves of characters, which nothing else takes."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
