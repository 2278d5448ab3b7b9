"""Conditions of Sigma rules: which of a rule's selections must match, by `and`, `or`, `not` and brackets.

`1 of NAME*`, `all of NAME*` and `them` (every selection whose name does not begin with `_`) as in the Sigma rules
specification 2.0, "Condition". The aggregations of older rules (`| count() …`) are refused: a correlation rule says
that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inward.alerting.sigma.pattern import Pattern
from inward.catalog.document import did_you_mean, shown
from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inward.record.call import Call

    Test = Callable[[Call], bool]

MAX_CHARACTERS = 4000
MAX_DEPTH = 50  # of brackets
_WORDS = re.compile(r"\s*(\(|\)|[^\s()|]+|\|)")
_RESERVED = frozenset({"and", "or", "not", "of", "them"})


class ConditionError(BadInputError):
    """A condition cannot be read."""

    code = "sigma_condition"


def parse_condition(text: str, selections: Mapping[str, Test]) -> tuple[Test, frozenset[str]]:
    """Return what a condition means of a call, and the selections that it names. Raises `ConditionError`."""
    if len(text) > MAX_CHARACTERS:
        raise ConditionError(f"the condition is longer than {MAX_CHARACTERS} characters")
    words: list[str] = []
    end = len(text.rstrip())
    at = 0
    while at < end:
        found = _WORDS.match(text, at)
        assert found is not None  # noqa: S101 - every character is of some word
        words.append(found[1])
        at = found.end()
    if "|" in words:
        raise ConditionError("aggregations (`|`) are not supported", hint="write a correlation rule")
    parser = _Parser(words, selections)
    test = parser.any_of()
    if parser.word is not None:
        raise ConditionError(f"`{shown(parser.word)}` is not expected there", hint="join selections by `and` or `or`")
    return test, frozenset(parser.used)


class _Parser:
    """Reads words by recursive descent; `or` binds least, then `and`, then `not`."""

    def __init__(self, words: Sequence[str], selections: Mapping[str, Test]) -> None:
        self._words = words
        self._at = 0
        self._depth = 0
        self._selections = selections
        self.used: set[str] = set()

    @property
    def word(self) -> str | None:
        """The next word; None at the end."""
        return self._words[self._at] if self._at < len(self._words) else None

    def _next(self) -> str:
        word = self.word
        if word is None:
            raise ConditionError("the condition ends too early", hint="name a selection")
        self._at += 1
        return word

    def _takes(self, word: str) -> bool:
        if (self.word or "").lower() != word:
            return False
        self._at += 1
        return True

    def any_of(self) -> Test:
        tests = [self._all_of()]
        while self._takes("or"):
            tests.append(self._all_of())
        return _any(tests)

    def _all_of(self) -> Test:
        tests = [self._negated()]
        while self._takes("and"):
            tests.append(self._negated())
        return _all(tests)

    def _negated(self) -> Test:
        negated = False
        while self._takes("not"):
            negated = not negated
        test = self._one()
        return (lambda call: not test(call)) if negated else test

    def _one(self) -> Test:
        word = self._next()
        if word == "(":
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise ConditionError(f"the condition has more than {MAX_DEPTH} brackets in each other")
            test = self.any_of()
            if not self._takes(")"):
                raise ConditionError("a bracket is not closed")
            self._depth -= 1
            return test
        if (self.word or "").lower() == "of":
            return self._some_of(word)
        if word == ")" or word.lower() in _RESERVED:
            raise ConditionError(f"`{shown(word)}` is not expected there", hint="name a selection")
        if word not in self._selections:
            hint = did_you_mean(word, self._selections)
            raise ConditionError(f"there is no selection `{shown(word)}`", hint=hint)
        self.used.add(word)
        return self._selections[word]

    def _some_of(self, quantity: str) -> Test:
        if quantity.lower() not in {"1", "any", "all"}:
            raise ConditionError(f"`{shown(quantity)} of` is not supported", hint="write `1 of` or `all of`")
        self._next()
        pattern = self._next()
        if pattern.lower() == "them":
            names = [name for name in self._selections if not name.startswith("_")]
        else:
            matches = Pattern(tuple(tuple(piece) for piece in pattern.split("*"))).matcher(cased=True)
            names = [name for name in self._selections if matches(name)]
        if not names:
            raise ConditionError(f"no selection is named like `{shown(pattern)}`")
        self.used.update(names)
        tests = [self._selections[name] for name in names]
        return _all(tests) if quantity.lower() == "all" else _any(tests)


def _any(tests: list[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda call: any(test(call) for test in tests)


def _all(tests: list[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda call: all(test(call) for test in tests)
