"""Tests of policies as values: who asks for what, what is expected, what was decided. No I/O, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from inward.errors import Place
    from inward.policy.decision import Decision, Reason
    from inward.policy.model import Policy
    from inward.policy.request import Request
    from inward.policy.resources.model import Resource


@dataclass(frozen=True, slots=True)
class Case:
    """One call that a test asks about. `request_name` is the request's name in the file, empty where it has none.

    With `resource`, it is about that object too: allowed where the call is, and then the object.
    """

    request: Request
    request_name: str
    allowed: bool  # what is expected
    resource: Resource | None = None

    @property
    def name(self) -> str:
        """What people call it: unique within its test."""
        named = f" with {self.request_name}" if self.request_name else ""
        return f"{self.request.caller} → {self.request.operation}{named}"


@dataclass(frozen=True, eq=False, slots=True)
class PolicyTest:
    """One test of a file: the cases, decided at `now`.

    `reason`, where it is given, is what every case that is expected to be refused must be refused for.
    """

    name: str
    place: Place
    now: datetime
    reason: Reason | None
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was decided about a case."""

    test: PolicyTest
    case: Case
    decision: Decision

    @property
    def passed(self) -> bool:
        """Whether it was decided as expected, and refused for the expected reason."""
        if self.decision.allowed != self.case.allowed:
            return False
        return self.decision.allowed or self.test.reason in {None, self.decision.reason}

    @property
    def expected(self) -> str:
        """What was expected, in words."""
        if self.case.allowed:
            return "allowed"
        return "refused" if self.test.reason is None else f"refused: {self.test.reason.value}"

    def decided(self, policies: Mapping[str, Policy]) -> str:
        """Return in words what was decided and by which policies, with their places; `policies` by id."""
        named = ", ".join(f"{each} ({policies[each].place})" for each in self.decision.policies if each in policies)
        if self.decision.allowed:
            return f"allowed by {named}"
        return f"refused: {self.decision.reason.value}" + (f", {named}" if named else "")

    def told(self, policies: Mapping[str, Policy]) -> str:
        """Return one line about it, for a message: the case, what was expected and what was decided."""
        return f"{self.case.name}: expected {self.expected}, was {self.decided(policies)}"
