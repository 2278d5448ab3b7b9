"""`inward tighten`, as a person and as a program use it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from inward.identity.private_files import private_folder
from inward.record.call import Call, timestamp
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward

NOW = datetime.now(UTC)
FILE = "policies/greeter.cedar"
WIDE = """\
// everybody

@id("wide")
@reason("it was easier")
permit (principal, action in Action::"greeter:*", resource == Service::"greeter");

@id("kept") @reason("r") @keep("for the auditor")
permit (principal == Service::"greeter", action == Action::"greeter:forgetGreeting", resource == Service::"greeter");
"""
TIGHT = """\
// everybody

@id("wide")
@reason("it was easier")
permit (
  principal == Service::"visitor",
  action == Action::"greeter:getGreeting",
  resource == Service::"greeter"
);
"""


@pytest.fixture
def recorded(system: Path) -> Path:
    """A system with a wide grant, one pair of which is used every day."""
    (system / FILE).write_text(WIDE)
    record(system, days=100)
    return system


def record(system: Path, *, days: int) -> None:
    calls = [
        Call(
            time=timestamp(NOW - timedelta(days=day, minutes=5)),
            id=f"call-{day}",
            caller="visitor",
            callee="greeter",
            operation="greeter:getGreeting",
            method="GET",
            path="/greetings/{name}",
            parameters={"name": "ada"},
            decision="allow",
            carried_out="allow",
            reason="granted",
        )
        for day in range(days)
    ]
    with Recorder(private_folder(private_folder(system / ".inward") / "record")) as recorder:
        recorder.append(calls)


def test_a_person_is_shown_what_goes_why_and_what_stays(inward: Inward, recorded: Path) -> None:
    done = inward("tighten")
    assert done.code == 0
    head, _, line, *rest = done.out.splitlines()
    assert head == "1 of 2 grants can be narrower: 3 of 4 pairs of a caller and an operation go"
    assert " ".join(line.split()) == (
        "wide policies/greeter.cedar:3 greeter; greeter:forgetGreeting 97 % "
        "3 pairs: not called on any of 100 recorded days"
    )
    assert "--- a/policies/greeter.cedar" in rest
    assert '-permit (principal, action in Action::"greeter:*", resource == Service::"greeter");' in rest
    assert '+  principal == Service::"visitor",' in rest
    assert "kept, marked  kept  it is marked: for the auditor" in rest
    assert rest[-2:] == [
        "proven: the proposal allows nothing that is not allowed today",
        "replayed: of 91 allowed calls, none would be refused",
    ]
    assert "nothing was changed: `inward tighten --write` does it" in done.err
    assert (recorded / FILE).read_text() == WIDE


def test_what_is_written_has_nothing_left_to_tighten(inward: Inward, recorded: Path) -> None:
    done = inward("tighten", "--write")
    assert (done.code, done.out.splitlines()[-1]) == (0, f"written: {FILE}")
    assert (recorded / FILE).read_text().startswith(TIGHT)
    assert inward("policy", "fmt", "--check").code == 2  # the grant that was left alone is as it was
    again = inward("tighten", "--check", "--write")
    assert (again.code, again.out.splitlines()[0]) == (0, "no grant can be narrower than it is")


@pytest.mark.usefixtures("recorded")
def test_ci_is_told_by_the_exit_code(inward: Inward) -> None:
    assert inward("tighten", "--check").code == 2
    assert inward("tighten", "greeter", "--check").code == 2
    assert inward("tighten", "visitor", "--check").code == 0
    assert inward("tighten", "--min-age", "0d", "--at-least", "99", "--check").code == 0


@pytest.mark.usefixtures("recorded")
def test_a_program_is_told_all_of_it(inward: Inward) -> None:
    found = inward("tighten", "--json").json
    assert (found["grants"], found["pairs"], found["proven"], found["written"]) == (2, 4, True, False)
    assert found["replayed"] == {"calls": 91, "one_by_one": 0, "refused": 0}
    (narrowed,) = found["narrowed"]
    assert (narrowed["policy"], narrowed["becomes"], narrowed["line"]) == ("wide", ["wide"], 3)
    assert narrowed["kept"] == {"visitor": ["greeter:getGreeting"]}
    assert len(narrowed["lost"]) == 3
    assert found["callouts"] == [
        {"kind": "keep", "policy": "kept", "pairs": [], "why": "it is marked: for the auditor"}
    ]
    assert found["diff"].startswith("--- a/policies/greeter.cedar\n+++ b/policies/greeter.cedar\n@@ ")
    assert found["files"] == [FILE]


def test_a_month_is_not_enough_to_see_a_job_of_every_quarter(inward: Inward, system: Path) -> None:
    (system / FILE).write_text(WIDE)
    record(system, days=40)
    done = inward("tighten")
    assert done.out.startswith("1 of 2 grants")
    assert "39 days are known: a job that runs every quarter may not have run yet" in done.err
    assert "the record reaches 39 days back" in done.err


def test_some_days_are_not_enough_for_anything(inward: Inward, system: Path) -> None:
    (system / FILE).write_text(WIDE)
    record(system, days=7)
    done = inward("tighten")
    assert done.out.startswith("no grant can be narrower than it is")
    assert "kept, not sure enough" in done.out
    assert "not called on any of 7 recorded days: only 86 % sure" in done.out


def test_without_a_record_nothing_is_said_of_any_grant(inward: Inward, system: Path) -> None:
    (system / FILE).write_text(WIDE)
    done = inward("tighten", "--check")
    assert (done.code, done.out) == (0, "no grant can be narrower than it is\n")
    assert "the record knows of no call that was allowed" in done.err


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--since", "soon"], "`soon` is no time"),
        (["--since", "900d"], "the time asked for is too long"),
        (["--min-age", "old"], "`old` is no length of time"),
        (["gretter"], "there is no service `gretter`"),
    ],
)
def test_what_cannot_be_used_is_refused(inward: Inward, arguments: list[str], said: str) -> None:
    done = inward("tighten", *arguments)
    assert done.code == 3
    assert said in done.err


def test_a_system_with_mistakes_is_not_touched(inward: Inward, recorded: Path) -> None:
    (recorded / FILE).write_text(WIDE + "permit (principal, action, resource);\n")
    done = inward("tighten", "--write")
    assert done.code == 3
    assert f"{FILE}:9: " in done.err
    assert (recorded / FILE).read_text().startswith(WIDE)
