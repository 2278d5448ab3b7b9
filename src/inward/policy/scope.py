"""How wide a policy's scope is: which of its parts are left open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cedarpy import pst

if TYPE_CHECKING:
    from inward.policy.model import Policy


def open_parts(policy: Policy) -> tuple[Literal["principal", "action"], ...]:
    """Return the parts of a policy's scope that name nothing: any service, those to come too, or any operation."""
    parts: list[Literal["principal", "action"]] = []
    if isinstance(policy.pst.principal, pst.ScopeAny | pst.ScopeIs):
        parts.append("principal")
    if isinstance(policy.pst.action, pst.ScopeAny):
        parts.append("action")
    return tuple(parts)
