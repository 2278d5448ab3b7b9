"""Which caller has called which operation before: edges of the stream, and how new the grant behind a new one is.

Refused calls make no edge, and neither does a caller whose identity was not verified. A grant is new for some days
after an act of the record named it as added or changed: a new edge that only such grants allow was reviewed by people.
When an act names only some of many, a grant that never decided a call before may be one of the others: such an edge is
`perhaps_new`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from inward.alerting.stream.bounded import Table
from inward.alerting.stream.clock import DAY
from inward.alerting.stream.saved import load, save

if TYPE_CHECKING:
    from inward.record.call import Act, Call

MOST_EDGES = 200_000
_MOST_GRANTS = 20_000
_MOST_CALLEES = 1_000  # of one caller that are told apart
_NAMED = re.compile(r"; (?:added|changed): ([A-Za-z0-9._, -]+)")
_MORE = re.compile(r" and [0-9]+ more$")


class New(msgspec.Struct, frozen=True):
    """An edge that was not there before, or not for long."""

    known_operations: int  # that the caller has called before
    known_callees: int
    silent_days: int | None  # since it was last called; None: never
    granted: str  # `new`, `perhaps_new` or `old`


class _Caller(msgspec.Struct):
    operations: int = 0
    callees: list[str] = []


_Edges: TypeAlias = tuple[list[tuple[tuple[str, str], float]], list[tuple[tuple[str, str], float]], int]
_Callers: TypeAlias = tuple[list[tuple[str, _Caller]], list[tuple[str, _Caller]], int]
_Times: TypeAlias = tuple[list[tuple[str, float]], list[tuple[str, float]], int]


class Edges:
    """The edges of one stream."""

    def __init__(self, *, remember_days: int, grant_days: int) -> None:
        self.remember_seconds = remember_days * DAY
        self.grant_seconds = grant_days * DAY
        self._edges: Table[tuple[str, str], float] = Table(MOST_EDGES)
        self._callers: Table[str, _Caller] = Table(MOST_EDGES // 10)
        self._grants: Table[str, float] = Table(_MOST_GRANTS)  # when an act named it
        self._decided: Table[str, float] = Table(_MOST_GRANTS)  # when it first decided a call
        self._unnamed = -1.0  # when an act last left grants unnamed

    @property
    def evicted(self) -> int:
        """Edges that were given up for others."""
        return self._edges.evicted

    def see_act(self, act: Act, at: float) -> None:
        """Take note of grants that are new."""
        if act.what != "policy" or act.detail is None:
            return
        for names in _NAMED.findall(act.detail):
            if _MORE.search(names):
                self._unnamed = at
            for name in _MORE.sub("", names).split(", "):
                self._grants.put(name, at)

    def knows(self, caller: str, operation: str) -> bool:
        """Return whether the edge was ever there."""
        return self._edges.get((caller, operation)) is not None

    def see(self, call: Call, caller: str, operation: str, at: float) -> New | None:
        """Return what is new about a call that was let through, and know it from now on."""
        last = self._edges.get((caller, operation))
        new = None
        if last is None or at - last > self.remember_seconds:
            new = self._new(call, caller, last, at)
        if last is None or at > last:
            self._edges.put((caller, operation), at)
        if new is not None:
            for name in call.policies:
                if self._decided.get(name) is None:
                    self._decided.put(name, at)
        return new

    def _new(self, call: Call, caller: str, last: float | None, at: float) -> New:
        known = self._callers.get(caller)
        if known is None:
            known = _Caller()
            self._callers.put(caller, known)
        new = New(
            known_operations=known.operations,
            known_callees=len(known.callees),
            silent_days=None if last is None else int((at - last) // DAY),
            granted=self._granted(call, at),
        )
        known.operations += last is None
        if call.callee is not None and call.callee not in known.callees and len(known.callees) < _MOST_CALLEES:
            known.callees.append(call.callee)
        return new

    def _granted(self, call: Call, at: float) -> str:
        standing = "new" if call.policies else "old"
        for name in call.policies:
            named = self._grants.get(name)
            if named is not None and at - named <= self.grant_seconds:
                continue
            if self._unnamed < 0 or at - self._unnamed > self.grant_seconds or self._decided.get(name) is not None:
                return "old"
            standing = "perhaps_new"
        return standing

    def dumped(self) -> bytes:
        """Return all edges as bytes."""
        tables = (self._edges.dump(), self._callers.dump(), self._grants.dump(), self._decided.dump())
        return save((*tables, self._unnamed))

    def restore(self, state: bytes) -> None:
        """Take what `dumped` gave; raises `SnapshotError`."""
        kept = load(state, tuple[_Edges, _Callers, _Times, _Times, float])
        self._edges.load(kept[0])
        self._callers.load(kept[1])
        self._grants.load(kept[2])
        self._decided.load(kept[3])
        self._unnamed = kept[4]
