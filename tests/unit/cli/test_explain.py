from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.cli.test_calls import call, record

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward

CONDITION = """
@id("its-own")
@reason("whoever was greeted may ask to be forgotten")
@expires("2098-12-31")
permit (
  principal == Service::"visitor",
  action == Action::"greeter:forgetGreeting",
  resource == Service::"greeter"
) when {
  context.path.name like "visitor-*"
} unless {
  context.path.name == "visitor-0"
};
"""


@pytest.fixture
def conditional(system: Path) -> Path:
    with (system / "policies" / "greeter.cedar").open("a") as file:
        file.write(CONDITION)
    return system


def test_an_allowed_operation(inward: Inward, system: Path) -> None:
    done = inward("explain", "visitor", "greeter:getGreeting")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[:2] == [
        "visitor → greeter:getGreeting: allowed",
        "  permit visitor-reads-greetings (policies/greeter.cedar:2)  decides this",
    ]
    found = inward("explain", "visitor", "greeter:getGreeting", "--json").json
    assert (found["decision"], found["policies"][0]["line"], found["grant"]) == ("allow", 2, None)
    del system


def test_a_refused_operation_shows_the_nearest_and_the_smallest_grant(inward: Inward, system: Path) -> None:
    done = inward("explain", "visitor", "greeter:forgetGreeting")
    assert done.code == 2
    assert "refused: no_grant" in done.out
    assert "nearest: `visitor-reads-greetings` (policies/greeter.cedar:2)" in done.out
    found = inward("explain", "visitor", "greeter:forgetGreeting", "--json").json
    assert (found["decision"], found["reason"], found["grant_file"]) == ("deny", "no_grant", "policies/greeter.cedar")
    with (system / "policies" / "greeter.cedar").open("a") as file:
        file.write("\n" + found["grant"] + "\n")
    assert inward("explain", "visitor", "greeter:forgetGreeting").code == 0


def test_a_condition_without_a_request_depends(inward: Inward, conditional: Path) -> None:
    done = inward("explain", "visitor", "greeter:forgetGreeting")
    assert done.code == 2
    assert "it depends on the request" in done.out
    assert "until 2098-12-31" in done.out
    del conditional


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("visitor-1", 0, 'when context.path.name like "visitor-*"  holds'),
        ("ada", 2, 'when context.path.name like "visitor-*"  does not hold'),
        ("visitor-0", 2, 'unless context.path.name == "visitor-0"  is so'),
        ("a%20b", 2, "bad_parameter"),
    ],
)
def test_a_condition_with_a_path(inward: Inward, conditional: Path, name: str, code: int, said: str) -> None:
    done = inward("explain", "visitor", "greeter:forgetGreeting", "--path", f"/greetings/{name}")
    assert (done.code, said in done.out) == (code, True), done
    del conditional


def test_at_another_time(inward: Inward, conditional: Path) -> None:
    arguments = ["explain", "visitor", "greeter:forgetGreeting", "--path", "/greetings/visitor-1"]
    assert inward(*arguments, "--at", "2098-12-31T23:59:59Z").code == 0
    done = inward(*arguments, "--at", "2099-01-01T00:00:00Z")
    assert (done.code, "refused: expired" in done.out) == (2, True)
    assert "granted it until 2098-12-31" in done.out
    del conditional


