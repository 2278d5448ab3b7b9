"""Following a correlation over the calls that its rules find: group by group, in memory that is bounded.

Rules: time is that of the calls, never a clock's; they may come out of order by `MOST_LATE`. What made a correlation
fire is used up: the same calls do not fire it again. The groups that were quiet longest are forgotten first, and how
many is counted.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec

if TYPE_CHECKING:
    from inward.alerting.sigma.correlation import Correlation

Group: TypeAlias = tuple[str, ...]

MOST_GROUPS = 10_000  # of one correlation
MOST_EVENTS = 1_000_000  # of one correlation, over all its groups
MOST_LATE = 3600.0  # seconds; what is later still shows that the clock was ahead


class Event(msgspec.Struct, array_like=True, frozen=True):
    """One call that a rule found: when, in seconds, and its reference."""

    moment: float
    call: str


class Held(msgspec.Struct, array_like=True):
    """What a group holds: runs of calls, each under what may be there once (a value, a rule), as they arrived."""

    runs: dict[str, tuple[Event, ...]] = {}
    latest: float = 0.0
    next: int = 0  # key of the next run where each call is one of its own


class Hit(NamedTuple):
    """That a correlation fired: for which group, and by which calls, in the order of their times."""

    group: Group
    events: tuple[Event, ...]


class Counter:
    """Follows one correlation."""

    def __init__(self, correlation: Correlation) -> None:
        self._wanted = correlation
        counts = correlation.type in {"event_count", "value_count"}
        self._least = correlation.least if counts else len(correlation.rules)
        self._groups: OrderedDict[Group, Held] = OrderedDict()
        self._size = 0
        self.forgotten = 0  # groups

    def see(self, rule: int, group: Group, event: Event, value: str | None) -> Hit | None:
        """Take a call that a rule, by its number in the correlation, has found; return the hit that it makes.

        `value` is that of the field whose distinct values are counted; None: it has none, and does not count.
        """
        held = self._groups.get(group)
        if held is None:
            held = self._groups[group] = Held()
        self._groups.move_to_end(group)
        before = len(held.runs)
        found = self._take(held, rule, event, value)
        self._size += len(held.runs) - before
        if found is not None or not held.runs:
            self._size -= len(held.runs)
            del self._groups[group]
        while len(self._groups) > MOST_GROUPS or self._size > MOST_EVENTS:
            _, oldest = self._groups.popitem(last=False)
            self._size -= len(oldest.runs)
            self.forgotten += 1
        return None if found is None else Hit(group, tuple(sorted(found, key=lambda each: each.moment)))

    def _take(self, held: Held, rule: int, event: Event, value: str | None) -> list[Event] | None:
        run = self._run(held, rule, event, value)
        if run is None:
            return None
        key, events = run
        held.runs.pop(key, None)
        held.runs[key] = events
        if event.moment > held.latest or event.moment < held.latest - MOST_LATE - self._wanted.span:
            held.latest = event.moment
        first = held.latest - self._wanted.span
        for old in list(_leading(held.runs, first)):
            del held.runs[old]
        if self._wanted.type == "temporal_ordered":
            return list(events) if rule == self._least - 1 and events[0].moment >= first else None
        if len(held.runs) < self._least:
            return None
        held.runs = {key: events for key, events in held.runs.items() if events[0].moment >= first}
        return [each for events in held.runs.values() for each in events] if len(held.runs) >= self._least else None

    def _run(self, held: Held, rule: int, event: Event, value: str | None) -> tuple[str, tuple[Event, ...]] | None:
        match self._wanted.type:
            case "event_count":
                held.next += 1
                return str(held.next), (event,)
            case "value_count":
                return None if value is None else (value, (event,))
            case "temporal":
                return str(rule), (event,)
            case "temporal_ordered":
                # INVARIANT: of all rows of calls that end with this rule, the one that began last is held.
                before = held.runs.get(str(rule - 1), ()) if rule else ()
                in_order = rule == 0 or (before and before[-1].moment <= event.moment)
                return (str(rule), (*before, event)) if in_order else None

    def snapshot(self) -> list[tuple[Group, Held]]:
        """Return what it holds, as data; what is quiet longest first."""
        return list(self._groups.items())

    def restore(self, groups: list[tuple[Group, Held]]) -> None:
        """Take what `snapshot` gave."""
        self._groups = OrderedDict(groups)
        self._size = sum(len(held.runs) for held in self._groups.values())


def _leading(runs: dict[str, tuple[Event, ...]], first: float) -> list[str]:
    """Return the keys of the runs at the front that began before a moment."""
    found = []
    for key, events in runs.items():
        if events[0].moment >= first:
            break
        found.append(key)
    return found
