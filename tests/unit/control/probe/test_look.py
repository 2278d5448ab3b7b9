"""All questions, until one is answered: what is open is asked once, and no more is asked."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.control.probe.programs import Program

from inward.catalog.model import Mode
from inward.control.probe.look import Outcome, enforces, look
from inward.control.probe.questions import Question
from inward.guard.routes.report import Report

if TYPE_CHECKING:
    from inward.control.bundle import Policy

QUESTIONS = [Question("GET", f"/{number}", about_routes=number == 0) for number in range(4)]
REPORT = Report(routes=3, undocumented=("GET /hidden",))


def looked(program: Program, policy: Policy, questions: list[Question] = QUESTIONS) -> Outcome:
    async def run(path: Path) -> Outcome:
        async with program.listening(path):
            return await look(str(path), policy.catalog.services["orders"], questions)

    with tempfile.TemporaryDirectory(prefix="inw") as folder:
        return asyncio.run(run(Path(folder) / "own.sock"))


def test_a_guard_that_refuses_everything(policy: Policy) -> None:
    outcome = looked(Program(), policy)
    assert outcome == Outcome(4, REPORT)
    assert outcome.closed


def test_what_is_open_is_asked_once_and_nothing_after_it(policy: Policy) -> None:
    program = Program(open=("/2",))
    outcome = looked(program, policy)
    assert outcome == Outcome(2, REPORT, open="`orders` answers `GET /2` with 200, where its guard should refuse it")
    assert not outcome.closed
    assert program.asked == ["GET /0", "GET /1", "GET /2"]


def test_who_is_silent_is_not_closed(policy: Policy) -> None:
    outcome = looked(Program(raw=b""), policy)
    assert (outcome.closed, outcome.open, outcome.silent) == (False, None, "it ended the connection without an answer")


def test_nothing_asked_is_nothing_known(policy: Policy) -> None:
    assert not looked(Program(), policy, []).closed


@pytest.mark.parametrize(
    ("mode", "one", "held"), [("enforce", "observe", True), ("observe", "enforce", True), ("observe", "observe", False)]
)
def test_one_operation_that_enforces_is_enough(policy: Policy, mode: str, one: str, *, held: bool) -> None:
    orders = policy.catalog.services["orders"]
    operations = tuple(dataclasses.replace(each, mode=Mode(one)) for each in orders.operations)
    assert enforces(dataclasses.replace(orders, mode=Mode(mode), operations=operations)) is held
