from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import cedarpy
import pytest
import z3
from cedarpy import policies_to_pst, pst

from inward.policy.schema import entities_of
from inward.policy.symbolic.context import Contexts, Moment, OpenRequests, context_of
from inward.policy.symbolic.evaluate import Evaluator, Outcome
from inward.policy.symbolic.solve import Solver
from inward.policy.symbolic.term import negate
from inward.policy.symbolic.value import Number, Text, Value
from inward.policy.symbolic.world import Caller, World

if TYPE_CHECKING:
    from inward.catalog.model import Catalog
    from inward.policy.symbolic.term import Bool

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def expression(text: str) -> pst.Expr:
    (tree,) = policies_to_pst(f"permit(principal, action, resource) when {{ {text} }};").static_policies.values()
    return tree.clauses[0].expr


@pytest.fixture
def open_world(shop: Catalog) -> World:
    operation = shop.operations["orders:countOrders"]
    return World(shop, Caller(shop.services["reporting"]), operation, OpenRequests(NOW).to(operation.parameters))


@pytest.fixture
def world(shop: Catalog) -> World:
    """A world of which everything is known: `context.path.n` is 7, `context.query.q` is `a`."""
    parts: dict[str, dict[str, tuple[Bool, Value]]] = {
        "path": {"n": (True, Number("long", 7))},
        "query": {"q": (True, Text("a"))},
    }
    moment = Moment.at(NOW)
    contexts = Contexts(moment, context_of(parts, moment), possible=True)
    return World(shop, Caller(shop.services["reporting"]), shop.operations["orders:countOrders"], contexts)


def by_cedar(expr: pst.Expr, shop: Catalog) -> Outcome:
    """Return what an expression comes to in that world, by Cedar."""
    anything = pst.ScopeAny()
    policy = pst.Template("p", "permit", anything, anything, anything, (pst.When(expr),), pst.FrozenMap())
    answer = cedarpy.is_authorized(
        {
            "principal": {"type": "Service", "id": "reporting"},
            "action": {"type": "Action", "id": "orders:countOrders"},
            "resource": {"type": "Service", "id": "orders"},
            "context": {
                "path": {"n": 7},
                "query": {"q": "a"},
                "time": {"__extn": {"fn": "datetime", "arg": "2026-11-23T00:00:00.000Z"}},
            },
        },
        cedarpy.PolicySet.from_pst(pst.PolicySet({}, {"p": policy}, ())),
        entities_of(shop),
    )
    return Outcome(answer.allowed, bool(answer.diagnostics.errors))


CONTEXT, PRINCIPAL = pst.Var("context"), pst.Var("principal")
RECORD = pst.Record(pst.FrozenMap({"a": pst.LongLit(1), "b": pst.Record(pst.FrozenMap({"c": pst.StringLit("x")}))}))
CHAINS = [
    pst.HasAttr(CONTEXT, ("query", "q")),
    pst.HasAttr(CONTEXT, ("query", "nope")),
    pst.HasAttr(CONTEXT, ("nope", "query")),
    pst.HasAttr(RECORD, ("b", "c")),
    pst.HasAttr(RECORD, ("nope", "a")),
    pst.HasAttr(RECORD, ("nope", "b", "c")),
    pst.HasAttr(PRINCIPAL, ("zone",)),
    pst.HasAttr(PRINCIPAL, ("zone", "owner")),
    pst.HasAttr(PRINCIPAL, ("owner", "zone")),
]


@pytest.mark.parametrize("expr", CHAINS, ids=str)
def test_chains_of_has(shop: Catalog, world: World, expr: pst.Expr) -> None:
    assert Evaluator(world).truth(expr) == by_cedar(expr, shop)


