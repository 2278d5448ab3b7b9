"""The step that runs the tests of policies: a case that is not decided as its test expects is a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.control.findings import Finding
from inward.errors import InvalidSystemError
from inward.policy.cases.load import load_and_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inward.control.bundle import Policy as System


def of_tests(folder: Path, system: System) -> Iterator[Finding]:
    """Yield a finding for each case that fails. Raises `InvalidSystemError` for mistakes in the tests."""
    outcomes, mistakes = load_and_run(folder, system.catalog, system.engine)
    if mistakes:
        raise InvalidSystemError(mistakes)
    for outcome in outcomes:
        if not outcome.passed:
            test, case = outcome.test, outcome.case
            yield Finding(
                "finding",
                "test_failed",
                test.place,
                f"{test.name}: {outcome.told(system.policies.by_id)}",
                "mend the policy, or what the test expects; `inward policy test` shows all of it",
                about=f"{test.name}: {case.name}",
            )
