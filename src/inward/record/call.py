"""The call: one request that reached an enforcer, and what was decided. The unit of the record."""

from __future__ import annotations

from typing import Literal

import msgspec


class Call(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the record.

    `path` has no query. Identities are the verified ones: a name that was only claimed is never stored as `caller`.
    `decision` is what the policy says; in observe mode a refused call was let through all the same, so
    `carried_out` says what happened. `src` is where the line came from (`<log file>:<offset of the line's end>`),
    which is what makes every call appear exactly once.
    """

    time: str  # RFC 3339, UTC, milliseconds: when the request arrived
    id: str  # the reference that a refused caller is given
    caller: str | None = None  # service name; a SPIFFE ID where the catalog has no such service
    callee: str | None = None
    operation: str | None = None  # `service:name`
    method: str | None = None
    path: str | None = None
    decision: Literal["allow", "deny"]
    carried_out: Literal["allow", "deny"]
    reason: str  # a `Reason` code
    policies: tuple[str, ...] = ()  # deciding policies' `@id`s
    mode: Literal["observe", "enforce"] = "enforce"
    enforcer: Literal["ingress", "egress", "guard"] = "ingress"
    policy_version: str | None = None  # what the enforcer really enforced
    status: int | None = None  # HTTP; None where there was no answer
    duration_us: int | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    trace: str | None = None  # trace id of the W3C traceparent
    detail: str | None = None  # for operators: what the enforcer said of a refusal
    src: str | None = None
