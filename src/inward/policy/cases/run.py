"""Decides the cases of tests. Pure: the policies, the tests and their times are all that the outcome depends on."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from inward.policy.cases.model import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inward.policy.cases.model import PolicyTest
    from inward.policy.decide import Engine


def run(tests: Iterable[PolicyTest], engine: Engine) -> Iterator[Outcome]:
    """Yield the outcome of each case, in the order of the tests."""
    for test in tests:
        for case in test.cases:
            decision = engine.decide(case.request, test.now)
            if case.resource is not None and decision.allowed:
                decision = engine.decide_object(case.request, case.resource, test.now)
            yield Outcome(test, case, decision)


def by_test(outcomes: Iterable[Outcome]) -> Iterator[tuple[PolicyTest, list[Outcome]]]:
    """Group the outcomes of `run` by their tests."""
    for test, found in groupby(outcomes, key=lambda outcome: outcome.test):
        yield test, list(found)
