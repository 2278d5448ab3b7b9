"""Evaluates Cedar expressions where some of the request is not known: to a value, and the condition on which it fails.

The rules are those of the Cedar language reference; the tests hold them to Cedar itself. What has no formula
(`UnsupportedError`) becomes a Boolean that could be either, whose failing could be either too, and is named: what is
concluded about all requests then still holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import z3
from cedarpy import pst

from inward.policy import literals
from inward.policy.literals import UnreadableLiteralError
from inward.policy.symbolic import number, text
from inward.policy.symbolic.term import Bool, UnsupportedError, any_of, choose, conj, disj, negate
from inward.policy.symbolic.value import (
    IP,
    Choice,
    Fields,
    Members,
    Number,
    Opaque,
    Several,
    Text,
    Truth,
    Value,
    contains,
    contains_all,
    contains_any,
    equal,
    is_empty,
    merge,
    one,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.policy.symbolic.world import World

_CONSTRUCTORS = frozenset({"datetime", "duration", "decimal", "ip"})
_SET_RELATIONS = {"contains_all": contains_all, "contains_any": contains_any}
_IP_TESTS = frozenset({"is_ipv4", "is_ipv6", "is_loopback", "is_multicast"})


class Result(NamedTuple):
    """What an expression comes to: a value, which counts only where it does not fail."""

    value: Value
    fails: Bool


class Outcome(NamedTuple):
    """What a Boolean expression comes to; `holds` counts only where it does not fail."""

    holds: Bool
    fails: Bool


_FAILED = Result(Truth(term=False), fails=True)


class Evaluator:
    """Evaluates expressions in one world. `unsupported` collects the constructs that have no formula."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: dict[pst.Expr, Result] = {}
        self._free: dict[pst.Expr, Outcome] = {}
        self.unsupported: set[str] = set()

    def truth(self, expr: pst.Expr) -> Outcome:
        """Evaluate a Boolean expression."""
        match expr:
            case pst.BinaryOp("and" | "or" as op, left, right):
                outcome = self._chained(left, right, decisive=op == "or")
            case pst.UnaryOp("not", arg):
                holds, fails = self.truth(arg)
                outcome = Outcome(negate(holds), fails)
            case pst.IfThenElse():
                outcome = self._branched(expr)
            case _:
                outcome = self._plain_truth(expr)
        return outcome

    def _chained(self, left: pst.Expr, right: pst.Expr, *, decisive: bool) -> Outcome:
        """Return `left && right`, or `left || right`: the right is evaluated where the left does not decide."""
        first = self.truth(left)
        if first.fails is True or (first.fails is False and first.holds is decisive):
            return first
        second = self.truth(right)
        goes_on = negate(first.holds) if decisive else first.holds
        holds = disj(first.holds, second.holds) if decisive else conj(first.holds, second.holds)
        return Outcome(holds, disj(first.fails, conj(goes_on, second.fails)))

    def _branched(self, expr: pst.IfThenElse) -> Outcome:
        condition = self.truth(expr.cond)
        if condition.fails is True:
            return condition
        if isinstance(condition.holds, bool):
            branch = self.truth(expr.then_expr if condition.holds else expr.else_expr)
            return Outcome(branch.holds, disj(condition.fails, branch.fails))
        then, otherwise = self.truth(expr.then_expr), self.truth(expr.else_expr)
        return Outcome(
            choose(condition.holds, then.holds, otherwise.holds),
            disj(condition.fails, choose(condition.holds, then.fails, otherwise.fails)),
        )

    def _plain_truth(self, expr: pst.Expr) -> Outcome:
        try:
            value, fails = self.evaluate(expr)
        except (UnsupportedError, UnreadableLiteralError) as error:
            self.unsupported.add(error.construct if isinstance(error, UnsupportedError) else error.message)
            if expr not in self._free:
                self._free[expr] = Outcome(_fresh("value?"), _fresh("fails?"))
            return self._free[expr]
        return Outcome(value.term, fails) if isinstance(value, Truth) else Outcome(holds=False, fails=True)

    def evaluate(self, expr: pst.Expr) -> Result:
        """Evaluate an expression of any type. Raises `UnsupportedError` or `UnreadableLiteralError`."""
        known = self._known.get(expr)
        if known is None:
            known = self._evaluate(expr)
            if known.fails is True:
                known = _FAILED  # no value counts, so that none is looked into
            self._known[expr] = known
        return known

    def _evaluate(self, expr: pst.Expr) -> Result:
        match expr:
            case pst.BoolLit() | pst.LongLit() | pst.StringLit() | pst.EntityLit():
                result = Result(_written(expr), fails=False)
            case pst.Var(name):
                result = Result(self._world.variable(name), fails=False)
            case pst.BinaryOp("and" | "or") | pst.UnaryOp("not"):
                holds, fails = self.truth(expr)
                result = Result(Truth(holds), fails)
            case pst.UnaryOp(op, arg):
                result = self._unary(op, arg)
            case pst.BinaryOp(op, left, right):
                result = self._binary(op, left, right)
            case pst.IfThenElse():
                result = self._choice(expr)
            case pst.Set() | pst.Record():
                result = self._collected(expr)
            case _:
                result = self._looked_up(expr)
        return result

    def _collected(self, expr: pst.Set | pst.Record) -> Result:
        """Evaluate a set or a record: all of its parts, whichever of them fails."""
        if isinstance(expr, pst.Set):
            results = [self.evaluate(element) for element in expr.elements]
            several = Several(tuple((True, result.value) for result in results))
            return Result(several, any_of(result.fails for result in results))
        found = {name: self.evaluate(part) for name, part in expr.fields.items()}
        record = Fields({name: (True, result.value) for name, result in found.items()})
        return Result(record, any_of(result.fails for result in found.values()))

    def _looked_up(self, expr: pst.Expr) -> Result:
        """Evaluate what looks into one value: an attribute, `has`, `like`, `is`."""
        match expr:
            case pst.GetAttr(base, attr):
                of, fails = self.evaluate(base)
                if fails is True:
                    return _FAILED
                value, missing = self._attribute(of, attr)
                if isinstance(value, Opaque):
                    raise UnsupportedError(value.construct)
                return Result(value, disj(fails, missing))
            case pst.HasAttr(base, attrs):
                return self._has(base, attrs)
            case pst.Like(base, pattern):
                of, fails = self.evaluate(base)
                return _FAILED if fails is True else Result(Truth(text.like(_text(of).term, pattern)), fails)
            case pst.Is(base, entity_type, in_expr):
                return self._is(base, entity_type, in_expr)
        raise UnsupportedError(f"a {type(expr).__name__.lower()}")

    def _choice(self, expr: pst.IfThenElse) -> Result:
        condition = self.truth(expr.cond)
        if condition.fails is True:
            return _FAILED
        if isinstance(condition.holds, bool):
            value, fails = self.evaluate(expr.then_expr if condition.holds else expr.else_expr)
            return Result(value, disj(condition.fails, fails))
        then, otherwise = self.evaluate(expr.then_expr), self.evaluate(expr.else_expr)
        fails = disj(condition.fails, choose(condition.holds, then.fails, otherwise.fails))
        if then.fails is True or otherwise.fails is True:
            return Result(then.value if otherwise.fails is True else otherwise.value, fails)
        return Result(merge(condition.holds, then.value, otherwise.value), fails)

    def _attribute(self, value: Value, attr: str) -> tuple[Value, Bool]:
        """Return an attribute of a record or an entity, and when it is missing."""
        if isinstance(value, Fields):
            there, found = value.fields.get(attr, (False, Truth(term=False)))
            return found, negate(there)
        merged: Value | None = None
        missing: list[Bool] = []
        for here, uid in _entities(value):
            there, own = self._world.attributes(uid).fields.get(attr, (False, None))
            missing.append(conj(here, negate(there)))
            if own is not None:
                merged = own if merged is None else merge(here, own, merged)
        return merged if merged is not None else Truth(term=False), any_of(missing)

    def _has(self, base: pst.Expr, attrs: tuple[str, ...]) -> Result:
        """Return `base has a.b.c`: each attribute is looked for only where the one before is there."""
        value, fails = self.evaluate(base)
        if fails is True:
            return _FAILED
        has: Bool = True
        for position, attr in enumerate(attrs):
            if isinstance(value, Fields):
                there: Bool = value.fields.get(attr, (False, None))[0]
            else:
                there = any_of(
                    conj(here, self._world.attributes(uid).fields.get(attr, (False, None))[0])
                    for here, uid in _entities(value)
                )
            has = conj(has, there)
            if has is False or position == len(attrs) - 1:
                break
            value, _ = self._attribute(value, attr)
        return Result(Truth(has), fails)

    def _is(self, base: pst.Expr, entity_type: pst.EntityType, in_expr: pst.Expr | None) -> Result:
        value, fails = self.evaluate(base)
        if fails is True:
            return _FAILED
        right_type = any_of(here for here, uid in _entities(value) if uid.type == entity_type)
        if in_expr is None:
            return Result(Truth(right_type), fails)
        inside = self._binary("in", base, in_expr)
        within = _truth(inside.value).term
        return Result(Truth(conj(right_type, within)), disj(fails, conj(right_type, inside.fails)))

    def _unary(self, op: pst.UnaryOpName, arg: pst.Expr) -> Result:
        if op in _CONSTRUCTORS:
            return Result(_literal(op, arg), fails=False)
        value, fails = self.evaluate(arg)
        if fails is True:
            return _FAILED
        if op in {"neg", "to_date"}:
            computed, overflow = (
                number.minus(_number(value, "long")) if op == "neg" else number.start_of_day(_number(value, "datetime"))
            )
            return Result(computed, disj(fails, overflow))
        return Result(self._property(op, value), fails)

    def _property(self, op: pst.UnaryOpName, value: Value) -> Value:
        """Return what an operator that never fails says of a value."""
        if op == "is_empty":
            return Truth(is_empty(_several(value)))
        if op == "to_time":
            return number.time_of_day(_number(value, "datetime"))
        if op in number.UNITS:
            return number.in_units(op, _number(value, "duration"))
        if op in _IP_TESTS:
            return Truth(any_of(here for here, ip in _addresses(value) if literals.ip_is(op, ip)))
        raise UnsupportedError(f"`{op}`")

    def _binary(self, op: pst.BinaryOpName, left: pst.Expr, right: pst.Expr) -> Result:
        first, second = self.evaluate(left), self.evaluate(right)
        fails = disj(first.fails, second.fails)
        if fails is True:
            return _FAILED
        if op in number.ARITHMETIC:
            computed, overflow = number.combine(op, _number(first.value), _number(second.value))
            return Result(computed, disj(fails, overflow))
        return Result(Truth(self._relation(op, first.value, second.value)), fails)

    def _relation(self, op: pst.BinaryOpName, left: Value, right: Value) -> Bool:
        if op in number.COMPARISONS:
            return number.compare(op, _number(left), _number(right))
        if op in _SET_RELATIONS:
            return _SET_RELATIONS[op](_several(left), _several(right))
        match op:
            case "eq" | "not_eq":
                same = equal(left, right)
                holds = same if op == "eq" else negate(same)
            case "contains":
                holds = contains(_several(left), right)
            case "in":
                holds = self._in(left, right)
            case "is_in_range":
                pairs = ((a, b, x, y) for a, x in _addresses(left) for b, y in _addresses(right))
                holds = any_of(conj(a, b) for a, b, x, y in pairs if literals.ip_in_range(x, y))
            case _:
                raise UnsupportedError(f"`{op}`")
        return holds

    def _in(self, left: Value, right: Value) -> Bool:
        if isinstance(right, Several):
            return any_of(conj(there, self._in(left, element)) for there, element in right.elements)
        return any_of(
            conj(here, there, self._world.is_in(uid, ancestor))
            for here, uid in _entities(left)
            for there, ancestor in _entities(right)
        )


