"""Decides recorded calls again: what a policy says of a call that is in the record. No I/O, no clock.

The record has the path of a call and not its query, and of the path's parameters those that it keeps. Rules:

1. The callee's own templates say again which operation the method and the path mean. Where a parameter is not kept,
   that is the operation that has the template still, if no other one could be meant whatever stood there.
2. Where the policies that are live at that moment decide without the query, `Engine` decides as it decides any call.
3. Where a live condition reads a query parameter, or one that is not kept, and no other policy refuses whatever it was,
   the call is `Undecided`: never guessed, neither from what was decided then nor by taking the query for empty.

What it leaves out: what is refused before a policy is asked, such as a bad credential or a service in quarantine.
`DECIDED` names the reasons of all else.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from inward.catalog.resolve import Resolver
from inward.catalog.template import plain_spelling
from inward.policy.decision import Decision, Reason
from inward.policy.request import Request, reads_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from inward.catalog.model import Catalog, Operation
    from inward.policy.decide import Engine
    from inward.policy.model import Cell, Policy
    from inward.policy.request import Where
    from inward.record.call import Call

MAX_CELLS = 50_000  # kept ready
STAND_IN = "0"  # for the text of a parameter that nothing reads

# The reasons of decisions that a catalog and its policies make; all others are of what comes before or after them.
DECIDED = frozenset(
    {
        Reason.GRANTED,
        Reason.NO_GRANT,
        Reason.CONDITION,
        Reason.EXPIRED,
        Reason.FORBIDDEN,
        Reason.BAD_PARAMETER,
        Reason.POLICY_ERROR,
        Reason.UNKNOWN_CALLER,
        Reason.UNKNOWN_OPERATION,
    }
)
_UNKNOWN_SERVICE = Decision(allowed=False, reason=Reason.UNKNOWN_SERVICE)
_UNKNOWN_OPERATION = Decision(allowed=False, reason=Reason.UNKNOWN_OPERATION)
_UNKNOWN_CALLER = Decision(allowed=False, reason=Reason.UNKNOWN_CALLER)


@dataclass(frozen=True, slots=True)
class Undecided:
    """A call that the record does not tell enough of: the parameters (sorted) that would decide it.

    They are those of the query, or of the path as far as they are not kept, that a live condition reads; or those that
    say which operation is meant.
    """

    parameters: tuple[str, ...]


class Decider:
    """What one system says of recorded calls. `version` is that of the system, as calls bear it."""

    def __init__(self, catalog: Catalog, engine: Engine, version: str) -> None:
        self.catalog = catalog
        self.version = version
        self._engine = engine
        self._resolvers: dict[str, Resolver] = {}
        self._cells: dict[tuple[str, str], _ReadyCell] = {}
        self._others: dict[tuple[str, str, str], tuple[str, ...]] = {}  # operations that a template could mean

    def operation(self, call: Call) -> Operation | None:
        """Return the operation that a recorded call means here; None where none is documented for it."""
        service = self.catalog.services.get(call.callee or "")
        if service is None or call.method is None or call.path is None:
            return None
        resolver = self._resolvers.get(service.name)
        if resolver is None:
            resolver = self._resolvers[service.name] = Resolver(service)
        if call.not_kept:
            operation = self.catalog.operations.get(call.operation or "")
            return operation if operation is not None and _is_of(operation, call) else None
        found = resolver.resolve(call.method, call.full_path or "")
        return found[0] if found else None

    def decide(self, call: Call, operation: Operation | None, now: datetime) -> Decision | Undecided:
        """Decide a recorded call at a moment, which must have a time zone; `operation` is what `operation` returned."""
        unknown = tuple(sorted(call.not_kept))
        if unknown and self._could_be_another(call, operation):
            return Undecided(unknown)
        if operation is None:
            service = self.catalog.services.get(call.callee or "")
            return _UNKNOWN_SERVICE if service is None or service.listen is None else _UNKNOWN_OPERATION
        caller = call.caller or ""
        if caller not in self.catalog.services:
            known = self.catalog.by_spiffe_id(caller)  # how a call bears a caller that the catalog of then did not hold
            if known is None:
                return _UNKNOWN_CALLER
            caller = known.name
        ready = self._ready(caller, operation)
        decided = ready.fixed(now)
        if decided is None and unknown:
            decided = ready.without(unknown, now)
        if decided is None:
            path = path_of(call, operation)
            request = None if path is None else Request(caller, operation.id, path)
            decided = Undecided(unknown) if request is None else self._engine.decide(request, now)
        return decided

    def _could_be_another(self, call: Call, operation: Operation | None) -> bool:
        """Tell whether a path, of which not all is kept, could mean another operation here than `operation`."""
        service = self.catalog.services.get(call.callee or "")
        if service is None or call.path is None:
            return False
        key = (service.name, call.method or "", call.path)
        others = self._others.get(key)
        if others is None:
            if len(self._others) >= MAX_CELLS:
                self._others.clear()
            others = self._others[key] = tuple(
                each.id
                for each in service.operations
                if each.method == call.method and _may_meet(each.template.text, call.path)
            )
        return any(each != (operation.id if operation is not None else None) for each in others)

    def same_cell(self, other: Decider, call: Call, operation: Operation) -> bool:
        """Tell whether here and in `other` the same policies, word for word, decide calls of this caller."""
        theirs = other.catalog.operations.get(operation.id)
        caller = call.caller or ""
        if theirs is None or caller not in self.catalog.services or caller not in other.catalog.services:
            return False
        return (theirs.method, theirs.template.text, theirs.parameters) == (
            operation.method,
            operation.template.text,
            operation.parameters,
        ) and self._ready(caller, operation).texts == other._ready(caller, theirs).texts

    def _ready(self, caller: str, operation: Operation) -> _ReadyCell:
        key = (caller, operation.id)
        ready = self._cells.get(key)
        if ready is None:
            if len(self._cells) >= MAX_CELLS:
                self._cells.clear()
            ready = self._cells[key] = _ReadyCell(self._engine.cell(*key), self._engine)
        return ready


class _ReadyCell:
    """A cell, and what holds in each of its phases whatever the request is; `inward.policy.decide` has phases too."""

    __slots__ = ("_cell", "_engine", "_moments", "_phases")

    def __init__(self, cell: Cell, engine: Engine) -> None:
        self._cell = cell
        self._engine = engine
        expiries = {policy.expires for policy in (*cell.permits, *cell.forbids) if policy.expires is not None}
        self._moments = sorted(expiries)
        self._phases: dict[int, Decision | Undecided | None] = {}

    @property
    def texts(self) -> tuple[str, ...]:
        """The sources of its policies, in the order of their ids."""
        return tuple(policy.text for policy in (*self._cell.permits, *self._cell.forbids))

    def fixed(self, now: datetime) -> Decision | Undecided | None:
        """Return what holds for every call at a moment; None where the path or the time of a call decides."""
        phase = bisect_right(self._moments, now) if self._moments else 0
        if phase not in self._phases:
            self._phases[phase] = self._fixed(now)
        return self._phases[phase]

    def _fixed(self, now: datetime) -> Decision | Undecided | None:
        permits, forbids = _live(self._cell.permits, now), _live(self._cell.forbids, now)
        conditional = [policy for policy in (*permits, *forbids) if policy.conditional]
        if not permits or not conditional:
            return self._engine.decide(Request(self._cell.caller, self._cell.operation.id, ""), now)
        queries = self._names_read("query", now)
        return self._unless_forbidden(queries, now) if queries else None

    def without(self, names: Collection[str], now: datetime) -> Decision | Undecided | None:
        """Return what holds for a call of which those parameters of the path are not known; None where none is read."""
        read = self._names_read("path", now).intersection(names)
        return self._unless_forbidden(read, now) if read else None

    def _names_read(self, part: Where, now: datetime) -> set[str]:
        live = (*_live(self._cell.permits, now), *_live(self._cell.forbids, now))
        reads = reads_of([policy for policy in live if policy.conditional], self._cell.operation)
        return {name for where, name in reads if where == part}

    def _unless_forbidden(self, read: Iterable[str], now: datetime) -> Decision | Undecided:
        forbids = _live(self._cell.forbids, now)
        always = tuple(policy.id for policy in forbids if not policy.conditional)
        if always:  # whatever the others say of these, the call is refused
            return Decision(allowed=False, reason=Reason.FORBIDDEN, policies=always)
        return Undecided(tuple(sorted(read)))


def _is_of(operation: Operation, call: Call) -> bool:
    return operation.template.text == call.path and operation.method == call.method


def _may_meet(one: str, other: str) -> bool:
    """Return whether some path may be of both of two templates; too often true makes a call undecided, no more."""
    pieces, others = one.split("/"), other.split("/")
    return len(pieces) == len(others) and all(
        "{" in piece or "{" in each or plain_spelling(piece) == plain_spelling(each)
        for piece, each in zip(pieces, others, strict=True)
    )


def path_of(call: Call, operation: Operation) -> str | None:
    """Return the path of a call of an operation, with `STAND_IN` for each parameter that is not kept.

    It is for who reads none of those. None where there is no such path, as may be where two share a segment.
    """
    if not call.not_kept:
        return call.full_path
    kept = {name: text for name, text in call.parameters.items() if name not in call.not_kept}
    path = msgspec.structs.replace(call, parameters=kept | dict.fromkeys(call.not_kept, STAND_IN)).full_path
    found = operation.template.match(path or "")
    return path if found is not None and kept.items() <= found.items() else None


def _live(policies: tuple[Policy, ...], now: datetime) -> tuple[Policy, ...]:
    return tuple(policy for policy in policies if policy.expires is None or policy.expires > now)
