from __future__ import annotations

import re
from typing import get_args

import pytest
import z3
from cedarpy import pst

from inward.policy.request import Where, value_pattern
from inward.policy.symbolic.term import string_of
from inward.policy.symbolic.text import like, plain

STAR, A, B = pst.Wildcard(), pst.Char("a"), pst.Char("b")
MATCHES = [
    ((), "", True),
    ((), "a", False),
    ((A,), "a", True),
    ((A,), "ab", False),
    ((STAR,), "", True),
    ((STAR,), "a\nb", True),
    ((STAR, STAR), "x", True),
    ((A, STAR), "ab", True),
    ((A, STAR), "ba", False),
    ((STAR, A), "ba", True),
    ((A, STAR, A), "a", False),
    ((A, STAR, A), "aa", True),
    ((A, B, STAR, B, A), "aba", False),
    ((STAR, A, STAR, B, STAR), "xaxbx", True),
    ((STAR, A, STAR, B, STAR), "xbxax", False),
    ((STAR, A, B, STAR, B), "ab", False),
    ((STAR, A, STAR, A, B), "aab", True),
    ((pst.Char("*"),), "a", False),
    ((pst.Char("*"),), "*", True),
    ((pst.Char("."), STAR), "ab", False),
    ((pst.Char("\\"), pst.Char("u"), STAR), "\\u{41}", True),
    ((pst.Char("\\"), *map(pst.Char, "u{41}")), "A", False),
    ((pst.Char("\U0001f600"), STAR), "\U0001f600!", True),
]


@pytest.mark.parametrize(("pattern", "text", "matches"), MATCHES)
def test_like(pattern: tuple[pst.PatternElem, ...], text: str, *, matches: bool) -> None:
    assert like(text, pattern) is matches
    variable = z3.String("text")
    formula = z3.simplify(z3.substitute(like(variable, pattern), (variable, string_of(text))))
    assert z3.is_true(formula) is matches
    assert z3.is_false(formula) is not matches


@pytest.mark.timeout(20)
def test_many_wildcards_take_no_time() -> None:
    many: tuple[pst.PatternElem, ...] = (STAR, A) * 200
    assert like("a" * 5000, many)
    assert not like("a" * 5000, (*many, B))
    assert not like("ab" * 199, many)


@pytest.mark.parametrize("where", get_args(Where))
def test_plain_form_is_what_an_enforcer_lets_pass(where: Where) -> None:
    pattern = re.compile(value_pattern(where, "string"), re.ASCII)
    for text in ("", *map(chr, range(0x100)), "é", "\u0430", "\u212a", "\U0001f600"):
        for whole in (text, f"a{text}", f"{text}a"):
            said = z3.simplify(z3.InRe(string_of(whole), plain(where)))
            assert z3.is_true(said) is (pattern.fullmatch(whole) is not None), whole
            assert z3.is_true(said) is not z3.is_false(said)
