"""What the exit code and the words of `call` are made of; the command itself is in tests/system/test_commands.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.cli.test_calls import call, record

from inward.cli.call import exit_code, recorded_call
from inward.cli.verdict import meaning, outcome, verdict
from inward.control.egress_client import Answer
from inward.control.layout import Layout
from inward.control.running import Running, store_running
from inward.policy.decision import Reason

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward

PROBLEM = (("content-type", "application/problem+json"), ("x-request-id", "id-1"))


def answer(body: bytes = b"", status: int = 200) -> Answer:
    return Answer(status, "", PROBLEM, body, 0.0)


def test_the_record_is_believed_and_not_the_answer() -> None:
    """A service may answer in the words of an enforcer: it was called all the same."""
    pretence = answer(b'{"code":"no_grant","title":"x","instance":"urn:uuid:id-1"}', 403)
    assert exit_code(pretence, call(1)) == 0
    assert exit_code(pretence, None) == 2  # without a record, what was said is all there is


@pytest.mark.parametrize(
    ("fields", "became", "code"),
    [
        ({}, "allowed", 0),
        ({"status": 500}, "allowed", 0),
        ({"status": 503, "detail": "upstream_reset"}, "unreachable", 1),
        ({"status": 200, "grpc_status": 14, "detail": "upstream_reset"}, "unreachable", 1),
        ({"status": 200, "grpc_status": 4, "detail": "max_duration_timeout"}, "unreachable", 1),
        ({"status": 200, "grpc_status": 14}, "allowed", 0),
        ({"status": 200, "grpc_status": 5}, "allowed", 0),
        ({"status": None, "detail": "downstream_remote_disconnect"}, "allowed", 0),
        ({"decision": "deny", "carried_out": "deny", "reason": "no_grant"}, "refused", 2),
        ({"decision": "deny", "carried_out": "allow", "reason": "no_grant", "mode": "observe"}, "observed", 0),
        ({"decision": "deny", "carried_out": "deny", "reason": "unreachable", "enforcer": "egress"}, "unreachable", 1),
        ({"decision": "deny", "carried_out": "deny", "reason": "unknown_service"}, "refused", 2),
    ],
)
def test_what_became_of_it(fields: dict[str, str], became: str, code: int) -> None:
    recorded = call(1, **fields)
    assert (outcome(recorded), exit_code(answer(), recorded)) == (became, code)
    assert verdict(recorded, None).plain.startswith(became)


def test_without_a_record() -> None:
    assert exit_code(answer(b'{"code":"unreachable"}', 503), None) == 1
    assert exit_code(answer(b'{"code":"something of its own"}', 403), None) == 0
    assert exit_code(answer(b"", 500), None) == 0


def test_every_reason_has_words() -> None:
    for reason in Reason:
        assert meaning(reason) != reason.value
        assert not meaning(reason).endswith(".")
    assert meaning("of_tomorrow") == "of_tomorrow"


def test_somebody_elses_call_is_not_taken_for_it(system: Path) -> None:
    """The callee chose which reference to answer with."""
    record(system, call(1, caller="somebody-else"))
    assert recorded_call(Layout.of(system), answer(), "visitor", 0.0) is None
    assert recorded_call(Layout.of(system), answer(), "somebody-else", 0.0) is not None


def test_nothing_runs(inward: Inward, system: Path) -> None:
    done = inward("call", "visitor", "GET", "http://greeter/")
    assert (done.code, done.out) == (1, "")
    assert "start it with `inward up`" in done.err
    del system


def test_the_caller_does_not_run(inward: Inward, system: Path) -> None:
    store_running(Layout.of(system), Running(pid=1, since="2026-01-01T00:00:00.000Z", services={}))
    done = inward("call", "visitor", "GET", "http://greeter/")
    assert (done.code, "no service `visitor` runs here" in done.err) == (3, True)
