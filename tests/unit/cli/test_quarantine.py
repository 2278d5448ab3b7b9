from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.cli.test_calls import call, record

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward


def test_in_and_out(inward: Inward, system: Path) -> None:
    assert inward("quarantine").out == "nothing is in quarantine\n"
    done = inward("quarantine", "greeter", "--reason", "odd")
    assert (done.code, done.err) == (0, "")
    assert "nothing runs, so it holds from the next `inward up`" in done.out
    assert "inward quarantine greeter --release" in done.out
    assert inward("quarantine", "--json").json["quarantined"][0]["reason"] == "odd"
    assert "odd" in inward("quarantine").out
    again = inward("quarantine", "greeter", "--reason", "another")
    assert again.out.startswith("greeter was in quarantine already, since ")
    assert inward("quarantine", "--json").json["quarantined"][0]["reason"] == "odd"
    assert inward("quarantine", "greeter", "--release").out.startswith("greeter is released")
    released = inward("quarantine", "greeter", "--release", "--json").json
    assert released == {"service": "greeter", "quarantined": False, "changed": False}
    del system


def test_it_says_what_breaks(inward: Inward, system: Path) -> None:
    other = {"caller": "greeter", "callee": "archive", "operation": None}
    refused = {"decision": "deny", "carried_out": "deny", "reason": "no_grant", "caller": "stranger"}
    old = {"time": "2020-01-01T00:00:00.000Z", "caller": "ancient"}
    record(system, call(1, **old), call(2), call(3), call(4, **other), call(5, **refused))
    lines = inward("quarantine", "greeter").out.splitlines()
    assert lines[:2] == [
        "called greeter in the last 7 days, and cannot now: visitor (2 calls)",
        "was called by greeter in the last 7 days, and cannot be now: archive (1 call)",
    ]
    inward("quarantine", "greeter", "--release")


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
def test_at_a_terminal_it_says_what_breaks_and_asks(
    inward: Inward, system: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    record(system, call(1))
    asked: list[str] = []

    def confirm(text: str) -> bool:
        asked.append(text)
        return answer == "y"

    monkeypatch.setattr("inward.cli.quarantine._at_terminal", lambda: True)
    monkeypatch.setattr("typer.confirm", confirm)
    done = inward("quarantine", "greeter")
    assert (done.code, asked) == (code, ["cut greeter off?"])
    assert done.out.startswith("called greeter in the last 7 days, and cannot now: visitor (1 call)\n")
    assert ("nothing was done" in done.out) is (answer == "n")
    assert bool(inward("quarantine", "--json").json["quarantined"]) is (answer == "y")
    asked.clear()
    assert inward("quarantine", "visitor", "--yes").code == 0
    assert inward("quarantine", "visitor", "--release").code == 0
    assert asked == []


def test_what_the_catalog_has_lost_can_still_be_released(inward: Inward, system: Path) -> None:
    assert inward("quarantine", "visitor").code == 0
    path = system / "inward.yaml"
    lines = path.read_text().splitlines()
    start = lines.index(next(line for line in lines if line.startswith("  visitor:")))
    path.write_text("\n".join(lines[:start] + lines[start + 3 :]))
    (system / "policies" / "greeter.cedar").unlink()
    assert inward("check").code == 0
    assert inward("quarantine", "visitor").code == 3
    assert inward("quarantine", "visitor", "--release").code == 0


def test_a_policy_with_mistakes_is_no_hindrance(inward: Inward, system: Path) -> None:
    (system / "policies" / "greeter.cedar").write_text("permit (nonsense);")
    assert inward("quarantine", "greeter").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["nobody"],
        ["nobody", "--release"],
        ["--release"],
        ["--reason", "x"],
        ["greeter", "--reason", "a\nb"],
        ["\udcff"],
    ],
)
def test_bad_input(inward: Inward, system: Path, arguments: list[str]) -> None:
    done = inward("quarantine", *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (3, "", 1), done
    assert inward("quarantine").out == "nothing is in quarantine\n"
    del system


def test_a_damaged_list_says_so(inward: Inward, system: Path) -> None:
    inward("quarantine", "greeter")
    (system / ".inward" / "quarantine.json").write_text("nonsense")
    for arguments in ([], ["greeter"], ["greeter", "--release"]):
        done = inward("quarantine", *arguments)
        assert (done.code, done.err.count("\n")) == (1, 1)