@pytest.mark.parametrize(
    "arguments",
    [
        ["nobody", "greeter:getGreeting"],
        ["visitor", "greeter:getGreetings"],
        ["visitor", "greeter"],
        ["visitor", "\x1b:\x1b"],
        ["visitor", "greeter:getGreeting", "--path", "/elsewhere"],
        ["visitor", "greeter:getGreeting", "--query", "a=b"],
        ["visitor", "greeter:getGreeting", "--path", "/greetings/a?b=c", "--query", "a=b"],
        ["visitor", "greeter:getGreeting", "--at", "soon"],
        ["no-such-reference"],
        ["\udcff"],
        ["x" * 100_000],
        ["no-such-reference", "--path", "/x"],
    ],
)
def test_bad_input(inward: Inward, system: Path, arguments: list[str]) -> None:
    done = inward("explain", *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (3, "", 1), done
    assert done.err.isprintable() or done.err[:-1].isprintable()
    del system


def test_a_recorded_refusal_that_would_be_allowed_now(inward: Inward, system: Path) -> None:
    refusal = {"decision": "deny", "carried_out": "deny", "reason": "no_grant", "policies": (), "policy_version": "abc"}
    record(system, call(1, **refusal))
    done = inward("explain", "id-1")
    assert done.code == 2
    assert "the policy has changed since (abc then, " in done.out
    assert "the same call would be allowed" in done.out


def test_a_recorded_refusal_that_no_policy_decided(inward: Inward, system: Path) -> None:
    denied = {"decision": "deny", "carried_out": "deny", "policies": (), "status": 403}
    record(
        system,
        call(1, **denied, reason="unknown_operation", operation=None, method="PUT"),
        call(2, **denied, reason="unknown_operation", operation=None, path="/elsewhere"),
        call(
            3, **denied, reason="bad_identity", caller=None, operation=None, method=None, path=None, detail="peer \x1b"
        ),
        call(4, **denied, reason="quarantined"),
        call(5, **denied, reason="unknown_service", callee="nobody", enforcer="egress"),
        call(6, **denied, reason="a_reason_to_come", caller="spiffe://company.test/gone"),
    )
    assert "that path is documented for GET (greeter:getGreeting" in inward("explain", "id-1").out
    assert "greeter documents 2 operations, and none with such a path" in inward("explain", "id-2").out
    third = inward("explain", "id-3").out
    assert "no certificate, or one that does not verify" in third
    assert "peer \\x1b" in third
    assert "both were released since" in inward("explain", "id-4").out
    assert "by the egress of visitor" in inward("explain", "id-5").out
    assert inward("explain", "id-6", "--json").json["now"] is None
    assert inward("explain", "id-6").code == 2


def test_a_recorded_refusal_for_what_was_sent_names_the_classes(inward: Inward, system: Path) -> None:
    denied = {"decision": "deny", "carried_out": "deny", "policies": (), "status": 403, "enforcer": "guard"}
    record(
        system,
        call(1, **denied, reason="undisclosed", sent=("pii.email", "pii.\x1b")),
        call(2, **denied | {"status": 415}, reason="unreadable", sent=("pii.email",)),
        call(3, withheld=("pii.phone",)),
        call(4, withheld=("pii.phone",), mode="observe"),
    )
    first, second = inward("explain", "id-1"), inward("explain", "id-2")
    assert "not disclosed to the service that it is sent to: pii.email, pii.\\x1b" in first.out
    assert "the owner of that data can disclose it" in first.out
    assert "by the guard of greeter" in first.out
    assert "it cannot be said whether: pii.email" in second.out
    assert "send JSON or a form" in second.out
    assert "cut out of the answer: pii.phone" in inward("explain", "id-3").out
    assert "would be looked for in the answer: pii.phone" in inward("explain", "id-4").out
    assert "undisclosed (pii.email,pii.\\x1b)" in inward("calls").out
    assert inward("explain", "id-1", "--json").json["call"]["sent"] == ["pii.email", "pii.\x1b"]


def test_a_parameter_that_is_not_kept_is_said_and_never_guessed(inward: Inward, conditional: Path) -> None:
    told = {"operation": "greeter:forgetGreeting", "method": "DELETE", "path": "/greetings/{name}"}
    for number, parameters in enumerate(({"name": "visitor-1"}, {}, {"name": "hash#00"})):
        record(conditional, call(number, **told, parameters=parameters))
    assert "DELETE /greetings/visitor-1" in inward("explain", "id-0").out
    assert inward("explain", "id-0", "--json").json["now"]["decision"] == "allow"
    for reference, path in (("id-1", "/greetings/{name}"), ("id-2", "/greetings/hash#00")):
        done = inward("explain", reference)
        assert f"DELETE {path}" in done.out
        assert "`name` of the path is not kept in the record" in done.out
        assert "inward explain visitor greeter:forgetGreeting --path" in done.out
        assert "it depends on the request" in done.out
        assert inward("explain", reference, "--json").json["now"]["decision"] is None


def test_a_path_that_is_not_kept_is_said(inward: Inward, system: Path) -> None:
    gone = {"operation": None, "reason": "unknown_operation", "decision": "deny", "carried_out": "deny"}
    record(system, call(1, **gone, path=None), call(2, **gone, path="hash#00"))
    for reference in ("id-1", "id-2"):
        assert "its path is not kept in the record" in inward("explain", reference).out
