"""Parts of a condition that no request can change, worked out by asking Cedar itself.

A cell fixes the caller, the operation and its service, so `principal in Zone::"core"` is a constant of it.
Nothing is evaluated here: a policy with that one condition is, by cedarpy.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import cedarpy
from cedarpy import pst

from inward.errors import InwardError
from inward.policy.request import parts_of
from inward.policy.schema import entities_of

if TYPE_CHECKING:
    from inward.catalog.model import Catalog
    from inward.policy.model import Cell

MAX_CACHED = 100_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATETIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d{3}))?(?:Z|([+-])(\d\d)(\d\d)))?", re.ASCII
)
_DURATION = re.compile(r"(-?)(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)
_UNITS = (86_400_000, 3_600_000, 60_000, 1000, 1)  # of a duration, in milliseconds
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

    def datetime_ms(self, literal: str, cell: Cell) -> int:
        """Return a datetime literal as milliseconds since 1970, confirmed by Cedar."""
        found = _DATETIME.fullmatch(literal)
        if not found:
            raise UntranslatableError(f'`datetime("{literal}")`')
        year, month, day, hour, minute, second, milli = (int(part or 0) for part in found.groups()[:7])
        try:
            moment = datetime(year, month, day, hour, minute, second, milli * 1000, tzinfo=UTC)
        except ValueError as error:
            raise UntranslatableError(f'`datetime("{literal}")`') from error
        value = (moment - _EPOCH) // timedelta(milliseconds=1)
        if found[8]:
            east = (int(found[9]) * 60 + int(found[10])) * 60_000
            value -= east if found[8] == "+" else -east
        epoch = pst.UnaryOp("datetime", pst.StringLit("1970-01-01"))
        since = pst.UnaryOp("duration", pst.StringLit(f"{value}ms"))
        return self._confirmed(
            value, pst.UnaryOp("datetime", pst.StringLit(literal)), pst.BinaryOp("offset", epoch, since), cell
        )

    def duration_ms(self, literal: str, cell: Cell) -> int:
        """Return a duration literal in milliseconds, confirmed by Cedar."""
        found = _DURATION.fullmatch(literal)
        if not found:
            raise UntranslatableError(f'`duration("{literal}")`')
        sign, *parts = found.groups()
        size = sum(int(part or 0) * unit for part, unit in zip(parts, _UNITS, strict=True))
        value = -size if sign else size
        written = pst.UnaryOp("duration", pst.StringLit(literal))
        return self._confirmed(value, written, pst.UnaryOp("duration", pst.StringLit(f"{value}ms")), cell)

    def _confirmed(self, value: int, written: pst.Expr, read: pst.Expr, cell: Cell) -> int:
        # INVARIANT: a literal means what Cedar says; what is read here only finds out how to ask.
        if not self.truth(pst.BinaryOp("eq", written, read), cell):
            raise UntranslatableError("a literal that Cedar reads differently")
        return value
