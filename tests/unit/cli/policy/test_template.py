from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inward.policy.authoring.templates import TEMPLATES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward

FORGET = "greeter:forgetGreeting"
FILE = "policies/greeter.cedar"
FILLED = ["operation", "caller=visitor", f"operation={FORGET}", "reason=they ask"]


def test_the_templates_are_listed(inward: Inward, system: Path) -> None:
    done = inward("policy", "template")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()[1:]] == list(TEMPLATES)
    assert [each["template"] for each in inward("policy", "template", "--json").json["templates"]] == list(TEMPLATES)
    del system


def test_the_holes_of_a_template_are_listed(inward: Inward, system: Path) -> None:
    done = inward("policy", "template", "incident")
    assert [line.split()[0] for line in done.out.splitlines()[2:-1]] == list(TEMPLATES["incident"].all_holes)
    assert done.out.splitlines()[-1] == "inward policy template incident caller=… operation=… days=… ticket=… reason=…"
    found = inward("policy", "template", "incident", "--json").json
    assert [hole["name"] for hole in found["holes"] if not hole["required"]] == ["id"]
    del system


def test_a_filled_template_is_printed_and_nothing_is_written(inward: Inward, system: Path) -> None:
    before = (system / FILE).read_bytes()
    done = inward("policy", "template", *FILLED)
    assert done.code == 0
    assert done.out.startswith('@id("operation-visitor-greeter-forgetgreeting")\n@reason("they ask")\npermit (\n')
    assert done.err == f"it fits the system; `--write` adds it to {FILE}\n"
    assert (system / FILE).read_bytes() == before
    assert inward("explain", "visitor", FORGET).code == 2


def test_a_filled_template_is_added_to_its_file(inward: Inward, system: Path) -> None:
    before = (system / FILE).read_text()
    done = inward("policy", "template", *FILLED, "--write")
    assert (done.code, done.err) == (0, f"added: {FILE}:22\n")
    assert (system / FILE).read_text() == f"{before}\n{done.out}"
    assert inward("explain", "visitor", FORGET).code == 0
    assert inward("policy", "fmt", "--check").code == 0
    again = inward("policy", "template", *FILLED, "--write", "--json").json
    assert (again["policy"], again["written"]) == ("operation-visitor-greeter-forgetgreeting-2", True)


def test_a_guardrail_is_added_to_the_guardrails(inward: Inward, system: Path) -> None:
    done = inward(
        "policy", "template", "guardrail-writes", "team=team-greeter", "service=greeter", "reason=r", "--write"
    )
    assert done.code == 0
    assert (system / "guardrails.cedar").read_text().endswith(done.out)


def test_outside_of_a_system_names_are_not_checked(inward: Inward, system: Path) -> None:
    (system / "inward.yaml").unlink()
    done = inward("policy", "template", "operation", "caller=a", "operation=b:c", "reason=r")
    assert (done.code, done.err) == (0, "not checked: this is no system folder\n")
    assert 'Action::"b:c"' in done.out
    assert inward("policy", "template", *FILLED, "--write").code == 3
    assert inward("policy", "template", *FILLED, "--system", "nope").code == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["operatoin"], "did you mean `operation`?"),
        (["operation", "caller"], "`caller` fills no hole"),
        (["operation", "--write"], "needs `caller`, `operation`, `reason`"),
        ([*FILLED, "caller=greeter"], "`caller` is given twice"),
        (["operation", "caller=vistor", f"operation={FORGET}", "reason=r"], "did you mean `visitor`?"),
        (["operation", "caller=\x1b[2J", f"operation={FORGET}", "reason=r"], r"caller=`\x1b[2J`"),
        (["operation", "caller=\udcff", f"operation={FORGET}", "reason=r"], "caller="),
        ([*FILLED, "id=visitor-reads-greetings"], "is taken by policies/greeter.cedar:2"),
    ],
)
def test_what_cannot_be_filled_in_changes_nothing(
    inward: Inward, system: Path, arguments: list[str], words: str
) -> None:
    before = (system / FILE).read_bytes()
    done = inward("policy", "template", *arguments)
    assert (done.code, done.out) == (3, "")
    assert words in done.err
    assert "\x1b" not in done.err
    assert (system / FILE).read_bytes() == before
