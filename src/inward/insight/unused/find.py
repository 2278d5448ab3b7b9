"""Finds what nobody used: grants, conditions, disclosures; what proves it, what speaks against. No I/O, no clock.

Rules:

1. A grant is used by a call that it allowed and that names it. One that other grants always come before is not.
2. A condition is used by a call that it refused. That it never did says that nobody ran into it, not that nobody would.
3. A disclosure is used by a call that was let through: by whom it names, with an answer that may hold one of its
   classes; or to whom it names, with a request that may. What was in the bodies is not known.
4. Nothing is `unused` that the record cannot show: where it does not cover the time asked for, where the policy is
   younger, where a job of every quarter may not have run yet, and where what was used before may come again.

What it leaves out: guardrails and other forbids, and grants on objects, whose use no enforcer tells.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from inward.insight.unused.coverage import QUARTER, YEAR, day_of, moment_of
from inward.insight.unused.history import Candidate
from inward.insight.unused.rhythm import rhythm_of
from inward.insight.unused.scopes import serving, taking
from inward.record.rollup.figures import REST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from inward.catalog.model import Catalog
    from inward.insight.unused.coverage import Ages, Coverage
    from inward.insight.unused.history import History, Kind
    from inward.insight.unused.scopes import Scope
    from inward.insight.unused.uses import Uses

MOST_NAMES = 3  # in one sentence


class Sure(enum.StrEnum):
    """How sure it is that something is not needed."""

    UNUSED = "unused"
    UNSURE = "unsure"  # it was not used, and may be some day
    YOUNG = "too young"  # it is newer than the time asked for


@dataclass(frozen=True, slots=True)
class Unused:
    """One of them. `since` is from when on it is known not to have been used, `last` when it was used last (aware).

    `proof` and `doubts` are sentences: lower case, no full stop.
    """

    kind: Kind
    scope: Scope
    sure: Sure
    since: datetime | None
    last: datetime | None
    proof: tuple[str, ...]
    doubts: tuple[str, ...]


def candidates(catalog: Catalog, scopes: Iterable[Scope], uses: Uses, now: datetime) -> Iterator[Candidate]:
    """Yield what nobody used in the time that `uses` are of; grants on objects are left out."""
    serves, takes = serving(catalog), taking(catalog)
    of = {name: {each.id for each in service.operations} for name, service in catalog.services.items()}
    callers: dict[str, set[str]] = defaultdict(set)
    for edge in uses.through():
        callers[edge.operation].add(edge.caller)
    for scope in scopes:
        policy = scope.policy
        if scope.objects:
            continue
        if scope.classes:
            given = frozenset[str]().union(*(serves[name] for name in scope.classes))
            own = set[str]().union(*(of[name] for name in scope.services))
            taken = own & set[str]().union(*(takes[name] for name in scope.classes))
            used = any(not callers[each].isdisjoint(scope.services) for each in given if each in callers)
            used = used or any(each in callers for each in taken)
            if _expired(scope, now) or not used:
                yield Candidate("disclosure", scope, given, frozenset(taken))
        elif _expired(scope, now) or not uses.granting[policy.id]:
            yield Candidate("grant", scope)
        elif policy.conditional and not uses.refusing[policy.id]:
            yield Candidate("condition", scope)


def _expired(scope: Scope, now: datetime) -> bool:
    return scope.policy.expires is not None and scope.policy.expires <= now


class Finder:
    """Judges candidates: by what was used, by what was before, and by how far the record reaches."""

    def __init__(self, uses: Uses, history: History, coverage: Coverage, ages: Ages) -> None:
        self._uses = uses
        self._tallies = uses.by_operation()
        self._history = history
        self._coverage = coverage
        self._ages = ages

    def find(self, found: Iterable[Candidate]) -> list[Unused]:
        """Return all of them, what is longest not used first, and what is unsure after what is not."""
        order = list(Sure)
        judged = [self._judge(each) for each in found]
        return sorted(
            judged,
            key=lambda each: (
                order.index(each.sure),
                each.since or self._coverage.now,
                each.kind,
                each.scope.policy.id,
            ),
        )

    def _judge(self, candidate: Candidate) -> Unused:
        scope, now = candidate.scope, self._coverage.now
        ended = _never(scope, now)
        if ended:
            return Unused(candidate.kind, scope, Sure.UNUSED, scope.policy.expires, None, (ended,), ())
        days = self._history.days.get((candidate.kind, scope.policy.id), set())
        rhythm = rhythm_of(days, day_of(now))
        last = moment_of(day_of(now) - rhythm.silence) if rhythm is not None else None
        changed, named = self._ages.since(scope.policy.id)
        if last is not None and not named:
            changed = None  # it was there before
        since = last or max((moment for moment in (self._coverage.begin, changed) if moment is not None), default=None)
        proof = [*self._proof(candidate)]
        if rhythm is not None and last is not None:
            proof.append(f"before that it was {rhythm.told}, last on {_day(last)}")
        if changed is not None and changed > self._coverage.since:
            why = f"it was changed on {_day(changed)}"
            if not named:
                why = f"policies were changed by {_day(changed)}, and it is not known which"
            return Unused(candidate.kind, scope, Sure.YOUNG, since, last, tuple(proof), (why,))
        doubts = [*self._doubts(candidate)]
        if rhythm is not None and rhythm.may_come_again:
            doubts.append(f"{rhythm.told}, {_count(rhythm.silence, 'day')} ago: it may come again")
        elif rhythm is None and since is not None and (known := (now - since).days) < QUARTER:
            doubts.append(f"{_count(known, 'day')} are known: a job that runs every quarter may not have run yet")
        sure = Sure.UNSURE if doubts else Sure.UNUSED
        return Unused(candidate.kind, scope, sure, since, last, tuple(proof), tuple(doubts))

    def _proof(self, candidate: Candidate) -> Iterator[str]:
        scope, since = candidate.scope, f"since {_day(self._coverage.since)}"
        if self._coverage.begin is not None and not self._coverage.whole:
            since = f"since {_day(self._coverage.begin)}, when the record begins"
        if candidate.kind == "condition":
            calls = _count(self._uses.granting[scope.policy.id], "call")
            yield f"it allowed {calls} {since}, and its condition refused none"
            return
        if candidate.kind == "disclosure":
            if not candidate.operations:
                yield "no operation gives its classes to whom it names, or takes them"
            else:
                operations = _count(len(candidate.operations), "operation")
                yield f"no call by or to {few(scope.services)}, of {operations} that may hold them, {since}"
            return
        refused = self._uses.refusing[scope.policy.id]
        allowed = self._allowed(scope)
        if allowed:
            yield f"other grants allowed {_count(allowed, 'call')} that it is about {since}{self._others(scope)}"
        else:
            who = (
                f"{few(scope.services)} made none of the calls"
                if len(scope.services) < MOST_NAMES
                else (f"none of {len(scope.services):,} services made one of the calls")
            )
            yield f"{who} that it allows {since}" if not refused else f"no call was allowed by it {since}"
        if refused:
            yield f"its condition did not hold for {_count(refused, 'call')}, which {_were(refused)} refused"

    def _allowed(self, scope: Scope) -> int:
        services = set(scope.services)
        return sum(
            tally.calls - tally.refused
            for operation in scope.operations
            for caller, tally in self._tallies.get(operation, {}).items()
            if caller in services
        )

    def _others(self, scope: Scope) -> str:
        names = sorted({name for each in scope.operations for name in self._uses.deciding.get(each, ())})
        return f": {few(names)}" if names else ""

    def _doubts(self, candidate: Candidate) -> Iterator[str]:
        if self._coverage.begin is None:
            yield "the record has no call that was allowed"
        elif not self._coverage.whole:
            asked = (self._coverage.now - self._coverage.since).days
            yield f"the record reaches {_count(self._coverage.days, 'day')} back, not {asked}"
        untold = self._uses.untold & {*candidate.operations, REST}
        if untold and candidate.kind != "disclosure":
            yield f"so many policies decided calls of {few(sorted(untold))} that not all are told apart"
        folded = [name for name in candidate.scope.services if self._uses.folded[name] > 0]
        if folded and candidate.kind == "disclosure":
            yield f"{few(folded)} called so much that not all of it is told apart"


def _never(scope: Scope, now: datetime) -> str:
    """Return why a grant allows nothing at all, whatever is called; empty where it may."""
    if scope.policy.expires is not None and scope.policy.expires <= now:
        return f"it expired on {_day(scope.policy.expires - timedelta(microseconds=1))}, and allows nothing"
    if not scope.services:
        return "no service fits its scope"
    return "" if scope.operations or scope.classes else "no operation fits its scope"


def caveats(coverage: Coverage) -> Iterator[str]:
    """Yield what is to be known of all of them."""
    if coverage.begin is not None and coverage.days < YEAR:
        yield "a job that runs once a year would not have been seen"


def few(names: Sequence[str]) -> str:
    """Return the first names of many, and how many more there are."""
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _day(moment: datetime) -> str:
    return moment.date().isoformat()
