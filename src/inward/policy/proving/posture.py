"""Policies that do nothing, and policies that can fail: what is wrong with each, in today's catalog.

- *never applies*: no cell is in its scope, or its conditions hold for no request. A guardrail is held to newcomers too:
  what it forbids may be yet to come.
- *redundant*: whatever a grant allows is allowed by others anyway; or whatever an owner's forbid refuses is granted by
  nobody. All that are reported can go together: of two that are the same, the first is kept. A guardrail is never
  redundant, since not to be needed is its point.
- *overruled*: whatever a grant would allow is refused by a forbid, or by a policy that fails.
- *can fail*: some request makes it fail to evaluate, for which the call is refused. The engine confirms the request.
- *unknown*: one of these is not known, and why; nothing is guessed.

Requests are from `now` on; what has expired by then is left out.

1. Cells that only hold grants without conditions are decided by their masks.
2. In each class of the other cells, every policy that is not settled yet is asked about, with all others in force.
   Nearly all are settled by the first class that is asked.
3. The rest are asked about again in all of their classes, the last in the files first, each with those in force that
   were not found redundant before it.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from inward.policy.proving import flaws
from inward.policy.proving.classes import Classes, Readings
from inward.policy.proving.flaws import Flaw
from inward.policy.proving.questions import Questions, bits
from inward.policy.proving.witness import OUT_OF_TIME
from inward.policy.symbolic.condition import Conditions
from inward.policy.symbolic.term import any_of, conj, negate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import datetime

    from inward.catalog.model import Catalog
    from inward.policy.model import Policies, Policy
    from inward.policy.proving.classes import CellClass
    from inward.policy.symbolic.term import Bool

BUDGET_SECONDS = 30.0  # for all policies of a system; what is not settled then is unknown
MOST_CLASSES = 1_000  # in which the clause that cannot hold is looked for
MOST_SINGLES = 20  # grants of which each is tried as the one that makes another redundant


def posture(
    catalog: Catalog,
    policies: Policies,
    now: datetime,
    *,
    only: Collection[str] | None = None,
    budget_seconds: float = BUDGET_SECONDS,
) -> tuple[Flaw, ...]:
    """Return what is wrong with the policies that have not expired, in the order of files and lines.

    `only` names those that are looked at: of policies that share a cell all or none, but for the guardrails, since one
    can go as long as another stays. `now` must have a time zone. Raises `UnconfirmedError` where the engine contradicts
    a formula.
    """
    found = _Posture(catalog, policies, now, only, budget_seconds).flaws()
    return tuple(sorted(found, key=lambda flaw: (flaw.place, flaw.policy.id, flaw.kind)))


class _Posture:
    def __init__(
        self, catalog: Catalog, policies: Policies, now: datetime, only: Collection[str] | None, budget_seconds: float
    ) -> None:
        self._catalog = catalog
        self._ask = Questions(catalog, policies, now, budget_seconds)
        named = (1 << number for number, policy in enumerate(policies) if only is None or policy.id in only)
        self._asked = self._ask.live & sum(named)
        readings = Readings(policies)
        self._conditional = readings.conditional & self._ask.live
        self._classes = Classes(catalog, self._ask.index, readings)
        self._seen = 0  # candidates of some cell
        self._settled = 0  # needed; of a guardrail: it applies
        self._failing: dict[int, Flaw] = {}
        self._doubts: dict[int, set[str]] = defaultdict(set)  # about what is not settled
        self._fail_doubts: dict[int, set[str]] = defaultdict(set)
        self._constant: set[int] = set()  # masks of cells that hold nothing but grants without conditions
        self._open: list[CellClass] = []

    def flaws(self) -> Iterator[Flaw]:
        ask = self._ask
        for cells in self._classes.today(self._asked):
            self._take(cells)
        for mask in self._constant:
            self._settled |= self._longest(mask)
        for cells in self._open:
            self._look(cells)
        guardrails = ask.guardrails & self._asked
        for cells in self._classes.tomorrow(guardrails & ~self._settled):
            self._seen |= cells.mask & guardrails
            for bit in bits(cells.mask & guardrails & ~self._settled):
                self._settle(bit, cells, bit)
        yield from self._failing.values()
        for bit, constructs in self._fail_doubts.items():
            if constructs and bit not in self._failing:
                yield flaws.unknown(ask.policy(bit), "can fail to evaluate", constructs)
        yield from self._unsettled()

    # --- with all others in force
    # ------------------------------------------------------------------------------------------------------

    def _take(self, cells: CellClass) -> None:
        mask = cells.mask & self._ask.live
        permits, conditional = mask & self._ask.permits, mask & self._conditional
        self._seen |= mask
        self._settled |= mask & self._ask.guardrails & ~conditional
        if not conditional and mask == permits:
            self._constant.add(mask)
        elif permits or conditional:
            self._open.append(cells)

    def _longest(self, mask: int) -> int:
        """Return the grant without conditions that is in force when no other of the mask is, if there is one."""
        if mask & (mask - 1) == 0:
            return mask
        ends = sorted((self._ask.end(bit), bit) for bit in bits(mask))
        return ends[-1][1] if ends[-1][0] > ends[-2][0] else 0

    def _look(self, cells: CellClass) -> None:
        """Ask in one class about all that is not settled, and about all that could fail."""
        mask = cells.mask & self._ask.live
        for bit in bits(mask & self._asked & ~self._settled):
            self._settle(bit, cells, mask)
        for bit in bits(mask & self._asked & self._conditional) if mask & self._ask.permits else ():
            if self._ask.spent:
                self._fail_doubts[bit].add(OUT_OF_TIME)
            elif bit not in self._failing:
                found = self._ask.failure(bit, cells)
                if isinstance(found, Flaw):
                    self._failing[bit] = found
                else:
                    self._fail_doubts[bit] |= found

    def _settle(self, bit: int, cells: CellClass, concerned: int) -> None:
        if self._ask.spent:
            self._doubts[bit].add(OUT_OF_TIME)
            return
        answer = self._ask.possible(self._ask.needed(bit, cells), cells)
        doubts = self._ask.doubts(answer, concerned, cells)
        self._doubts[bit] |= doubts
        if answer and not doubts:
            self._settled |= bit

    # --- what is not settled
    # ------------------------------------------------------------------------------------------------------

    def _unsettled(self) -> Iterator[Flaw]:
        ask = self._ask
        rest = self._asked & ~self._settled
        classes: dict[int, list[CellClass]] = defaultdict(list)
        for cells in self._open:
            for bit in bits(cells.mask & rest):
                classes[bit].append(cells)
        constant: dict[int, list[int]] = defaultdict(list)
        for mask in self._constant:
            for bit in bits(mask & rest):
                constant[bit].append(mask)
        for bit in reversed(ask.by_place(rest)):
            if not bit & self._seen:
                yield self._out_of_scope(bit)
                continue
            if ask.spent:
                self._doubts[bit].add(OUT_OF_TIME)
            flaw = self._flaw(bit, classes[bit], constant[bit])
            if flaw is not None:
                yield flaw
                if flaw.kind == "redundant":
                    ask.kept &= ~bit

    def _out_of_scope(self, bit: int) -> Flaw:
        index, catalog = self._ask.index, self._catalog
        callers = any(index.caller_mask(service) & bit for service in catalog.services.values())
        operations = (index.operation_mask(each) for each in catalog.operations.values())
        each_type = (objects for each in catalog.operations.values() for objects in index.resources.objects(each))
        objects = (index.object_mask(each.operation, each.type) for each in each_type)
        classes = (index.data_mask(each) for each in catalog.data_classes.values())
        targets = any(mask & bit for masks in (operations, objects, classes) for mask in masks)
        return flaws.out_of_scope(self._ask.policy(bit), callers=callers, targets=targets)

    def _flaw(self, bit: int, classes: Sequence[CellClass], constant: Sequence[int]) -> Flaw | None:
        ask, policy = self._ask, self._ask.policy(bit)
        flaw: Flaw | None = None
        if self._doubts[bit]:
            question = "ever applies" if bit & ask.guardrails else "is needed"
            flaw = flaws.unknown(policy, question, self._doubts[bit])
        elif policy.conditional and not ask.anywhere(classes, partial(ask.holds, bit)):
            flaw = self._impossible(policy, classes)
        elif not bit & ask.permits:
            flaw = flaws.redundant_forbid(policy)
        elif not constant and not ask.anywhere(classes, partial(ask.allows, bit)):
            flaw = flaws.overruled(policy, self._overruling(bit, classes))
        elif self._covers(ask.kept & ask.permits & ~bit, bit, classes, constant):
            flaw = flaws.redundant_grant(policy, self._covering(bit, classes, constant))
        return flaw  # None where what made up for it was found redundant itself

    def _impossible(self, policy: Policy, classes: Sequence[CellClass]) -> Flaw:
        """Find the first clause that cannot hold, and whether it could where the ones before it do not."""
        clauses = policy.pst.clauses

        def some(start: int, end: int, cells: CellClass) -> Bool:
            holds, fails = Conditions(self._ask.applications.world(cells)).clauses(clauses[start:end])
            return conj(holds, negate(fails))

        for number in range(len(clauses)) if len(classes) <= MOST_CLASSES else ():
            if not self._ask.anywhere(classes, partial(some, 0, number + 1)):
                alone = number == 0 or not self._ask.anywhere(classes, partial(some, number, number + 1))
                return flaws.impossible(policy, number, alone=alone)
        return flaws.impossible(policy, None, alone=True)

    def _overruling(self, bit: int, classes: Iterable[CellClass]) -> list[Policy]:
        """Return the policies that refuse something that a grant would allow."""
        ask, found = self._ask, 0
        for cells in classes:
            for other in bits(cells.mask & ask.kept & ~found & ~bit):
                applied = ask.applications.of(ask.policy(other), cells)
                bars = applied.fails if other & ask.permits else any_of((applied.holds, applied.fails))
                if ask.possible(conj(ask.holds(bit, cells), bars), cells):
                    found |= other
        return [ask.policy(other) for other in ask.by_place(found)]

    def _covering(self, bit: int, classes: Sequence[CellClass], constant: Sequence[int]) -> list[Policy]:
        """Return grants that allow whatever one allows: the first that does so alone, or as few as are easily found."""
        ask = self._ask
        masks = [*(cells.mask for cells in classes if ask.anywhere([cells], partial(ask.allows, bit))), *constant]
        everywhere, anywhere = -1, 0
        for mask in masks:
            everywhere &= mask
            anywhere |= mask
        others = ask.kept & ask.permits & ~bit
        for single in ask.by_place(everywhere & others)[:MOST_SINGLES]:
            if self._covers(single, bit, classes, constant):
                return [ask.policy(single)]
        chosen = anywhere & others
        for other in reversed(ask.by_place(chosen)[-MOST_SINGLES:]):
            if self._covers(chosen & ~other, bit, classes, constant):
                chosen &= ~other
        return [ask.policy(other) for other in ask.by_place(chosen)]

    def _covers(self, others: int, bit: int, classes: Iterable[CellClass], constant: Collection[int]) -> bool:
        """Return whether some grants allow whatever one allows."""
        ask = self._ask

        def left(cells: CellClass) -> Bool:
            held = ask.applications.held(ask.listed(cells.mask & others), cells)
            return conj(ask.allows(bit, cells), negate(held))

        for mask in constant:
            if all(ask.end(other) < ask.end(bit) for other in bits(mask & others)):
                return False
        return not ask.anywhere(classes, left)
