"""Cedar expressions to CEL expressions, construct by construct.

Times and durations are integers of milliseconds, as in Cedar; `request.time` is finer, and truncated first.
CEL's integers overflow where Cedar's do, with an error. What is not here raises `UntranslatableError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cedarpy import pst

from inward.policy.cel.fold import Folder, UntranslatableError, milliseconds, reads_context
from inward.policy.cel.parameters import ANYTHING, Parameters, is_possible, literal, one_of, sequence
from inward.policy.cel.tree import (
    TIME,
    Tree,
    Truth,
    all_of,
    any_of,
    array,
    boolean,
    call,
    choose,
    integer,
    method,
    negation,
    string,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inward.catalog.model import Parameter
    from inward.policy.model import Cell, Policy

Kind = Literal["bool", "string", "number"]  # datetimes and durations are numbers
_KINDS: dict[str, Kind] = {"string": "string", "integer": "number", "boolean": "bool"}
_NODES: dict[type, Kind] = {
    pst.StringLit: "string",
    pst.LongLit: "number",
    pst.BoolLit: "bool",
    pst.HasAttr: "bool",
    pst.Like: "bool",
    pst.Is: "bool",
}
_OTHERS = {"ip", "decimal", "get_tag"}  # operators whose values are none of the kinds; the rest are Booleans
_COMPARISONS = {"less": "_<_", "less_eq": "_<=_", "greater": "_>_", "greater_eq": "_>=_"}
_ARITHMETIC = {"add": "_+_", "sub": "_-_", "mul": "_*_", "offset": "_+_", "duration_since": "_-_"}
_DAY = 86_400_000
_UNITS = {
    "to_milliseconds": 1,
    "to_seconds": 1000,
    "to_minutes": 60_000,
    "to_hours": 3_600_000,
    "to_days": _DAY,
}
_NUMBERS = {"neg", "datetime", "duration", "to_date", "to_time"} | _ARITHMETIC.keys() | _UNITS.keys()
_TIME = pst.GetAttr(pst.Var("context"), "time")
_CONTEXT_PARTS = frozenset({"path", "query", "time"})
_Literal = pst.StringLit | pst.LongLit | pst.BoolLit


class Conditions:
    """Translates the conditions of one cell."""

    def __init__(self, cell: Cell, parameters: Parameters, folder: Folder) -> None:
        self._cell = cell
        self._parameters = parameters
        self._folder = folder

    def of(self, policy: Policy) -> Truth:
        """Return whether all clauses of a policy hold."""
        terms: list[Truth] = []
        for clause in policy.pst.clauses:
            value = self.truth(clause.expr)
            terms.append(value if isinstance(clause, pst.When) else negation(value))
            if terms[-1] is False:
                break  # what follows is never reached
        return all_of(terms)

    def truth(self, expr: pst.Expr) -> Truth:
        """Return a Boolean expression."""
        if not reads_context(expr):
            return self._folder.truth(expr, self._cell)
        match expr:
            case pst.BinaryOp(op, left, right):
                value = self._binary(expr, op, left, right)
            case pst.UnaryOp("not", arg):
                value = negation(self.truth(arg))
            case pst.IfThenElse():
                value = self._choice(expr)
            case pst.HasAttr(base, attrs):
                value = self._has(base, attrs)
            case pst.Like(base, pattern):
                value = self._like(base, pattern)
            case _:
                parameter = self._parameter(expr)
                if parameter is None or parameter.type != "boolean":
                    raise _untranslatable(expr)
                value = self._parameters.text_matches(parameter, literal("true"))
        return value

    def _binary(self, expr: pst.Expr, op: pst.BinaryOpName, left: pst.Expr, right: pst.Expr) -> Truth:
        if op in {"and", "or"}:
            return self._chain(op, expr)
        if op in _COMPARISONS:
            return call(_COMPARISONS[op], self._number(left), self._number(right))
        if op == "eq":
            return self._equal(left, right)
        if op == "not_eq":
            return negation(self._equal(left, right))
        if isinstance(left, pst.Set):
            return self._of_set(op, left.elements, right)
        raise _untranslatable(expr)

    def _of_set(self, op: pst.BinaryOpName, elements: Sequence[pst.Expr], right: pst.Expr) -> Truth:
        match op, right:
            case "contains", _:
                return self._contains(elements, right)
            case "contains_any", pst.Set(others):
                self._require_safe((*elements, *others))
                return any_of([self._contains(elements, other) for other in others])
            case "contains_all", pst.Set(others):
                self._require_safe((*elements, *others))
                return all_of([self._contains(elements, other) for other in others])
        raise UntranslatableError(f"`{op}` of such sets")

    def _chain(self, op: pst.BinaryOpName, expr: pst.Expr) -> Truth:
        """Translate `a && b && …` or `a || b || …`, as far as it can be reached."""
        decisive = op == "or"
        values: list[Truth] = []
        stack = [expr]
        while stack:
            term = stack.pop()
            if isinstance(term, pst.BinaryOp) and term.op == op:
                stack += [term.right, term.left]
                continue
            value = self.truth(term)
            if value is not (not decisive):
                values.append(value)
            if value is decisive:
                break
        return (any_of if decisive else all_of)(values)

    def _choice(self, expr: pst.IfThenElse) -> Truth:
        condition = self.truth(expr.cond)
        if isinstance(condition, bool):
            return self.truth(expr.then_expr if condition else expr.else_expr)
        return choose(condition, self.truth(expr.then_expr), self.truth(expr.else_expr))

    def _equal(self, left: pst.Expr, right: pst.Expr) -> Truth:
        for one, other in ((left, right), (right, left)):
            if isinstance(other, _Literal) and (written := self._is_one_of(one, (other,))) is not None:
                return written
        if self._kind(left) != "bool":
            return call("_==_", self._scalar(left), self._scalar(right))
        first, second = self.truth(left), self.truth(right)
        if isinstance(first, bool):
            first, second = second, first
        if isinstance(second, bool):
            return first if second else negation(first)
        return call("_==_", boolean(first), second)

    def _contains(self, elements: Sequence[pst.Expr], of: pst.Expr) -> Truth:
        """Translate `[elements].contains(of)`. All of the elements are evaluated, as in Cedar."""
        literals = tuple(element for element in elements if isinstance(element, _Literal))
        if len(literals) == len(elements) and (written := self._is_one_of(of, literals)) is not None:
            return written
        return call("@in", self._scalar(of), array([self._scalar(element) for element in elements]))

    def _is_one_of(self, expr: pst.Expr, values: Sequence[_Literal]) -> Truth | None:
        """Return whether a parameter is one of some literals by looking at its text, if it is a parameter."""
        parameter = self._parameter(expr)
        if parameter is None:
            return None
        if any(self._kind(value) != _KINDS[parameter.type] for value in values):
            raise _untranslatable(expr)  # validation has let nothing of the kind through
        texts = [str(value.value).lower() if isinstance(value, pst.BoolLit) else str(value.value) for value in values]
        possible = [literal(text) for text in texts if is_possible(parameter, text)]
        return self._parameters.text_is(parameter, one_of(possible)) if possible else False

    def _require_safe(self, exprs: Sequence[pst.Expr]) -> None:
        """Refuse what could fail: Cedar evaluates all of both sets, a chain of `contains` may stop before."""
        for expr in exprs:
            if self._parameter(expr) is None and not isinstance(expr, _Literal):
                raise UntranslatableError("a set of computed values")

    def _has(self, base: pst.Expr, attrs: tuple[str, ...]) -> Truth:
        match base, attrs:
            case pst.Var("context"), (part,):
                return part in _CONTEXT_PARTS
            case (pst.Var("context"), ("path" | "query" as where, name)) | (
                pst.GetAttr(pst.Var("context"), "path" | "query" as where),
                (name,),
            ):
                parameter = self._parameters.get(where, name)
                if parameter is None or parameter.required or where == "path":
                    return parameter is not None
                return self._parameters.occurs(parameter)
        raise UntranslatableError("`has` of a computed value")

    def _like(self, base: pst.Expr, pattern: tuple[pst.PatternElem, ...]) -> Truth:
        parameter = self._parameter(base)
        if parameter is None or parameter.type != "string":
            raise UntranslatableError("`like` of a computed value")
        characters = [each.value for each in pattern if isinstance(each, pst.Char)]
        if not all(is_possible(parameter, character) for character in characters):
            return False
        anything = ANYTHING[parameter.where]
        parts = [literal(each.value) if isinstance(each, pst.Char) else anything for each in pattern]
        return self._parameters.text_matches(parameter, sequence(parts))

    def _scalar(self, expr: pst.Expr) -> Tree:
        match self._kind(expr):
            case "bool":
                return boolean(self.truth(expr))
            case "string":
                return self._string(expr)
            case "number":
                return self._number(expr)
        raise _untranslatable(expr)

    def _string(self, expr: pst.Expr) -> Tree:
        match expr:
            case pst.StringLit(value):
                return string(value)
            case pst.IfThenElse():
                return self._scalar_choice(expr)
        parameter = self._parameter(expr)
        if parameter is None or parameter.type != "string":
            raise _untranslatable(expr)
        return self._parameters.text(parameter)

    def _number(self, expr: pst.Expr) -> Tree:
        match expr:
            case pst.LongLit(value):
                return integer(value)
            case pst.UnaryOp():
                return self._unary_number(expr)
            case pst.BinaryOp(op, left, right) if op in _ARITHMETIC:
                return call(_ARITHMETIC[op], self._number(left), self._number(right))
            case pst.IfThenElse():
                return self._scalar_choice(expr)
            case _ if expr == _TIME:
                return _milliseconds()
        parameter = self._parameter(expr)
        if parameter is None or parameter.type != "integer":
            raise _untranslatable(expr)
        return call("int", self._parameters.text(parameter))

    def _unary_number(self, expr: pst.UnaryOp) -> Tree:
        match expr.op, expr.arg:
            case "datetime" | "duration" as function, pst.StringLit(text):
                return integer(milliseconds(function, text))
            case "to_date", arg if arg == _TIME:  # after 1970, where CEL's division, too, rounds down
                return call("_*_", call("_/_", _milliseconds(), integer(_DAY)), integer(_DAY))
            case "to_time", arg if arg == _TIME:
                return call("_%_", _milliseconds(), integer(_DAY))
            case "neg", arg:
                return call("-_", self._number(arg))
            case op, arg if op in _UNITS:
                return call("_/_", self._number(arg), integer(_UNITS[op]))
        raise _untranslatable(expr)

    def _scalar_choice(self, expr: pst.IfThenElse) -> Tree:
        condition = self.truth(expr.cond)
        if isinstance(condition, bool):
            return self._scalar(expr.then_expr if condition else expr.else_expr)
        return call("_?_:_", condition, self._scalar(expr.then_expr), self._scalar(expr.else_expr))

    def _parameter(self, expr: pst.Expr) -> Parameter | None:
        """Return the parameter that an expression is, if it is one."""
        match expr:
            case pst.GetAttr(pst.GetAttr(pst.Var("context"), "path" | "query" as where), name):
                return self._parameters.get(where, name)
        return None

    def _kind(self, expr: pst.Expr) -> Kind | None:
        """Return the type of a validated expression; None where it is none that can be compared here."""
        match expr:
            case pst.IfThenElse(_, then_expr, _):
                return self._kind(then_expr)
            case pst.UnaryOp(op, _) | pst.BinaryOp(op, _, _):
                return "number" if op in _NUMBERS else None if op in _OTHERS else "bool"
            case pst.GetAttr():
                parameter = self._parameter(expr)
                known = _KINDS[parameter.type] if parameter else None
                return "number" if expr == _TIME else known
            case _:
                return _NODES.get(type(expr))


def _milliseconds() -> Tree:
    """Return the time of the request in whole milliseconds since 1970."""
    seconds = call("_*_", call("int", TIME), integer(1000))
    return call("_+_", seconds, method("getMilliseconds", TIME))


def _untranslatable(expr: pst.Expr) -> UntranslatableError:
    match expr:
        case pst.BinaryOp(op, _, _) | pst.UnaryOp(op, _):
            return UntranslatableError(f"`{op}` of such values")
        case pst.GetAttr(_, attr):
            return UntranslatableError(f"the attribute `{attr}` of such a value")
        case pst.IfThenElse():
            return UntranslatableError("`if` between such values")
        case _:
            return UntranslatableError(f"a {type(expr).__name__.lower()} of such a kind")
