from __future__ import annotations

import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import z3

from inward.catalog.model import Parameter
from inward.policy.symbolic.context import OpenRequests, variable_of
from inward.policy.symbolic.solve import Found, Solver
from inward.policy.symbolic.term import string_of

NOW = datetime(2026, 11, 23, 12, 0, 0, 7, tzinfo=UTC)
PARAMETERS = (
    Parameter("id", "path", "string", required=True),
    Parameter("n", "path", "integer", required=True),
    Parameter("all", "query", "boolean", required=False),
    Parameter("q", "query", "string", required=False),
)
KEYS = [(parameter.where, parameter.name) for parameter in PARAMETERS]
YES, NO = True, False
X, Y, Z = z3.Ints("x y z")
HARD = z3.And(X * X * X + Y * Y * Y + Z * Z * Z == 42, X > 10**15, Y < -(10**15))  # what the solver cannot settle


def found(*formulas: object) -> Found:
    answer = Solver().find(*formulas)
    assert isinstance(answer, Found)
    return answer


def test_what_is_known_needs_no_solver() -> None:
    assert Solver().find(NO, X > 1) == "none"
    assert isinstance(Solver().find(YES), Found)
    assert isinstance(Solver().find(), Found)
    assert not Solver().possible(NO)


def test_a_question_leaves_nothing_behind() -> None:
    solver = Solver()
    assert solver.find(X > 1, X < 1) == "none"
    assert isinstance(solver.find(X > 1), Found)
    assert isinstance(solver.find(X < 1), Found)


def test_values_are_read_as_they_are() -> None:
    contexts = OpenRequests(NOW).to(PARAMETERS)
    (_, name), (_, n), (all_there, all_value), (q_there, _) = map(variable_of, PARAMETERS)
    answer = found(
        contexts.possible, name.term == string_of("a.b"), n.term == -5, all_there, all_value.term, z3.Not(q_there)
    )
    values = answer.values(contexts, PARAMETERS, KEYS)
    assert values.parameters == {("path", "id"): "a.b", ("path", "n"): -5, ("query", "all"): True}
    assert values.moment >= NOW
    assert answer.values(contexts, PARAMETERS, [("path", "n")]).parameters == {("path", "n"): -5}
    assert answer.true(n.term == -5)
    assert not answer.true(z3.Bool("never heard of"))
    assert answer.true(term=True)


@pytest.mark.parametrize(
    "text", ["\\", "\\u{41}", "\\u0041", "\\\\", "é", "\0", "\U0001f600", "\U0002ffff", '"', "\n", "a\\u{5c}"]
)
def test_texts_are_read_character_by_character(text: str) -> None:
    contexts = OpenRequests(NOW).to(PARAMETERS)
    answer = found(variable_of(PARAMETERS[0])[1].term == string_of(text))
    assert answer.values(contexts, PARAMETERS, [("path", "id")]).parameters == {("path", "id"): text}


def test_moments_are_read_to_the_microsecond() -> None:
    contexts = OpenRequests(NOW).to(())
    answer = found(contexts.possible, contexts.moment.before(NOW + timedelta(microseconds=1)))
    assert answer.values(contexts, (), ()).moment == NOW


@pytest.mark.timeout(30)
def test_what_takes_too_long_is_unknown() -> None:
    solver = Solver(timeout_ms=100)
    begun = time.monotonic()
    assert solver.find(HARD) == "unknown"
    assert solver.possible(HARD)
    assert time.monotonic() - begun < 10
    assert solver.find(X > 1, X < 1) == "none"  # it can still be asked
    assert isinstance(solver.find(X > 1), Found)


def test_a_budget_ends_all_questions() -> None:
    solver = Solver(budget_seconds=-1)
    assert solver.spent
    assert solver.find(X > 1) == "unknown"
    assert not Solver().spent
    assert not Solver(budget_seconds=60).spent


@pytest.mark.timeout(30)
def test_an_interruption_is_not_swallowed() -> None:
    interrupt = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    interrupt.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            Solver(timeout_ms=2000).find(HARD)
    finally:
        interrupt.join()


def test_an_error_of_the_solver_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(*_: object) -> None:
        raise z3.Z3Exception(b"max. memory exceeded")

    monkeypatch.setattr(z3.Solver, "check", raises)
    assert Solver().find(X > 1) == "unknown"
    assert Solver().possible(X > 1)
