"""A recorded call in words: what was decided, by which policies, and where they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rich.text import Text

from inward.cli.output import Style, printable
from inward.policy.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inward.control.bundle import Policy
    from inward.record.call import Call

Outcome = Literal["allowed", "refused", "observed", "unreachable"]
SERVER_ERROR = 500
_GRPC_UNANSWERED = frozenset({4, 14})  # DEADLINE_EXCEEDED and UNAVAILABLE
STYLES: Mapping[str, Style] = {"allowed": "green", "refused": "red", "observed": "yellow", "unreachable": "red"}

# What a reason code means, for whoever operates the system.
MEANINGS = {
    Reason.GRANTED: "a grant allows it",
    Reason.NO_GRANT: "no grant allows this caller to do this",
    Reason.CONDITION: "there is a grant, and its conditions do not hold for this request",
    Reason.EXPIRED: "the grants that would allow it have expired",
    Reason.FORBIDDEN: "a forbid applies, whatever is granted",
    Reason.BAD_PARAMETER: "a condition reads a parameter that the request does not carry in plain form",
    Reason.POLICY_ERROR: "a policy failed to evaluate, so nothing is allowed",
    Reason.UNKNOWN_CALLER: "the caller has a valid identity and is not in the catalog",
    Reason.UNKNOWN_OPERATION: "no documented operation has this method and path",
    Reason.QUARANTINED: "the caller or the callee is in quarantine",
    Reason.BAD_IDENTITY: "no certificate, or one that does not verify",
    Reason.BAD_REQUEST: "the request is malformed or ambiguous",
    Reason.BAD_CREDENTIAL: "the egress was used without the credential of this run",
    Reason.UNKNOWN_SERVICE: "there is no service of that name that takes calls",
    Reason.UNREACHABLE: "the callee did not answer, or was not who it should be",
    Reason.UNVIEWABLE: "the answer may hold data that is not disclosed to the caller, and it cannot be said where",
    Reason.UNDISCLOSED: "the request holds data that is not disclosed to the service that it is sent to",
    Reason.UNREADABLE: "the request may hold data that is not disclosed to the service, and it cannot be said whether",
    Reason.RESOURCE: "the service asked about an object that the caller may not do this to, or that is not as declared",
    Reason.SLOW_PATH_DOWN: "the slow path did not answer, so nothing is allowed",
}


def meaning(reason: str) -> str:
    """Return what a reason code means; a code that is not known, as it is."""
    try:
        return MEANINGS[Reason(reason)]
    except ValueError:
        return reason


def outcome(call: Call) -> Outcome:
    """Return what became of a call."""
    if call.reason == Reason.UNREACHABLE or _unanswered(call):
        return "unreachable"
    if call.decision == "allow":
        return "allowed"
    return "refused" if call.carried_out == "deny" else "observed"


def _unanswered(call: Call) -> bool:
    """Tell whether a call was let through and its own Envoy answered it: the service behind it did not."""
    failed = (call.status or 0) >= SERVER_ERROR or call.grpc_status in _GRPC_UNANSWERED
    return call.carried_out == "allow" and call.detail is not None and failed


def places(ids: Iterable[str], policy: Policy | None) -> str:
    """Return policies' ids with file and line, as far as `policy` knows them."""
    known = policy.policies.by_id if policy else {}
    return ", ".join(f"{name} ({known[name].place})" if name in known else name for name in ids)


def verdict(call: Call, policy: Policy | None) -> Text:
    """Return one line that says what was decided, why, and by which policies."""
    became = outcome(call)
    by = printable(places(call.policies, policy))
    text = Text(became, style=STYLES[became])
    if _unanswered(call):
        said = printable(call.detail or "")
        return text.append(f": allowed by {by or 'nobody'}, and the service did not answer: {said}", style="default")
    if became == "allowed":
        return text.append(f" by {by}" if by else "", style="default")
    text.append(f": {printable(call.reason)}", style="default")
    text.append(f", {meaning(call.reason)}", style="default")
    if call.sent:
        text.append(f": {printable(', '.join(call.sent))}", style="default")
    if by:
        text.append(f": {by}", style="default")
    if became == "observed":
        text.append("; let through, since this is in mode observe", style="default")
    return text