def _written(expr: pst.BoolLit | pst.LongLit | pst.StringLit | pst.EntityLit) -> Value:
    match expr:
        case pst.BoolLit(truth):
            return Truth(truth)
        case pst.LongLit(long):
            return Number("long", long)
        case pst.StringLit(characters):
            return Text(characters)
        case pst.EntityLit(uid):
            return one(uid)


def _literal(op: str, arg: pst.Expr) -> Value:
    if not isinstance(arg, pst.StringLit):
        raise UnsupportedError(f"`{op}` of a computed text")
    match op:
        case "datetime":
            return Number("datetime", literals.datetime_ms(arg.value))
        case "duration":
            return Number("duration", literals.duration_ms(arg.value))
        case "decimal":
            return Number("decimal", literals.decimal_units(arg.value))
    return one(IP(literals.ip_text(arg.value)))


def _entities(value: Value) -> Iterable[tuple[Bool, pst.EntityUid]]:
    if not isinstance(value, Choice):
        raise UnsupportedError(f"an entity that is a {type(value).__name__.lower()}")
    return [(here, atom) for here, atom in value.options if isinstance(atom, pst.EntityUid)]


def _addresses(value: Value) -> Iterable[tuple[Bool, str]]:
    if not isinstance(value, Choice):
        raise UnsupportedError(f"an address that is a {type(value).__name__.lower()}")
    return [(here, atom.text) for here, atom in value.options if isinstance(atom, IP)]


def _number(value: Value, kind: str | None = None) -> Number:
    if not isinstance(value, Number) or (kind is not None and value.kind != kind):
        raise UnsupportedError(f"a number that is a {type(value).__name__.lower()}")
    return value


def _text(value: Value) -> Text:
    if not isinstance(value, Text):
        raise UnsupportedError(f"a text that is a {type(value).__name__.lower()}")
    return value


def _truth(value: Value) -> Truth:
    if not isinstance(value, Truth):
        raise UnsupportedError(f"a Boolean that is a {type(value).__name__.lower()}")
    return value


def _several(value: Value) -> Several | Members:
    if not isinstance(value, Several | Members):
        raise UnsupportedError(f"a set that is a {type(value).__name__.lower()}")
    return value


def _fresh(name: str) -> z3.BoolRef:
    return z3.FreshConst(z3.BoolSort(), name)
