from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import cedarpy
import pytest
import z3

from inward.catalog.model import Catalog, Parameter
from inward.catalog.template import PathTemplate
from inward.policy.request import INTEGER, cedar_datetime
from inward.policy.symbolic.context import (
    LAST,
    Contexts,
    Moment,
    OpenRequests,
    context_of,
    variable_of,
    whole_segments,
)
from inward.policy.symbolic.solve import Solver
from inward.policy.symbolic.term import string_of
from inward.policy.symbolic.value import Fields

NOON = datetime(2026, 11, 23, 12, 0, 0, 123_000, tzinfo=UTC)
MICRO = timedelta(microseconds=1)
ID = Parameter("id", "path", "string", required=True)
N = Parameter("n", "path", "integer", required=True)
Q = Parameter("q", "query", "string", required=False)


def possible(contexts: Contexts, *formulas: object) -> bool:
    answer = Solver().find(contexts.possible, *formulas)
    assert answer != "unknown"
    return answer != "none"


@pytest.mark.parametrize("shift", [timedelta(days=-1), -MICRO, 0 * MICRO, MICRO, 999 * MICRO, 1000 * MICRO])
@pytest.mark.parametrize("end", [NOON, NOON + MICRO, NOON + 999 * MICRO])
def test_a_moment_is_before_another_to_the_microsecond(end: datetime, shift: timedelta) -> None:
    moment = end + shift
    assert Moment.at(moment).before(end) is (moment < end)
    variables, values = Moment.open(), Moment.at(moment)
    put = ((variables.milliseconds, z3.IntVal(values.milliseconds)), (variables.beyond, z3.IntVal(values.beyond)))
    assert z3.is_true(z3.simplify(z3.substitute(variables.before(end), *put))) is (moment < end)


@pytest.mark.parametrize(
    "moment", [NOON, NOON + 999 * MICRO, datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), LAST]
)
def test_cedar_sees_whole_milliseconds(moment: datetime) -> None:
    sees = cedarpy.is_authorized(
        {
            "principal": {"type": "Service", "id": "a"},
            "action": {"type": "Action", "id": "a"},
            "resource": {"type": "Service", "id": "a"},
            "context": {"time": cedar_datetime(moment)},
        },
        "permit (principal, action, resource) when { context.time == datetime("
        f'"1970-01-01").offset(duration("{Moment.at(moment).milliseconds}ms")) }};',
        [],
    )
    assert sees.allowed


def test_requests_are_from_a_moment_on() -> None:
    since = NOON + 7 * MICRO
    contexts = OpenRequests(since).to(())
    assert not possible(contexts, contexts.moment.before(since))
    assert possible(contexts, contexts.moment.before(since + MICRO))
    assert not possible(contexts, z3.Not(contexts.moment.before(datetime.max.replace(tzinfo=UTC))))


def test_integers_are_those_in_plain_form() -> None:
    contexts = OpenRequests(NOON).to((N,))
    variable = variable_of(N)[1].term
    for value in (0, 1, -1, 10**17, 10**18 - 1, 1 - 10**18, 10**18, -(10**18), 2**63 - 1, -(2**63)):
        assert possible(contexts, variable == value) is (re.fullmatch(INTEGER, str(value)) is not None)


def test_only_a_parameter_that_fills_its_segment_is_no_dot_segment() -> None:
    variable = variable_of(ID)[1].term
    part, whole = OpenRequests(NOON).to((ID,)), OpenRequests(NOON).to((ID,), frozenset({"id"}))
    for text, fills in ((".", False), ("..", False), ("...", True), (".a", True), ("a", True)):
        assert possible(part, variable == string_of(text))
        assert possible(whole, variable == string_of(text)) is fills
    assert not possible(part, variable == string_of(""))
    assert not possible(part, variable == string_of("a/b"))


def test_which_parameters_fill_their_segments(shop: Catalog) -> None:
    assert whole_segments(shop.operations["orders:getOrder"]) == {"id"}
    assert whole_segments(shop.operations["orders:createOrder"]) == set()


@pytest.mark.parametrize(
    ("path", "filling"), [("/{id}", {"id"}), ("/{id}.json", set()), ("/a-{id}/{n}/", {"n"}), ("/{id}{n}", set())]
)
def test_a_segment_is_filled_between_slashes(shop: Catalog, path: str, filling: set[str]) -> None:
    operation = replace(shop.operations["orders:createOrder"], template=PathTemplate(path))
    assert whole_segments(operation) == filling


def test_a_query_parameter_is_plain_where_it_is_there() -> None:
    contexts = OpenRequests(NOON).to((Q,))
    there, variable = variable_of(Q)
    assert possible(contexts, variable.term == string_of(""), there)
    assert possible(contexts, z3.Not(there))
    assert not possible(contexts, variable.term == string_of("a b"), there)


def test_no_two_parameters_share_a_variable() -> None:
    names = ("a", "a?", "has a", "query.a", "time", "new.zone?", "a b", "")
    parameters = [
        Parameter(name, where, kind, required=where == "path")
        for name in names
        for where in ("path", "query")
        for kind in ("string", "integer", "boolean")
    ]
    variables = [
        (term.decl().name(), str(term.sort()))
        for parameter in parameters
        for term in (variable_of(parameter)[0], variable_of(parameter)[1].term)
        if isinstance(term, z3.ExprRef)
    ]
    shared = {(f"has query.{name}", "Bool") for name in names}  # of one place and name, whatever the type
    assert len(set(variables)) == len(variables) - 2 * len(names)
    assert shared <= set(variables)
    assert not {name for name, _ in variables} & {"time", "time+us", "new.owner", "new.zone", "new.zone?"}


def test_operations_with_the_same_parameters_are_asked_about_together() -> None:
    requests = OpenRequests(NOON)
    assert requests.to((ID, Q)) is requests.to((ID, Q))
    assert requests.to((ID, Q)) is not requests.to((ID,))


def test_a_context_has_both_parts_and_the_time() -> None:
    context = context_of({"path": {}, "query": {}}, Moment.at(NOON))
    assert set(context.fields) == {"path", "query", "time"}
    assert context.fields["path"] == (True, Fields({}))
