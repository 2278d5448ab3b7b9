"""Evidence: which operation calls which others while it is served, by the traces in the record. No I/O, no clock.

A call is caused by another where both bear the same trace, the callee of the one is the caller of the other, and the
second came while the first was served. Rules:

1. Who called is what was verified, and never what a trace says. So nobody can bring a link about without a call that
   the service in the middle really made; only whether it was for that cause can be made doubtful by a forged trace.
2. Where several operations of one service were served under the trace at that time, each is linked, and the link is not
   `sure`. So it is where none was, and one was within `SLACK`: clocks differ, and some call on after they answered.
3. A call that was refused is a link too: that it was tried is what counts, and the policies of today decide.
4. What belongs to no call that its caller was serving is counted by caller and operation, so that what a service does
   without handing on the trace is not taken for nothing.

What it leaves out: calls without an operation, those of callers that the catalog does not hold, and what an egress
tells of calls, which no callee took. Memory is bounded: `MAX_PENDING` calls wait for others of their trace,
`MAX_OF_TRACE` of one.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from inward.record.call import Call, Gap

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inward.catalog.model import Catalog
    from inward.record.call import Entry

SLACK = 1.0  # seconds
ROUNDING = 0.001  # times are recorded in whole milliseconds, cut off
MAX_PENDING = 200_000
MAX_OF_TRACE = 1_000
MAX_LINKS = 100_000  # pairs of operations that are told apart


@dataclass(slots=True)
class Link:
    """Calls of an operation while another was served: how many, how many of them `sure`, and the newest.

    `cause` is the reference of the call that was served then.
    """

    calls: int = 0
    sure: int = 0
    last: str = ""  # as recorded
    reference: str = ""
    cause: str = ""


@dataclass(slots=True)
class Made:
    """Calls that a service made: all of them, those that bear a trace, and those whose cause is known."""

    calls: int = 0
    traced: int = 0
    caused: int = 0
    uncaused: Counter[str] = field(default_factory=Counter)  # operations


@dataclass(slots=True)
class Evidence:
    """What the record shows. `links` are by cause and effect, `made` by caller.

    `crowded` counts traces with more calls than are kept together, `left_out` calls beyond `MAX_LINKS`.
    """

    links: dict[tuple[str, str], Link] = field(default_factory=dict)
    made: dict[str, Made] = field(default_factory=lambda: defaultdict(Made))
    calls: int = 0
    gaps: int = 0
    crowded: int = 0
    left_out: int = 0


class _Seen(NamedTuple):
    """What is kept of a call until its trace is settled; times in seconds since 1970."""

    start: float
    end: float
    caller: str
    callee: str
    operation: str
    served: bool  # it was let through, so its callee may have called on
    time: str
    reference: str


class Tracing:
    """Finds evidence in entries of the record, which come in the order in which they were stored."""

    def __init__(self, catalog: Catalog) -> None:
        self._operations = {
            operation.id: (operation.service, operation.id) for operation in catalog.operations.values()
        }
        self._services = {name: name for name in catalog.services}
        self._pending: OrderedDict[str, list[_Seen]] = OrderedDict()
        self._waiting = 0
        self._found = Evidence()

    def add(self, entries: Iterable[Entry]) -> Tracing:
        """Take more entries."""
        for entry in entries:
            if isinstance(entry, Call):
                self._add(entry)
            elif isinstance(entry, Gap):
                self._found.gaps += 1
        return self

    def finish(self) -> Evidence:
        """Return what was found, when there are no more entries."""
        while self._pending:
            self._settle_oldest()
        return self._found

    def _add(self, call: Call) -> None:
        operation = self._operations.get(call.operation or "")
        caller = self._services.get(call.caller or "")
        if operation is None or caller is None or call.enforcer == "egress":
            return
        self._found.calls += 1
        made = self._found.made[caller]
        made.calls += 1
        start = _seconds(call.time)
        if call.trace is None or start is None:
            made.uncaused[operation[1]] += 1
            return
        made.traced += 1
        end = start + (call.duration_us or 0) / 1_000_000 + ROUNDING
        served = call.carried_out == "allow"
        seen = _Seen(start, end, caller, *operation, served, call.time, call.id)
        together = self._pending.setdefault(call.trace, [])
        together.append(seen)
        self._pending.move_to_end(call.trace)
        self._waiting += 1
        if len(together) >= MAX_OF_TRACE:
            self._found.crowded += 1
            self._waiting -= len(together)
            self._settle(self._pending.pop(call.trace))
        elif self._waiting > MAX_PENDING:
            self._settle_oldest()

    def _settle_oldest(self) -> None:
        _, together = self._pending.popitem(last=False)
        self._waiting -= len(together)
        self._settle(together)

    def _settle(self, together: Sequence[_Seen]) -> None:
        """Find the causes of the calls of one trace."""
        served: dict[str, list[_Seen]] = defaultdict(list)
        for seen in together:
            if seen.served:
                served[seen.callee].append(seen)
        for seen in together:
            causes, sure = _causes(seen, served.get(seen.caller, ()))
            made = self._found.made[seen.caller]
            if not causes:
                made.uncaused[seen.operation] += 1
                continue
            made.caused += 1
            for cause in causes.values():
                self._link(cause, seen, sure=sure)

    def _link(self, cause: _Seen, seen: _Seen, *, sure: bool) -> None:
        key = (cause.operation, seen.operation)
        link = self._found.links.get(key)
        if link is None:
            if len(self._found.links) >= MAX_LINKS:
                self._found.left_out += 1
                return
            link = self._found.links[key] = Link()
        link.calls += 1
        link.sure += sure
        if seen.time >= link.last:
            link.last, link.reference, link.cause = seen.time, seen.reference, cause.reference


def _causes(seen: _Seen, served: Sequence[_Seen]) -> tuple[dict[str, _Seen], bool]:
    """Return the calls of which one caused this one, one for each operation, and whether it is sure which."""
    during = {each.operation: each for each in served if each.start <= seen.start <= each.end and each is not seen}
    if during:
        return during, len(during) == 1
    near = [(_distance(each, seen), each) for each in served if each is not seen]
    distance, nearest = min(near, key=lambda each: each[0], default=(SLACK + 1, seen))
    return ({nearest.operation: nearest}, False) if distance <= SLACK else ({}, False)


def _distance(served: _Seen, seen: _Seen) -> float:
    return served.start - seen.start if seen.start < served.start else seen.start - served.end


def _seconds(time: str) -> float | None:
    try:
        moment = datetime.fromisoformat(time)
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
