from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from inward.cli.template import files
from inward.control.checking.steps import check
from inward.errors import ExitCode, Place

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TESTS = """\
now: 2026-06-01T12:00:00Z
requests:
  a name: {path: {name: ada}}
tests:
  - name: the visitor greets
    callers: [visitor]
    operations: [greeter:getGreeting, greeter:forgetGreeting]
    requests: [a name]
    allow:
      visitor: [OPERATION]
"""


@pytest.fixture
def system(tmp_path: Path) -> Path:
    for name, content in files("company.test").items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def test_tests_that_pass_are_no_finding(system: Path) -> None:
    (system / "policies" / "greeter.test.yaml").write_text(TESTS.replace("OPERATION", "greeter:getGreeting"))
    assert [each for each in check(system, NOW).findings if each.kind == "test_failed"] == []


def test_each_case_that_fails_is_a_finding_at_its_test(system: Path) -> None:
    (system / "policies" / "greeter.test.yaml").write_text(TESTS.replace("OPERATION", "greeter:forgetGreeting"))
    report = check(system, NOW)
    failed = [each for each in report.findings if each.kind == "test_failed"]
    assert [each.place for each in failed] == [Place("policies/greeter.test.yaml", 5)] * 2
    assert len({each.about for each in failed}) == 2
    assert "visitor → greeter:forgetGreeting with a name: expected allowed, was refused: no_grant" in failed[0].what
    assert report.exit_code is ExitCode.REFUSED


def test_a_mistake_in_a_test_is_a_mistake_and_keeps_no_other_step_from_being_taken(system: Path) -> None:
    (system / "policies" / "greeter.test.yaml").write_text(TESTS.replace("OPERATION", "greeter:nothing"))
    report = check(system, NOW)
    assert [mistake.place for mistake in report.mistakes] == [Place("policies/greeter.test.yaml", 10)]
    assert report.exit_code is ExitCode.BAD_INPUT
    assert report.system is not None
