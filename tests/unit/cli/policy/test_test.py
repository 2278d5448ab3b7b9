from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from inward.cli.policy import outcomes
from inward.cli.policy import test as command

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Inward

EXAMPLE = Path(__file__).parents[4] / "examples" / "shop"
TESTS = """\
now: 2027-01-15T12:00:00Z
requests:
  ann: {path: {name: ann}}
tests:
  - name: visitors are greeted
    callers: ["*"]
    operations: [greeter:getGreeting]
    requests: [ann]
    allow: {visitor: [greeter:getGreeting]}
  - name: greetings stay
    callers: ["*"]
    operations: [greeter:forgetGreeting]
    requests: [ann]
    reason: no_grant
"""


@pytest.fixture
def written(system: Path) -> Path:
    path = system / "policies" / "greeter.test.yaml"
    path.write_text(TESTS)
    return path


def test_all_pass_is_exit_0(inward: Inward, written: Path) -> None:
    done = inward("policy", "test")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "policies/greeter.test.yaml",
        "  passed  visitors are greeted  2 cases",
        "  passed  greetings stay  2 cases",
        "2 tests, 4 cases; all passed",
    ]
    del written


def test_a_failure_is_exit_2_and_says_all_that_is_known(inward: Inward, written: Path, system: Path) -> None:
    written.write_text(TESTS.replace("allow: {visitor:", "allow: {greeter:").replace("no_grant", "expired"))
    done = inward("policy", "test", "--system", str(system / ".." / "system"))
    assert (done.code, done.err) == (2, "")
    assert done.out.splitlines() == [
        "policies/greeter.test.yaml",
        "  failed  visitors are greeted  2 of 2 cases, policies/greeter.test.yaml:5",
        "          greeter → greeter:getGreeting with ann: expected allowed, was refused: no_grant",
        (
            "          visitor → greeter:getGreeting with ann: expected refused, was allowed by "
            "visitor-reads-greetings (policies/greeter.cedar:2)"
        ),
        "          why: inward explain greeter greeter:getGreeting --path /greetings/ann --at 2027-01-15T12:00:00Z",
        "  failed  greetings stay  2 of 2 cases, policies/greeter.test.yaml:10",
        "          greeter → greeter:forgetGreeting with ann: expected refused: expired, was refused: no_grant",
        "          visitor → greeter:forgetGreeting with ann: expected refused: expired, was refused: no_grant",
        "          why: inward explain greeter greeter:forgetGreeting --path /greetings/ann --at 2027-01-15T12:00:00Z",
        "2 tests, 4 cases; 2 tests failed, in 4 cases",
    ]
    why = done.out.splitlines()[4].partition("why: inward ")[2].split()
    assert inward(*why).out.startswith("greeter → greeter:getGreeting: refused: no_grant")


def test_many_failures_are_cut_short_for_people(inward: Inward, written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "MOST_LINES", 1)
    written.write_text(TESTS.replace("no_grant", "expired"))
    lines = inward("policy", "test").out.splitlines()
    assert lines[4] == "          and 1 more (`--format json` has all)"


def test_json_has_every_case(inward: Inward, written: Path) -> None:
    written.write_text(TESTS.replace("no_grant", "expired"))
    done = inward("policy", "test", "--json", "--coverage")
    assert (done.code, done.err) == (2, "")
    found = done.json
    assert (found["mistakes"], found["passed"]) == ([], False)
    first, second = found["tests"]
    assert (first["name"], first["line"], first["passed"], first["now"]) == (
        "visitors are greeted",
        5,
        True,
        "2027-01-15T12:00:00+00:00",
    )
    assert first["cases"][1] == {
        "caller": "visitor",
        "operation": "greeter:getGreeting",
        "request": "ann",
        "path": "/greetings/ann",
        "query": "",
        "resource": None,
        "expected": "allow",
        "expected_reason": None,
        "decision": "allow",
        "reason": "granted",
        "policies": [{"id": "visitor-reads-greetings", "file": "policies/greeter.cedar", "line": 2}],
        "passed": True,
    }
    assert [(case["expected_reason"], case["reason"], case["passed"]) for case in second["cases"]] == [
        ("expired", "no_grant", False)
    ] * 2
    assert found["coverage"]["exercised"] == 1
    assert inward("policy", "test", "--format", "json").json["coverage"] is None


