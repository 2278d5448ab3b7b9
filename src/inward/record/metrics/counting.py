"""Counts what is recorded: each entry once, in about a microsecond, into a bounded number of series.

It begins at zero with each run: Prometheus takes a counter that falls for one that began anew, and the numbers over all
time are the rollups' business. Rules:

1. Nothing that a call holds makes it fail: numbers that no counter could add (below zero, from 2^53 on) are left out.
2. Memory is bounded whatever is called: by the limits of `labels`, and by the number of series. A choice of labels for
   which there is no room is counted with its caller as `_other`, then with its callee and operation too.
3. Adding and reading take turns, so that what is read of a histogram is of one moment.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from inward.record.call import Act, Call
from inward.record.metrics import defined
from inward.record.metrics.defined import SECONDS, Example, Histogram, Reading, Sample
from inward.record.metrics.labels import OTHER, UNKNOWN, Label, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from inward.record.call import Entry, Gap
    from inward.record.metrics.labels import Names

SERIES = 10_000  # of callers, callees, operations and what became of the call
OPERATIONS = 2_000  # of callees and operations: a histogram each
CLASSES = 2_000  # of data classes, callees and operations
_RESERVED = 0.1  # of each limit, for what is folded
_MICROSECONDS = tuple(round(seconds * 1_000_000) for seconds in SECONDS)
_MOST = 1 << 53  # from here on a float does not count exactly

Labels = tuple[str, ...]
_Told = tuple[str, str | None, str, int | None]  # of the newest call: its reference, trace, time and microseconds
_NOBODY: _Told = ("", None, "", None)
_LONGEST = 200  # characters of what is kept of the newest call
_T = TypeVar("_T")


class _Series:
    """How many calls there were of one choice of the labels of `defined.CALLS`, and the newest of them."""

    __slots__ = ("count", "last")

    def __init__(self) -> None:
        self.count = 0
        self.last = _NOBODY


class _Traffic:
    """What the calls of one operation amounted to, and the newest call of each bucket."""

    __slots__ = ("answered", "asked", "counts", "labels", "last", "microseconds")

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.counts = [0] * (len(_MICROSECONDS) + 1)
        self.last: list[_Told | None] = [None] * (len(_MICROSECONDS) + 1)
        self.microseconds = self.asked = self.answered = 0

    def copy(self) -> _Traffic:
        """Return it as it is now."""
        found = _Traffic(self.labels)
        found.counts, found.last = self.counts.copy(), self.last.copy()
        found.microseconds, found.asked, found.answered = self.microseconds, self.asked, self.answered
        return found


class CallCounters:
    """The counters of one run. `names` gives the catalog in force. Any thread may add, and any may read."""

    def __init__(self, names: Callable[[], Names], *, series: int = SERIES, operations: int = OPERATIONS) -> None:
        self._names = names
        self._limits = {"calls": series, "operations": operations, "classes": CLASSES}
        self._turn = threading.Lock()
        # What a call says, and where it is counted. INVARIANT: only what stands in `_series` as it came: no more of it.
        self._known: dict[tuple[str | None, ...], tuple[_Series, _Traffic]] = {}
        self._series: dict[Labels, _Series] = {}
        self._traffic: dict[Labels, _Traffic] = {}
        self._withheld: Counter[Labels] = Counter()
        self._sent: Counter[Labels] = Counter()
        self._gaps: Counter[str] = Counter()
        self._lost_lines: Counter[str] = Counter()
        self._lost_bytes: Counter[str] = Counter()
        self._acts: Counter[str] = Counter()
        self._labels = {name: Label() for name in ("caller", "callee", "operation", "class", "service", "what")}
        self._without_room = 0

    def add(self, entries: Iterable[Entry]) -> None:
        """Count entries."""
        known = self._known
        with self._turn:
            for call in entries:
                if not isinstance(call, Call):
                    self._add_other(call)
                    continue
                said = (call.caller, call.callee, call.operation, call.decision, call.carried_out, call.reason)
                series, traffic = known.get(said) or self._find(said)
                series.count += 1
                spent, asked, answered = call.duration_us, call.bytes_in, call.bytes_out
                told: _Told = (call.id, call.trace, call.time, spent)
                if len(call.id) + len(call.time) + len(call.trace or "") > _LONGEST:
                    told = _NOBODY
                series.last = told
                if spent is not None and 0 <= spent < _MOST:
                    bucket = bisect_left(_MICROSECONDS, spent)
                    traffic.counts[bucket] += 1
                    traffic.microseconds += spent
                    traffic.last[bucket] = told
                if asked and 0 < asked < _MOST:
                    traffic.asked += asked
                if answered and 0 < answered < _MOST:
                    traffic.answered += answered
                if call.withheld or call.sent:
                    self._add_classes(call, traffic.labels)

    def readings(self) -> list[Reading]:
        """Return what was counted until now, by the metrics of `defined.OF_CALLS`."""
        known = self._names().services
        with self._turn:  # no longer than it takes to copy
            calls = [(labels, each.count, each.last) for labels, each in self._series.items()]
            traffic = [each.copy() for each in self._traffic.values()]
            withheld, sent = self._withheld.copy(), self._sent.copy()
            # A zero for each service, so that its first gap is seen as a change.
            gaps = {**{name: 0 for name in known if name not in self._gaps}, **self._gaps}
            lines, lost, acts = self._lost_lines.copy(), self._lost_bytes.copy(), self._acts.copy()
            folded = {name: label.folded for name, label in self._labels.items()} | {"series": self._without_room}
        sizes = {"calls": len(calls), "operations": len(traffic), "classes": max(len(withheld), len(sent))}
        return [
            Reading(defined.CALLS, [Sample(labels, count, _example(last, 1)) for labels, count, last in calls]),
            Reading(defined.DURATION, [Sample(each.labels, _histogram(each)) for each in traffic if any(each.counts)]),
            Reading(defined.REQUEST_BYTES, [Sample(each.labels, each.asked) for each in traffic]),
            Reading(defined.RESPONSE_BYTES, [Sample(each.labels, each.answered) for each in traffic]),
            Reading(defined.WITHHELD, [Sample(labels, count) for labels, count in withheld.items()]),
            Reading(defined.UNDISCLOSED, [Sample(labels, count) for labels, count in sent.items()]),
            Reading(defined.GAPS, _samples(gaps)),
            Reading(defined.LOST_LINES, _samples(lines)),
            Reading(defined.LOST_BYTES, _samples(lost)),
            Reading(defined.ACTS, _samples(acts)),
            Reading(defined.FOLDED, _samples(folded)),
            Reading(defined.SERIES, _samples(sizes)),
            Reading(defined.SERIES_LIMIT, _samples(self._limits)),
        ]

    def _find(self, said: tuple[str | None, ...]) -> tuple[_Series, _Traffic]:
        """Return where a call is counted that was not met yet, or that is counted as something else."""
        names = self._names()
        caller = self._labels["caller"].value(said[0], names.services)
        callee = self._labels["callee"].value(said[1], names.services)
        operation = self._labels["operation"].value(said[2], names.operations)
        outcome = (str(said[3]), str(said[4]), reason_of(str(said[5])))
        labels = self._place(
            self._series,
            self._limits["calls"],
            (caller, callee, operation, *outcome),
            (OTHER, callee, operation, *outcome),
            (OTHER, OTHER, OTHER, *outcome),
        )
        series = self._series.setdefault(labels, _Series())
        of_operation = self._place(
            self._traffic, self._limits["operations"], (callee, operation), (callee, OTHER), (OTHER, OTHER)
        )
        traffic = self._traffic.get(of_operation) or self._traffic.setdefault(of_operation, _Traffic(of_operation))
        if labels == tuple(UNKNOWN if each is None else each for each in said):
            self._known[said] = series, traffic
        return series, traffic

    def _place(
        self, table: Mapping[Labels, _T], most: int, exact: Labels, folded: Labels, all_folded: Labels
    ) -> Labels:
        """Return the first of the labels that are in the table, or for which it has room."""
        if exact in table or len(table) < most * (1 - _RESERVED):
            return exact
        self._without_room += 1
        return folded if folded in table or len(table) < most else all_folded

    def _add_classes(self, call: Call, operation: Labels) -> None:
        known = self._names().data_classes
        for counter, classes in ((self._withheld, call.withheld), (self._sent, call.sent)):
            for name in classes:
                label = self._labels["class"].value(name, known)
                labels = self._place(
                    counter,
                    self._limits["classes"],
                    (label, *operation, call.mode),
                    (label, OTHER, OTHER, call.mode),
                    (OTHER, OTHER, OTHER, call.mode),
                )
                counter[labels] += 1

    def _add_other(self, entry: Gap | Act) -> None:
        if isinstance(entry, Act):
            self._acts[self._labels["what"].value(entry.what)] += 1
            return
        service = self._labels["service"].value(entry.service, self._names().services)
        self._gaps[service] += 1
        self._lost_lines[service] += _counted(entry.lost_lines)
        self._lost_bytes[service] += _counted(entry.lost_bytes)


def _counted(number: int | None) -> int:
    return number if number is not None and 0 <= number < _MOST else 0


def _samples(counts: Mapping[str, int]) -> list[Sample]:
    return [Sample((label,), count) for label, count in counts.items()]


def _example(told: _Told, value: float) -> Example:
    return Example(value, reference=told[0], trace=told[1], time=told[2])


def _histogram(traffic: _Traffic) -> Histogram:
    examples = (None if told is None else _example(told, (told[3] or 0) / 1_000_000) for told in traffic.last)
    return Histogram(tuple(traffic.counts), traffic.microseconds / 1_000_000, tuple(examples))
