"""Says what is granted beyond a call, and what would have to be: what is done to objects, and which data is disclosed.

For people, never for the caller. Nothing here decides: an enforcer asks the engine, which knows the object. Here it is
not known, so a term that reads it is left open. A grant is suggested only where no forbid would refuse it all.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import cedarpy
from cedarpy import pst

from inward.policy.authoring.explain import Examined, Examiner
from inward.policy.authoring.grants import disclosure_text, free_id, object_grant_text
from inward.policy.index import Index
from inward.policy.model import Disclosure, Policies, Policy
from inward.policy.request import BadParameterError, build_context, cedar_datetime, parts_of, reads_of
from inward.policy.resources.model import Objects

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from inward.catalog.model import Catalog, DataClass
    from inward.policy.decide import Engine
    from inward.policy.model import ObjectCell

Standing = Literal["always", "depends", "never"]


@dataclass(frozen=True, slots=True)
class TargetExplanation:
    """What a service may do to the objects of a type, or whether a data class is disclosed to it, and why.

    `examined` are the policies whose scopes cover it. `owner` is the team that grants it. `grant` is the Cedar text of
    the smallest grant that would allow it, for `grant_file`; both are empty where it is allowed, where no grant would
    allow it, and where the owner has no file.
    """

    caller: str
    target: Objects | DataClass
    standing: Standing
    examined: tuple[Examined, ...]
    owner: str
    grant: str = ""
    grant_file: str = ""


class TargetExplainer:
    """Explains targets of one system at one moment, which has a time zone."""

    def __init__(self, engine: Engine, catalog: Catalog, policies: Policies, now: datetime) -> None:
        self._index = engine.index
        self._catalog = catalog
        self._policies = policies
        self._examiner = Examiner(catalog)
        self._now = now

    def objects(
        self, caller: str, operation: str, path: str | None = None, query: str | None = None
    ) -> tuple[TargetExplanation, ...]:
        """Return what a service may do to objects by an operation, for each type; `KeyError` for unknown names.

        `path` and `query` are those of the request in which a handler asks, as far as they are known.
        """
        found = self._catalog.operations[operation]
        targets = []
        for each in self._policies.resources.objects(found):
            cell = self._index.object_cell(caller, operation, each.type)
            targets.append(self._explain(cell, each, self._context(cell, path, query)))
        return tuple(targets)

    def disclosure(self, caller: str, data_class: str) -> TargetExplanation:
        """Return whether a class is disclosed to a service; `KeyError` for unknown names."""
        cell = self._index.disclosure(caller, data_class)
        return self._explain(cell, cell.data_class, {"time": cedar_datetime(self._now)})

    def _explain(
        self, cell: Disclosure | ObjectCell, target: Objects | DataClass, context: dict[str, Any]
    ) -> TargetExplanation:
        policies = (*cell.permits, *cell.forbids)
        examined = tuple(_open(self._examiner.examine(each, cell, self._now, context), cell) for each in policies)
        standing = standing_of(examined)
        if isinstance(target, Objects):
            owner, file = self._catalog.services[target.operation.service].owner, target.operation.service
        else:
            owner = target.owner
            owned = (each.name for each in self._catalog.services.values() if each.owner == owner)
            file = min(owned, default="")
        grant = self._smallest_grant(cell, target, examined, file) if standing == "never" and file else ""
        return TargetExplanation(
            cell.caller, target, standing, examined, owner, grant, f"policies/{file}.cedar" if grant else ""
        )

    def _context(self, cell: ObjectCell, path: str | None, query: str | None) -> dict[str, Any]:
        """Return what is known: the time, and the parameters that are read, if all are known and in plain form."""
        reads = reads_of((*cell.permits, *cell.forbids), cell.operation)
        if path is not None and (query is not None or all(where == "path" for where, _ in reads)):
            try:
                return build_context(cell.operation, path, query or "", self._now, reads)
            except BadParameterError:
                pass
        return {"time": cedar_datetime(self._now)}

    def _smallest_grant(
        self, cell: Disclosure | ObjectCell, target: Objects | DataClass, examined: Sequence[Examined], file: str
    ) -> str:
        """Return the text of a grant of exactly this, unless it would be refused all the same."""
        caller, taken = cell.caller, self._policies.by_id
        if isinstance(target, Objects):
            operation = target.operation
            identifier = free_id([caller, operation.service, operation.name, target.type.name], taken)
            reason = f"why {caller} needs {operation.id}, and on which objects"
            text = object_grant_text(identifier, reason, caller, target)
        else:
            identifier = free_id([caller, "sees", target.name], taken)
            text = disclosure_text(identifier, f"why {caller} needs {target.name}", caller, target.name)
        (parsed,) = cedarpy.policies_to_pst(text).static_policies.values()
        parsed = dataclasses.replace(parsed, id=identifier)
        place = self._catalog.services[file].place
        granted = Policy(identifier, "permit", "", None, file, place, text, parsed)
        index = Index(self._catalog, Policies.of([granted], self._policies.resources))
        if isinstance(cell, Disclosure):
            permits = index.disclosure(caller, cell.data_class.name).permits
        else:
            permits = index.object_cell(caller, cell.operation.id, cell.type).permits
        would_be = standing_of([*examined, *(Examined(each, expired=False, terms=()) for each in permits)])
        return "" if would_be == "never" else text


def standing_of(examined: Iterable[Examined]) -> Standing:
    """Return what policies that have been examined say together, as far as that is known."""
    live = [each for each in examined if not each.expired]
    permits = [each for each in live if each.policy.effect == "permit"]
    could_allow = any(all(term.met is not False for term in each.terms) for each in permits)
    if not could_allow or any(each.policy.effect == "forbid" and _outcome(each) for each in live):
        return "never"
    # whatever is left open could fail to evaluate too, which refuses
    return "depends" if any(_outcome(each) is None for each in live) else "always"


def _outcome(examined: Examined) -> bool | None:
    """Return whether a policy applies; None where that is open: the first term that is not met has the last word."""
    return next((term.met for term in examined.terms if not term.met), True)


def _open(examined: Examined, cell: Disclosure | ObjectCell) -> Examined:
    """Leave open what the object, which nobody here knows, decides."""
    if isinstance(cell, Disclosure):
        return examined
    terms = (
        dataclasses.replace(term, met=None, problem="") if term.met is None or _reads_object(term.text) else term
        for term in examined.terms
    )
    return dataclasses.replace(examined, terms=tuple(terms))


def _reads_object(term: str) -> bool:
    text = f"permit(principal, action, resource) when {{ {term}\n}};"
    (parsed,) = cedarpy.policies_to_pst(text).static_policies.values()
    waiting = [clause.expr for clause in parsed.clauses]
    for expr in waiting:  # it grows meanwhile
        if isinstance(expr, pst.Var) and expr.name == "resource":
            return True
        waiting.extend(parts_of(expr))
    return False
