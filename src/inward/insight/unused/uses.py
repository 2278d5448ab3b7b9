"""What was used, counted from the days of the rollups: by edge, by policy, and on which days. No I/O, no clock.

A call was *let through* if it was not stopped: allowed, or refused in mode observe. A policy is used by a call that it
allowed: where several do, the enforcer names those that decided, and only those are counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inward.policy.decision import Reason
from inward.record.rollup.figures import REST, key_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from inward.record.rollup.query import Day
    from inward.record.rollup.store import Edge


def restored(days: Iterable[Day], names: Iterable[str]) -> Iterator[Day]:
    """Yield days with the `names` of operations and policies as they are; the rollups keep long ones shortened."""
    full = full_names(names)
    if not full:
        yield from days
        return
    for day in days:
        edge = day.edge._replace(operation=full.get(day.edge.operation, day.edge.operation))
        granting, refusing = ({full.get(name, name): count for name, count in each.items()} for each in day[-2:])
        yield day._replace(edge=edge, granting=granting, refusing=refusing)


def full_names(names: Iterable[str]) -> dict[str, str]:
    """Return those names that the rollups keep shortened, by what they keep."""
    return {short: name for name in names if (short := key_text(name)) != name}


@dataclass(slots=True)
class Tally:
    """The calls of one edge: how many, how many were refused and stopped, and the last that was let through (ms)."""

    calls: int = 0
    refused: int = 0
    stopped: int = 0
    last: int | None = None

    @property
    def through(self) -> int:
        """How many were let through."""
        return self.calls - self.stopped

    def add(self, more: Tally) -> None:
        """Count what `more` counts."""
        self.calls += more.calls
        self.refused += more.refused
        self.stopped += more.stopped
        if more.last is not None:
            self.last = more.last if self.last is None else max(self.last, more.last)


@dataclass
class Unknown:
    """Calls of one service that fit no operation: by caller, and by day."""

    through: Counter[str] = field(default_factory=Counter)
    stopped: int = 0
    days: Counter[int] = field(default_factory=Counter)
    last: int | None = None  # no call that was let through came later, ms since 1970


class Uses:
    """Counts days of the rollups. Bounded by the edges, the policies and the days that there are."""

    def __init__(self, days: Iterable[Day] = ()) -> None:
        self.edges: dict[Edge, Tally] = {}
        self.granting: Counter[str] = Counter()  # calls by the policy that allowed them
        self.refusing: Counter[str] = Counter()  # by the policy that refused them, or did not hold
        self.deciding: dict[str, Counter[str]] = defaultdict(Counter)  # by operation: policies that allowed its calls
        self.unknown: dict[str, Unknown] = defaultdict(Unknown)  # by service
        self.handshakes: Counter[str] = Counter()  # that failed, by service
        self.days: set[int] = set()  # on which some call was allowed, counted from 1970
        self.untold: set[str] = set()  # operations of which some policies are not told apart
        self.folded: Counter[str] = Counter()  # calls let through whose operation is not told apart, by caller
        for day in days:
            self._add(day)

    def _add(self, day: Day) -> None:
        tally = self.edges.get(day.edge)
        if tally is None:
            tally = self.edges[day.edge] = Tally()
        tally.calls += day.calls
        tally.refused += day.refused
        tally.stopped += day.stopped
        through = day.calls - day.stopped
        if through and (tally.last is None or day.last > tally.last):
            tally.last = day.last
        if day.calls > day.refused:
            self.days.add(day.day)
        operation = day.edge.operation
        for name, count in day.granting.items():
            self.granting[name] += count
            self.deciding[operation][name] += count
        for name, count in day.refusing.items():
            self.refusing[name] += count
        if REST in day.granting or REST in day.refusing:
            self.untold.add(operation)
        if operation == REST:
            self.folded[day.edge.caller] += through
        elif not operation:
            self._add_unknown(day)

    def _add_unknown(self, day: Day) -> None:
        for outcome, count in day.outcomes.items():
            _, carried_out, _, reason = (*outcome.split(" "), "", "", "")[:4]
            if reason == Reason.BAD_IDENTITY:
                self.handshakes[day.edge.callee] += count
            elif reason == Reason.UNKNOWN_OPERATION:
                unknown = self.unknown[day.edge.callee]
                if carried_out != "allow":
                    unknown.stopped += count
                    continue
                unknown.through[day.edge.caller] += count
                unknown.days[day.day] += count
                unknown.last = day.last if unknown.last is None else max(unknown.last, day.last)

    def by_operation(self) -> Mapping[str, dict[str, Tally]]:
        """Return the tallies of each operation, by caller."""
        found: dict[str, dict[str, Tally]] = defaultdict(dict)
        for edge, tally in self.edges.items():
            if edge.operation and edge.operation != REST:
                found[edge.operation].setdefault(edge.caller, Tally()).add(tally)
        return found

    def through(self) -> Iterator[Edge]:
        """Yield the edges of which some call was let through."""
        return (edge for edge, tally in self.edges.items() if tally.through > 0)
