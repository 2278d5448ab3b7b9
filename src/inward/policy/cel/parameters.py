"""How Envoy's expressions find a parameter in a raw path or query, exactly as `policy.request` does.

A regular expression over the whole path or query is cheap (0.3 µs where `re.extract` takes 12), so
comparisons with literals become expressions of their own. Envoy refuses one whose program in RE2 has more
than 100 instructions, and with it the whole configuration: so each here carries an upper bound of its size.

The path is known to match the operation's template, because the enforcer chose the operation by it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.policy import request
from inward.policy.cel.fold import UntranslatableError
from inward.policy.cel.tree import PATH, QUERY, Tree, Truth, both, call, choose, matches, negation, string

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.catalog.model import Operation, Parameter

MAX_PROGRAM = 96  # Envoy 1.40 takes 100
_SIZES = {request.PATH_STRING: 12, request.QUERY_STRING: 12, request.INTEGER: 40, request.BOOLEAN: 10}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression and an upper bound of its program's size in RE2."""

    text: str
    size: int


ANYTHING = {"path": Pattern("[!-.0-~]*", 4), "query": Pattern("[!-%'-~]*", 4)}  # in one segment, in one value


def literal(text: str) -> Pattern:
    """Return the expression for exactly `text`."""
    return Pattern(request.literal_pattern(text), len(text.encode()))


def one_of(patterns: Iterable[Pattern]) -> Pattern:
    """Return the expression for any of some."""
    patterns = tuple(patterns)
    return Pattern("|".join(pattern.text for pattern in patterns), sum(pattern.size + 1 for pattern in patterns))


def sequence(patterns: Iterable[Pattern]) -> Pattern:
    """Return the expression for some in a row."""
    patterns = tuple(patterns)
    return Pattern("".join(pattern.text for pattern in patterns), sum(pattern.size for pattern in patterns))


class Parameters:
    """Finds the parameters of one operation."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._known: dict[tuple[str, str], Parameter] = {(each.where, each.name): each for each in operation.parameters}

    def get(self, where: str, name: str) -> Parameter | None:
        """Return a parameter of the operation, or None where it has none of that name."""
        return self._known.get((where, name))

    def is_plain(self, parameter: Parameter) -> Truth:
        """Return whether a parameter is in plain form; of a query parameter, given that the query is."""
        text = request.value_pattern(parameter.where, parameter.type)
        found = self.text_matches(parameter, Pattern(text, _SIZES[text]))
        if parameter.where == "path":
            return found
        twice = Pattern(request.twice_pattern(parameter.name), 2 * _spellings_size(parameter.name) + 26)
        once = both(found, negation(_matches(parameter, twice)))
        return once if parameter.required else choose(self.occurs(parameter), once, otherwise=True)

    def occurs(self, parameter: Parameter) -> Tree:
        """Return whether a query parameter is there, given that the query and it are in plain form."""
        pattern = Pattern(request.occurs_pattern(parameter.name), _spellings_size(parameter.name) + 12)
        return _matches(parameter, pattern)

    def text_is(self, parameter: Parameter, value: Pattern) -> Tree | None:
        """Return whether the whole text of a parameter matches; None where the expression is too large.

        `value` must match nothing that holds a slash (path) or an ampersand (query).
        """
        subject, (before, after) = self._around(parameter)
        pattern = sequence((before, Pattern("(?:", 0), value, Pattern(")", 0), after))
        return matches(subject, pattern.text) if pattern.size <= MAX_PROGRAM else None

    def text_matches(self, parameter: Parameter, value: Pattern) -> Tree:
        """Return what `text_is` returns, and raise where that is too large."""
        found = self.text_is(parameter, value)
        if found is None:
            raise _too_large(parameter)
        return found

    def text(self, parameter: Parameter) -> Tree:
        """Return the raw text of a parameter that is there."""
        subject, (before, after) = self._around(parameter)
        value = ANYTHING[parameter.where]
        pattern = sequence((before, Pattern("(", 1), value, Pattern(")", 1), after))
        if pattern.size > MAX_PROGRAM:
            raise _too_large(parameter)
        return call("re.extract", subject, string(pattern.text), string(r"\1"))

    def _around(self, parameter: Parameter) -> tuple[Tree, tuple[Pattern, Pattern]]:
        """Return where a parameter stands and what is before and after its text there."""
        name = literal(parameter.name)
        if parameter.where == "query":
            return QUERY, (sequence((Pattern("(?:^|&)", 7), name, Pattern("=", 1))), Pattern("(?:&|$)", 7))
        template = self._operation.template
        if not template.text.isascii() or not template.text.isprintable() or " " in template.text:
            raise UntranslatableError("a path with characters that must be encoded")
        variable = "{" + parameter.name + "}"
        for depth, segment in enumerate(template.text.split("/")[1:]):
            before, found, after = segment.partition(variable)
            if not found:
                continue
            if "{" in before or "{" in after:
                raise UntranslatableError("a path segment with two parameters")
            start = Pattern(f"^(?:/{ANYTHING['path'].text}){{{depth}}}/" if depth else "^/", 4 + 3 * depth)
            return PATH, (
                sequence((start, literal(before))),
                sequence((literal(after), Pattern("(?:/|$)", 5))),
            )
        raise UntranslatableError(f"a path parameter that is not in the path: `{parameter.name}`")


def query_is_plain() -> Tree:
    """Return whether the whole query is in plain form."""
    return matches(QUERY, f"^(?:{request.PLAIN_QUERY})$")


def is_possible(parameter: Parameter, text: str) -> bool:
    """Return whether a string in plain form can hold `text`, or a parameter of another type can be it."""
    pattern = request.value_pattern(parameter.where, parameter.type)
    return re.fullmatch(pattern, text, re.ASCII) is not None


def _matches(parameter: Parameter, pattern: Pattern) -> Tree:
    if pattern.size > MAX_PROGRAM:
        raise _too_large(parameter)
    return matches(QUERY, pattern.text)


def _too_large(parameter: Parameter) -> UntranslatableError:
    return UntranslatableError(f"a comparison of `{parameter.name}` with a text that long")


def _spellings_size(name: str) -> int:
    # If case does not count, RE2 also takes `k` for the Kelvin sign and `s` for the long s, in UTF-8.
    return sum(1 if character.isascii() and character not in "_sSkK" else 8 for character in name)
