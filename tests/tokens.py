"""Transaction Tokens and the keys that verify them, right ones and any other."""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

ISSUER = "https://tokens.shop.internal"


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


@dataclass
class Signer:
    """An issuer with one key."""

    kid: str = "k1"
    algorithm: str = "ES256"
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @classmethod
    def rsa(cls, algorithm: str, bits: int = 2048) -> Signer:
        return cls("r1", algorithm, rsa.generate_private_key(65537, bits))

    @property
    def jwk(self) -> dict[str, Any]:
        numbers = self.key.public_key().public_numbers()
        if isinstance(numbers, rsa.RSAPublicNumbers):
            return {
                "kty": "RSA",
                "kid": self.kid,
                "alg": self.algorithm,
                "n": number(numbers.n),
                "e": number(numbers.e),
            }
        x, y = (base64url(each.to_bytes(32, "big")) for each in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "kid": self.kid, "x": x, "y": y}

    def sign(self, signed: bytes) -> bytes:
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self.key.sign(signed, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        if self.algorithm == "RS256":
            return self.key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        return self.key.sign(signed, pss, hashes.SHA256())

    def token(
        self, claims: Mapping[str, Any] | bytes, header: Mapping[str, Any] | bytes | None = None, **more: Any
    ) -> str:
        """Return a token. What is given of a header takes the place of the right one's, `more` is added to it."""
        if header is None:
            header = {"alg": self.algorithm, "kid": self.kid, "typ": "txntoken+jwt", **more}
        head, body = (
            base64url(part if isinstance(part, bytes) else json.dumps(part).encode()) for part in (header, claims)
        )
        return f"{head}.{body}.{base64url(self.sign(f'{head}.{body}'.encode()))}"


def key_set(*signers: Signer) -> bytes:
    return json.dumps({"keys": [signer.jwk for signer in signers]}).encode()


def claims(now: datetime, **more: Any) -> dict[str, Any]:
    """Return the claims of a token with nothing wrong; None takes one out."""
    at = int(now.timestamp())
    found = {"iss": ISSUER, "aud": "shop.internal", "iat": at, "exp": at + 300, "sub": "ada", "txn": "t-1"} | more
    return {name: value for name, value in found.items() if value is not None}


def secret_from_public_key(signer: Signer, body: Mapping[str, Any], now_signed: str = "HS256") -> str:
    """Return a token whose signature is an HMAC with the public key, which a careless verifier takes for a secret."""
    head = base64url(json.dumps({"alg": now_signed, "kid": signer.kid, "typ": "txntoken+jwt"}).encode())
    signed = f"{head}.{base64url(json.dumps(body).encode())}"
    return f"{signed}.{base64url(hmac.digest(json.dumps(signer.jwk).encode(), signed.encode(), 'sha256'))}"
