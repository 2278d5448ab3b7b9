"""Arithmetic of Cedar: 64-bit Longs that fail where they overflow, datetimes and durations in milliseconds.

Each function returns the result and the condition on which Cedar fails instead (Cedar language reference, "Operators"
and the extension types of RFC 80). Integers here have no bounds, so an overflow is seen in the result.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import z3

from inward.policy.symbolic.term import MAX_LONG, MIN_LONG, Bool, Int, UnsupportedError, conj, disj, negate
from inward.policy.symbolic.value import Number

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = 86_400_000
UNITS = {
    "to_milliseconds": 1,
    "to_seconds": 1000,
    "to_minutes": 60_000,
    "to_hours": 3_600_000,
    "to_days": DAY,
}
_COMPARE: dict[str, Callable[[Int, Int], Bool]] = {
    "less": operator.lt,
    "less_eq": operator.le,
    "greater": operator.gt,
    "greater_eq": operator.ge,
    "decimal_less_than": operator.lt,
    "decimal_less_eq": operator.le,
    "decimal_greater": operator.gt,
    "decimal_greater_eq": operator.ge,
}
COMPARISONS = frozenset(_COMPARE)
ARITHMETIC = frozenset({"add", "sub", "mul", "offset", "duration_since"})


def compare(op: str, left: Number, right: Number) -> Bool:
    """Return `left < right` and the like; both are of one kind."""
    if left.kind != right.kind:
        raise UnsupportedError(f"`{op}` between a {left.kind} and a {right.kind}")
    return _COMPARE[op](left.term, right.term)


def combine(op: str, left: Number, right: Number) -> tuple[Number, Bool]:
    """Return a sum, a difference, a product, a moved datetime, or the time between two, and when it fails."""
    match op, left.kind, right.kind:
        case "add", "long", "long":
            result = Number("long", left.term + right.term)
        case "sub", "long", "long":
            result = Number("long", left.term - right.term)
        case "mul", "long", "long":
            result = Number("long", left.term * right.term)
        case "offset", "datetime", "duration":
            result = Number("datetime", left.term + right.term)
        case "duration_since", "datetime", "datetime":
            result = Number("duration", left.term - right.term)
        case _:
            raise UnsupportedError(f"`{op}` between a {left.kind} and a {right.kind}")
    return result, overflows(result.term)


def minus(number: Number) -> tuple[Number, Bool]:
    """Return `-number`, and when it fails."""
    return Number(number.kind, -number.term), overflows(-number.term)


def in_units(op: str, duration: Number) -> Number:
    """Return a duration in whole units, rounded towards zero."""
    unit, term = UNITS[op], duration.term
    if isinstance(term, int):
        return Number("long", abs(term) // unit * (-1 if term < 0 else 1))
    return Number("long", term if unit == 1 else z3.If(term < 0, -(-term / unit), term / unit))


def start_of_day(moment: Number) -> tuple[Number, Bool]:
    """Return the midnight before a datetime, and when it fails."""
    midnight = _floored(moment.term) * DAY
    return Number("datetime", midnight), overflows(midnight)


def time_of_day(moment: Number) -> Number:
    """Return the time since the midnight before a datetime."""
    return Number("duration", moment.term - _floored(moment.term) * DAY)


def overflows(term: Int) -> Bool:
    """Return whether a number is outside of 64 bits."""
    return disj(term < MIN_LONG, term > MAX_LONG)


def within(term: Int, low: int, high: int) -> Bool:
    """Return whether `low <= term <= high`."""
    return conj(negate(term < low), negate(term > high))


def _floored(term: Int) -> Int:
    # z3's division by a positive number rounds down, as Python's does
    return term // DAY if isinstance(term, int) else term / DAY
