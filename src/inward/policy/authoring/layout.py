"""Lays a policy file out in one style: Cedar's own for each policy, and ours for what stands between policies.

Cedar's formatter is given one policy at a time: its cost grows with the square of the text, and it glues the comment
that heads a file to the first policy. Between policies, comments keep their order and their lines, and stand apart
from a policy where they stood apart. Line ends stay the file's.

INVARIANT: nothing but the look changes. What comes out is read again: the same policies in the same order with the same
annotations, and every comment; otherwise nothing comes out. What went through once goes through again unchanged.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import cedarpy

from inward.errors import InvalidSystemError, InwardError, Mistake, Place
from inward.policy.loading.rules import shown_line
from inward.policy.loading.source import parse_statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cedarpy import pst

    from inward.policy.loading.source import Statement

MAX_CHARACTERS = 64 * 1024  # of a policy that is laid out: Cedar's formatter takes seconds for more
LINE_WIDTH = 80  # and two columns a level: as Cedar's own tools have it, so that an editor that uses them agrees
INDENT_WIDTH = 2
MAX_ROUNDS = 5  # Cedar's formatter takes a `//` within a string for a comment's, and needs two rounds to settle

_BY_HAND = "leave it, or lay it out by hand"

_TOKEN = re.compile(r'(?P<string>"(?:[^"\\]|\\[^\n])*+")|(?P<comment>//[^\n]*)|(?P<end>[ \t\r]*\n)|(?P<name>@\s*\w+)')
# The comma may go: what follows one, Cedar's formatter loses.
_LAST_COMMA = re.compile(r'(?P<kept>"(?:[^"\\]|\\[^\n])*+"|//[^\n]*)|,(?=(?:\s|//[^\n]*)*+[)\]}])')


class LayoutRefusedError(InwardError):
    """A policy file is left as it is, because laying it out would have changed more than its look."""

    code = "layout_refused"


def lay_out(data: bytes, file: str) -> bytes:
    """Return the bytes of a policy file, laid out; `file` is its name in what is raised.

    Raises `InvalidSystemError` with every mistake if it cannot be read as Cedar, and `LayoutRefusedError`. Whether the
    policies fit a system is not asked.
    """
    statements, mistakes = parse_statements(data, file)
    trees = list(_trees(statements, file, mistakes))
    if mistakes:
        raise InvalidSystemError(mistakes)
    text = data.decode()
    laid_out = _laid_out(text, statements, file)
    result = _with_line_ends(laid_out, "\r\n" if b"\r\n" in data else "\n").encode()
    if result == data:
        return result
    again, more = parse_statements(result, file)
    same = trees == list(_trees(again, file, more)) and _not_in_trees(text) == _not_in_trees(result.decode())
    if more or not same:
        raise LayoutRefusedError(f"{file} cannot be laid out without a change of what it says", hint=_BY_HAND)
    return result


def lay_out_policy(text: str) -> str:
    """Return the text of one policy, laid out, without a line break at its end; as it is if that is not possible."""
    try:
        return lay_out(text.encode(), "").decode().rstrip("\n")
    except (InvalidSystemError, LayoutRefusedError):
        return text


def _trees(statements: Sequence[Statement], file: str, mistakes: list[Mistake]) -> Iterator[pst.Template]:
    """Yield the syntax tree of each policy, its annotations included; add to the mistakes."""
    for statement in statements:
        try:
            parsed = cedarpy.policies_to_pst(statement.text)
        except ValueError as error:
            what = shown_line(str(error).removeprefix("cedarpy: "))
            mistakes.append(Mistake(Place(file, statement.line), f"no valid Cedar policy: {what}"))
            continue
        yield from (*parsed.static_policies.values(), *parsed.templates.values())


def _not_in_trees(text: str) -> list[str]:
    """Return what the trees do not say: the comments, and the order of the annotations."""
    return [found[0].rstrip() for found in _TOKEN.finditer(text) if found["comment"] or found["name"]]


def _laid_out(text: str, statements: Sequence[Statement], file: str) -> str:
    """Return the text of a file as it is to be, with bare line feeds."""
    lines: list[str] = []  # all those of a policy are one
    position = 0
    for statement in statements:
        _add_comments(lines, text[position : statement.start])
        lines.append(_policy_laid_out(statement.text, Place(file, statement.line)))
        position = statement.end
    _add_comments(lines, text[position:] + "\n")
    while lines and not lines[-1]:
        lines.pop()
    return "".join(f"{line}\n" for line in lines)


def _policy_laid_out(text: str, place: Place) -> str:
    if len(text) > MAX_CHARACTERS:
        raise LayoutRefusedError(
            f"{place}: a policy of more than {MAX_CHARACTERS:,} characters", hint="split it into several"
        )
    text = _LAST_COMMA.sub(lambda found: found["kept"] or "", text)
    for _ in range(MAX_ROUNDS):
        before, text = text, _with_line_ends(cedarpy.format_policies(text, LINE_WIDTH, INDENT_WIDTH).strip(), "\n")
        if text == before or "//" not in text:
            return text
    raise LayoutRefusedError(f"{place}: this policy looks different each time that it is laid out", hint=_BY_HAND)


def _add_comments(lines: list[str], gap: str) -> None:
    """Add what stands between two policies, or at an end of the file: comments, and one blank line for several."""
    behind, *between = (line.strip() for line in gap.split("\n"))
    if not lines:
        between = [behind, *between]
    elif behind:
        lines[-1] += f" {behind}"
    between = between[:-1]  # its end is where the next policy begins
    if lines and "" not in between:
        lines.append("")  # what stands close to both policies is said of the one below
    for line in between:
        if line or (lines and lines[-1]):
            lines.append(line)


def _with_line_ends(text: str, newline: str) -> str:
    """Return a text with these line ends and without spaces before them, except within strings."""

    def mended(token: re.Match[str]) -> str:
        if token["end"] is not None:
            return newline
        return token[0].rstrip() if token["comment"] is not None else token[0]

    return _TOKEN.sub(mended, text)
