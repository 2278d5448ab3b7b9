"""The outcomes of policy tests: as a tree for people, as JSON values, and as JUnit's XML."""

from __future__ import annotations

import shlex
import sys
from collections import defaultdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from inward.cli.formats import junit
from inward.cli.output import print_json, print_line, printable_lines, remark, styled
from inward.policy.cases.run import by_test
from inward.policy.resources.values import as_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.text import Text

    from inward.control.bundle import Policy
    from inward.errors import Mistake
    from inward.policy.cases.coverage import Coverage
    from inward.policy.cases.model import Outcome, PolicyTest
    from inward.policy.model import Policy as GrantOrForbid

MOST_LINES = 20  # of one test's failures, for people; programs are given all


def print_tree(outcomes: Sequence[Outcome], coverage: Coverage | None, policy: Policy, option: str) -> None:
    """Print a line for each test, the cases that failed, and the sum. `option` names the system in commands."""
    tests = list(by_test(outcomes))
    for file, of_file in groupby(tests, key=lambda each: each[0].place.file):
        print_line(styled(file, "bold"))
        for each, found in of_file:
            _print_test(each, found, policy.policies.by_id, option)
    if coverage is not None:
        _print_coverage(coverage, print_line)
    failed = sum(not outcome.passed for outcome in outcomes)
    failing = sum(not all(outcome.passed for outcome in found) for _, found in tests)
    size = f"{_count(len(tests), 'test')}, {_count(len(outcomes), 'case')}; "
    said = f"{_count(failing, 'test')} failed, in {_count(failed, 'case')}" if failed else "all passed"
    print_line(styled(size, "") + styled(said, "red" if failed else "green"))


def _print_test(each: PolicyTest, found: list[Outcome], policies: Mapping[str, GrantOrForbid], option: str) -> None:
    failed = [outcome for outcome in found if not outcome.passed]
    if not failed:
        print_line(styled("  passed  ", "green") + _plain(each.name) + styled(f"  {_count(len(found), 'case')}", "dim"))
        return
    some = f"  {len(failed)} of {_count(len(found), 'case')}, {each.place}"
    print_line(styled("  failed  ", "red") + _plain(each.name) + styled(some, "dim"))
    for outcome in failed[:MOST_LINES]:
        print_line(_plain(f"          {outcome.told(policies)}"))
    if len(failed) > MOST_LINES:
        print_line(styled(f"          and {len(failed) - MOST_LINES} more (`--format json` has all)", "dim"))
    print_line(styled(f"          why: {_command(failed[0], option)}{_whole(failed[0])}", "dim"))


def _whole(outcome: Outcome) -> str:
    """Say what the command does not know of, where the case is about an object."""
    return "" if outcome.case.resource is None else "  (the call as a whole: what it says of objects is not explained)"


def _plain(text: str) -> Text:
    return styled(text, "")


def _command(outcome: Outcome, option: str) -> str:
    """Return the command that explains what was decided."""
    request = outcome.case.request
    words = ["inward", "explain", request.caller, request.operation, "--path", request.path]
    words += ["--query", request.query] if request.query else []
    words += ["--at", outcome.test.now.isoformat().replace("+00:00", "Z")]
    return shlex.join(words) + option


def _print_coverage(coverage: Coverage, say: Callable[[Text], None]) -> None:
    for policy in coverage.missed:
        say(styled(f"{policy.place}: no test exercises `{policy.id}`", "yellow"))
    words = {
        "met": "was never met",
        "unmet": "was met in every case",
        "seen": "could not be evaluated in any case",
    }
    for gap in coverage.gaps:
        term = " ".join(printable_lines(gap.text).split())
        say(styled(f"{gap.place}: `{gap.kind} {term}` of `{gap.policy.id}` {words[gap.never]}", "yellow"))
    say(
        _plain(
            f"exercised: {coverage.exercised} of {_count(coverage.policies, 'policy')}, "
            f"{coverage.seen} of {_count(coverage.terms, 'condition')} both met and not met"
        )
    )


