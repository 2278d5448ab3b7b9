from __future__ import annotations

import pytest
import z3

from inward.policy.symbolic import term
from inward.policy.symbolic.term import UnsupportedError, string_of

X, Y = z3.Bools("x y")
YES, NO = True, False


def test_what_is_known_stays_known() -> None:
    assert term.conj() is True
    assert term.disj() is False
    assert term.conj(X, NO, Y) is False
    assert term.disj(X, YES, Y) is True
    assert term.negate(YES) is False
    assert term.choose(YES, X, Y) is X
    assert term.choose_int(NO, 1, 2) == 2
    assert term.choose_str(YES, "a", "b") == "a"
    assert term.same_str("a", "a") is True
    assert term.same_str("a", "b") is False


def test_one_that_is_left_stands_alone() -> None:
    assert term.conj(YES, X) is X
    assert term.disj(NO, X) is X
    assert term.iff(YES, X) is X
    assert term.iff(X, YES) is X


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("right", [True, False])
def test_formulas_are_the_tables_of_logic(*, left: bool, right: bool) -> None:
    values = [(X, z3.BoolVal(left)), (Y, z3.BoolVal(right))]

    def said(formula: term.Bool) -> bool:
        return bool(z3.is_true(z3.simplify(z3.substitute(formula, values))))

    assert said(term.conj(X, Y)) == (left and right)
    assert said(term.disj(X, Y)) == (left or right)
    assert said(term.iff(X, Y)) == (left == right)
    assert said(term.iff(X, NO)) == (not left)
    assert said(term.negate(X)) == (not left)
    assert said(term.choose(X, Y, term.negate(Y))) == (right if left else not right)


TEXTS = (
    *("", "plain", '"', "\0", "\n", "\x7f", "é", "\ud7ff", "\U0001f600", "\U0002ffff"),
    *("\\", "\\u{41}", "\\u0041", "\\x41", "\\\\u{41}"),  # z3 reads some of these as escapes
)


@pytest.mark.parametrize("text", TEXTS)
def test_z3_takes_a_text_character_by_character(text: str) -> None:
    assert z3.simplify(z3.Length(string_of(text))).as_long() == len(text)
    codes = [z3.simplify(z3.StrToCode(z3.SubString(string_of(text), at, 1))).as_long() for at in range(len(text))]
    assert codes == [ord(character) for character in text]


@pytest.mark.parametrize("text", ["\U00030000", "a\U0010ffff"])
def test_a_character_that_z3_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedError, match=r"U\+2FFFF"):
        string_of(text)
