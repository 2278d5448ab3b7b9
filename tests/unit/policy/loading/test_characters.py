from __future__ import annotations

import pytest

from inward.policy.loading.characters import deceptive_in, hidden_in


@pytest.mark.parametrize(
    "character",
    "\x00\x1b\x7f\x85\xad\u061c\u115f\u180e\u200b\u200e\u200f\u2028\u202a\u202e\u2060\u2066\u2069\u3164\ufeff\ufff9\U000e0041\r",
    ids=ascii,
)
def test_what_cannot_be_seen_is_found_where_it_stands(character: str) -> None:
    found = hidden_in(f"é// a{character}b")
    assert found is not None
    assert found[0] == 5
    assert f"U+{ord(character):04X}, which cannot be seen" in found[1]
    assert rf"\u{{{ord(character):x}}}" in found[2]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\tb\r\nc",
        "é ß 中文 \U0001f600",
        "\u26a0\ufe0f",
        "\U0001f469\u200d\U0001f4bb",
        "\u0645\u06cc\u200c\u0634",
        "e\u0301",
    ],
    ids=ascii,
)
def test_what_other_scripts_and_emoji_need_is_no_finding(text: str) -> None:
    assert hidden_in(text) is None


@pytest.mark.parametrize("character", ["\u200c", "\u200d", "\ufe0f"], ids=ascii)
def test_a_joiner_joins_nothing_of_ascii(character: str) -> None:
    assert hidden_in(f"admin{character}") is not None
    assert hidden_in(f"{character}admin") is not None


@pytest.mark.parametrize(
    ("literal", "offset"),
    [
        ('"\u0430dmin"', 1),  # Cyrillic
        ('"x adm\u0456n"', 6),
        ('"\u03bfrders"', 1),  # Greek
        ('"order\uff53"', 6),  # fullwidth
        ('"\U0001d41adm"', 1),  # a letter of mathematics
        ('"a\u00a0b"', 2),
        ('"a\u3000b"', 2),
        ('"\u4e2d\u200d"', 2),
    ],
)
def test_what_reads_as_something_else_in_a_string(literal: str, offset: int) -> None:
    found = deceptive_in(literal)
    assert found is not None
    assert found[0] == offset
    assert rf"\u{{{ord(literal[offset]):x}}}" in found[2]


@pytest.mark.parametrize(
    "literal",
    [
        '""',
        '"admin"',
        '"caf\u00e9"',
        '"\u0437\u0430\u043a\u0430\u0437 order"',
        '"\u4e2d\u6587 abc"',
        '"a\tb\nc"',
        '"10 \u00b5m"',
    ],
)
def test_words_of_one_script_are_no_finding(literal: str) -> None:
    assert deceptive_in(literal) is None
