"""Texts: `like` patterns, and the plain forms of parameters, as regular expressions of z3."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import z3
from cedarpy import pst

from inward.policy.symbolic.term import Bool, Str, conj, same_str, string_of

if TYPE_CHECKING:
    from inward.policy.request import Where

# The characters of `request.PATH_STRING` and `request.QUERY_STRING`; the tests hold both to each other.
_IN_PATH = "._~:@!$'()*,=&-"
_IN_QUERY = "._~:@!$'()*,/-"
_DOT_SEGMENTS = (".", "..")


def like(text: Str, pattern: tuple[pst.PatternElem, ...]) -> Bool:
    """Return whether a text matches a pattern of characters and wildcards (Cedar's `like`)."""
    pieces = _pieces(pattern)
    if isinstance(text, str):
        return _matches(text, pieces)
    match pieces:
        case [whole]:
            return same_str(text, whole)
        case [beginning, ""]:
            # Said twice: the solver finds a text by the one, and sees by the other that there is none, each far faster.
            begins = same_str(z3.SubString(text, 0, len(beginning)), beginning)
            return conj(begins, z3.InRe(text, _expression(pieces)))
    return z3.InRe(text, _expression(pieces))


@cache
def plain(where: Where, *, whole: bool = False) -> z3.ReRef:
    """Return the expression for a string parameter in plain form (`policy.request`); a `whole` one is no dot segment.

    One expression says it all: with a disequality beside it, the solver is many times slower.
    """
    if whole:
        return z3.Intersect(plain(where), z3.Complement(z3.Union(*(z3.Re(dots) for dots in _DOT_SEGMENTS))))
    ranges = [z3.Range("A", "Z"), z3.Range("a", "z"), z3.Range("0", "9")]
    marks = [z3.Re(mark) for mark in (_IN_PATH if where == "path" else _IN_QUERY)]
    character = z3.Union(*ranges, *marks)
    return z3.Plus(character) if where == "path" else z3.Star(character)


def _pieces(pattern: tuple[pst.PatternElem, ...]) -> list[str]:
    """Return the literal pieces between the wildcards of a pattern: one more of them."""
    pieces = [""]
    for each in pattern:
        if isinstance(each, pst.Char):
            pieces[-1] += each.value
        else:
            pieces.append("")
    return pieces


def _matches(text: str, pieces: list[str]) -> bool:
    if len(pieces) == 1:
        return text == pieces[0]
    first, *middle, last = pieces
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in middle:  # each as early as it can be: where any way matches, so does this one
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def _expression(pieces: list[str]) -> z3.ReRef:
    anything = z3.Full(z3.ReSort(z3.StringSort()))
    first, *others = pieces
    parts = [z3.Re(string_of(first))] if first or not others else []
    for piece in others:
        parts.append(anything)
        if piece:
            parts.append(z3.Re(string_of(piece)))
    return parts[0] if len(parts) == 1 else z3.Concat(*parts)
