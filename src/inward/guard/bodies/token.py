"""Tokens: what stands for a value that its caller may not see, the same for the same value of a class.

A token is an HMAC-SHA256 (RFC 2104) of the caller, the classes, whether the value is a text, and its text or digits,
cut to 16 bytes and written in base64url (RFC 4648 section 5). `token.lua` of `envoy.views` makes the same ones.

It leaves out which values become tokens (`guard.bodies.view`), and where the key comes from.
"""

from __future__ import annotations

from binascii import b2a_base64
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from hashlib import _Hash

_BYTES, _CHARACTERS = 16, 22  # of a token
_BLOCK = 64  # bytes, of SHA-256
_INNER: Final = bytes(each ^ 0x36 for each in range(256))
_OUTER: Final = bytes(each ^ 0x5C for each in range(256))
_FOR_URLS: Final = bytes.maketrans(b"+/", b"-_")

_encoder = msgspec.json.Encoder()


class Tokens:
    """The tokens of one caller. `key` is of any length, and secret."""

    def __init__(self, key: bytes, caller: str) -> None:
        # HMAC by hashes that have read the key already: `hmac.digest` takes thrice as long, since it reads it anew
        padded = (key if len(key) <= _BLOCK else sha256(key).digest()).ljust(_BLOCK, b"\0")
        self._inner = sha256(padded.translate(_INNER))
        self._outer = sha256(padded.translate(_OUTER))
        self._caller = caller
        self._begun: dict[tuple[tuple[str, ...], bool], _Hash] = {}  # of the places of a shape, which are bounded

    def of(self, text: str, classes: tuple[str, ...], *, is_text: bool) -> str:
        """Return the token of a value, which is given as its text or its digits."""
        begun = self._begun.get((classes, is_text))
        if begun is None:
            begun = self._inner.copy()
            begun.update(_encoder.encode([self._caller, classes, is_text])[:-1] + b",")
            self._begun[classes, is_text] = begun
        inner, outer = begun.copy(), self._outer.copy()
        inner.update(_encoder.encode(text) + b"]")
        outer.update(inner.digest())
        written = b2a_base64(outer.digest()[:_BYTES], newline=False)
        return "tok_" + written[:_CHARACTERS].translate(_FOR_URLS).decode()
