"""The words of a policy's source text: its clauses taken apart, its scope and its id replaced.

Cedar's syntax tree does not say where things stand. What is found here by tokens is therefore checked against the
tree: a clause whose parts would not make the same tree again is left whole, and a text that would not is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from cedarpy import policies_to_pst, pst

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inward.policy.model import Policy

_TOKEN = re.compile(r'\s+|//[^\n]*|(?P<token>"(?:[^"\\]|\\.)*"|[A-Za-z_][A-Za-z0-9_]*|&&|\|\||.)', re.DOTALL)
_BEFORE_A_WORD = frozenset(["", " ", "\t", "\n", "(", "[", "{"])
_AFTER_A_LINE = frozenset(["", "\r", "\n", ")", "]", "}"])
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_EFFECTS = frozenset({"permit", "forbid"})


@dataclass(frozen=True, slots=True)
class Clause:
    """A `when` or `unless` clause and the texts of its terms: `a && b` of a `when`, `a || b` of an `unless`.

    The policy applies if every term of a `when` is true and every term of an `unless` is false. `lines` are where
    the terms begin, in lines after the one that the policy begins on.
    """

    kind: Literal["when", "unless"]
    terms: tuple[str, ...]
    lines: tuple[int, ...] = field(default=(), compare=False)


def quoted(text: str) -> str:
    """Return a Cedar string literal for `text`."""

    def written(character: str) -> str:
        if character in '"\\':
            return "\\" + character
        return character if character.isprintable() else f"\\u{{{ord(character):x}}}"

    return '"' + "".join(map(written, text)) + '"'


def clauses_of(policy: Policy) -> tuple[Clause, ...]:
    """Return a policy's clauses with the texts of their terms, in order."""
    text = policy.text
    clauses = []
    for (kind, tokens), clause in zip(_clauses(list(_tokens(text))), policy.pst.clauses, strict=True):
        whole = text[tokens[0].start : tokens[-1].end]
        joint, others = ("&&", "||") if kind == "when" else ("||", "&&")
        parts = [part for part in _split(tokens, joint) if part]
        terms = [text[part[0].start : part[-1].end] for part in parts]
        if kind == "when" and any(token.depth == tokens[0].depth and token.text == others for token in tokens):
            parts, terms = [tokens], [whole]
        again = f" {joint} ".join(f"({term})" for term in terms)
        if not _same(again, clause.expr):
            parts, terms = [tokens], [whole]
        lines = tuple(text.count("\n", 0, part[0].start) for part in parts)
        clauses.append(Clause(kind, tuple(terms), lines))
    return tuple(clauses)


def without_action(text: str, action: str) -> str:
    """Return the text of a policy whose scope lists some actions without one of them; others must remain."""
    tokens = list(_tokens(text))
    words = [token.text for token in tokens]
    start = next(n for n in range(len(words)) if words[n : n + 3] == ["action", "in", "["]) + 3
    end = next(n for n in range(start, len(words)) if words[n] == "]")
    elements = [part for part in _split(tokens[start:end], ",") if part]
    gone = [_action(text[part[0].start : part[-1].end]) == action for part in elements]
    cuts = [(part[0].start, part[-1].end) for part, goes in zip(elements, gone, strict=True) if goes]
    commas = [token for token in tokens[start:end] if token.text == "," and token.depth == tokens[start].depth]
    # each element that goes takes the comma after it, or, where none that stays follows, the one before it
    last = max(number for number, is_gone in enumerate(gone) if not is_gone)
    for number, comma in enumerate(commas):
        if (gone[number] and number < last) or (number >= last and number + 1 < len(elements)):
            cuts.append((comma.start, comma.end))
    for begin, finish in sorted(cuts, reverse=True):
        text = cut(text, begin, finish)
    return text


def with_constraint(text: str, part: Literal["principal", "action"], constraint: str) -> str | None:
    """Return the text of a policy with another constraint on a part of its scope; None where a comment would be lost.

    `constraint` is Cedar text such as `principal == Service::"checkout"`.
    """
    tokens = list(_tokens(text))
    opened = next(n for n, token in enumerate(tokens) if token.text == "(" and tokens[n - 1].text in _EFFECTS)
    closed = next(n for n in range(opened + 1, len(tokens)) if tokens[n].depth == tokens[opened].depth)
    parts = [each for each in _split(tokens[opened + 1 : closed], ",") if each]
    found = parts[0 if part == "principal" else 1]
    start, end = found[0].start, found[-1].end
    if any(each["token"] is None and each[0].startswith("//") for each in _TOKEN.finditer(text, start, end)):
        return None
    return text[:start] + constraint + text[end:]


def with_id(text: str, identifier: str) -> str:
    """Return the text of a policy that has an `@id` with another one."""
    tokens = list(_tokens(text))
    at = next(n for n in range(len(tokens)) if [each.text for each in tokens[n : n + 3]] == ["@", "id", "("])
    value = tokens[at + 3]
    return text[: value.start] + quoted(identifier) + text[value.end :]


def cut(text: str, start: int, end: int) -> str:
    """Return `text` without a part of it, and without the blank line or the double space that would be left."""
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    rest = text[end:] if line_end < 0 else text[end:line_end]
    if not text[line_start:start].strip() and not rest.strip():
        return text[:line_start] + ("" if line_end < 0 else text[line_end + 1 :])
    if text[start - 1 : start] in _BEFORE_A_WORD:
        while text[end : end + 1] in {" ", "\t"}:
            end += 1
    if text[end : end + 1] in _AFTER_A_LINE:
        start = len(text[:start].rstrip(" \t"))
    return text[:start] + text[end:]


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    start: int
    end: int
    depth: int  # in how many brackets; a bracket itself stands outside


def _tokens(text: str) -> Iterator[_Token]:
    depth = 0
    for found in _TOKEN.finditer(text):
        word = found["token"]
        if word is None:
            continue
        if word in _CLOSING:
            depth -= 1
        yield _Token(word, found.start(), found.end(), depth)
        if word in _OPENING:
            depth += 1


def _clauses(tokens: Sequence[_Token]) -> Iterator[tuple[Literal["when", "unless"], Sequence[_Token]]]:
    """Yield the kind of each clause and the tokens between its braces."""
    starts = [
        number
        for number, token in enumerate(tokens)
        if token.depth == 0 and token.text in {"when", "unless"} and tokens[number + 1].text == "{"
    ]
    for number in starts:
        end = next(n for n in range(number + 2, len(tokens)) if tokens[n].depth == 0)
        yield ("when" if tokens[number].text == "when" else "unless"), tokens[number + 2 : end]


def _split(tokens: Sequence[_Token], separator: str) -> Iterator[Sequence[_Token]]:
    """Yield the tokens between separators that stand in no bracket of their own."""
    begin = 0
    for number, token in enumerate(tokens):
        if token.text == separator and token.depth == tokens[0].depth:
            yield tokens[begin:number]
            begin = number + 1
    yield tokens[begin:]


def _same(text: str, expr: pst.Expr) -> bool:
    try:
        (parsed,) = policies_to_pst(f"permit(principal, action, resource) when {{ {text} }};").static_policies.values()
    except ValueError:
        return False
    return parsed.clauses[0].expr == expr


def _action(text: str) -> str | None:
    (parsed,) = policies_to_pst(f"permit(principal, action == {text}, resource);").static_policies.values()
    return parsed.action.entity.id if isinstance(parsed.action, pst.ActionEq) else None
