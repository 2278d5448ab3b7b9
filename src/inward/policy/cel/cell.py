"""The whole condition of a cell: true exactly when `decide` allows the request at `request.time`.

An expression that fails counts as not true in Envoy, which refuses, as `decide` does. So the parts are joined
such that a failure of any policy is a failure of the whole.

1. Every parameter that a live policy reads is in plain form.
2. No live forbid holds.
3. A live permit holds.

The policies must have been validated against the schema: that is what says that both sides of `==` are of one
type, and that an optional parameter is read only where it is there.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from cedarpy import pst

from inward.policy.cel.conditions import Conditions
from inward.policy.cel.fold import UntranslatableError, folder_of
from inward.policy.cel.parameters import Parameters, query_is_plain
from inward.policy.cel.tree import (
    TIME,
    Tree,
    Truth,
    all_of,
    any_strict,
    boolean,
    call,
    choose,
    numbered,
    size_of,
    string,
)
from inward.policy.request import Read, parts_of, reads_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from inward.catalog.model import Catalog
    from inward.policy.model import Cell, Policy

MAX_NODES = 3000
MAX_NESTING = 62  # of the JSON; what stands around a tree is counted where it is put (`envoy`)


def translate(cell: Cell, catalog: Catalog) -> Tree:
    """Return a cell's condition as the JSON that Envoy takes as `cel_expr_parsed.expr`.

    Raises `UntranslatableError`; the slow path decides such a cell.
    """
    parameters = Parameters(cell.operation)
    conditions = Conditions(cell, parameters, folder_of(catalog))
    permits = any_strict([_while_alive(policy, conditions.of(policy)) for policy in cell.permits])
    forbids = any_strict([_while_alive(policy, conditions.of(policy)) for policy in cell.forbids])
    allowed = choose(forbids, then=False, otherwise=permits)
    if allowed is not False:
        allowed = all_of([*_plain_form(cell, parameters), allowed])
    tree = boolean(allowed)
    nodes, nesting = size_of(tree)
    if nodes > MAX_NODES or nesting > MAX_NESTING:
        raise UntranslatableError(f"a condition of {nodes} parts, nested {nesting} deep,")
    return numbered(tree)


def reads_of_scope(policy: Policy) -> frozenset[str]:
    """Return which of `principal`, `action`, `resource` and `context` the conditions of a policy use.

    Two cells with the same policies have one translation if these are the same in both: the rest of a cell is not
    looked at. Without conditions that is every cell; without `principal`, those of all callers of one operation.
    """
    found: set[str] = set()
    pending = [clause.expr for clause in policy.pst.clauses]
    while pending:
        expr = pending.pop()
        if isinstance(expr, pst.Var):
            found.add(expr.name)
        pending.extend(parts_of(expr))
    return frozenset(found)


def _while_alive(policy: Policy, value: Truth) -> Truth:
    """Return `value` before the policy's expiry, and false from then on."""
    return value if policy.expires is None else choose(_before(policy.expires), value, otherwise=False)


def _plain_form(cell: Cell, parameters: Parameters) -> list[Truth]:
    """Return that every parameter is in plain form, for as long as a policy that reads it lives."""
    readers: dict[Read, list[Policy]] = {}
    for policy in (*cell.permits, *cell.forbids):
        for read in reads_of((policy,), cell.operation):
            readers.setdefault(read, []).append(policy)
    of_query = [policy for (where, _), policies in readers.items() if where == "query" for policy in policies]
    checks: list[Truth] = [_while_any_lives(of_query, query_is_plain())] if of_query else []
    for (where, name), policies in sorted(readers.items(), key=lambda item: item[0]):
        parameter = parameters.get(where, name)
        if parameter is not None:
            checks.append(_while_any_lives(policies, parameters.is_plain(parameter)))
    return checks


def _while_any_lives(policies: Iterable[Policy], check: Truth) -> Truth:
    """Return `check` until the last of some policies expires, and true from then on."""
    ends = [policy.expires for policy in policies]
    known = [end for end in ends if end is not None]
    return check if len(known) < len(ends) else choose(_before(max(known)), check, otherwise=True)


def _before(moment: datetime) -> Tree:
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    return call("_<_", TIME, call("timestamp", string(text)))
