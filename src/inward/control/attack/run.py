"""Running an attack: everything is planned, sent one by one and no faster than allowed, and judged by the record.

Rules:

1. It begins only where whoever started the system said that it may be attacked, and it is an act of the record, when it
   begins and when it ends.
2. A try is judged by what the record has of it; only then is it held or breached.
3. However it ends, what was sent by then is judged.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from inward.alerting.keeping.database import AlertStoreError
from inward.control.acts import ActError, account, note_act
from inward.control.attack import wire
from inward.control.attack.alerts import alerts_of, unnoticed
from inward.control.attack.attempt import Attempt, Result, Sent
from inward.control.attack.evidence import Evidence
from inward.control.attack.kinds import KINDS
from inward.control.attack.tries.connections import connections, egresses, listeners
from inward.control.attack.tries.data import data
from inward.control.attack.tries.headers import identities, users
from inward.control.attack.tries.keys import own_key
from inward.control.attack.tries.operations import ungranted, unknown
from inward.control.attack.tries.paths import path_tricks
from inward.control.attack.tries.quarantine import cut_off
from inward.control.bundle import current_bundle
from inward.control.quarantine import load_quarantine
from inward.errors import InwardError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inward.alerting.keeping.store import Kept
    from inward.control.attack.attempt import Outcome
    from inward.control.attack.intruder import Intruder
    from inward.record.call import Call

    Watch = Callable[[str, int, int], None]

RECORD_SECONDS = 5.0
ALERT_SECONDS = 10.0
MOST_SILENCES = 3  # of one service, after which it is left alone: else each of its tries would take seconds
_TRIES = (own_key, listeners, egresses, connections, data, users, identities, ungranted, unknown, path_tricks)


@dataclass(frozen=True)
class Plan:
    """What is to be tried: `left_out` tries were more than allowed."""

    attempts: list[Attempt]
    left_out: int


def planned(intruder: Intruder, most: int, *, quarantine: bool = False) -> Plan:
    """Return what is tried, `most` tries at most; where there are more, each kind has its share."""
    kinds = [kind(intruder) for kind in _TRIES]
    chosen: list[list[Attempt]] = [[] for _ in kinds]
    left = set(range(len(kinds)))
    while left and most:
        for number in sorted(left)[:most]:
            attempt = next(kinds[number], None)
            if attempt is None:
                left.discard(number)
            else:
                chosen[number].append(attempt)
                most -= 1
    left_out = sum(1 for kind in kinds for _ in kind)
    return Plan([*chain.from_iterable(chosen), *(cut_off(intruder) if quarantine else ())], left_out)


@dataclass
class Report:
    """What came of an attack. `alerts` is None where nobody watches; `unnoticed` are kinds that no alert is about."""

    began: datetime
    ended: datetime
    results: list[Result]
    unsent: int  # tries that were left when it was interrupted
    alerts: list[Kept] | None = None
    unnoticed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def counts(self, kind: str | None = None) -> Counter[Outcome]:
        """Return how many tries had which outcome."""
        return Counter(each.verdict.outcome for each in self.results if kind in {None, each.attempt.kind})

    @property
    def gave_way(self) -> list[Result]:
        """The tries by which an intruder got what was tried."""
        return [each for each in self.results if each.verdict.gave_way]


def attack(intruder: Intruder, plan: Plan, rate: float, watch: Watch | None = None) -> Report:
    """Carry a plan out, `rate` tries a second at most. Raises `ActError` and `RecordError`, before anything is sent."""
    began = datetime.now(UTC)
    evidence = Evidence(intruder.layout.record)
    detail = f"begins: {len(plan.attempts)} tries, {rate:g} a second at most"
    note_act(intruder.layout, "attack", intruder.service, detail=detail, by=account())
    sent: list[tuple[Attempt, Sent]] = []
    with contextlib.suppress(KeyboardInterrupt):
        for each in _sent(plan.attempts, rate, watch):
            sent.append(each)
            evidence.expect(each[1], each[0].callee)
    with contextlib.suppress(KeyboardInterrupt):
        evidence.collect(RECORD_SECONDS)
    results = [Result(attempt, attempt.judge(back, evidence)) for attempt, back in sent]
    report = Report(began, datetime.now(UTC), results, len(plan.attempts) - len(sent))
    _end(intruder, report)
    calls = _calls(results, evidence)
    with contextlib.suppress(KeyboardInterrupt):
        report.alerts = _alerts(intruder, report, calls)
        report.unnoticed = unnoticed(report.alerts or (), calls) if report.alerts is not None else []
    return report


def _sent(attempts: list[Attempt], rate: float, watch: Watch | None) -> Iterator[tuple[Attempt, Sent]]:
    """Send attempts one by one, and yield what came back; it keeps to the rate even if some took longer."""
    due = time.monotonic()
    silences: Counter[str] = Counter()
    for number, attempt in enumerate(attempts):
        if watch is not None:
            watch(KINDS[attempt.kind].title, number, len(attempts))
        if attempt.send is None:
            yield attempt, Sent()
            continue
        time.sleep(max(0.0, due - time.monotonic()))
        due = max(due, time.monotonic() - 1 / rate) + 1 / rate
        name = attempt.target.partition(":")[0]
        if silences[name] >= MOST_SILENCES:
            yield attempt, Sent(said=f"not sent, since {name} did not answer {MOST_SILENCES} times")
            continue
        try:
            back = attempt.send()
        except InwardError as error:
            back = Sent(said=error.message)
        silences[name] += back.said == wire.LATE
        yield attempt, back


def _end(intruder: Intruder, report: Report) -> None:
    counts = report.counts()
    told = ", ".join(f"{counts[name]} {name}" for name in ("held", "breached", "open", "untried"))
    detail = f"ends: {told}" + (f"; interrupted, {report.unsent} were left" if report.unsent else "")
    try:
        note_act(intruder.layout, "attack", intruder.service, detail=detail, by=account())
    except ActError as error:
        report.notes.append(f"that it has ended is not in the record: {error.message}")
    current = current_bundle(intruder.layout.bundle)
    if current is not None and current.name != intruder.policy.version:
        report.notes.append("the policy was changed meanwhile: what was planned by the one before may be granted now")
    if intruder.service in load_quarantine(intruder.layout):
        report.notes.append(
            f"{intruder.service} is in quarantine now: `inward quarantine {intruder.service} --release`"
        )


def _calls(results: list[Result], evidence: Evidence) -> dict[str, list[Call]]:
    """Return the recorded calls of each kind."""
    found: dict[str, list[Call]] = defaultdict(list)
    for each in results:
        call = evidence.recorded(each.verdict.reference)
        if call is not None:
            found[each.attempt.kind].append(call)
    return found


def _alerts(intruder: Intruder, report: Report, calls: dict[str, list[Call]]) -> list[Kept] | None:
    references = [call.id for each in calls.values() for call in each]
    try:
        return alerts_of(intruder.layout, intruder.service, report.began, references, ALERT_SECONDS)
    except AlertStoreError as error:
        report.notes.append(f"which alerts fired cannot be told: {error.message}")
        return None
