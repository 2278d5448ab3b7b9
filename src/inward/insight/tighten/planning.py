"""Which pairs of a caller and an operation each grant keeps, and which it loses. No I/O, no clock.

1. A pair that was used stays, with all that grants it: which grant let a call through is no matter of chance, but a
   condition beside a grant can refuse too (a parameter that is not in plain form, an error), so that taking it away
   could allow more.
2. A pair that nobody used loses every grant, but those that are spared. Where one is spared there, conditions stay.
3. A grant that loses something anyway, and has no condition, also loses pairs that a narrower one grants as long and
   without a condition: what is left of a grant for all is not a list of what others grant in particular.

# INVARIANT: a pair is decided as before, but for what rule 2 takes away, or else nothing is taken from it.

What it leaves out: forbids, grants on objects and of `disclose`, whose use no call shows; what has expired.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from datetime import datetime

    from inward.insight.tighten.sureness import Verdict
    from inward.insight.unused.scopes import Scope
    from inward.policy.model import Policy


class Pair(NamedTuple):
    """A caller and an operation's id."""

    caller: str
    operation: str


@dataclass(slots=True)
class Narrowing:
    """What a grant keeps (nothing: it goes) and loses. `elsewhere` are used pairs, by the grant that gives them too."""

    scope: Scope
    kept: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # operations by caller
    lost: dict[Pair, Verdict] = field(default_factory=dict)
    elsewhere: dict[Pair, str] = field(default_factory=dict)

    @property
    def policy(self) -> Policy:
        """The grant."""
        return self.scope.policy

    def covers(self, pair: Pair) -> bool:
        """Tell whether the grant, as it is, is about a pair."""
        return pair.caller in self.scope.services and pair.operation in self.scope.operations

    @property
    def sure(self) -> float:
        """How sure it is that nothing of what it loses is needed: as sure as of the least sure pair."""
        return min((verdict.sure for verdict in self.lost.values()), default=0.0)

    @property
    def percent(self) -> int:
        """The number as it is shown, rounded down."""
        return min((verdict.percent for verdict in self.lost.values()), default=0)


@dataclass(slots=True)
class Plan:
    """Grants that can be narrower, and the pairs that stay though nobody uses them now, with why."""

    narrowed: list[Narrowing]
    stays: dict[Pair, Verdict]


def judged(scopes: Iterable[Scope], now: datetime) -> list[Scope]:
    """Return the grants of which calls show whether they are used, that have not expired and apply to something."""
    return [
        each
        for each in scopes
        if each.services
        and each.operations
        and not (each.objects or each.classes)
        and (each.policy.expires is None or each.policy.expires > now)
    ]


def make_plan(
    scopes: Collection[Scope],
    used: Collection[Pair],
    judge: Callable[[Pair, Collection[Policy]], Verdict],
    spared: Collection[str],
    needed: Mapping[Pair, str],
) -> Plan:
    """Plan what the grants in `scopes` (those that `judged` returned, of the whole system) keep.

    `judge` is asked of each pair that is not `used`. `spared` are ids of grants that keep all that they have, `needed`
    pairs that stay as they are, with why.
    """
    granting: dict[Pair, list[Scope]] = defaultdict(list)
    for scope in scopes:
        for caller in scope.services:
            for operation in scope.operations:
                granting[Pair(caller, operation)].append(scope)
    found = {scope.policy.id: Narrowing(scope) for scope in scopes}
    stays: dict[Pair, Verdict] = {}
    for pair, grants in granting.items():
        verdict = None
        if pair not in used and pair not in needed:
            verdict = judge(pair, [scope.policy for scope in grants])
            if not verdict.goes:
                stays[pair] = verdict
        _settle(pair, grants, verdict, found, spared)
    narrowed = [each for each in found.values() if each.lost]
    order = {scope.policy.id: _width(scope) for scope in scopes}
    for narrowing in narrowed:
        _leave_to_others(narrowing, granting, found, order, needed)
    return Plan(sorted(narrowed, key=lambda each: (each.policy.place, each.policy.id)), stays)


def _settle(
    pair: Pair,
    grants: Collection[Scope],
    verdict: Verdict | None,
    found: Mapping[str, Narrowing],
    spared: Collection[str],
) -> None:
    """Say of each grant of a pair whether it keeps it; without a verdict the pair is used."""
    beside = any(scope.policy.id in spared for scope in grants)
    for scope in grants:
        policy, narrowing = scope.policy, found[scope.policy.id]
        if verdict is None or not verdict.goes or policy.id in spared or (beside and policy.conditional):
            narrowing.kept[pair.caller].add(pair.operation)
        else:
            narrowing.lost[pair] = verdict


def _width(scope: Scope) -> tuple[int, str]:
    return len(scope.services) * len(scope.operations), scope.policy.id


def _leave_to_others(
    narrowing: Narrowing,
    granting: Mapping[Pair, list[Scope]],
    found: Mapping[str, Narrowing],
    order: Mapping[str, tuple[int, str]],
    needed: Mapping[Pair, str],
) -> None:
    """Take from a grant without a condition what a narrower one grants as long; the narrowest of all keeps it."""
    mine = narrowing.policy
    if mine.conditional:
        return
    for caller, operations in list(narrowing.kept.items()):
        for operation in sorted(operations):
            pair = Pair(caller, operation)
            if pair in needed:
                continue
            other = next(
                (
                    scope.policy.id
                    for scope in granting[pair]
                    if order[scope.policy.id] < order[mine.id]
                    and _as_long(scope.policy, mine)
                    and pair not in found[scope.policy.id].lost
                ),
                None,
            )
            if other is not None:
                operations.discard(operation)
                narrowing.elsewhere[pair] = other
        if not operations:
            del narrowing.kept[caller]


def _as_long(one: Policy, other: Policy) -> bool:
    """Tell whether `one` grants without a condition, and as long as `other`."""
    if one.conditional:
        return False
    return one.expires is None or (other.expires is not None and one.expires >= other.expires)
