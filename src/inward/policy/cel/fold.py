"""Parts of a condition that no request can change, worked out by asking Cedar itself.

A cell fixes the caller, the operation and its service, so `principal in Zone::"core"` is a constant of it.
Nothing is evaluated here: a policy with that one condition is, by cedarpy.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

import cedarpy
from cedarpy import pst

from inward.errors import InwardError
from inward.policy import literals
from inward.policy.request import parts_of
from inward.policy.schema import entities_of

if TYPE_CHECKING:
    from inward.catalog.model import Catalog
    from inward.policy.model import Cell

MAX_CACHED = 100_000
_CONTEXT = pst.Var("context")


class UntranslatableError(InwardError):
    """A condition holds a `construct` that cannot be translated exactly: it is for the slow path."""

    code = "untranslatable"

    def __init__(self, construct: str) -> None:
        super().__init__(f"{construct} has no exact translation for Envoy")
        self.construct = construct


def reads_context(expr: pst.Expr) -> bool:
    """Return whether an expression depends on the request."""
    return expr == _CONTEXT or any(reads_context(part) for part in parts_of(expr))


def milliseconds(function: Literal["datetime", "duration"], literal: str) -> int:
    """Return the literal `datetime(…)`, since 1970, or `duration(…)` in milliseconds, confirmed by Cedar."""
    try:
        return literals.datetime_ms(literal) if function == "datetime" else literals.duration_ms(literal)
    except literals.UnreadableLiteralError as error:
        raise UntranslatableError(error.message) from error


_folders: list[tuple[Catalog, Folder]] = []  # of the latest catalog: all of its cells come one after the other


def folder_of(catalog: Catalog) -> Folder:
    """Return the folder of a catalog, which is costly to make."""
    for known, folder in _folders:
        if known is catalog:
            return folder
    folder = Folder(catalog)
    _folders[:] = [(catalog, folder)]
    return folder


class Folder:
    """Works out constants with the entities of one catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._entities = cedarpy.Entities.from_json_str(json.dumps(entities_of(catalog)))
        self._known: dict[tuple[str, str, str], dict[pst.Expr, bool]] = {}
        self._count = 0

    def truth(self, expr: pst.Expr, cell: Cell) -> bool:
        """Return the value of a Boolean expression without context; raises where it has none."""
        if isinstance(expr, pst.BoolLit):
            return expr.value
        scope = (cell.caller, cell.operation.id, cell.operation.service)
        known = self._known.setdefault(scope, {})
        if expr not in known:
            if self._count >= MAX_CACHED:
                self._known, self._count = {scope: (known := {})}, 0
            known[expr] = self._ask(expr, *scope)
            self._count += 1
        return known[expr]

    def _ask(self, expr: pst.Expr, caller: str, operation: str, service: str) -> bool:
        policy = pst.Template(
            "p", "permit", pst.ScopeAny(), pst.ScopeAny(), pst.ScopeAny(), (pst.When(expr),), pst.FrozenMap()
        )
        try:
            policies = cedarpy.PolicySet.from_pst(pst.PolicySet({}, {"p": policy}, ()))
        except ValueError as error:
            raise UntranslatableError("an expression that Cedar does not take back") from error
        result = cedarpy.is_authorized(
            {
                "principal": {"type": "Service", "id": caller},
                "action": {"type": "Action", "id": operation},
                "resource": {"type": "Service", "id": service},
                "context": {},
            },
            policies,
            self._entities,
        )
        if result.diagnostics.errors or result.decision is cedarpy.Decision.NoDecision:
            raise UntranslatableError("a constant that fails to evaluate")
        return result.decision is cedarpy.Decision.Allow