def test_a_has_that_ignores_a_missing_parent_is_found(
    shop: Catalog, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    has = Evaluator._has
    monkeypatch.setattr(Evaluator, "_has", lambda self, base, attrs: has(self, base, attrs[-1:]))
    assert [expr for expr in CHAINS if Evaluator(world).truth(expr) != by_cedar(expr, shop)] != []


@pytest.mark.parametrize(
    "text",
    [
        "9223372036854775807 + 1 == 0",
        'principal.zone == Zone::"core"',
        'principal.zone in Zone::"core"',
        "principal.zone is Zone",
        '(if context.path.n == 7 then principal.zone else Zone::"core") in Zone::"core"',
        '[principal.zone].contains(Zone::"core")',
        '[principal.zone, Zone::"core"].contains(Zone::"core")',
        '{z: principal.zone}.z == Zone::"core"',
        "{z: principal.zone} has z",
        "-(-9223372036854775808) > 0",
        "(-9223372036854775808 - 1) * 0 == 0",
        'context.query.nope like "*"',
        'false && principal.zone == Zone::"core"',
        'true || principal.zone == Zone::"core"',
        'principal.zone == Zone::"core" || true',
        'principal.zone == Zone::"core" && false',
        'if principal.zone == Zone::"core" then true else true',
        'if true then true else principal.zone == Zone::"core"',
        '!(principal.zone == Zone::"core")',
        'Service::"nobody" has owner',
        'Service::"nobody".owner == Team::"team-orders"',
    ],
)  # fmt: skip
def test_what_fails_fails_as_in_cedar(shop: Catalog, world: World, text: str) -> None:
    evaluator = Evaluator(world)
    outcome = evaluator.truth(expression(text))
    expected = by_cedar(expression(text), shop)
    assert outcome.fails is expected.fails
    assert outcome.fails or outcome.holds is expected.holds
    assert evaluator.unsupported == set()


def test_a_failing_part_needs_no_formula(open_world: World) -> None:
    evaluator = Evaluator(open_world)
    text = 'context.path.n > 1 && (if context.path.n > 2 then principal.zone else Zone::"core") in Zone::"core"'
    outcome = evaluator.truth(expression(text))
    assert evaluator.unsupported == set()
    n = z3.Int("path.n")
    solver = Solver()
    assert solver.find(outcome.fails, n <= 2) == "none"
    assert solver.find(z3.Not(outcome.fails), outcome.holds, n != 2) == "none"
    assert solver.possible(z3.Not(outcome.fails), outcome.holds, n == 2)


FREE = {
    'principal.hasTag("a")': "`has_tag`",
    'principal.getTag("a") == 1': "`get_tag`",
    "ip(context.query.q).isLoopback()": "`ip` of a computed text",
    "datetime(context.query.q) < context.time": "`datetime` of a computed text",
    'duration(if context.path.n == 1 then "1h" else "2h") < duration("3h")': "`duration` of a computed text",
    'decimal("1.23456") == decimal("1.0")': '`decimal("1.23456")`',
    'ip("nowhere") == ip("nowhere")': '`ip("nowhere")`',
    'context.query.q == "\U00030000"': "a text with a character beyond U+2FFFF",
    'context.query.q like "*\U0010ffff"': "a text with a character beyond U+2FFFF",
    "context.path.n.isEmpty()": "a set that is a number",
    "context.query.q > 1": "a number that is a text",
}  # fmt: skip


@pytest.mark.parametrize("text", FREE)
def test_what_has_no_formula_could_be_anything_and_is_named(open_world: World, text: str) -> None:
    evaluator = Evaluator(open_world)
    outcome = evaluator.truth(expression(text))
    assert evaluator.unsupported == {FREE[text]}
    solver = Solver()
    for holds in (outcome.holds, z3.Not(outcome.holds)):
        for fails in (outcome.fails, z3.Not(outcome.fails)):
            assert solver.possible(holds, fails)


def test_what_does_not_depend_on_it_is_still_proven(open_world: World) -> None:
    evaluator = Evaluator(open_world)
    text = 'context.path.n > 3 && principal.hasTag("a") && context.path.n < 2'
    outcome = evaluator.truth(expression(text))
    assert evaluator.unsupported == {"`has_tag`"}
    assert Solver().find(outcome.holds, z3.Not(outcome.fails)) == "none"
    assert Solver().possible(outcome.fails)


def test_one_expression_is_the_same_unknown_everywhere(open_world: World) -> None:
    evaluator = Evaluator(open_world)
    text = 'principal.hasTag("a") && !principal.hasTag("a")'
    outcome = evaluator.truth(expression(text))
    assert Solver().find(outcome.holds, z3.Not(outcome.fails)) == "none"
    other = Evaluator(open_world).truth(expression('principal.hasTag("a")'))
    assert Solver().possible(outcome.fails, z3.Not(other.fails))  # that of another world is another one


def _nested(level: str, levels: int) -> str:
    text = "context.path.n"
    for number in range(levels):
        text = level.format(text, number)
    return text


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        _nested("(if context.path.n > {1} then ({0} + 1) else (0 - context.path.n))", 40) + " > 5",
        _nested("({0} * 3 - {1})", 40) + " == 7",
        " && ".join(["context.path.n > 0"] * 90),
        " || ".join(["context.path.n * 9223372036854775807 == 1"] * 90),
        f"[{', '.join(map(str, range(1000)))}].contains(context.path.n)",
        f"[{', '.join(map(str, range(1000)))}].containsAny([context.path.n, 1000])",
        f"[{', '.join(f'context.path.n + {n}' for n in range(200))}] == [{', '.join(map(str, range(200)))}]",
        f"[{', '.join(map(str, range(1000)))}] == [{', '.join(f'context.path.n + {n}' for n in range(1000))}]",
        f'context.query.q like "{"*a*b" * 100}"',
        f'"{"ab" * 2000}" like "{"*a" * 100}*c"',
    ],
    ids=lambda text: text[:30],
)
def test_large_conditions_are_answered_in_time(open_world: World, text: str) -> None:
    evaluator = Evaluator(open_world)
    outcome = evaluator.truth(expression(text))
    Solver(timeout_ms=2000).find(open_world.contexts.possible, outcome.holds, negate(outcome.fails))
    assert evaluator.unsupported <= {"a comparison of sets of so many elements"}