def test_junit_is_xml_with_a_case_for_each(inward: Inward, written: Path) -> None:
    written.write_text(
        TESTS.replace("no_grant", "expired").replace("ann", "'<&\"'").replace("greetings stay", "<stay>")
    )
    done = inward("policy", "test", "--format", "junit", "--coverage")
    assert done.code == 2
    root = ET.fromstring(done.out)  # noqa: S314 - what we have just made
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in root] == [
        ("policies/greeter.test.yaml", "4", "2")
    ]
    cases = list(root.iter("testcase"))
    assert len({case.get("name") for case in cases}) == 4
    assert cases[3].get("name") == '<stay>: visitor → greeter:forgetGreeting with <&"'
    assert [case.get("line") for case in cases] == ["5", "5", "10", "10"]
    [failure] = cases[3]
    assert str(failure.text).endswith("expected refused: expired, was refused: no_grant")
    assert "exercised: 1 of 1 policy" in done.err


def test_mistakes_are_exit_3_in_every_format(inward: Inward, written: Path) -> None:
    written.write_text(TESTS.replace("visitor:", "vistor:"))
    told = "policies/greeter.test.yaml:9: there is no caller `vistor` (did you mean `visitor`?)"
    tree = inward("policy", "test")
    assert (tree.code, tree.out, tree.err) == (3, "", told + "\n")
    json = inward("policy", "test", "--json")
    assert (json.code, json.err) == (3, "")
    assert [(each["file"], each["line"]) for each in json.json["mistakes"]] == [("policies/greeter.test.yaml", 9)]
    junit = inward("policy", "test", "--format", "junit")
    assert (junit.code, junit.err) == (3, "")
    [failure] = ET.fromstring(junit.out).iter("failure")  # noqa: S314 - what we have just made
    assert failure.text == told


def test_mistakes_in_the_system_come_first(inward: Inward, written: Path, system: Path) -> None:
    written.write_text("[")
    (system / "policies" / "greeter.cedar").write_text("permit (nonsense);\n")
    done = inward("policy", "test")
    assert done.code == 3
    assert [line.partition(":")[0] for line in done.err.splitlines()] == ["policies/greeter.cedar"]


def test_no_tests_is_no_success(inward: Inward, system: Path) -> None:
    done = inward("policy", "test")
    assert (done.code, done.out) == (3, "")
    assert done.err == "inward: there are no tests in `policies/` (write one: policies/NAME.test.yaml)\n"
    del system


def test_two_formats_are_one_too_many(inward: Inward, written: Path) -> None:
    assert inward("policy", "test", "--json", "--format", "tree").code == 3
    assert inward("policy", "test", "--format", "xml").code == 3
    del written


def test_coverage_is_told_and_fails_only_where_it_is_required(inward: Inward, written: Path, system: Path) -> None:
    with (system / "policies" / "greeter.cedar").open("a") as file:
        file.write("""
@id("forgets") @reason("r")
permit (principal == Service::"visitor", action == Action::"greeter:forgetGreeting", resource == Service::"greeter")
when {
  context.path.name like
    "b*"
};
""")
    line = (system / "policies" / "greeter.cedar").read_text().splitlines().index("  context.path.name like") + 1
    written.write_text(TESTS.replace("    reason: no_grant\n", ""))
    told = f'policies/greeter.cedar:{line}: `when context.path.name like "b*"` of `forgets` was never met'
    done = inward("policy", "test", "--coverage")
    assert done.code == 0
    assert done.out.splitlines()[-3:] == [
        told,
        "exercised: 2 of 2 policies, 0 of 1 condition both met and not met",
        "2 tests, 4 cases; all passed",
    ]
    assert inward("policy", "test", "--require-coverage").code == 2
    more = """\
  - name: bob is forgotten
    callers: [visitor]
    operations: [greeter:forgetGreeting]
    requests: [bob]
    allow: {visitor: [greeter:forgetGreeting]}
"""
    written.write_text(written.read_text().replace("  ann:", "  bob: {path: {name: bob}}\n  ann:") + more)
    done = inward("policy", "test", "--require-coverage")
    assert done.code == 0, done


def test_a_long_run_shows_how_far_it_is(inward: Inward, written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "LONG", 4)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    done = inward("policy", "test")
    assert done.code == 0
    assert "deciding" in done.err
    del written


def test_the_tests_of_the_example_pass_and_show_everything(inward: Inward, tmp_path: Path) -> None:
    done = inward("policy", "test", "--system", str(EXAMPLE), "--require-coverage")
    assert (done.code, done.err) == (0, ""), done.out
    copy = tmp_path / "shop"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns(".inward"))
    policy = copy / "policies" / "orders.cedar"
    policy.write_text(policy.read_text().replace('status == "closed"', 'status != "open"'))
    done = inward("policy", "test", "--system", str(copy))
    assert done.code == 2
    assert done.out.splitlines()[-1].endswith("1 test failed, in 1 case")
