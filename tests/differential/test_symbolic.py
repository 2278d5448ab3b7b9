"""Formulas held to Cedar itself: on known requests, as formulas with values put in, and in what the solver answers."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, get_args

import cedarpy
import pytest
import z3
from cedarpy import pst
from tests.differential import expressions
from tests.differential.expressions import CATALOG, NOON, NOWHERE, PARAMETERS, TARGETS, Batch, Expressions, Request

from inward.catalog.model import Catalog, Operation
from inward.policy.model import Policy
from inward.policy.request import build_context
from inward.policy.schema import entities_of
from inward.policy.symbolic import condition, evaluate, number, term, text, value
from inward.policy.symbolic.condition import Conditions
from inward.policy.symbolic.context import Contexts, Moment, OpenRequests, context_of, variable_of, whole_segments
from inward.policy.symbolic.evaluate import Evaluator, Outcome
from inward.policy.symbolic.solve import Solver, Values
from inward.policy.symbolic.term import Bool, conj, negate, string_of
from inward.policy.symbolic.value import Number, Text, Truth, Value
from inward.policy.symbolic.world import Caller, World, _number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from inward.catalog.model import DataClass
    from inward.policy.symbolic.condition import Applies

SINCE = NOON - timedelta(days=1)


def stored(catalog: Catalog) -> cedarpy.Entities:
    return cedarpy.Entities.from_json_str(json.dumps(entities_of(catalog)))


@pytest.fixture(scope="module")
def entities() -> cedarpy.Entities:
    return stored(CATALOG)


@dataclass(frozen=True)
class Drawn:
    """Policies, and requests to one target with what each policy comes to by Cedar."""

    batch: Batch
    requests: tuple[tuple[Request, list[str]], ...]


def drawn(
    seed: int, target: Operation | DataClass, policies: int, requests: int, stored_entities: cedarpy.Entities
) -> Drawn:
    at = seed * len(TARGETS) + TARGETS.index(target)
    draw = Expressions(at, discloses=not isinstance(target, Operation))
    batch = expressions.valid_policies([draw.policy() for _ in range(policies)])
    assert len(batch.texts) > policies * 0.8  # nearly all that is drawn is valid
    made = expressions.some_requests(at, target, requests)
    return Drawn(batch, tuple((request, batch.outcomes(request, stored_entities)) for request in made))


@pytest.fixture(scope="module")
def few(entities: cedarpy.Entities) -> list[Drawn]:
    """What the planted errors are tried on."""
    return [drawn(seed, target, 150, 6, entities) for seed in (50, 51) for target in TARGETS]


# --- known requests -----------------------------------------------------------------------------------------------


def known_world(request: Request) -> World:
    """Return the world of one request, of which everything is known."""
    parts: dict[str, dict[str, tuple[Bool, Value]]] = {"path": {}, "query": {}}
    for (where, name), given in request.values.items():
        parts[where][name] = (True, known(given))
    moment = Moment.at(request.moment)
    contexts = Contexts(moment, context_of(parts, moment), possible=True)
    return World(CATALOG, Caller(CATALOG.services[request.caller]), request.target, contexts)


def known(given: str | int | bool) -> Value:  # noqa: FBT001 - the value of a parameter
    if isinstance(given, bool):
        return Truth(given)
    return Number("long", given) if isinstance(given, int) else Text(given)


def outcome_of(applies: Applies) -> str:
    """Return what a policy comes to; what is known must never have become a formula."""
    assert type(applies.holds) is type(applies.fails) is bool, applies
    return "fails" if applies.fails else "holds" if applies.holds else "no"


def differences(tries: Iterable[Drawn]) -> Iterator[str]:
    """Yield where the evaluation of known requests says something else than Cedar."""
    for tried in tries:
        for request, expected in tried.requests:
            conditions = Conditions(known_world(request))
            for source, tree, outcome in zip(tried.batch.texts, tried.batch.trees, expected, strict=True):
                ours = outcome_of(conditions.clauses(tree.clauses))
                if ours != outcome:
                    yield f"{outcome} by Cedar, {ours} by us: {request}: {source}"
            assert conditions.unsupported == set()


def _hold_to_cedar(seeds: range, entities: cedarpy.Entities) -> int:
    tries = [drawn(seed, target, 100, 30, entities) for seed in seeds for target in TARGETS]
    assert list(differences(tries)) == []
    counted = Counter(outcome for tried in tries for _, expected in tried.requests for outcome in expected)
    assert min(counted["holds"], counted["no"], counted["fails"]) > counted.total() // 10
    return counted.total()


def test_known_requests_are_evaluated_as_cedar_does(entities: cedarpy.Entities) -> None:
    assert _hold_to_cedar(range(3), entities) > 20_000


@pytest.mark.long
def test_known_requests_are_evaluated_as_cedar_does_at_length(entities: cedarpy.Entities) -> None:
    assert _hold_to_cedar(range(100, 140), entities) > 300_000


def test_every_construct_is_drawn(few: list[Drawn]) -> None:
    seen: set[str] = set()
    for tried in few:
        pending: list[Any] = list(tried.batch.trees)
        while pending:
            node = pending.pop()
            seen |= {type(node).__name__, *([node.op] if isinstance(node, pst.UnaryOp | pst.BinaryOp) else [])}
            if isinstance(node, dict):
                pending += node.values()
            elif isinstance(node, tuple):
                pending += node
            elif hasattr(node, "__dataclass_fields__"):
                pending += [getattr(node, name) for name in node.__dataclass_fields__]
    nodes = {node.__name__ for node in get_args(pst.Expr)} - {"Slot"}  # of templates only
    operators = {*get_args(pst.UnaryOpName), *get_args(pst.BinaryOpName)} - {"get_tag", "has_tag"}  # no entity has any
    assert nodes | operators | {"When", "Unless", "Wildcard", "Char"} <= seen


# --- formulas -----------------------------------------------------------------------------------------------------

Put = list[tuple[z3.ExprRef, z3.ExprRef]]
_LITERALS = {"string": string_of, "integer": z3.IntVal, "boolean": z3.BoolVal}
_ABSENT: dict[str, str | int | bool] = {"string": "x", "integer": 7, "boolean": True}


def values_of(request: Request) -> Put:
    """Return the values of a request for the variables of open ones; a parameter that is not there has any."""
    found: Put = []
    for parameter in PARAMETERS:
        there, variable = variable_of(parameter)
        given = request.values.get((parameter.where, parameter.name))
        if not isinstance(there, bool):
            found.append((there, z3.BoolVal(given is not None)))
        given = _ABSENT[parameter.type] if given is None else given
        found.append((variable.term, _LITERALS[parameter.type](given)))
    ours, variables = Moment.at(request.moment), Moment.open()
    found.append((variables.milliseconds, z3.IntVal(ours.milliseconds)))
    found.append((variables.beyond, z3.IntVal(ours.beyond)))
    return found


def put_in(formula: Bool, values: Put) -> bool:
    """Return what a formula says with values for all of its variables."""
    if isinstance(formula, bool):
        return formula
    said = z3.simplify(z3.substitute(formula, values))
    assert z3.is_true(said) or z3.is_false(said), said
    return bool(z3.is_true(said))


def said_by(applies: Applies, values: Put) -> str:
    fails, holds = put_in(applies.fails, values), put_in(applies.holds, values)
    assert not (fails and holds)
    return "fails" if fails else "holds" if holds else "no"


def open_conditions(caller: Caller, target: Operation | DataClass, catalog: Catalog = CATALOG) -> Conditions:
    parameters = target.parameters if isinstance(target, Operation) else ()
    return Conditions(World(catalog, caller, target, OpenRequests(SINCE).to(parameters)))


def formula_differences(tries: Iterable[Drawn]) -> Iterator[str | None]:
    """Yield where a formula with values in it says something else than Cedar, and None where it says the same."""
    for tried in tries:
        compiled: dict[str, list[Applies]] = {}
        for request, expected in tried.requests:
            if request.caller not in compiled:
                conditions = open_conditions(Caller(CATALOG.services[request.caller]), request.target)
                compiled[request.caller] = [conditions.clauses(tree.clauses) for tree in tried.batch.trees]
                assert conditions.unsupported == set()
            values = values_of(request)
            for source, applies, outcome in zip(tried.batch.texts, compiled[request.caller], expected, strict=True):
                if isinstance(applies.holds, bool) and isinstance(applies.fails, bool):
                    continue
                ours = said_by(applies, values)
                yield None if ours == outcome else f"{outcome} by Cedar, {ours} by the formula: {request}: {source}"


def _hold_formulas_to_cedar(seeds: range, entities: cedarpy.Entities) -> int:
    tries = [drawn(seed, target, 60, 14, entities) for seed in seeds for target in TARGETS]
    said = list(formula_differences(tries))
    assert [each for each in said if each is not None] == []
    return len(said)


def test_formulas_say_what_cedar_says(entities: cedarpy.Entities) -> None:
    assert _hold_formulas_to_cedar(range(10, 13), entities) > 4000


@pytest.mark.long
def test_formulas_say_what_cedar_says_at_length(entities: cedarpy.Entities) -> None:
    assert _hold_formulas_to_cedar(range(200, 220), entities) > 25_000


@pytest.mark.parametrize("seed", range(3))
def test_a_service_that_does_not_exist_yet_is_any_that_could_be_added(seed: int) -> None:
    catalog = expressions.some_catalog(seed)
    request = next(expressions.some_requests(seed, TARGETS[0], 1))
    draw = Expressions(1000 + seed)
    batch = expressions.valid_policies([draw.policy() for _ in range(25)])
    conditions = open_conditions(Caller(None), request.target, catalog)
    formulas = [conditions.clauses(tree.clauses) for tree in batch.trees]
    count = 0
    for newcomer in expressions.newcomers(catalog):
        extended = Catalog(catalog.trust_domain, {**catalog.services, newcomer.name: newcomer}, catalog.data_classes)
        expected = batch.outcomes(replace(request, caller=newcomer.name), stored(extended))
        openness = conditions.world.openness
        values = values_of(request)
        values.append((openness._owner, z3.IntVal(_number(newcomer.owner))))
        values.append((openness._zone, z3.IntVal(_number(newcomer.zone or NOWHERE))))
        values.append((z3.Bool("new.zone?"), z3.BoolVal(newcomer.zone is not None)))
        values += [(openness.grouped_in(group), z3.BoolVal(group in newcomer.groups)) for group in ("g1", "g2")]
        for source, applies, outcome in zip(batch.texts, formulas, expected, strict=True):
            assert said_by(applies, values) == outcome, (newcomer, request, source)
            count += 1
    assert count > 300


# --- what the solver answers --------------------------------------------------------------------------------------


def _request_of(values: Values, caller: str, operation: Operation) -> Request:
    """Return the request that has these values; an enforcer must read the same values out of it."""
    path = operation.template.text
    for (where, name), given in values.parameters.items():
        path = path.replace(f"{{{name}}}", str(given)) if where == "path" else path
    query = "&".join(
        f"{name}={str(given).lower() if isinstance(given, bool) else given}"
        for (where, name), given in values.parameters.items()
        if where == "query" and name != "all?"  # no plain query has such a name
    )
    reads = [
        (each.where, each.name)
        for each in PARAMETERS
        if each.name != "all?" and (each.where, each.name) in values.parameters
    ]
    read = build_context(operation, path, query, values.moment, reads)
    for (where, name), given in values.parameters.items():
        assert name == "all?" or (read[where][name] == given and type(read[where][name]) is type(given))
    return Request(caller, operation, values.parameters, values.moment)


def _ask(seed: int, policies: int, requests: int, entities: cedarpy.Entities) -> Counter[str]:
    """Ask the solver when policies hold, and when they fail, and hold its answers to Cedar."""
    operation = TARGETS[seed % 2]
    assert isinstance(operation, Operation)
    draw = Expressions(2000 + seed)
    batch = expressions.valid_policies([draw.policy() for _ in range(policies)])
    caller = random.Random(seed).choice(sorted(CATALOG.services))  # noqa: S311 - the same every time, on purpose
    contexts = OpenRequests(SINCE).to(operation.parameters, whole_segments(operation))
    conditions = Conditions(World(CATALOG, Caller(CATALOG.services[caller]), operation, contexts))
    plain = (replace(each, caller=caller) for each in expressions.some_requests(seed, operation, requests, plain=True))
    happened: list[set[str]] = [set() for _ in batch.texts]
    for request in plain:
        for outcomes, outcome in zip(happened, batch.outcomes(request, entities), strict=True):
            outcomes.add(outcome)
    solver = Solver(timeout_ms=300)
    answers: Counter[str] = Counter()
    every = [(parameter.where, parameter.name) for parameter in operation.parameters]
    for at, (source, tree) in enumerate(zip(batch.texts, batch.trees, strict=True)):
        applies = conditions.clauses(tree.clauses)
        for outcome, formula in (("holds", applies.holds), ("fails", applies.fails)):
            found = solver.find(contexts.possible, formula)
            if isinstance(found, str):
                answers[found] += 1
                assert found != "none" or outcome not in happened[at], f"it {outcome}: {source}"
                continue
            answers["found"] += 1
            request = _request_of(found.values(contexts, operation.parameters, every), caller, operation)
            assert request.moment >= SINCE
            assert batch.outcomes(request, entities)[at] == outcome, (request, source)
    assert conditions.unsupported == set()
    return answers


def _hold_answers_to_cedar(seeds: Iterable[int], entities: cedarpy.Entities) -> None:
    answers: Counter[str] = Counter()
    for seed in seeds:
        answers += _ask(seed, 40, 150, entities)
    assert answers["unknown"] < answers.total() // 20
    assert min(answers["found"], answers["none"]) > answers.total() // 4


def test_the_solvers_answers_are_cedars(entities: cedarpy.Entities) -> None:
    _hold_answers_to_cedar(range(4), entities)


@pytest.mark.long
def test_the_solvers_answers_are_cedars_at_length(entities: cedarpy.Entities) -> None:
    _hold_answers_to_cedar(range(100, 160), entities)


# --- several policies ---------------------------------------------------------------------------------------------


def _together(tries: Iterable[Drawn]) -> Iterator[str]:
    """Yield where several policies together allow something else than the rules of `policy.decide` say."""
    rng = random.Random("together")  # noqa: S311 - the same every time, on purpose
    micro = timedelta(microseconds=1)
    for tried in tries:
        for request, expected in tried.requests:
            conditions = Conditions(known_world(request))
            for _ in range(40):
                chosen = rng.sample(range(len(expected)), rng.randint(1, 4))
                policies = [
                    Policy(
                        id=f"p{at}",
                        effect="permit" if place == 0 else rng.choice(("permit", "forbid")),
                        reason="why",
                        expires=rng.choice((None, None, request.moment, request.moment + micro)),
                        file_owner="orders",
                        place=expressions.PLACE,
                        text=tried.batch.texts[at],
                        pst=tried.batch.trees[at],
                    )
                    for place, at in enumerate(chosen)
                ]
                live = {
                    (policy.effect, expected[at])
                    for policy, at in zip(policies, chosen, strict=True)
                    if policy.expires is None or request.moment < policy.expires
                }
                allowed = ("permit", "holds") in live and ("forbid", "holds") not in live
                allowed = allowed and not any(outcome == "fails" for _, outcome in live)
                permits = [policy for policy in policies if policy.effect == "permit"]
                forbids = [policy for policy in policies if policy.effect == "forbid"]
                if Conditions(conditions.world).allowed(permits, forbids) is not allowed:
                    yield f"{allowed}: {request}: {live}"


def test_policies_together_allow_what_they_should(few: list[Drawn]) -> None:
    assert list(_together(few)) == []


# --- planted errors -----------------------------------------------------------------------------------------------

_chained, _pieces = Evaluator._chained, text._pieces


def _swapped(self: Evaluator, left: pst.Expr, right: pst.Expr, *, decisive: bool) -> Outcome:
    return _chained(self, left, right, decisive=not decisive)


def _absorbing(self: Evaluator, left: pst.Expr, right: pst.Expr, *, decisive: bool) -> Outcome:
    """Join as CEL does: an error of the left is lost where the right decides."""
    holds, fails = _chained(self, left, right, decisive=decisive)
    second = self.truth(right)
    decided = conj(negate(second.fails), second.holds if decisive else negate(second.holds))
    return Outcome(decided if decisive and fails is True else holds, conj(fails, negate(decided)))


def _eager(self: Evaluator, left: pst.Expr, right: pst.Expr, *, decisive: bool) -> Outcome:
    """Join, and see errors of the right even where the left decides."""
    holds, fails = _chained(self, left, right, decisive=decisive)
    return Outcome(holds, term.disj(fails, self.truth(right).fails))


def _truncated(moment: Any) -> Any:
    return -(-moment // number.DAY) if moment < 0 else moment // number.DAY


def _wild(pattern: tuple[pst.PatternElem, ...]) -> list[str]:
    return _pieces(tuple(pst.Wildcard() if each == pst.Char("*") else each for each in pattern))


def _same_ends(matched: str, pieces: list[str]) -> bool:
    return matched.startswith(pieces[0]) and matched.endswith(pieces[-1])


def _floored_units(op: str, duration: Number) -> Number:
    return Number("long", duration.term // number.UNITS[op])


MUTATIONS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "`&&` is `||`": lambda patch: patch.setattr(Evaluator, "_chained", _swapped),
    "an error of the left is absorbed": lambda patch: patch.setattr(Evaluator, "_chained", _absorbing),
    "the right is evaluated where the left decides": lambda patch: patch.setattr(Evaluator, "_chained", _eager),
    "`toDate` truncates": lambda patch: patch.setattr(number, "_floored", _truncated),
    "`toDays` rounds down": lambda patch: patch.setattr(number, "in_units", _floored_units),
    "an overflow is not seen": lambda patch: patch.setattr(number, "overflows", lambda _: False),
    "overflow begins one too late": lambda patch: patch.setattr(number, "MAX_LONG", 2**63),
    "overflow below begins one too late": lambda patch: patch.setattr(number, "MIN_LONG", -(2**63) - 1),
    "`containsAll` is `containsAny`": lambda patch: patch.setitem(
        evaluate._SET_RELATIONS, "contains_all", value.contains_any
    ),
    "sets are equal where one holds the other": lambda patch: patch.setattr(value, "_same_sets", value.contains_all),
    "`like` does not escape": lambda patch: patch.setattr(text, "_pieces", _wild),
    "`like` looks at both ends only": lambda patch: patch.setattr(text, "_matches", _same_ends),
    "`<=` is `<`": lambda patch: patch.setitem(number._COMPARE, "less_eq", number._COMPARE["less"]),
    "`unless` is `when`": lambda patch: patch.setattr(
        Conditions,
        "clauses",
        lambda self, clauses, of=Conditions.clauses: of(self, [pst.When(clause.expr) for clause in clauses]),
    ),
    "an address is its text": lambda patch: patch.setattr(value, "_same_atom", lambda left, right: left == right),
    "nothing is in anything but itself": lambda patch: patch.setattr(World, "is_in", lambda _, one, of: one == of),
    "a disclosure has parameters": lambda patch: patch.setattr(
        World,
        "variable",
        lambda self, name, ask=World.variable: self.contexts.context if name == "context" else ask(self, name),
    ),
}


@pytest.mark.parametrize("mutation", sorted(MUTATIONS))
def test_a_planted_error_is_found(few: list[Drawn], mutation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTATIONS[mutation](monkeypatch)
    assert next(differences(few), None) is not None


FORMULA_MUTATIONS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "z3 reads escapes": lambda patch: patch.setattr(
        term, "string_of", lambda given: z3.StringVal(given) if isinstance(given, str) else given
    ),
    "`if` takes the other branch": lambda patch: patch.setattr(
        value, "choose_int", lambda condition, then, otherwise: term.choose_int(condition, otherwise, then)
    ),
    "an overflow is not seen": lambda patch: patch.setattr(number, "overflows", lambda _: False),
    "elements are there under no condition": lambda patch: patch.setattr(value, "_only", lambda _, parts: parts),
}


@pytest.mark.parametrize("mutation", sorted(FORMULA_MUTATIONS))
def test_a_planted_error_in_formulas_is_found(few: list[Drawn], mutation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    FORMULA_MUTATIONS[mutation](monkeypatch)
    assert any(formula_differences(few))


TOGETHER_MUTATIONS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "forbids are dropped": lambda patch: patch.setattr(
        Conditions,
        "allowed",
        lambda self, permits, _, allowed=Conditions.allowed: allowed(self, permits, ()),
    ),
    "errors are dropped": lambda patch: patch.setattr(
        Conditions, "of", lambda self, policy, of=Conditions.of: of(self, policy)._replace(fails=False)
    ),
    "expiries are dropped": lambda patch: patch.setattr(Moment, "before", lambda *_: True),
    "expiries are whole milliseconds": lambda patch: patch.setattr(
        Moment, "before", lambda self, end: self.milliseconds < Moment.at(end).milliseconds
    ),
    "every permit must hold": lambda patch: patch.setattr(condition, "any_of", lambda terms: all([*terms])),
}


@pytest.mark.parametrize("mutation", sorted(TOGETHER_MUTATIONS))
def test_a_planted_error_of_several_policies_is_found(
    few: list[Drawn], mutation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    TOGETHER_MUTATIONS[mutation](monkeypatch)
    assert next(_together(few), None) is not None
