"""What a refused caller is told, by whatever enforcer: a reason code, a title for people, nothing of the policy."""

from __future__ import annotations

from types import MappingProxyType

from inward.policy.decision import Reason

CONTENT_TYPE = "application/problem+json"  # RFC 9457

TITLES = MappingProxyType(
    {
        Reason.NO_GRANT: "No grant allows this caller to do this",
        Reason.CONDITION: "The conditions of the grant do not hold for this request",
        Reason.FORBIDDEN: "This is forbidden",
        Reason.UNKNOWN_OPERATION: "No documented operation has this method and path",
        Reason.QUARANTINED: "The caller or the callee is in quarantine",
        Reason.BAD_IDENTITY: "The caller has no identity that verifies",
        Reason.BAD_REQUEST: "The request is malformed or ambiguous",
        Reason.BAD_CREDENTIAL: "This proxy serves one service, and the credential is not that service's",
        Reason.UNKNOWN_SERVICE: "There is no service of that name",
        Reason.UNREACHABLE: "The service did not answer, or was not the one it should be",
        Reason.SLOW_PATH_DOWN: "The decision could not be made",
        Reason.RESOURCE: "The caller may not do this to this object",
        Reason.UNVIEWABLE: "The answer may hold data that this caller may not see",
        Reason.UNDISCLOSED: "The request holds data that the service may not receive",
        Reason.UNREADABLE: "The request may hold data that the service may not receive",
    }
)


def told(reason: Reason) -> Reason:
    """Return the code that the caller is given: one that has a title, and says nothing of what else there is."""
    if reason in TITLES:
        return reason
    return Reason.NO_GRANT if reason is Reason.UNKNOWN_CALLER else Reason.CONDITION


def problem(reason: Reason, status: int, instance: str) -> dict[str, str | int]:
    """Return the problem details of a refusal (RFC 9457); `instance` refers to the call in the record."""
    code = told(reason)
    return {"type": "about:blank", "title": TITLES[code], "status": status, "code": code.value, "instance": instance}
