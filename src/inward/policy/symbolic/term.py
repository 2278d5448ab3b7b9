"""Terms that are Python values as long as they are known, and z3 expressions from then on.

What is concrete stays concrete: a condition about the caller alone never reaches the solver, and the same code that
makes formulas can be held against Cedar on concrete requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import z3

from inward.errors import InwardError

if TYPE_CHECKING:
    from collections.abc import Iterable

Bool: TypeAlias = "bool | z3.BoolRef"
Int: TypeAlias = "int | z3.ArithRef"
Str: TypeAlias = "str | z3.SeqRef"

LAST_CHARACTER = "\U0002ffff"  # of z3's alphabet
MIN_LONG = -(2**63)
MAX_LONG = 2**63 - 1


class UnsupportedError(InwardError):
    """An expression holds a `construct` that has no formula: a Boolean that could be either stands for it."""

    code = "unsupported"

    def __init__(self, construct: str) -> None:
        super().__init__(f"{construct} has no formula")
        self.construct = construct


def conj(*terms: Bool) -> Bool:
    """Return whether all terms are true."""
    return all_of(terms)


def disj(*terms: Bool) -> Bool:
    """Return whether any term is true."""
    return any_of(terms)


def all_of(terms: Iterable[Bool]) -> Bool:
    """Return whether all terms are true; true for none."""
    unknown = []
    for term in terms:
        if term is False:
            return False
        if term is not True:
            unknown.append(term)
    if not unknown:
        return True
    return unknown[0] if len(unknown) == 1 else z3.And(unknown)


def any_of(terms: Iterable[Bool]) -> Bool:
    """Return whether any term is true; false for none."""
    unknown = []
    for term in terms:
        if term is True:
            return True
        if term is not False:
            unknown.append(term)
    if not unknown:
        return False
    return unknown[0] if len(unknown) == 1 else z3.Or(unknown)


def negate(term: Bool) -> Bool:
    """Return whether a term is false."""
    return not term if isinstance(term, bool) else z3.Not(term)


def iff(left: Bool, right: Bool) -> Bool:
    """Return whether two terms are both true or both false."""
    if isinstance(left, bool):
        return right if left else negate(right)
    if isinstance(right, bool):
        return left if right else negate(left)
    return left == right


def choose(condition: Bool, then: Bool, otherwise: Bool) -> Bool:
    """Return `then` where the condition is true, else `otherwise`."""
    if isinstance(condition, bool):
        return then if condition else otherwise
    return disj(conj(condition, then), conj(negate(condition), otherwise))


def choose_int(condition: Bool, then: Int, otherwise: Int) -> Int:
    """Return the number `then` where the condition is true, else `otherwise`."""
    if isinstance(condition, bool):
        return then if condition else otherwise
    return z3.If(condition, then, otherwise)


def choose_str(condition: Bool, then: Str, otherwise: Str) -> Str:
    """Return the text `then` where the condition is true, else `otherwise`."""
    if isinstance(condition, bool):
        return then if condition else otherwise
    return z3.If(condition, string_of(then), string_of(otherwise))


def string_of(text: Str) -> z3.SeqRef:
    """Return a text as z3's; what z3 would read as an escape, or could not take, is written as one.

    Raises `UnsupportedError` for a character that z3 does not know: its escape would be read as nine others.
    """
    if not isinstance(text, str):
        return text
    if any(character > LAST_CHARACTER for character in text):
        raise UnsupportedError("a text with a character beyond U+2FFFF")
    plain = (c if " " <= c <= "~" and c != "\\" else f"\\u{{{ord(c):x}}}" for c in text)
    return z3.StringVal("".join(plain))


def same_str(left: Str, right: Str) -> Bool:
    """Return whether two texts are equal."""
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    return string_of(left) == string_of(right)
