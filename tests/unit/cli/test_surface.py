"""`inward surface`: the table, its forms for programs, and the number."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from tests.unit.cli.test_unused import record

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward


@pytest.fixture
def used(system: Path) -> Path:
    """The system with a hundred days of calls."""
    record(system, 100)
    return system


@pytest.mark.usefixtures("used")
def test_every_operation(inward: Inward) -> None:
    done = inward("surface")
    assert done.code == 0
    lines = [line.split() for line in done.out.splitlines()]
    assert lines[0] == ["greeter", "team-greeter,", "enforce"]
    assert lines[2] == ["getGreeting", "91", "1", "today"]
    assert lines[3] == ["forgetGreeting", "-", "-", "not", "seen", "forgotten"]
    assert lines[4] == ["2", "operations", "of", "1", "service:", "1", "forgotten"]
    assert lines[5] == ["91", "of", "100"], "a quarter of 1 of 3 weights"
    assert "the record covers the 90 days" in done.err
    assert all(len(line) <= 100 for line in done.out.splitlines())


@pytest.mark.usefixtures("used")
def test_the_number_is_explained(inward: Inward) -> None:
    done = inward("surface", "--explain")
    assert "forgotten: no call of it was let through since " in done.out
    assert "costs 8.3 of 100" in done.out
    assert "forgotten 25%" in done.err


@pytest.mark.usefixtures("used")
def test_a_number_that_is_too_low(inward: Inward) -> None:
    assert inward("surface", "--fail-below", "91").code == 0
    done = inward("surface", "--fail-below", "92", "--json")
    assert (done.code, done.json["number"]) == (2, 91)


@pytest.mark.usefixtures("used")
def test_for_programs(inward: Inward) -> None:
    first, second = inward("surface", "--json").json["rows"]
    assert first["operation"] == "greeter:getGreeting"
    assert first["callers"] == [{"caller": "visitor", "calls": 91}]
    assert (first["mode"], first["owner"], first["open_to"]) == ("enforce", "team-greeter", 1)
    assert second["wrong"][0]["kind"] == "forgotten"
    assert second["last_call"] is None


@pytest.mark.usefixtures("used")
def test_for_spreadsheets(inward: Inward) -> None:
    found = list(csv.DictReader(io.StringIO(inward("surface", "--csv").out)))
    assert [row["operation"] for row in found] == ["greeter:getGreeting", "greeter:forgetGreeting"]
    assert found[1]["wrong"] == "forgotten"
    assert inward("surface", "--csv", "--json").code == 3


@pytest.mark.usefixtures("used")
def test_what_is_listed_is_chosen(inward: Inward) -> None:
    def listed(*options: str) -> list[str]:
        return [row["operation"] for row in inward("surface", "--json", *options).json["rows"]]

    assert listed("--wrong", "forgotten") == ["greeter:forgetGreeting"]
    assert listed("--wrong", "undocumented") == []
    assert listed("--caller", "visitor") == ["greeter:getGreeting"]
    assert len(listed("--owner", "team-greeter")) == 2
    assert len(listed("--service", "greeter")) == 2
    assert listed("--service", "visitor") == []
    assert inward("surface", "--json", "--wrong", "undocumented").json["number"] == 91, "it is of all"
    for wrong in (("--owner", "x"), ("--service", "x"), ("--class", "x"), ("--wrong", "x"), ("--since", "-1d")):
        assert inward("surface", *wrong).code in {2, 3}


@pytest.mark.usefixtures("system")
def test_nothing_to_rate(inward: Inward) -> None:
    done = inward("surface", "--service", "visitor", "--fail-below", "100")
    assert done.code == 0
    assert "there is nothing to rate" in done.out


def test_hostile_paths_and_callers_are_harmless(system: Path, inward: Inward) -> None:
    unknown = {"operation": None, "decision": "deny", "mode": "observe", "reason": "unknown_operation", "policies": ()}
    record(system, 5, **unknown, caller="spiffe://evil/\x1b[2J=cmd", path="/x\x1b[31m/=1+1")
    record(system, 5, **unknown, caller="=HYPERLINK(1)", path="/=admin")
    for options in ((), ("--explain",), ("--json",), ("--csv",)):
        done = inward("surface", *options)
        assert "\x1b" not in done.out, options
        assert done.code == 0
    rows = list(csv.DictReader(io.StringIO(inward("surface", "--csv").out)))
    assert not any(value.startswith("=") for row in rows for value in row.values())
    [beyond] = [row for row in inward("surface", "--json").json["rows"] if row["operation"] is None]
    assert [path["path"] for path in beyond["paths"]] == ["/=admin"]
