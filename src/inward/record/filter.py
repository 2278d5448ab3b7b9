"""Which entries of the record are wanted: the same question asked of an entry in memory, and of columns by SQL.

SQL only narrows what is read: what it lets through is asked again, so that both forms of a segment answer alike.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from inward.errors import BadInputError
from inward.record.call import Act, Call, Entry, Gap, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

_ROUTINE = frozenset({"authority", "identity", "seal"})  # acts that nobody did
_NUMBERS = frozenset({"status", "grpc_status", "duration_us", "bytes_in", "bytes_out"})
_LISTS = frozenset({"policies", "withheld", "sent"})
_PARAMETERS = "parameters."
_FIELDS: Final = tuple(name for name in Call.__struct_fields__ if name not in {"parameters", "src"})
_TERM = re.compile(r"(?P<field>[a-z_]+(?:\.[^=!<>~]+)?)(?P<sign>!=|<=|>=|=|<|>|~)(?P<value>.*)", re.DOTALL)
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Term:
    """A comparison of one field: `status>=500`, `path~orders`, `user!=`, `parameters.id=7`.

    `=` of a field with several values means one of them, an empty value that there is none; `~` means that the value is
    a part of the text. A field that a call does not have is neither less nor more than anything.
    """

    field: str
    sign: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Term:
        """Return the term that `text` is. Raises `BadInputError`."""
        found = _TERM.fullmatch(text)
        field = found["field"] if found else ""
        if found is None or not (field in _FIELDS or field.startswith(_PARAMETERS)):
            raise BadInputError(
                f"`{text}` is no condition",
                hint=f"write FIELD=VALUE, or !=, <, <=, >, >= or ~ (contains); fields are {', '.join(_FIELDS)}, "
                "parameters.NAME",
            )
        term = cls(field, found["sign"], found["value"])
        may_be_empty = term.sign not in _COMPARE
        if field in _NUMBERS and not re.fullmatch(r"-?[0-9]{1,18}|" if may_be_empty else r"-?[0-9]{1,18}", term.value):
            raise BadInputError(f"`{text}` is no condition", hint=f"`{field}` is a whole number")
        return term

    def matches(self, call: Call) -> bool:
        """Return whether it is true of a call."""
        values = self._values(call)
        if self.sign in {"=", "!="}:
            found = self._wanted in values if self.value else not values
            return found == (self.sign == "=")
        if self.sign == "~":
            return any(self.value in str(value) for value in values)
        return any(_COMPARE[self.sign](value, self._wanted) for value in values)

    @property
    def _wanted(self) -> str | int:
        return int(self.value) if self.field in _NUMBERS and self.value else self.value

    def _values(self, call: Call) -> tuple[Any, ...]:
        if self.field.startswith(_PARAMETERS):
            value = call.parameters.get(self.field.removeprefix(_PARAMETERS))
        elif self.field == "path":
            value = call.full_path
        elif self.field in _LISTS:
            return tuple(getattr(call, self.field))
        else:
            value = getattr(call, self.field)
        return () if value is None else (value,)

    def sql(self) -> tuple[str, tuple[object, ...]] | None:
        """Return a condition that is true of every row that it matches, and its values; None where there is none."""
        if self.field in {"path", "time"} or not self.value or self.sign == "!=":
            return None
        column, first = f'"{self.field}"', []
        if self.field.startswith(_PARAMETERS):
            column, first = "parameters[?]", [self.field.removeprefix(_PARAMETERS)]
        if self.field in _LISTS:
            return (f"list_contains({column}, ?)", (self.value,)) if self.sign == "=" else None
        if self.sign == "~":
            return f"contains({column}::VARCHAR, ?)", (*first, self.value)
        return f"{column} {self.sign} ?", (*first, self._wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which entries are wanted: those that fit all that is given.

    A gap fits too: it may hide any call. An act fits where nothing is asked of calls, unless it is one of those that
    happen by themselves all the time.
    """

    denied: bool = False  # only those that the policy refuses, carried out or not
    caller: str | None = None
    callee: str | None = None
    operation: str | None = None
    since: datetime | None = None  # aware; arrived then or later
    until: datetime | None = None  # aware; arrived before
    acts: bool = False  # only acts
    calls: bool = True  # false: only gaps and acts
    terms: tuple[Term, ...] = ()

    @property
    def of_calls(self) -> bool:
        """Whether something is asked that only calls have."""
        return self.denied or bool(self.terms) or not self.caller == self.callee == self.operation is None

    def matches(self, entry: Entry) -> bool:
        """Return whether `entry` is wanted."""
        if self.since is not None and entry.time < timestamp(self.since):
            return False
        if self.until is not None and entry.time >= timestamp(self.until):
            return False
        if isinstance(entry, Act):
            return self.acts or (not self.of_calls and entry.what not in _ROUTINE)
        if self.acts:
            return False
        if isinstance(entry, Gap):
            return True
        return (
            self.calls
            and (not self.denied or entry.decision == "deny")
            and (self.caller is None or entry.caller == self.caller)
            and (self.callee is None or entry.callee == self.callee)
            and (self.operation is None or entry.operation == self.operation)
            and all(term.matches(entry) for term in self.terms)
        )

    def sql(self) -> tuple[str, tuple[object, ...]]:
        """Return a condition on the columns of a sealed segment, true of every row that is wanted, and its values."""
        parts: list[tuple[str, tuple[object, ...]]] = []
        if self.denied:
            parts.append(("decision = 'deny'", ()))
        for column in ("caller", "callee", "operation"):
            value = getattr(self, column)
            if value is not None:
                parts.append((f"{column} = ?", (value,)))
        parts += [found for term in self.terms if (found := term.sql()) is not None]
        parts = [part for part in parts if all(map(_can_be_asked, part[1]))]
        of_calls = " AND ".join(sql for sql, _ in parts) or "true"
        values = tuple(value for _, some in parts for value in some)
        condition = f"raw IS NOT NULL OR ({of_calls})"
        if self.acts or not self.calls:
            condition, values = "raw IS NOT NULL", ()
        if self.since is not None or self.until is not None:
            # What has no time of a form that is known is asked later.
            bounds = [("time >= ?::TIMESTAMPTZ", self.since), ("time < ?::TIMESTAMPTZ", self.until)]
            given = [(sql, timestamp(moment.astimezone(UTC))) for sql, moment in bounds if moment is not None]
            condition = f"({condition}) AND (time IS NULL OR ({' AND '.join(sql for sql, _ in given)}))"
            values += tuple(moment for _, moment in given)
        return condition, values


EVERYTHING = Filter()


def _can_be_asked(value: object) -> bool:
    """Whether SQL takes a value: an argument that is no UTF-8 has surrogates, which no entry has either."""
    return not isinstance(value, str) or not any("\ud800" <= character <= "\udfff" for character in value)
