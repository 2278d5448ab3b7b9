"""Which paths were called that no document has: templates inferred from the newest such calls in the record.

Only calls that were let through count: a refused one never reached the service. Bounded in calls, whatever was called.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.discovery.found import LeftOut
from inward.discovery.paths.observed import Observed
from inward.insight.unused.coverage import moment_of
from inward.policy.decision import Reason
from inward.record.call import Call
from inward.record.filter import Filter, Term
from inward.record.reader import Reading

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from inward.insight.unused.uses import Unknown

MOST_CALLS = 5_000  # that are looked at
MOST_TEMPLATES = 100  # of a service, those that are called most
_TERMS = (Term("reason", "=", Reason.UNKNOWN_OPERATION), Term("carried_out", "=", "allow"))


@dataclass(frozen=True, slots=True)
class Undocumented:
    """A method and a template that no document has: calls of those that were looked at, by caller."""

    method: str
    template: str
    callers: Mapping[str, int]

    @property
    def calls(self) -> int:
        """How many calls there were."""
        return sum(self.callers.values())


def undocumented_of(record: Path, unknown: Mapping[str, Unknown]) -> dict[str, list[Undocumented]]:
    """Return by service what was called and is in no document, the most called first. Raises `RecordError`."""
    first = _first_day({name: each for name, each in unknown.items() if each.days})
    if first is None:
        return {}
    calls: dict[str, list[Call]] = defaultdict(list)
    for entry in Reading(record, Filter(since=moment_of(first), terms=_TERMS)).newest(MOST_CALLS):
        if isinstance(entry, Call) and (service := entry.callee or "") in unknown and entry.method and entry.path:
            calls[service].append(entry)
    return {service: _inferred(some) for service, some in calls.items()}


def _first_day(unknown: Mapping[str, Unknown]) -> int | None:
    """Return the day from which on there are as many such calls as are looked at."""
    days: Counter[int] = Counter()
    for each in unknown.values():
        days.update(each.days)
    total = 0
    for day in sorted(days, reverse=True):
        total += days[day]
        if total >= MOST_CALLS:
            return day
    return min(days, default=None)


def _inferred(calls: list[Call]) -> list[Undocumented]:
    observed = Observed((), LeftOut())
    for call in calls:
        observed.take(call.method or "", call.path or "", call.status)
    found = sorted(observed.operations("record", "the record", least=1), key=lambda each: -each.calls)[:MOST_TEMPLATES]
    callers: dict[int, Counter[str]] = defaultdict(Counter)
    for call in calls:
        for number, each in enumerate(found):
            if each.method == call.method and each.template.match(call.path or "") is not None:
                callers[number][call.caller or ""] += 1
                break
    inferred = [Undocumented(each.method, each.template.text, callers[number]) for number, each in enumerate(found)]
    return sorted(inferred, key=lambda each: (-each.calls, each.template, each.method))
