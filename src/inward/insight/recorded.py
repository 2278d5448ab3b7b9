"""Decides recorded calls again: what a policy says of a call that is in the record. No I/O, no clock.

The record has the path of a call and not its query, so one thing can be missing. Rules:

1. The callee's own templates say again which operation the method and the path mean.
2. Where the policies that are live at that moment decide without the query, `Engine` decides as it decides any call.
3. Where a live condition reads a query parameter, and no other policy refuses whatever the query was, the call is
   `Undecided`: never guessed, neither from what was decided then nor by taking the query for empty.

What it leaves out: what is refused before a policy is asked, such as a bad credential or a service in quarantine.
`DECIDED` names the reasons of all else.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.catalog.resolve import Resolver
from inward.policy.decision import Decision, Reason
from inward.policy.request import Request, reads_of

if TYPE_CHECKING:
    from datetime import datetime

    from inward.catalog.model import Catalog, Operation
    from inward.policy.decide import Engine
    from inward.policy.model import Cell, Policy
    from inward.record.call import Call

MAX_CELLS = 50_000  # kept ready

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
    """A call that the record does not tell enough of: the query parameters (sorted) that a live condition reads."""

    parameters: tuple[str, ...]


class Decider:
    """What one system says of recorded calls. `version` is that of the system, as calls bear it."""

    def __init__(self, catalog: Catalog, engine: Engine, version: str) -> None:
        self.catalog = catalog
        self.version = version
        self._engine = engine
        self._resolvers: dict[str, Resolver] = {}
        self._cells: dict[tuple[str, str], _ReadyCell] = {}

    def operation(self, call: Call) -> Operation | None:
        """Return the operation that a recorded call means here; None where none is documented for it."""
        service = self.catalog.services.get(call.callee or "")
        if service is None or call.method is None or call.path is None:
            return None
        resolver = self._resolvers.get(service.name)
        if resolver is None:
            resolver = self._resolvers[service.name] = Resolver(service)
        found = resolver.resolve(call.method, call.path)
        return found[0] if found else None

    def decide(self, call: Call, operation: Operation | None, now: datetime) -> Decision | Undecided:
        """Decide a recorded call at a moment, which must have a time zone; `operation` is what `operation` returned."""
        if operation is None:
            service = self.catalog.services.get(call.callee or "")
            return _UNKNOWN_SERVICE if service is None or service.listen is None else _UNKNOWN_OPERATION
        caller = call.caller or ""
        if caller not in self.catalog.services:
            known = self.catalog.by_spiffe_id(caller)  # how a call bears a caller that the catalog of then did not hold
            if known is None:
                return _UNKNOWN_CALLER
            caller = known.name
        fixed = self._ready(caller, operation).fixed(now)
        if fixed is None:
            return self._engine.decide(Request(caller, operation.id, call.path or ""), now)
        return fixed

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
        queries = {name for where, name in reads_of(conditional, self._cell.operation) if where == "query"}
        if not queries:
            return None
        always = tuple(policy.id for policy in forbids if not policy.conditional)
        if always:  # whatever the others say of the query, the call is refused
            return Decision(allowed=False, reason=Reason.FORBIDDEN, policies=always)
        return Undecided(tuple(sorted(queries)))


def _live(policies: tuple[Policy, ...], now: datetime) -> tuple[Policy, ...]:
    return tuple(policy for policy in policies if policy.expires is None or policy.expires > now)
