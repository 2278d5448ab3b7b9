"""`inward policy test`: run the tests of the policies, and say what they have not shown."""

# ruff: noqa: PT028 - the command is called `test`, and is no test of pytest's

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import track

from inward.cli.options import JSONOption, SystemOption, system_folder
from inward.cli.output import mistake_as_json, option_for, print_json
from inward.cli.policy.outcomes import print_as_json, print_as_junit, print_mistakes_as_junit, print_tree
from inward.control.bundle import load_policy
from inward.errors import BadInputError, ExitCode, InvalidSystemError
from inward.policy.cases.coverage import coverage_of
from inward.policy.cases.load import load_tests
from inward.policy.cases.run import run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.control.bundle import Policy
    from inward.policy.cases.model import Outcome, PolicyTest

LONG = 5_000  # cases; so many take long enough to show how far it is

Format = Literal["tree", "json", "junit"]


def test(
    format_: Annotated[Format | None, typer.Option("--format", help="How to print.", show_default="tree")] = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Name the grants and conditions that no test exercises.")
    ] = False,
    require_coverage: Annotated[
        bool, typer.Option("--require-coverage", help="The same, and exit 2 if there are any.")
    ] = False,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> int:
    """Run the tests of the policies, policies/*.test.yaml, and print what was not decided as expected.

    Exit 0: all pass. 2: one fails. 3: there are mistakes in the tests or in the system, or there are no tests.
    """
    if json and format_ not in {None, "json"}:
        raise BadInputError(f"`--json` and `--format {format_}`", hint="give one")
    form: Format = "json" if json else format_ or "tree"
    try:
        policy, tests = _load(system_folder(system))
    except InvalidSystemError as error:
        if form == "tree":
            raise
        if form == "json":
            print_json({"mistakes": [mistake_as_json(mistake) for mistake in error.mistakes]})
        else:
            print_mistakes_as_junit(error.mistakes)
        return error.exit_code
    count = sum(len(each.cases) for each in tests)
    outcomes = list(_watched(run(tests, policy.engine), count, "deciding"))
    shown = None
    if coverage or require_coverage:
        watched = _watched(outcomes, count, "looking at conditions")
        shown = coverage_of(watched, policy.catalog, policy.policies, policy.engine)
    if form == "tree":
        print_tree(outcomes, shown, policy, option_for(system))
    elif form == "json":
        print_as_json(outcomes, shown, policy)
    else:
        print_as_junit(outcomes, shown, policy)
    failed = not all(outcome.passed for outcome in outcomes)
    missed = require_coverage and shown is not None and not shown.complete
    return ExitCode.REFUSED if failed or missed else ExitCode.SUCCESS


def _load(system: Path) -> tuple[Policy, tuple[PolicyTest, ...]]:
    """Return a system and its tests; `InvalidSystemError` with the mistakes in either."""
    policy = load_policy(system)
    tests, mistakes = load_tests(system, policy.catalog, policy.policies.resources)
    if mistakes:
        raise InvalidSystemError(mistakes)
    if not tests:
        raise BadInputError("there are no tests in `policies/`", hint="write one: policies/NAME.test.yaml")
    return policy, tests


def _watched(outcomes: Iterable[Outcome], count: int, what: str) -> Iterable[Outcome]:
    """Return the outcomes; while they come, a bar shows how far it is, where a person waits for many."""
    if count < LONG or not sys.stderr.isatty():
        return outcomes
    return track(outcomes, what, total=count, console=Console(stderr=True), transient=True)
