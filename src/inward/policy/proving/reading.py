"""What the conditions of a policy read besides parameters: what its cells can differ by, and the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cedarpy import pst

from inward.policy.request import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.policy.model import Policy


@dataclass(frozen=True, slots=True)
class Reading:
    """What a policy's conditions read: of the caller its attributes, or which one it is; the action; the resource."""

    caller: bool
    identity: bool
    action: bool
    resource: bool

    @classmethod
    def of(cls, policy: Policy) -> Reading:
        """Look through the conditions of a policy."""
        found = {what for clause in policy.pst.clauses for what in _read(clause.expr)}
        return cls("principal" in found, "identity" in found, "action" in found, "resource" in found)


def reads_time(policy: Policy) -> bool:
    """Tell whether the conditions of a policy may read anything of the context but its parameters: the time."""
    stack: list[pst.Expr] = [clause.expr for clause in policy.pst.clauses]
    while stack:
        match stack.pop():
            case pst.GetAttr(pst.Var("context"), "path" | "query"):
                pass
            case pst.HasAttr(pst.Var("context"), ("path" | "query", *_)):
                pass
            case pst.Var("context"):
                return True
            case node:
                stack.extend(parts_of(node))
    return False


def _read(expr: pst.Expr) -> Iterator[str]:
    stack = [expr]
    while stack:
        node = stack.pop()
        match node:
            case pst.Var(name):
                yield name
                if name == "principal":
                    yield "identity"
            case (
                pst.GetAttr(pst.Var("principal"), _)
                | pst.HasAttr(pst.Var("principal"), _)
                | pst.Is(pst.Var("principal"), _, None)
            ):
                yield "principal"
            case pst.BinaryOp("in", pst.Var("principal"), right) if _names_no_service(right):
                yield "principal"
            case _:
                stack.extend(parts_of(node))


def _names_no_service(expr: pst.Expr) -> bool:
    match expr:
        case pst.EntityLit(uid):
            return uid.type.basename != "Service"
        case pst.Set(elements):
            return all(_names_no_service(element) for element in elements)
    return False
