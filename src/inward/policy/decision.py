"""The vocabulary of decisions: reason codes and the decision itself."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NoReturn


class Reason(enum.StrEnum):
    """Why a call was allowed or refused. The codes are stable: callers, records and alerts rely on them."""

    GRANTED = "granted"
    NO_GRANT = "no_grant"  # no grant names this caller and operation
    CONDITION = "condition"  # grants name them, and no condition held
    EXPIRED = "expired"  # the only grants that would hold have expired
    FORBIDDEN = "forbidden"  # a forbid applies
    BAD_PARAMETER = "bad_parameter"  # a condition reads a parameter that the request does not carry in plain form
    POLICY_ERROR = "policy_error"  # a candidate policy failed to evaluate
    UNKNOWN_CALLER = "unknown_caller"  # a valid identity of the trust domain that the catalog does not hold
    UNKNOWN_OPERATION = "unknown_operation"  # no documented operation has this method and path
    QUARANTINED = "quarantined"  # the caller or the callee is in quarantine
    BAD_IDENTITY = "bad_identity"  # no certificate, or one that does not verify
    BAD_REQUEST = "bad_request"  # the enforcer's HTTP parser refused it
    BAD_CREDENTIAL = "bad_credential"  # the egress was used without the credential of this run
    UNKNOWN_SERVICE = "unknown_service"  # the egress knows no service of that name
    UNREACHABLE = "unreachable"  # the callee did not answer, or was not who it should be
    UNVIEWABLE = "unviewable"  # the answer may hold a data class that is not disclosed, and it cannot be said where
    UNDISCLOSED = "undisclosed"  # the request holds a data class that is not disclosed to the service it is sent to
    UNREADABLE = "unreadable"  # it may hold such a class, and it cannot be said whether
    RESOURCE = "resource"  # the service asked about an object, and the caller may not do this to it
    SLOW_PATH_DOWN = "slow_path_down"  # the decision point for untranslatable conditions did not answer


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, why, and by which policies (`@id`s, sorted): permits where allowed, else what refused it."""

    allowed: bool
    reason: Reason
    policies: tuple[str, ...] = ()

    def __bool__(self) -> NoReturn:
        # INVARIANT: a refusal is an object and so would be truthy: `if decision:` must never fail open.
        raise TypeError("a decision has no truth value: ask for `.allowed`")
