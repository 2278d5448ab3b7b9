"""What a caller sent, on a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inward.record.format import printable


@pytest.mark.parametrize("text", ["", "/orders/42", "/größe/日本語/नमस्ते", "a b", "é", "e\u0301"])
def test_plain_text_stays(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
        ("a\nb\rc\td", r"a\nb\rc\td"),
        ("\x9b31m\x7f\0", r"\x9b31m\x7f\x00"),
        ("user\u202egnp.exe", r"user\u202egnp.exe"),
        ("\u2066x\u2069\u200e\u061c", r"\u2066x\u2069\u200e\u061c"),
        ("a\u200bb\ufeff\u00ad", r"a\u200bb\ufeff\xad"),
        ("\u2028\u2029\u0085", r"\u2028\u2029\x85"),
        ("\u00a0\u3000\u3164\u2800", r"\xa0\u3000\u3164\u2800"),
        ("\U000e0041\ue000\ufe0f", r"\U000e0041\ue000\ufe0f"),
        ("\ud800", r"\ud800"),
        (r"\x1b", r"\\x1b"),
        ("e" + "\u0301" * 5, "e" + "\u0301" * 3 + r"\u0301\u0301"),
    ],
)
def test_harm_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters(exclude_categories=())))
def test_the_result_is_one_harmless_line(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    shown.encode()


@given(st.text(), st.text())
def test_different_texts_stay_different(one: str, other: str) -> None:
    assert (printable(one) == printable(other)) == (one == other)


@given(st.text(), st.integers(1, 20))
def test_a_limit_holds(text: str, limit: int) -> None:
    shown = printable(text, limit=limit)
    assert len(shown) <= limit
    assert shown == printable(text) or shown[:-1] == printable(text)[: limit - 1]


def test_a_limit_keeps_a_long_text_cheap() -> None:
    assert printable("\x1b" * 10_000_000, limit=10) == r"\x1b\x1b\…"
