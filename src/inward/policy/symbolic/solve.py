"""Asks the solver whether some request makes a formula true, and reads that request out of its answer."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import z3

from inward.policy.symbolic.context import variable_of
from inward.policy.symbolic.term import Bool, Int, Str, all_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from inward.catalog.model import Parameter
    from inward.policy.symbolic.context import Contexts

TIMEOUT_MS = 5_000  # of one question
_ESCAPE = re.compile(r"\\u\{([0-9a-f]+)\}")  # how z3 writes characters that are not plain, backslashes included
_Read = TypeVar("_Read")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Solver:
    """Answers questions about formulas. Each has a limit of time, after which the answer is that nobody knows.

    So have all of them together, where `budget_seconds` is given: from its end on, nothing is known any more.
    """

    def __init__(self, timeout_ms: int = TIMEOUT_MS, budget_seconds: float | None = None) -> None:
        self._solver = z3.Solver()
        self._solver.set("timeout", timeout_ms)
        # z3 would take an interruption for itself, answer that it does not know, and be asked the next question
        self._solver.set("ctrl_c", False)  # noqa: FBT003 - the name of the setting says it
        self._end = None if budget_seconds is None else time.monotonic() + budget_seconds

    @property
    def spent(self) -> bool:
        """Whether the time for all questions is used up."""
        return self._end is not None and time.monotonic() > self._end

    def find(self, *formulas: Bool) -> Found | Literal["none", "unknown"]:
        """Return values that make all formulas true, or `none` where there are none, or `unknown`."""
        found = self._ask(all_of(formulas), lambda: Found(self._solver.model()))
        return "unknown" if found is None else found or "none"

    def settle(self, *formulas: Bool) -> bool | None:
        """Return whether formulas can be true together, or None where nobody knows; values would cost more."""
        return self._ask(all_of(formulas), lambda: True)

    def possible(self, *formulas: Bool) -> bool:
        """Return whether formulas can be true together, as far as is known: false is certain, true is not."""
        return self.settle(*formulas) is not False

    def _ask(self, formula: Bool, read: Callable[[], _Read]) -> _Read | Literal[False] | None:
        """Return what `read` reads where a formula can be true, False where it cannot, None where nobody knows."""
        if formula is False:
            return False
        if self.spent:
            return None
        self._solver.push()
        try:
            if formula is not True:
                self._solver.add(formula)
            answer = self._solver.check()
            if answer == z3.unsat:
                return False
            return read() if answer == z3.sat else None
        except z3.Z3Exception:  # it has run out of memory, say
            return None
        finally:
            self._solver.pop()


@dataclass(frozen=True, slots=True)
class Values:
    """A request as values: parameters that are there, by place and name, and the moment."""

    parameters: dict[tuple[str, str], str | int | bool]
    moment: datetime


class Found:
    """The values that a solver found."""

    def __init__(self, model: z3.ModelRef) -> None:
        self._model = model

    def values(self, contexts: Contexts, parameters: Iterable[Parameter], read: Iterable[tuple[str, str]]) -> Values:
        """Return a request as values: of its parameters those that are read; the rest is nobody's concern."""
        wanted = set(read)
        found: dict[tuple[str, str], str | int | bool] = {}
        for parameter in parameters:
            there, value = variable_of(parameter)
            key = (parameter.where, parameter.name)
            if key in wanted and self._is(there):
                found[key] = self._python(value.term)
        milliseconds = self._python(contexts.moment.milliseconds)
        beyond = self._python(contexts.moment.beyond)
        return Values(found, _EPOCH + timedelta(milliseconds=milliseconds, microseconds=beyond))

    def true(self, term: Bool) -> bool:
        """Return whether a term is true with these values."""
        return self._is(term)

    def number(self, term: Int) -> int:
        """Return a number with these values."""
        return int(self._python(term))

    def text(self, term: Str) -> str:
        """Return a text with these values."""
        return str(self._python(term))

    def _is(self, term: Bool) -> bool:
        return term if isinstance(term, bool) else z3.is_true(self._model.eval(term, model_completion=True))

    def _python(self, term: Any) -> Any:  # noqa: ANN401 - what the sort says
        if isinstance(term, str | int | bool):
            return term
        value = self._model.eval(term, model_completion=True)
        if z3.is_string_value(value):
            return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), value.as_string())
        return value.as_long() if z3.is_int_value(value) else z3.is_true(value)
