from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward

FORGET = "greeter:forgetGreeting"


def test_a_grant_comes_and_goes(inward: Inward, system: Path) -> None:
    file = system / "policies" / "greeter.cedar"
    before = file.read_bytes()
    done = inward("allow", "visitor", FORGET, "--reason", 'they "ask"', "--until", "2098-12-31")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "policies/greeter.cedar:22"
    assert '+ @reason("they \\"ask\\"")' in lines
    assert '+ @expires("2098-12-31")' in lines
    assert lines[-2:] == ["nothing runs here, so it holds from the next `inward up`", f"visitor → {FORGET}: allowed"]
    assert inward("explain", "visitor", FORGET).code == 0
    gone = inward("revoke", "visitor", FORGET)
    assert gone.code == 0
    assert '- @reason("they \\"ask\\"")' in gone.out
    assert gone.out.endswith(f"visitor → {FORGET}: refused (no_grant)\n")
    assert file.read_bytes() == before


def test_as_json(inward: Inward, system: Path) -> None:
    found = inward("allow", "visitor", FORGET, "--reason", "x", "--json").json
    assert (found["file"], found["enforced"], found["seconds"]) == ("policies/greeter.cedar", False, None)
    assert [change["before"] for change in found["changes"]] == [None]
    assert inward("revoke", "visitor", FORGET, "--json").json["changes"][0]["after"] is None
    assert inward("revoke", "visitor", FORGET, "--json").json["note"] == "not granted"
    del system


def test_grants_on_objects_stay_and_it_is_said(inward: Inward, system: Path) -> None:
    (system / "policies" / "greeter.cedarschema").write_text("entity Greeting { text: String };")
    scope = f'principal == Service::"visitor", action == Action::"{FORGET}", resource is Greeting'
    with (system / "policies" / "greeter.cedar").open("a") as file:
        file.write(f'\n@id("own") @reason("r")\npermit ({scope});\n')
    said = "`own` (policies/greeter.cedar:22) grants it on objects, and stays: without the call it takes no effect"
    assert said in inward("revoke", "visitor", FORGET).out
    done = inward("allow", "visitor", FORGET, "--reason", "x")
    assert done.code == 0
    assert "on objects" not in done.out
    assert said in inward("revoke", "visitor", FORGET).out
    listed = inward("revoke", "visitor", FORGET, "--json").json["on_objects"]
    assert listed == [{"policy": "own", "file": "policies/greeter.cedar", "line": 22}]


def test_a_list_of_operations_is_narrowed(inward: Inward, system: Path) -> None:
    path = system / "policies" / "greeter.cedar"
    path.write_text(
        path.read_text().replace(
            'action == Action::"greeter:getGreeting"',
            f'action in [Action::"greeter:getGreeting", Action::"{FORGET}"]',
            1,
        )
    )
    done = inward("revoke", "visitor", FORGET)
    assert done.code == 0
    assert [line for line in done.out.splitlines() if line.startswith("- ")] == [
        f'-   action in [Action::"greeter:getGreeting", Action::"{FORGET}"],'
    ]
    assert inward("explain", "visitor", "greeter:getGreeting").code == 0
    assert inward("explain", "visitor", FORGET).code == 2


def test_a_condition_and_what_it_means(inward: Inward, system: Path) -> None:
    done = inward("allow", "visitor", FORGET, "--reason", "x", "--when", 'context.path.name like "v*"')
    assert done.out.endswith(f"visitor → {FORGET}: allowed or not as its conditions say\n")
    assert inward("explain", "visitor", FORGET, "--path", "/greetings/v1").code == 0
    del system


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nobody", FORGET, "--reason", "x"], 3),
        (["visitor", "greeter:forget", "--reason", "x"], 3),
        (["visitor", FORGET, "--reason", ""], 3),
        (["visitor", FORGET, "--reason", "a\nb"], 3),
        (["visitor", FORGET, "--reason", "\udcff"], 3),
        (["visitor", FORGET, "--reason", "x", "--until", "never"], 3),
        (["visitor", FORGET, "--reason", "x", "--until", "2020-01-01"], 3),
        (["visitor", FORGET, "--reason", "x", "--when", "1 ++"], 3),
        (["visitor", FORGET, "--reason", "x", "--when", "true }; permit (principal, action, resource) when { true"], 3),
    ],
)
def test_what_cannot_be_granted_changes_nothing(inward: Inward, system: Path, arguments: list[str], code: int) -> None:
    before = (system / "policies" / "greeter.cedar").read_bytes()
    done = inward("allow", *arguments)
    assert (done.code, done.out) == (code, ""), done
    assert done.err.startswith(("inward: ", "policies/greeter.cedar:"))
    assert (system / "policies" / "greeter.cedar").read_bytes() == before


def test_what_is_forbidden_is_not_granted(inward: Inward, system: Path) -> None:
    (system / "guardrails.cedar").write_text(
        f'@id("never") @reason("r")\nforbid (principal, action == Action::"{FORGET}", resource);\n'
    )
    done = inward("allow", "visitor", FORGET, "--reason", "x")
    assert (done.code, "`never` forbids" in done.err) == (1, True)


def test_mistakes_come_first(inward: Inward, system: Path) -> None:
    (system / "guardrails.cedar").write_text("permit (nonsense);")
    for command in (["allow", "visitor", FORGET, "--reason", "x"], ["revoke", "visitor", FORGET]):
        done = inward(*command)
        assert (done.code, done.err.startswith("guardrails.cedar:1: ")) == (3, True)
