"""The objects of one type: open, as the attributes of requests are, within what the declaration lets be given.

Texts, numbers, Booleans, times, decimals and records of them are variables of the solver; of a set of such values, what
it holds is open. The rest has no formula (addresses, sets of sets or of records, two sets compared): what a condition
asks of it is left open, and named, so that nothing about it is ever taken for proven.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Literal, TypeAlias

import z3

from inward.policy.resources.model import Attribute, AttributeType, RecordOf, Resource, ResourceType, Scalar, SetOf
from inward.policy.symbolic.number import within
from inward.policy.symbolic.term import MAX_LONG, MIN_LONG, Bool, all_of
from inward.policy.symbolic.value import Fields, Members, Number, Opaque, Text, Truth, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.policy.symbolic.solve import Found
    from inward.policy.symbolic.value import Element

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MS
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MS
_PLACES = 4  # of a decimal
_SORTS = {
    "String": z3.StringSort,
    "Long": z3.IntSort,
    "Bool": z3.BoolSort,
    "datetime": z3.IntSort,
    "decimal": z3.IntSort,
}

Asked: TypeAlias = "dict[tuple[str, str], list[Element]]"  # by the names of sets and of their elements' types
Python: TypeAlias = "str | int | bool | datetime | Decimal | IPv4Address | dict[str, Python] | list[Python]"


def fields_of(kind: ResourceType, asked: Asked) -> tuple[Fields, Bool]:
    """Return the attributes of an object of a type as variables, and what is possible of them.

    Attributes of one path and type share a variable, whatever the type of objects is called; `asked` is what their sets
    were asked for, and grows by that.
    """
    making = _Making(asked, [])
    return making.record(kind.attributes, "resource"), all_of(making.possible)


def object_of(kind: ResourceType, fields: Fields, found: Found) -> Resource:
    """Return the object that a solver found: with every attribute that must be there, and others that it needs.

    `fields` are its attributes as they stood in the formula: they know what sets were asked for.
    """
    return Resource(kind.name, dict(_given(kind.attributes, fields, found)))


@dataclass(frozen=True, slots=True)
class _Making:
    """Attributes that become variables; `possible` is what holds of them."""

    asked: Asked
    possible: list[Bool]

    def record(self, attributes: tuple[Attribute, ...], path: str) -> Fields:
        fields: dict[str, tuple[Bool, Value]] = {}
        for each in attributes:
            name = f"{path}.{each.name}"
            there: Bool = True if each.required else z3.Bool(f"has {name}")
            fields[each.name] = (there, self._value(each.type, name))
        return Fields(fields)

    def _value(self, kind: AttributeType, name: str) -> Value:
        value: Value
        match kind:
            case RecordOf(attributes):
                value = self.record(attributes, name)
            case SetOf(Scalar(scalar)) if scalar in _SORTS:
                array = z3.Array(name, _SORTS[scalar](), z3.BoolSort())
                value = Members(name, array, self.asked.setdefault((name, scalar), []))
            case SetOf():
                value = Opaque(f"the set `{name}`")
            case Scalar("ipaddr"):
                value = Opaque(f"the address `{name}`")
            case Scalar("String"):
                value = Text(z3.String(name))
            case Scalar("Bool"):
                value = Truth(z3.Bool(name))
            case Scalar("datetime"):
                value = self._number("datetime", z3.Int(f"{name} as a time"), _FIRST, _LAST)
            case Scalar("decimal"):
                value = self._number("decimal", z3.Int(f"{name} as a decimal"), MIN_LONG, MAX_LONG)
            case Scalar():
                value = self._number("long", z3.Int(name), MIN_LONG, MAX_LONG)
        return value

    def _number(self, kind: Literal["long", "datetime", "decimal"], term: z3.ArithRef, low: int, high: int) -> Number:
        self.possible.append(within(term, low, high))
        return Number(kind, term)


def _given(attributes: tuple[Attribute, ...], fields: Fields, found: Found) -> Iterator[tuple[str, Python]]:
    for each in attributes:
        there, value = fields.fields[each.name]
        if found.true(there):
            yield each.name, _python(each.type, value, found)


def _python(kind: AttributeType, value: Value, found: Found) -> Python:
    python: Python
    match value:
        case Fields() if isinstance(kind, RecordOf):
            python = dict(_given(kind.attributes, value, found))
        case Text(text):
            python = found.text(text)
        case Truth(truth):
            python = found.true(truth)
        case Number("datetime", number):
            python = _EPOCH + found.number(number) * _MS
        case Number("decimal", number):
            python = Decimal(found.number(number)).scaleb(-_PLACES)
        case Number(_, number):
            python = found.number(number)
        case Members() if isinstance(kind, SetOf):
            inside = [_python(kind.element, each, found) for each in value.asked if found.true(value.holds(each))]
            python = [each for number, each in enumerate(inside) if each not in inside[:number]]
        case _:  # a set of sets, or an address: nothing was found out about it
            python = [] if isinstance(kind, SetOf) else IPv4Address(0)
    return python
