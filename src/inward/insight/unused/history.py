"""When what is not used now was used before: the days of use, from the days of the rollups. No I/O, no clock."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.insight.unused.scopes import Scope
    from inward.record.rollup.query import Day

Kind = Literal["grant", "condition", "disclosure"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """What nobody used in the time asked for.

    Of a disclosure, `given` are the operations whose answers may hold its classes, and `taken` those, of the services
    that it names, whose requests may: calls name the grants that allowed them, and no disclosures.
    """

    kind: Kind
    scope: Scope
    given: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()

    @property
    def operations(self) -> frozenset[str]:
        """The operations whose calls may have used it."""
        return self.given | self.taken if self.kind == "disclosure" else frozenset(self.scope.operations)


@dataclass
class History:
    """The days (counted from 1970) on which each policy was used, by kind: a condition, when it refused something."""

    days: dict[tuple[Kind, str], set[int]] = field(default_factory=lambda: defaultdict(set))

    @classmethod
    def of(cls, candidates: Iterable[Candidate], days: Iterable[Day]) -> History:
        """Collect the days of use of candidates."""
        history = cls()
        wanted: dict[Kind, set[str]] = defaultdict(set)
        given: dict[str, list[tuple[frozenset[str], str]]] = defaultdict(list)  # by operation: services, and a policy
        taken: dict[str, list[str]] = defaultdict(list)
        for each in candidates:
            policy, services = each.scope.policy.id, frozenset(each.scope.services)
            wanted[each.kind].add(policy)
            for operation in each.given:
                given[operation].append((services, policy))
            for operation in each.taken:
                taken[operation].append(policy)
        for day in days:
            for policy in wanted["grant"].intersection(day.granting):
                history.days["grant", policy].add(day.day)
            for policy in wanted["condition"].intersection(day.refusing):
                history.days["condition", policy].add(day.day)
            if day.calls > day.stopped:
                shown = (
                    policy for services, policy in given.get(day.edge.operation, ()) if day.edge.caller in services
                )
                for policy in (*shown, *taken.get(day.edge.operation, ())):
                    history.days["disclosure", policy].add(day.day)
        return history
