from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cedarpy import policies_to_pst

from inward.errors import Place
from inward.policy.model import Policy
from inward.policy.symbolic.condition import Conditions
from inward.policy.symbolic.context import Contexts, Moment, OpenRequests, context_of
from inward.policy.symbolic.solve import Solver
from inward.policy.symbolic.world import Caller, World

if TYPE_CHECKING:
    from inward.catalog.model import Catalog

NOW = datetime(2026, 11, 23, 12, 0, 0, 5, tzinfo=UTC)
MICRO = timedelta(microseconds=1)
FAILS = "9223372036854775807 + 1 == 0"


def policy(clauses: str, effect: str = "permit", *, expires: datetime | None = None, principal: str = "") -> Policy:
    text = f"{effect} (principal{principal}, action, resource) {clauses};"
    (tree,) = policies_to_pst(text).static_policies.values()
    return Policy(text, tree.effect, "why", expires, "orders", Place("policies/orders.cedar", 1), text, tree)


@pytest.fixture
def conditions(shop: Catalog) -> Conditions:
    moment = Moment.at(NOW)
    contexts = Contexts(moment, context_of({"path": {}, "query": {}}, moment), possible=True)
    return Conditions(World(shop, Caller(shop.services["checkout"]), shop.operations["orders:createOrder"], contexts))


@pytest.mark.parametrize(
    ("clauses", "holds", "fails"),
    [
        ("", True, False),
        ("when { true }", True, False),
        ("unless { true }", False, False),
        ("when { true } unless { false }", True, False),
        ("when { true } when { false }", False, False),
        (f"when {{ {FAILS} }}", False, True),
        (f"unless {{ {FAILS} }}", False, True),
        (f"when {{ false }} when {{ {FAILS} }}", False, False),
        (f"unless {{ true }} when {{ {FAILS} }}", False, False),
        (f"when {{ {FAILS} }} when {{ false }}", False, True),
        (f"when {{ true }} unless {{ {FAILS} }} when {{ true }}", False, True),
    ],
)
def test_clauses_are_joined_one_after_the_other(
    conditions: Conditions, clauses: str, *, holds: bool, fails: bool
) -> None:
    assert conditions.of(policy(clauses)) == (holds, fails)


@pytest.mark.parametrize("clauses", ["", f"when {{ {FAILS} }}"])
def test_a_policy_that_has_expired_neither_holds_nor_fails(conditions: Conditions, clauses: str) -> None:
    assert conditions.of(policy(clauses, expires=NOW)) == (False, False)
    assert conditions.of(policy(f"{clauses} ", expires=NOW + MICRO)) == (not clauses, bool(clauses))


GRANT, REFUSE = policy(""), policy("", "forbid")
FAILING, FAILING_FORBID = policy(f"when {{ {FAILS} }}"), policy(f"when {{ {FAILS} }}", "forbid")
NOT_NOW = policy("when { false }"), policy("when { false }", "forbid")


@pytest.mark.parametrize(
    ("policies", "allowed"),
    [
        ([], False),
        ([GRANT], True),
        ([GRANT, REFUSE], False),
        ([REFUSE], False),
        ([GRANT, FAILING], False),
        ([GRANT, FAILING_FORBID], False),
        ([GRANT, *NOT_NOW], True),
        ([*NOT_NOW], False),
        ([GRANT, policy("when { true }", "forbid", expires=NOW)], True),
        ([GRANT, policy(f"when {{ {FAILS} }} ", expires=NOW)], True),
    ],
)
def test_allowed(conditions: Conditions, policies: list[Policy], *, allowed: bool) -> None:
    permits = [each for each in policies if each.effect == "permit"]
    forbids = [each for each in policies if each.effect == "forbid"]
    assert conditions.allowed(permits, forbids) is allowed


def test_a_newcomer_is_in_a_scope_where_its_group_is(shop: Catalog) -> None:
    operation = shop.operations["orders:createOrder"]
    contexts = OpenRequests(NOW).to(operation.parameters)
    conditions = Conditions(World(shop, Caller(None), operation, contexts))
    in_group = conditions.of(policy("", principal=' in Group::"sellers"'))
    unless_in_group = conditions.of(policy('unless { principal in Group::"sellers" }'))
    solver = Solver()
    assert solver.possible(in_group.holds)
    assert solver.find(in_group.holds, unless_in_group.holds) == "none"
    assert conditions.of(policy("", principal=' == Service::"checkout"')) == (False, False)
    assert conditions.of(policy("", principal=" is Service")) == (True, False)


def test_what_has_no_formula_is_named(conditions: Conditions) -> None:
    assert conditions.unsupported == set()
    conditions.of(policy('when { principal.hasTag("a") }'))
    assert conditions.unsupported == {"`has_tag`"}
