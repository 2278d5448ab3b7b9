from __future__ import annotations

import pytest
import z3
from cedarpy import pst

from inward.policy.symbolic import value
from inward.policy.symbolic.term import Bool, UnsupportedError
from inward.policy.symbolic.value import IP, Choice, Fields, Number, Several, Text, Truth, Value, equal, merge, one

X = z3.Bool("x")
LEFT, RIGHT = (one(pst.EntityUid(pst.EntityType("Team"), name)) for name in ("left", "right"))


def numbers(*terms: int) -> Several:
    return Several(tuple((True, Number("long", term)) for term in terms))


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (Truth(term=True), Truth(term=True), True),
        (Truth(term=True), Truth(term=False), False),
        (Truth(term=True), Number("long", 1), False),
        (Number("long", 1), Number("long", 1), True),
        (Number("long", 1), Number("datetime", 1), False),
        (Text("a"), Text("a"), True),
        (LEFT, LEFT, True),
        (LEFT, RIGHT, False),
        (one(IP("10.0.0.1")), one(IP("10.0.0.1/32")), True),
        (one(IP("10.0.0.1")), one(IP("10.0.0.2")), False),
        (one(IP("10.0.0.1")), LEFT, False),
        (numbers(1, 2, 2), numbers(2, 1), True),
        (numbers(1, 2), numbers(1), False),
        (numbers(1), numbers(1, 2), False),
        (numbers(), numbers(), True),
        (Fields({"a": (True, Text("x"))}), Fields({"a": (True, Text("x"))}), True),
        (Fields({"a": (True, Text("x"))}), Fields({"a": (True, Text("y"))}), False),
        (Fields({"a": (True, Text("x"))}), Fields({}), False),
        (Fields({"a": (False, Text("x"))}), Fields({}), True),
        (Fields({"a": (False, Text("x"))}), Fields({"a": (False, Text("y"))}), True),
    ],
)
def test_equality(left: Value, right: Value, *, same: bool) -> None:
    assert equal(left, right) is same
    assert equal(right, left) is same


def test_relations_of_sets() -> None:
    assert value.contains_all(numbers(1, 2), numbers(2)) is True
    assert value.contains_all(numbers(2), numbers(1, 2)) is False
    assert value.contains_all(numbers(), numbers()) is True
    assert value.contains_any(numbers(1, 2), numbers(2, 3)) is True
    assert value.contains_any(numbers(1), numbers()) is False
    assert value.contains(numbers(1, 2), Number("long", 2)) is True
    assert value.is_empty(numbers()) is True
    assert value.is_empty(numbers(0)) is False


@pytest.mark.parametrize("chosen", [True, False])
@pytest.mark.parametrize(
    ("then", "otherwise"),
    [
        (Truth(term=True), Truth(term=False)),
        (Number("decimal", 1), Number("decimal", 2)),
        (Text("a"), Text("\\u{41}")),
        (LEFT, RIGHT),
        (one(IP("::1")), one(IP("::2"))),
        (numbers(1, 2), numbers(2, 3)),
        (numbers(1), numbers()),
        (Fields({"a": (True, Text("x"))}), Fields({"a": (True, Text("y"))})),
        (Fields({"a": (True, Text("x"))}), Fields({"b": (True, Text("x"))})),
    ],
)
def test_a_merged_value_is_the_one_or_the_other(then: Value, otherwise: Value, *, chosen: bool) -> None:
    merged = merge(X, then, otherwise)
    wanted, other = (then, otherwise) if chosen else (otherwise, then)

    def said(formula: Bool) -> bool:
        return bool(z3.is_true(z3.simplify(z3.substitute(formula, (X, z3.BoolVal(chosen))))))

    assert said(equal(merged, wanted))
    assert not said(equal(merged, other))
    assert merge(chosen, then, otherwise) is wanted


def test_values_of_two_types_are_not_merged() -> None:
    for then, otherwise in (
        (Truth(term=True), LEFT),
        (Number("long", 1), Number("decimal", 1)),
        (numbers(1), Fields({})),
    ):
        with pytest.raises(UnsupportedError):
            merge(X, then, otherwise)


def test_comparisons_of_very_large_sets_have_no_formula() -> None:
    half = int(value.MOST_PAIRS**0.5)
    few, many = numbers(*range(half)), numbers(*range(half + 1))
    assert equal(few, few) is True
    for relation in (equal, value.contains_all, value.contains_any):
        with pytest.raises(UnsupportedError):
            relation(many, many)
    nested = Several(((True, many),))  # one element, and as many comparisons
    with pytest.raises(UnsupportedError):
        equal(nested, Several(((True, Fields({"a": (True, many)})),)))
    assert value.contains(numbers(*range(value.MOST_PAIRS)), Number("long", 1)) is True


def test_an_entity_is_one_of_several() -> None:
    either = Choice(((X, LEFT.options[0][1]), (z3.Not(X), RIGHT.options[0][1])))
    solver = z3.Solver()
    solver.add(z3.Not(equal(either, either)))
    assert solver.check() == z3.unsat
