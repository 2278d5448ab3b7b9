from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import z3

from inward.policy.symbolic import number
from inward.policy.symbolic.number import DAY
from inward.policy.symbolic.term import MAX_LONG, MIN_LONG, UnsupportedError
from inward.policy.symbolic.value import Number

X, Y = z3.Ints("x y")
EDGES = (0, 1, -1, 7, -7, DAY - 1, DAY, DAY + 1, 1 - DAY, -DAY, -DAY - 1, MAX_LONG, MIN_LONG)


def said(formula: object, x: int, y: int = 0) -> object:
    """Return what a formula comes to with values for its variables, as Python has it."""
    known = z3.simplify(z3.substitute(formula, (X, z3.IntVal(x)), (Y, z3.IntVal(y))))
    return known.as_long() if z3.is_int_value(known) else z3.is_true(known)


@pytest.mark.parametrize("op", ["add", "sub", "mul"])
def test_arithmetic_fails_where_it_leaves_64_bits(op: str) -> None:
    calculate = {"add": int.__add__, "sub": int.__sub__, "mul": int.__mul__}[op]
    symbolic, overflow = number.combine(op, Number("long", X), Number("long", Y))
    for x in EDGES:
        for y in EDGES:
            result, fails = number.combine(op, Number("long", x), Number("long", y))
            assert result.term == calculate(x, y) == said(symbolic.term, x, y)
            assert fails is (not MIN_LONG <= calculate(x, y) <= MAX_LONG)
            assert said(overflow, x, y) is fails


def test_the_least_number_has_no_negative() -> None:
    assert number.minus(Number("long", MIN_LONG))[1] is True
    assert number.minus(Number("long", MIN_LONG + 1)) == (Number("long", MAX_LONG), False)
    assert said(number.minus(Number("long", X))[1], MIN_LONG) is True


@pytest.mark.parametrize("op", sorted(number.UNITS))
def test_units_are_whole_and_rounded_towards_zero(op: str) -> None:
    symbolic = number.in_units(op, Number("duration", X))
    for x in EDGES:
        expected = (1 if x >= 0 else -1) * (abs(x) // number.UNITS[op])
        assert number.in_units(op, Number("duration", x)) == Number("long", expected)
        assert said(symbolic.term, x) == expected


def test_days_begin_at_midnight_before_1970_too() -> None:
    midnight, fails = number.start_of_day(Number("datetime", X))
    time = number.time_of_day(Number("datetime", X))
    for x in EDGES:
        known, failed = number.start_of_day(Number("datetime", x))
        assert known.term == x // DAY * DAY == said(midnight.term, x)
        assert failed is (known.term < MIN_LONG)
        assert said(fails, x) is failed
        assert number.time_of_day(Number("datetime", x)).term == x % DAY == said(time.term, x)
    moment = datetime(1969, 7, 20, 20, 17, 40, tzinfo=UTC)
    at = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert number.time_of_day(Number("datetime", at)) == Number("duration", 73_060_000)


@pytest.mark.parametrize("op", sorted(number.COMPARISONS))
def test_comparisons(op: str) -> None:
    calculate = {
        "less": int.__lt__, "less_eq": int.__le__, "greater": int.__gt__, "greater_eq": int.__ge__,
        "less_than": int.__lt__,
    }[re.sub("^decimal_", "", op)]  # fmt: skip
    symbolic = number.compare(op, Number("long", X), Number("long", Y))
    for x, y in ((1, 2), (2, 2), (2, 1)):
        assert number.compare(op, Number("long", x), Number("long", y)) is calculate(x, y)
        assert said(symbolic, x, y) is calculate(x, y)


def test_kinds_do_not_mix() -> None:
    with pytest.raises(UnsupportedError):
        number.compare("less", Number("long", 1), Number("datetime", 1))
    with pytest.raises(UnsupportedError):
        number.combine("add", Number("duration", 1), Number("duration", 1))
    with pytest.raises(UnsupportedError):
        number.combine("offset", Number("duration", 1), Number("datetime", 1))
