"""How wide a policy's scope is: which of its parts are left open, or name more than one thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cedarpy import pst

from inward.policy.schema import groups_of_service

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


def names_one_service(policy: Policy) -> bool:
    """Tell whether a policy is about one service, and not about all in a group, a zone or a team, or all there are."""
    return isinstance(policy.pst.principal, pst.ScopeEq)


def is_about_all_of(policy: Policy, service: str) -> bool:
    """Tell whether a policy is about all operations of a service, those to come too."""
    match policy.pst.action:
        case pst.ScopeAny():
            return True
        case pst.ActionIn(entities):
            return groups_of_service(service)[0] in {entity.id for entity in entities}
    return False
