"""Decides calls: the one place that says whether a service may call an operation. No I/O, no clock.

What is decided for a cell (a caller and an operation) at a moment:

1. A caller or an operation that the catalog does not hold is refused, before any policy is asked.
2. Policies that have expired do not exist. Without a permit the call is refused.
3. If no remaining policy has conditions, the request is not looked at: a forbid refuses, else the permit
   allows.
4. Otherwise every parameter that the remaining policies read must be in plain form, or the call is refused.
5. Cedar evaluates all remaining policies. If any fails to evaluate, the call is refused, whatever the others
   say: Cedar itself would skip a forbid that fails.
6. A forbid that holds refuses, else a permit that holds allows, else the call is refused.

Steps 1 to 3 are looked up; steps 4 to 6 ask Cedar about the few policies of the cell, not about all.

Whether a caller may call an operation, and whether it may do that to one object, are two decisions: a policy is about
the one or the other by its scope, and an enforcer that has an object needs both. An object is held to its declared type
before any policy is asked, also where none reads it: what is not as declared is a `ResourceError`, and allows nothing.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import cedarpy
from cedarpy import pst

from inward.policy.decision import Decision, Reason
from inward.policy.index import Index
from inward.policy.loading.rules import Parsed
from inward.policy.model import Cell, Disclosure
from inward.policy.request import BadParameterError, Read, build_context, cedar_datetime, reads_of
from inward.policy.resources.values import entity_of
from inward.policy.schema import DISCLOSE, entities_for, entities_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from inward.catalog.model import Catalog, Operation
    from inward.policy.model import ObjectCell, Policies, Policy
    from inward.policy.request import Request
    from inward.policy.resources.model import Resource

MAX_CELLS = 50_000  # kept ready; others are made again when they are asked for
_UNKNOWN_CALLER: Final = Decision(allowed=False, reason=Reason.UNKNOWN_CALLER)
_UNKNOWN_OPERATION: Final = Decision(allowed=False, reason=Reason.UNKNOWN_OPERATION)
_NO_GRANT: Final = Decision(allowed=False, reason=Reason.NO_GRANT)
_BAD_PARAMETER: Final = Decision(allowed=False, reason=Reason.BAD_PARAMETER)
_FAILED = re.compile(r"^error while evaluating policy `([A-Za-z0-9._-]+)`")


class Engine:
    """The decisions of one catalog and one set of policies, both of which never change."""

    def __init__(self, catalog: Catalog, policies: Policies, *, max_cells: int = MAX_CELLS) -> None:
        self._catalog = catalog
        self._resources = policies.resources
        self._index = Index(catalog, policies)
        self._entities = cedarpy.Entities.from_json_str(json.dumps(entities_of(catalog)))
        # Two generations bound the cells without any bookkeeping on a hit: when the young one is full it
        # becomes the old one, and what the old one still held then is forgotten.
        self._generation = max(1, max_cells // 2)
        self._young: dict[tuple[str, str], _Ready] = {}
        self._old: dict[tuple[str, str], _Ready] = {}
        self._disclosures: dict[tuple[str, str], _Ready] = {}
        self._objects: dict[tuple[str, str, str], _Ready] = {}

    @property
    def index(self) -> Index:
        """The index of all cells."""
        return self._index

    def cell(self, caller: str, operation: str) -> Cell:
        """Return the policies that can apply to a call; `KeyError` for what the catalog does not hold."""
        return self._index.cell(caller, operation)

    def decide(self, request: Request, now: datetime) -> Decision:
        """Decide one call at a moment, which must have a time zone. Nothing in a request makes it raise."""
        ready = self._young.get((request.caller, request.operation))
        if ready is None:
            if request.caller not in self._catalog.services:
                return _UNKNOWN_CALLER
            if request.operation not in self._catalog.operations:
                return _UNKNOWN_OPERATION
            ready = self._ready(request.caller, request.operation)
        if ready.moments:
            phase = ready.phase(now)
            return phase if isinstance(phase, Decision) else phase.decide(request.path, request.query, now)
        only = ready.only
        return only if isinstance(only, Decision) else only.decide(request.path, request.query, now)

    def disclose(self, caller: str, data_class: str, now: datetime) -> Decision:
        """Decide whether a caller may be shown a data class of the catalog; `KeyError` for one that is not in it."""
        found = self._catalog.data_classes[data_class]
        if caller not in self._catalog.services:
            return _UNKNOWN_CALLER
        key = (caller, found.name)
        ready = self._disclosures.get(key)
        if ready is None:
            if len(self._disclosures) >= self._generation:
                self._disclosures.clear()
            ready = self._disclosures[key] = _Ready(self._index.disclosure(caller, found.name), self._entities)
        phase = ready.phase(now) if ready.moments else ready.only
        return phase if isinstance(phase, Decision) else phase.decide("", "", now)

    def decide_object(self, request: Request, resource: Resource, now: datetime) -> Decision:
        """Decide whether a caller may do to one object what an operation does, at a moment, which has a time zone.

        It says nothing of the call as a whole, which `decide` does. Raises `ResourceError` where the object is of no
        type that the operation's service declares, or not as declared.
        """
        if request.caller not in self._catalog.services:
            return _UNKNOWN_CALLER
        operation = self._catalog.operations.get(request.operation)
        if operation is None:
            return _UNKNOWN_OPERATION
        kind = self._resources.find(operation.service, resource.type)
        entity = entity_of(resource, kind)
        key = (request.caller, operation.id, kind.name)
        ready = self._objects.get(key)
        if ready is None:
            if len(self._objects) >= self._generation:
                self._objects.clear()
            cell = self._index.object_cell(request.caller, operation.id, kind)
            ready = self._objects[key] = _Ready(cell, self._entities_for(cell))
        phase = ready.phase(now) if ready.moments else ready.only
        return phase if isinstance(phase, Decision) else phase.decide(request.path, request.query, now, entity)

    @cached_property
    def _entities_by_name(self) -> dict[tuple[str, str], dict[str, Any]]:
        return {(each["uid"]["type"], each["uid"]["id"]): each for each in entities_of(self._catalog)}

    def _entities_for(self, cell: ObjectCell) -> cedarpy.Entities:
        """Return the entities that the policies of a cell can know of: an object is added to them for each decision."""
        named = {uid for policy in (*cell.permits, *cell.forbids) for uid in Parsed.of(policy.pst).entities}
        wanted = {(str(uid.type), uid.id) for uid in named}
        wanted |= {("Service", cell.caller), ("Service", cell.type.service), ("Action", cell.operation.id)}
        return cedarpy.Entities.from_json_str(json.dumps(entities_for(wanted, self._entities_by_name)))

    def _ready(self, caller: str, operation: str) -> _Ready:
        key = (caller, operation)
        ready = self._old.get(key) or _Ready(self._index.cell(caller, operation), self._entities)
        if len(self._young) >= self._generation:
            self._old, self._young = self._young, {}
        self._young[key] = ready
        return ready


class _Ready:
    """A cell made ready: what is to be done with a call in each of its phases.

    A phase is the time between two moments at which policies of the cell expire; in it, the same policies are
    live.
    """

    __slots__ = ("_cell", "_entities", "_phases", "moments", "only")

    def __init__(self, cell: Cell | Disclosure | ObjectCell, entities: cedarpy.Entities) -> None:
        self._cell = cell
        self._entities = entities
        expiries = {policy.expires for policy in (*cell.permits, *cell.forbids) if policy.expires is not None}
        self.moments = tuple(sorted(expiries))
        self._phases: dict[int, Decision | _Conditional] = {}
        self.only: Decision | _Conditional = _NO_GRANT if self.moments else self._phase(None)

    def phase(self, now: datetime) -> Decision | _Conditional:
        """Return what is to be done at a moment."""
        passed = bisect_right(self.moments, now)  # at its very moment a policy has expired
        phase = self._phases.get(passed)
        if phase is None:
            phase = self._phases[passed] = self._phase(self.moments[passed - 1] if passed else None)
        return phase

    def _phase(self, since: datetime | None) -> Decision | _Conditional:
        permits = _live(self._cell.permits, since)
        forbids = _live(self._cell.forbids, since)
        if not permits:
            expired = _ids(self._cell.permits)
            return Decision(allowed=False, reason=Reason.EXPIRED, policies=expired) if expired else _NO_GRANT
        if any(policy.conditional for policy in (*permits, *forbids)):
            return _Conditional(self._cell, permits, forbids, self._entities)
        if forbids:
            return Decision(allowed=False, reason=Reason.FORBIDDEN, policies=_ids(forbids))
        return Decision(allowed=True, reason=Reason.GRANTED, policies=_ids(permits))


class _Conditional:
    """The live policies of a cell, of which Cedar must be asked."""

    __slots__ = ("_entities", "_operation", "_policies", "_reads", "_refusal", "_request")

    def __init__(
        self,
        cell: Cell | Disclosure | ObjectCell,
        permits: tuple[Policy, ...],
        forbids: tuple[Policy, ...],
        entities: cedarpy.Entities,
    ) -> None:
        live = {policy.id: policy.pst for policy in (*permits, *forbids)}
        # INVARIANT: permits stay in the slice, and only Cedar's own Allow allows: a slice of forbids alone
        # could not tell "no forbid holds" from "the request could not be evaluated".
        self._policies = cedarpy.PolicySet.from_pst(
            pst.PolicySet(templates={}, static_policies=live, template_links=())
        )
        self._entities = entities
        # a disclosure has no request of its own: its context is the time
        self._operation: Operation | None = None if isinstance(cell, Disclosure) else cell.operation
        self._reads: frozenset[Read] = (
            reads_of((*permits, *forbids), self._operation) if self._operation is not None else frozenset()
        )
        self._refusal = Decision(allowed=False, reason=Reason.CONDITION, policies=_ids(permits))
        self._request: dict[str, Any] = {
            "principal": {"type": "Service", "id": cell.caller},
            "action": {"type": "Action", "id": DISCLOSE if isinstance(cell, Disclosure) else cell.operation.id},
        }
        if isinstance(cell, Disclosure):
            self._request["resource"] = {"type": "DataClass", "id": cell.data_class.name}
        elif isinstance(cell, Cell):
            self._request["resource"] = {"type": "Service", "id": cell.operation.service}

    def decide(self, path: str, query: str, now: datetime, entity: dict[str, Any] | None = None) -> Decision:
        """Decide a call or a disclosure of this cell in the phase of `now`; `entity` is the object, if there is one."""
        try:
            context = (
                build_context(self._operation, path, query, now, self._reads)
                if self._operation is not None
                else {"time": cedar_datetime(now)}
            )
        except BadParameterError:
            return _BAD_PARAMETER
        asked, entities = {**self._request, "context": json.dumps(context)}, self._entities
        if entity is not None:
            asked["resource"] = entity["uid"]
            try:
                entities = entities.with_added_json_str(json.dumps([entity]))
            except ValueError:  # an attribute that Cedar cannot hold, whatever Python can
                return Decision(allowed=False, reason=Reason.POLICY_ERROR)
        answer = cedarpy.is_authorized(asked, self._policies, entities)
        said, errors = answer.decision, answer.diagnostics.errors
        if errors or said is cedarpy.Decision.NoDecision:
            return Decision(allowed=False, reason=Reason.POLICY_ERROR, policies=_failed(errors))
        holding = tuple(sorted(answer.diagnostics.reasons))
        if said is cedarpy.Decision.Allow:
            return Decision(allowed=True, reason=Reason.GRANTED, policies=holding)
        return Decision(allowed=False, reason=Reason.FORBIDDEN, policies=holding) if holding else self._refusal


def _live(policies: tuple[Policy, ...], since: datetime | None) -> tuple[Policy, ...]:
    """Return those that have not expired in the phase that begins at `since`."""
    if since is None:
        return policies
    return tuple(policy for policy in policies if policy.expires is None or policy.expires > since)


def _ids(policies: tuple[Policy, ...]) -> tuple[str, ...]:
    return tuple(policy.id for policy in policies)


def _failed(errors: Iterable[str]) -> tuple[str, ...]:
    """Return the ids of the policies that Cedar says failed to evaluate."""
    return tuple(sorted({found[1] for error in errors if (found := _FAILED.match(error))}))