def _count(number: int, noun: str) -> str:
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"


def print_as_json(outcomes: Sequence[Outcome], coverage: Coverage | None, policy: Policy) -> None:
    """Print every case."""
    policies = policy.policies.by_id
    print_json(
        {
            "mistakes": [],
            "passed": all(outcome.passed for outcome in outcomes),
            "tests": [_test_as_json(each, found, policies) for each, found in by_test(outcomes)],
            "coverage": coverage and _coverage_as_json(coverage),
            "version": policy.version,
        }
    )


def _test_as_json(each: PolicyTest, found: list[Outcome], policies: Mapping[str, GrantOrForbid]) -> dict[str, Any]:
    return {
        "name": each.name,
        "file": each.place.file,
        "line": each.place.line,
        "now": each.now.isoformat(),
        "passed": all(outcome.passed for outcome in found),
        "cases": [_case_as_json(outcome, policies) for outcome in found],
    }


def _case_as_json(outcome: Outcome, policies: Mapping[str, GrantOrForbid]) -> dict[str, Any]:
    case, decision = outcome.case, outcome.decision
    return {
        "caller": case.request.caller,
        "operation": case.request.operation,
        "request": case.request_name or None,
        "path": case.request.path,
        "query": case.request.query,
        "resource": None if case.resource is None else as_json(case.resource),
        "expected": "allow" if case.allowed else "deny",
        "expected_reason": None if case.allowed or outcome.test.reason is None else outcome.test.reason.value,
        "decision": "allow" if decision.allowed else "deny",
        "reason": decision.reason.value,
        "policies": [_policy_as_json(policies[name]) for name in decision.policies if name in policies],
        "passed": outcome.passed,
    }


def _policy_as_json(policy: GrantOrForbid) -> dict[str, Any]:
    return {"id": policy.id, "file": policy.place.file, "line": policy.place.line}


def _coverage_as_json(coverage: Coverage) -> dict[str, Any]:
    return {
        "policies": coverage.policies,
        "exercised": coverage.exercised,
        "terms": coverage.terms,
        "seen_both_ways": coverage.seen,
        "missed": [_policy_as_json(policy) for policy in coverage.missed],
        "gaps": [
            {
                "policy": gap.policy.id,
                "kind": gap.kind,
                "text": gap.text,
                "file": gap.place.file,
                "line": gap.place.line,
                "never": gap.never,
            }
            for gap in coverage.gaps
        ],
    }


def print_as_junit(outcomes: Sequence[Outcome], coverage: Coverage | None, policy: Policy) -> None:
    """Print every case; the coverage, for which the format has no place, goes to standard error."""
    cases: dict[str, list[junit.Case]] = defaultdict(list)
    for outcome in outcomes:
        place = outcome.test.place
        cases[place.file].append(
            junit.Case(
                f"{outcome.test.name}: {outcome.case.name}",
                place.file,
                None if outcome.passed else outcome.told(policy.policies.by_id),
                file=place.file,
                line=place.line,
            )
        )
    _print_xml([junit.Suite(file, found) for file, found in cases.items()])
    if coverage is not None:
        _print_coverage(coverage, remark)


def print_mistakes_as_junit(mistakes: Sequence[Mistake]) -> None:
    """Print mistakes as tests that failed, so that a CI system shows them where it shows those."""
    _print_xml(
        [
            junit.Suite(file, [_mistake(mistake) for mistake in found])
            for file, found in groupby(mistakes, key=lambda mistake: mistake.place.file)
        ]
    )


def _print_xml(suites: Sequence[junit.Suite]) -> None:
    sys.stdout.write(junit.render(suites))
    sys.stdout.flush()


def _mistake(mistake: Mistake) -> junit.Case:
    return junit.Case(
        mistake.what, mistake.place.file, str(mistake), file=mistake.place.file, line=mistake.place.line or None
    )
