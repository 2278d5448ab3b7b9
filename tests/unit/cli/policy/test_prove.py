from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inward.cli.policy import prove as command
from inward.policy.proving import prove as proving
from inward.policy.proving.prove import Answer, Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward

HOLDS = """
@id("nobody-forgets") @reason("a greeting is kept for a year")
forbid (principal, action == Action::"greeter:forgetGreeting", resource);
"""
DOES_NOT = """
@id("nobody-greets") @reason("silence")
forbid (principal, action == Action::"greeter:getGreeting", resource);
"""
TWICE = """
@id("again") @reason("r")
permit (principal == Service::"visitor", action == Action::"greeter:getGreeting", resource == Service::"greeter");
"""


@pytest.fixture
def guarded(system: Path) -> Path:
    """The system of `inward init`, with guardrails of which one is refuted, and a grant that is there twice."""
    (system / "guardrails.cedar").write_text(HOLDS + DOES_NOT)
    with (system / "policies" / "greeter.cedar").open("a") as file:
        file.write(TWICE)
    return system


def test_nothing_to_prove_is_told_with_an_example(inward: Inward, system: Path) -> None:
    (system / "guardrails.cedar").unlink(missing_ok=True)
    done = inward("policy", "prove")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("there are no guardrails to prove")
    assert done.out.splitlines()[-1].startswith("  forbid (principal in Zone")


def test_all_proven_is_exit_0(inward: Inward, system: Path) -> None:
    (system / "guardrails.cedar").write_text(HOLDS)
    done = inward("policy", "prove")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "proven   guardrails.cedar:2: `nobody-forgets`: a greeting is kept for a year\n1 guardrail: 1 proven\n"
    )


def test_what_is_refuted_comes_first_and_is_exit_2(inward: Inward, guarded: Path) -> None:
    done = inward("policy", "prove")
    assert done.code == 2
    lines = done.out.splitlines()
    assert lines[0] == "refuted  guardrails.cedar:5: `nobody-greets`: silence"
    assert lines[1] == "  today's services: refuted"
    assert lines[2].startswith("    visitor GET http://greeter/")
    assert lines[3].startswith("      let through by ")
    assert "(policies/greeter.cedar:" in lines[3]
    assert lines[-4].startswith("proven   guardrails.cedar:2")
    assert lines[-3].startswith("overruled: policies/greeter.cedar:2: ")
    assert lines[-2].startswith("overruled: policies/greeter.cedar:22: ")
    assert lines[-1] == "2 guardrails: 1 refuted, 1 proven"
    del guarded


def test_one_guardrail_alone(inward: Inward, guarded: Path) -> None:
    done = inward("policy", "prove", "--guardrail", "nobody-forgets")
    assert (done.code, done.out.splitlines()[1:]) == (0, ["1 guardrail: 1 proven"])
    found = inward("policy", "prove", "--guardrail", "nobody-greets", "--json")
    assert (found.code, found.json["policies"]) == (2, None)
    del guarded


def test_json(inward: Inward, guarded: Path) -> None:
    done = inward("policy", "prove", "--json")
    assert (done.code, done.err) == (2, "")
    said = done.json
    assert said.keys() == {"mistakes", "since", "version", "proven", "guardrails", "policies"}
    assert (said["mistakes"], said["proven"]) == ([], False)
    holds, refuted = said["guardrails"]
    assert (holds["id"], holds["status"], refuted["status"]) == ("nobody-forgets", "proven", "refuted")
    assert refuted.keys() == {"id", "file", "line", "reason", "status", "today", "tomorrow"}
    assert refuted["today"].keys() == {"status", "breaches", "not_looked_at", "unknown"}
    (breach,) = refuted["today"]["breaches"]
    assert breach["call"].keys() == {
        "caller", "newcomer", "operation", "data_class", "method", "path", "query", "resource", "time",
    }  # fmt: skip
    assert (breach["call"]["caller"], breach["call"]["operation"]) == ("visitor", "greeter:getGreeting")
    assert {grant["id"] for grant in breach["grants"]} >= {"again"}
    _, again = said["policies"]
    assert again.keys() == {"kind", "id", "file", "line", "what", "hint", "others", "call", "unknown"}
    assert (again["kind"], again["id"], again["call"]) == ("overruled", "again", None)
    assert [other["id"] for other in again["others"]] == ["nobody-greets"]
    del guarded


def test_what_is_not_known_is_exit_2_and_says_why(
    inward: Inward, guarded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prove = proving.prove

    def unsure(*arguments: object, **options: object) -> tuple[Verdict, ...]:
        (verdict,) = prove(*arguments, **options)  # type: ignore[arg-type]  # as the command calls it
        return (Verdict(verdict.guardrail, Answer("unknown", constructs=("`odd\x1b`",)), verdict.tomorrow),)

    monkeypatch.setattr(command, "prove_guardrails", unsure)
    done = inward("policy", "prove", "--guardrail", "nobody-forgets")
    assert done.code == 2
    assert "    not known because of `odd\\x1b`" in done.out
    assert done.out.endswith("1 guardrail: 1 unknown\n")
    del guarded


def test_an_expired_guardrail_is_left_out_and_told(inward: Inward, system: Path) -> None:
    (system / "guardrails.cedar").write_text(HOLDS.replace("@reason", '@expires("2020-01-01") @reason') + DOES_NOT)
    done = inward("policy", "prove")
    assert "left out: `nobody-forgets` (guardrails.cedar:2) has expired" in done.out
    refused = inward("policy", "prove", "--guardrail", "nobody-forgets")
    assert (refused.code, refused.out) == (3, "")
    assert "has expired" in refused.err


@pytest.mark.parametrize(("name", "what"), [("nobody", "there is no guardrail"), ("again", "is no guardrail")])
def test_what_is_no_guardrail_is_exit_3(inward: Inward, guarded: Path, name: str, what: str) -> None:
    done = inward("policy", "prove", "--guardrail", name)
    assert (done.code, done.out) == (3, "")
    assert f"`{name}`" in done.err
    assert what in done.err
    assert "nobody-greets" in done.err or "did you mean" in done.err
    del guarded


def test_mistakes_are_exit_3(inward: Inward, system: Path) -> None:
    (system / "guardrails.cedar").write_text("forbid (nonsense);\n")
    done = inward("policy", "prove")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("guardrails.cedar:1")
    found = inward("policy", "prove", "--json")
    assert (found.code, found.json["mistakes"][0]["file"]) == (3, "guardrails.cedar")
