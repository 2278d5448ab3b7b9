"""What is known of the use of grants, and which of them are not to be touched whatever that is. No I/O, no clock.

A pair is used by a call that the policy allowed; one that was refused, or let through in mode observe only, is no use.
Rules for what is kept, and told, though it is not used:

1. `@keep`, and what its id or its reason calls break-glass: it is there not to be used.
2. What is younger than `min_age`, or was changed since: nobody may have come to use it yet.
3. What the record cannot show: a service that somebody else runs, and of which no call is recorded.
4. Pairs with a service that is in quarantine.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from inward.insight.tighten.planning import Pair
from inward.insight.tighten.sureness import Verdict, Watched, judge
from inward.insight.unused.coverage import day_of
from inward.insight.unused.rhythm import TOGETHER, rhythm_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import datetime, timedelta

    from inward.catalog.model import Catalog
    from inward.insight.unused.coverage import Ages, Coverage
    from inward.insight.unused.scopes import Scope
    from inward.insight.unused.uses import Uses
    from inward.policy.model import Policy
    from inward.record.rollup.query import Day

SELDOM = 20  # days between two uses, from which on a rhythm is told
QUIET = 7  # days since the last use of what was used once, from which on that is told
_BREAK_GLASS = re.compile(r"break[\s_-]*glass|emergenc(?:y|ies)", re.IGNORECASE)

Kind = Literal["keep", "break_glass", "young", "elsewhere", "by_hand", "seldom", "periodic", "unsure", "needed"]


@dataclass(frozen=True, slots=True)
class Callout:
    """Why something stays, for people: of a grant (`policy`), or of pairs. `why` is lower case, without a full stop."""

    kind: Kind
    why: str
    policy: str | None = None
    pairs: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True)
class Care:
    """How careful to be: grants younger than `min_age` stay, and pairs that go less surely than `least` (0 to 1)."""

    min_age: timedelta
    least: float
    quarantined: Collection[str] = ()


@dataclass
class Evidence:
    """What was used: pairs by the number of calls since `coverage.since`, and their days as far as they are known."""

    catalog: Catalog
    uses: Uses
    coverage: Coverage
    ages: Ages
    care: Care
    calls: dict[Pair, int] = field(init=False)
    days: dict[Pair, set[int]] = field(init=False, default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        self.calls = {}
        for edge, tally in self.uses.edges.items():
            if tally.calls > tally.refused:
                pair = self._pair(edge.caller, edge.operation)
                self.calls[pair] = self.calls.get(pair, 0) + tally.calls - tally.refused
        self._called = {edge.callee for edge in self.uses.edges}
        self._recorded = set(self.uses.days)
        self._watched: dict[datetime | None, Watched] = {}

    def add(self, days: Iterable[Day]) -> None:
        """Take the days on which operations were called, those before `coverage.since` among them."""
        for day in days:
            if day.calls > day.refused:
                self._recorded.add(day.day)
                self.days[self._pair(day.edge.caller, day.edge.operation)].add(day.day)

    def _pair(self, caller: str, operation: str) -> Pair:
        known = None if caller in self.catalog.services else self.catalog.by_spiffe_id(caller)
        return Pair(known.name if known is not None else caller, operation)

    def judge(self, pair: Pair, policies: Collection[Policy]) -> Verdict:
        """Return the verdict on a pair that is not used; `policies` are the grants that give it."""
        for name in (pair.caller, pair.operation.partition(":")[0]):
            if name in self.care.quarantined:
                return Verdict(goes=False, sure=0.0, why=f"{name} is in quarantine")
        changes = [self.ages.since(policy.id)[0] for policy in policies]
        oldest = None if None in changes else min(moment for moment in changes if moment is not None)
        return judge(self.days.get(pair, ()), self._since(oldest), self.care.least)

    def _since(self, changed: datetime | None) -> Watched:
        """Return how long what was changed last at that moment was watched."""
        watched = self._watched.get(changed)
        if watched is None:
            coverage, today = self.coverage, day_of(self.coverage.now)
            begins = [moment for moment in (coverage.begin, changed) if moment is not None]
            first = today + 1 if coverage.begin is None else day_of(max(begins))
            known = 0 if coverage.begin is None else today - day_of(coverage.begin)
            days = sum(first <= day <= today for day in self._recorded)
            watched = self._watched[changed] = Watched(days, known, today, holes=coverage.gaps > 0)
        return watched

    def spared(self, scopes: Iterable[Scope]) -> Iterator[Callout]:
        """Yield the grants that keep all that they have, though not all of it is used."""
        for scope in scopes:
            if all(Pair(caller, each) in self.calls for caller in scope.services for each in scope.operations):
                continue
            found = self._spared(scope.policy)
            if found is not None:
                yield Callout(*found, policy=scope.policy.id)

    def _spared(self, policy: Policy) -> tuple[Kind, str] | None:
        if policy.keep is not None:
            return "keep", f"it is marked: {policy.keep}"
        if _BREAK_GLASS.search(policy.id) or _BREAK_GLASS.search(policy.reason):
            return "break_glass", "it says that it is for emergencies: mark it with @keep, or take it out by hand"
        changed, named = self.ages.since(policy.id)
        if changed is not None and changed > self.coverage.now - self.care.min_age:
            when = changed.date().isoformat()
            told = f"it was added or changed on {when}"
            return "young", told if named else f"policies were changed by {when}, and it is not known which"
        service = self.catalog.services.get(policy.file_owner or "")
        if service is not None and service.run is None and service.name not in self._called:
            return "elsewhere", f"{service.name} is run elsewhere, and none of its calls are recorded here"
        return None

    def seldom(self, granted: Collection[Pair]) -> Iterator[Callout]:
        """Yield those of some pairs that are used, but seldom: they stay, and are worth a look."""
        today = day_of(self.coverage.now)
        for pair in sorted(pair for pair in granted if pair in self.calls):
            used = self.days.get(pair, set())
            rhythm = rhythm_of(used, today)
            if rhythm is None or rhythm.days > TOGETHER * rhythm.runs:
                continue
            once = rhythm.brief and rhythm.silence >= QUIET
            if once or (rhythm.runs > 1 and (max(used) - min(used)) / (rhythm.runs - 1) >= SELDOM):
                yield Callout("seldom", f"{rhythm.told}, last {_ago(rhythm.silence)}", pairs=(pair,))


def callouts_of(stays: Mapping[Pair, Verdict]) -> Iterator[Callout]:
    """Yield why pairs stay that are not used, those with one reason together."""
    together: dict[tuple[Kind, str], list[Pair]] = defaultdict(list)
    for pair, verdict in stays.items():
        if verdict.sure:
            together["unsure", f"{verdict.why}: only {verdict.percent} % sure"].append(pair)
        else:
            together["periodic" if verdict.periodic else "unsure", verdict.why].append(pair)
    for (kind, why), pairs in together.items():
        yield Callout(kind, why, pairs=tuple(sorted(pairs)))


def _ago(days: int) -> str:
    return "today" if days == 0 else f"{days:,} day{'' if days == 1 else 's'} ago"
