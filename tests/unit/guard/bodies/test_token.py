"""Tokens: an HMAC of what they stand for, whatever the key."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode

import msgspec
import pytest

from inward.guard.bodies.token import Tokens

CLASSES = ("pii", "pii.email")


@pytest.mark.parametrize("length", [1, 31, 32, 63, 64, 65, 200])
@pytest.mark.parametrize("text", ["", "ada@example.com", 'é"\\\n\U0001f600', "x" * 200])
@pytest.mark.parametrize("is_text", [True, False])
def test_a_token_is_an_hmac_of_caller_classes_and_value(length: int, text: str, *, is_text: bool) -> None:
    key = bytes(range(length))
    said = msgspec.json.encode(["till", CLASSES, is_text, text])
    expected = urlsafe_b64encode(hmac.digest(key, said, "sha256")[:16]).decode().rstrip("=")
    tokens = Tokens(key, "till")
    assert tokens.of(text, CLASSES, is_text=is_text) == "tok_" + expected
    assert tokens.of("another", CLASSES, is_text=is_text) != "tok_" + expected
    assert tokens.of(text, CLASSES, is_text=is_text) == "tok_" + expected  # nothing of the one before is left in it


def test_classes_and_texts_and_numbers_have_tokens_of_their_own() -> None:
    tokens = Tokens(b"k" * 32, "till")
    said = [
        tokens.of("1", CLASSES, is_text=True),
        tokens.of("1", CLASSES, is_text=False),
        tokens.of("1", ("pii",), is_text=True),
        Tokens(b"k" * 32, "shop").of("1", CLASSES, is_text=True),
        Tokens(b"l" * 32, "till").of("1", CLASSES, is_text=True),
    ]
    assert len(set(said)) == len(said)
