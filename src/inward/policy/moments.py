"""The moments at which what a policy says can change, for enforcers that are told beforehand instead of asking.

A condition is followed where it compares `context.time` with constants and joins that by `&&`, `||`, `!` and `if`: then
nothing changes between two of its moments, errors included. Any other use of the time is not followed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cedarpy import pst

from inward.policy.cel import UntranslatableError
from inward.policy.cel.fold import milliseconds, reads_context

if TYPE_CHECKING:
    from inward.policy.model import Policy

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = pst.GetAttr(pst.Var("context"), "time")
_COMPARISONS = {"less", "less_eq", "greater", "greater_eq", "eq", "not_eq"}


def moments_of(policy: Policy) -> frozenset[int] | None:
    """Return the moments in microseconds since 1970, or None where the policy reads the time in another way."""
    found: set[int] = set()
    if policy.expires is not None:
        found.add((policy.expires - EPOCH) // timedelta(microseconds=1))
    try:
        for clause in policy.pst.clauses:
            for moment in _of(clause.expr):
                found |= {moment * 1000, (moment + 1) * 1000}
    except UntranslatableError:
        return None
    return frozenset(found)


def _of(expr: pst.Expr) -> set[int]:
    """Return the constants with which the time is compared, in milliseconds."""
    if not reads_context(expr):
        return set()
    match expr:
        case pst.BinaryOp("and" | "or", left, right):
            return _of(left) | _of(right)
        case pst.UnaryOp("not", arg):
            return _of(arg)
        case pst.IfThenElse(condition, then_expr, else_expr):
            return _of(condition) | _of(then_expr) | _of(else_expr)
        case pst.HasAttr(pst.Var("context"), ("time",)):
            return set()
        case pst.BinaryOp(op, left, right) if op in _COMPARISONS and _TIME in (left, right):
            return {_constant(right if left == _TIME else left)}
    raise UntranslatableError("such a use of the time")


def _constant(expr: pst.Expr) -> int:
    match expr:
        case pst.UnaryOp("datetime" | "duration" as function, pst.StringLit(text)):
            return milliseconds(function, text)
        case pst.BinaryOp("offset", left, right):
            return _constant(left) + _constant(right)
    raise UntranslatableError("a time that is no constant")
