"""The contexts of requests: open, within what an enforcer lets pass, from a moment on.

Parameters are in plain form (`policy.request`): others are refused before a condition is asked. A path parameter that
fills its segment is no dot segment, because paths are normalised before; one that has only a part of it may well be.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import z3

from inward.policy.symbolic import text
from inward.policy.symbolic.number import within
from inward.policy.symbolic.objects import fields_of
from inward.policy.symbolic.term import Bool, Int, all_of, conj, disj, negate
from inward.policy.symbolic.value import Fields, Number, Text, Truth, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inward.catalog.model import Operation, Parameter
    from inward.policy.resources.model import ResourceType
    from inward.policy.symbolic.objects import Asked

Scalar: TypeAlias = Number | Truth | Text  # what a parameter is
LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BEYOND_PLAIN = 10**18  # an integer in plain form has at most 18 digits
_SORTS = {"string": z3.StringSort, "integer": z3.IntSort, "boolean": z3.BoolSort}


@dataclass(frozen=True)
class Moment:
    """The time of a request: milliseconds since 1970, as Cedar sees it, and the microseconds beyond them."""

    milliseconds: Int
    beyond: Int

    @classmethod
    def at(cls, moment: datetime) -> Moment:
        """Return a known moment."""
        micros = (moment - _EPOCH) // timedelta(microseconds=1)
        return cls(micros // 1000, micros % 1000)

    @classmethod
    def open(cls) -> Moment:
        """Return any moment."""
        return cls(z3.Int("time"), z3.Int("time+us"))

    def before(self, moment: datetime) -> Bool:
        """Return whether it is before a known moment."""
        end = Moment.at(moment)
        if end.beyond == 0:
            return self.milliseconds < end.milliseconds
        same = conj(negate(self.milliseconds < end.milliseconds), negate(self.milliseconds > end.milliseconds))
        return disj(self.milliseconds < end.milliseconds, conj(same, self.beyond < end.beyond))


@dataclass(frozen=True)
class Contexts:
    """The contexts of requests to one operation, or of disclosures, which have no parameters: all that are possible."""

    moment: Moment
    context: Fields
    possible: Bool
    resource: Fields | None = None  # the attributes of the object, where there is one


class OpenRequests:
    """All requests from a moment on, of any operation. Parameters of one place, name and type share a variable."""

    def __init__(self, since: datetime) -> None:
        self.moment = Moment.open()
        first = Moment.at(since)
        self._possible = conj(
            within(self.moment.milliseconds, int(first.milliseconds), int(Moment.at(LAST).milliseconds)),
            within(self.moment.beyond, 0, 999),
            negate(self.moment.before(since)),
        )
        self._asked: Asked = {}
        self._known: dict[tuple[tuple[Parameter, ...], frozenset[str], ResourceType | None], Contexts] = {}

    def to(
        self, parameters: tuple[Parameter, ...], whole: frozenset[str] = frozenset(), kind: ResourceType | None = None
    ) -> Contexts:
        """Return the requests to an operation with these parameters, of which the `whole` ones fill their segments.

        `kind` is the type of the object that it is about, None where it is about none.
        """
        key = (parameters, whole, kind)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._contexts(parameters, whole, kind)
        return found

    def _contexts(
        self, parameters: tuple[Parameter, ...], whole: frozenset[str], kind: ResourceType | None
    ) -> Contexts:
        possible: list[Bool] = [self._possible]
        parts: dict[str, dict[str, tuple[Bool, Value]]] = {"path": {}, "query": {}}
        for parameter in parameters:
            there, value = variable_of(parameter)
            parts[parameter.where][parameter.name] = (there, value)
            is_whole = parameter.where == "path" and parameter.name in whole
            possible.append(disj(negate(there), _is_plain(parameter, value, whole=is_whole)))
        resource, limits = fields_of(kind, self._asked) if kind is not None else (None, True)
        return Contexts(self.moment, context_of(parts, self.moment), all_of((*possible, limits)), resource)


def whole_segments(operation: Operation) -> frozenset[str]:
    """Return the path parameters that fill their segments: `id` in `/orders/{id}`, and not in `/orders/{id}.json`."""
    template = operation.template
    return frozenset(name for name in template.variables if f"/{{{name}}}/" in f"{template.text}/")


def variable_of(parameter: Parameter) -> tuple[Bool, Scalar]:
    """Return whether a parameter is there, and its value, as variables of the solver."""
    name = f"{parameter.where}.{parameter.name}"  # as names hold any character, what is made of them stands before
    required = parameter.where == "path" or parameter.required
    there: Bool = True if required else z3.Bool(f"has {name}")
    variable = z3.Const(name, _SORTS[parameter.type]())
    return there, _value(parameter.type, variable)


def context_of(parts: Mapping[str, Mapping[str, tuple[Bool, Value]]], moment: Moment) -> Fields:
    """Return Cedar's context with these parameters at this time."""
    fields: dict[str, tuple[Bool, Value]] = {part: (True, Fields(found)) for part, found in parts.items()}
    fields["time"] = (True, Number("datetime", moment.milliseconds))
    return Fields(fields)


def _value(kind: str, term: Any) -> Scalar:  # noqa: ANN401 - of the sort that the kind says
    if kind == "integer":
        return Number("long", term)
    return Truth(term) if kind == "boolean" else Text(term)


def _is_plain(parameter: Parameter, value: Scalar, *, whole: bool) -> Bool:
    if isinstance(value, Number):
        return within(value.term, 1 - _BEYOND_PLAIN, _BEYOND_PLAIN - 1)
    if not isinstance(value, Text):
        return True
    return z3.InRe(value.term, text.plain(parameter.where, whole=whole))
