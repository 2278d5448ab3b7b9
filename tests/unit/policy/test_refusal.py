"""What refused callers are told: a code that every enforcer uses alike, and nothing of the policy."""

from __future__ import annotations

import pytest

from inward.policy.decision import Reason
from inward.policy.refusal import TITLES, problem, told


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.GRANTED])
def test_every_refusal_has_a_title(reason: Reason) -> None:
    found = problem(reason, 403, "urn:uuid:1")
    assert found["title"] == TITLES[told(reason)]
    assert (found["status"], found["instance"], found["type"]) == (403, "urn:uuid:1", "about:blank")


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (Reason.EXPIRED, Reason.CONDITION),
        (Reason.POLICY_ERROR, Reason.CONDITION),
        (Reason.BAD_PARAMETER, Reason.CONDITION),
        (Reason.UNKNOWN_CALLER, Reason.NO_GRANT),
        (Reason.UNVIEWABLE, Reason.UNVIEWABLE),
        (Reason.UNDISCLOSED, Reason.UNDISCLOSED),
        (Reason.UNREADABLE, Reason.UNREADABLE),
    ],
)
def test_a_caller_is_not_told_which_grants_there_are(reason: Reason, code: Reason) -> None:
    assert told(reason) is code
