"""Syntax trees of the Common Expression Language, in the JSON form that Envoy takes instead of text.

A tree is the protobuf-JSON form of `google.api.expr.v1alpha1.Expr`, without ids until `numbered` gives them.

CEL's own `&&` and `||` absorb an error on one side if the other side decides; Cedar's do not. So no tree uses
them: a conjunction is `a ? b : false`, a disjunction `a ? true : b`, and a count of true ones is strict
addition. Long chains are balanced, because Envoy's reader refuses deeply nested messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Tree = dict[str, Any]
Truth = Tree | bool  # a Boolean expression, or its value where it is known
_T = TypeVar("_T")

PATH: Tree = {"select_expr": {"operand": {"ident_expr": {"name": "request"}}, "field": "url_path"}}
QUERY: Tree = {"select_expr": {"operand": {"ident_expr": {"name": "request"}}, "field": "query"}}
TIME: Tree = {"select_expr": {"operand": {"ident_expr": {"name": "request"}}, "field": "time"}}


def boolean(value: Truth) -> Tree:
    """Return a Boolean as a tree."""
    return {"const_expr": {"bool_value": value}} if isinstance(value, bool) else value


def integer(value: int) -> Tree:
    """Return a 64-bit integer as a tree."""
    return {"const_expr": {"int64_value": str(value)}}


def string(value: str) -> Tree:
    """Return a string as a tree."""
    return {"const_expr": {"string_value": value}}


def array(elements: Sequence[Tree]) -> Tree:
    """Return a list as a tree; an error in any element is an error."""
    return {"list_expr": {"elements": list(elements)}}


def call(function: str, *args: Tree) -> Tree:
    """Return a call; operators are functions such as `_==_`."""
    return {"call_expr": {"function": function, "args": list(args)}}


def method(function: str, target: Tree) -> Tree:
    """Return a call of a method without arguments."""
    return {"call_expr": {"function": function, "target": target, "args": []}}


def matches(subject: Tree, pattern: str) -> Tree:
    """Return whether the regular expression (RE2) finds something in `subject`."""
    return call("matches", subject, string(pattern))


def choose(condition: Truth, then: Truth, otherwise: Truth) -> Truth:
    """Return `condition ? then : otherwise`; only the branch taken is evaluated."""
    if isinstance(condition, bool):
        return then if condition else otherwise
    if then is True and otherwise is False:
        return condition
    return call("_?_:_", condition, boolean(then), boolean(otherwise))


def negation(value: Truth) -> Truth:
    """Return `!value`."""
    return not value if isinstance(value, bool) else call("!_", value)


def both(left: Truth, right: Truth) -> Truth:
    """Return Cedar's `left && right`: the right is evaluated if the left is true."""
    return choose(left, right, otherwise=False)


def either(left: Truth, right: Truth) -> Truth:
    """Return Cedar's `left || right`: the right is evaluated if the left is false."""
    return choose(left, then=True, otherwise=right)


def all_of(values: Sequence[Truth]) -> Truth:
    """Return Cedar's `a && b && …`."""
    return _balanced(both, values) if values else True


def any_of(values: Sequence[Truth]) -> Truth:
    """Return Cedar's `a || b || …`."""
    return _balanced(either, values) if values else False


def any_strict(values: Sequence[Truth]) -> Truth:
    """Return whether any value is true, where an error in any of them is an error whatever the others are."""
    if all(isinstance(value, bool) for value in values):
        return any(values)
    if len(values) == 1:
        return values[0]
    ones = [call("_?_:_", boolean(value), integer(1), integer(0)) for value in values if value is not False]
    return call("_>_", _balanced(lambda left, right: call("_+_", left, right), ones), integer(0))


def size_of(tree: Tree) -> tuple[int, int]:
    """Return the number of nodes of a tree, and how deeply its JSON objects and arrays nest at most."""
    nodes, deepest = 0, 0
    stack: list[tuple[Tree, int]] = [(tree, 0)]
    while stack:
        node, around = stack.pop()
        nodes += 1
        ((kind, body),) = node.items()
        inside = around + (2 if kind in {"select_expr", "const_expr", "ident_expr"} else 3)
        deepest = max(deepest, inside)
        single = [body[key] for key in ("operand", "target") if key in body]
        stack.extend((child, inside) for child in (*single, *body.get("args", ()), *body.get("elements", ())))
    return nodes, deepest


def numbered(tree: Tree) -> Tree:
    """Return a copy in which every node has an id of its own, from 1, as CEL demands."""
    count = 0

    def copy(node: Tree) -> Tree:
        nonlocal count
        count += 1
        own = str(count)
        ((kind, body),) = node.items()
        body = dict(body)
        for key in ("operand", "target"):
            if key in body:
                body[key] = copy(body[key])
        for key in ("args", "elements"):
            if key in body:
                body[key] = [copy(child) for child in body[key]]
        return {"id": own, kind: body}

    return copy(tree)


def _balanced(join: Callable[[_T, _T], _T], values: Sequence[_T]) -> _T:
    if len(values) == 1:
        return values[0]
    half = len(values) // 2
    return join(_balanced(join, values[:half]), _balanced(join, values[half:]))
