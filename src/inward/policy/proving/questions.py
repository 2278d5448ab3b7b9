"""Questions about one policy in one class of cells, for `posture`: whether it is needed, can hold, or can fail.

A policy is the bit that it has in the masks of the index. `kept` are the policies that count: all that are in force,
less those that were found to be redundant meanwhile.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from inward.policy.decision import Reason
from inward.policy.index import Index
from inward.policy.proving import flaws
from inward.policy.proving.applies import Applications
from inward.policy.proving.witness import OUT_OF_TIME, UNSETTLED, UnconfirmedError, decide, no_request, witness_of
from inward.policy.symbolic.context import OpenRequests
from inward.policy.symbolic.solve import Solver
from inward.policy.symbolic.term import any_of, conj, negate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from inward.catalog.model import Catalog
    from inward.policy.model import Policies, Policy
    from inward.policy.proving.classes import CellClass
    from inward.policy.proving.flaws import Flaw
    from inward.policy.symbolic.solve import Found
    from inward.policy.symbolic.term import Bool

_FOREVER = datetime.max.replace(tzinfo=UTC)


class Questions:
    """The policies of a system from a moment on, as bits, and a solver that is asked about them."""

    def __init__(self, catalog: Catalog, policies: Policies, now: datetime, budget_seconds: float) -> None:
        self._catalog = catalog
        self._policies = tuple(policies)
        self.index = Index(catalog, policies)
        self.applications = Applications(catalog, OpenRequests(now))
        self._solver = Solver(budget_seconds=budget_seconds)
        self._answers: dict[int, tuple[Bool, bool | None]] = {}  # by a formula's number, which it has while it is kept
        self._requests: dict[int, tuple[CellClass, Bool]] = {}  # those of a class, by its identity
        live = [(1 << n, p) for n, p in enumerate(self._policies) if p.expires is None or p.expires > now]
        self.live = sum(bit for bit, _ in live)
        self.permits = self.index.permits & self.live
        self.guardrails = sum(bit for bit, policy in live if policy.file_owner is None)
        self.kept = self.live

    # --- bits
    # ------------------------------------------------------------------------------------------------------

    def policy(self, bit: int) -> Policy:
        """Return the policy of a bit."""
        return self._policies[bit.bit_length() - 1]

    def listed(self, mask: int) -> list[Policy]:
        """Return the policies of a mask."""
        return [self.policy(bit) for bit in bits(mask)]

    def by_place(self, mask: int) -> list[int]:
        """Return the bits of a mask in the order of files and lines of their policies."""
        return sorted(bits(mask), key=lambda bit: (self.policy(bit).place, bit))

    def end(self, bit: int) -> datetime:
        """Return when a policy expires, which may be never."""
        return self.policy(bit).expires or _FOREVER

    # --- formulas
    # ------------------------------------------------------------------------------------------------------

    def holds(self, bit: int, cells: CellClass) -> Bool:
        """Return when a policy holds."""
        return self.applications.of(self.policy(bit), cells).holds

    def allows(self, bit: int, cells: CellClass) -> Bool:
        """Return when a grant holds and nothing that is kept bars it."""
        barred = self.applications.barred(self.listed(cells.mask & self.kept), cells)
        return conj(self.holds(bit, cells), negate(barred))

    def needed(self, bit: int, cells: CellClass) -> Bool:
        """Return when a policy makes a difference: a guardrail when it holds, an owner's forbid where others grant."""
        if bit & self.guardrails:
            return self.holds(bit, cells)
        mask = cells.mask & self.kept
        others = self.applications.held(self.listed(mask & self.permits & ~bit), cells)
        if bit & self.permits:
            return conj(self.allows(bit, cells), negate(others))
        fails = any_of(self.applications.of(policy, cells).fails for policy in self.listed(mask))
        return conj(self.holds(bit, cells), others, negate(fails))

    # --- answers
    # ------------------------------------------------------------------------------------------------------

    def possible(self, formula: Bool, cells: CellClass) -> bool | None:
        """Return whether a request of a class makes a formula true; None where nobody knows."""
        if isinstance(formula, bool):
            return formula  # there is always some request in plain form
        asked = conj(self._possible(cells), formula)
        if isinstance(asked, bool):
            return asked
        known = self._answers.get(asked.get_id())
        if known is None:
            known = self._answers[asked.get_id()] = (asked, self._solver.settle(asked))
        return known[1]

    def _possible(self, cells: CellClass) -> Bool:
        """Return the requests that the policies of a class are asked about."""
        known = self._requests.get(id(cells))
        if known is None:
            possible = self.applications.possible(self.listed(cells.mask & self.live), cells)
            known = self._requests[id(cells)] = (cells, possible)
        return known[1]

    @property
    def spent(self) -> bool:
        """Whether the time for all questions is used up."""
        return self._solver.spent

    def anywhere(self, classes: Iterable[CellClass], formula: Callable[[CellClass], Bool]) -> bool:
        """Return whether a formula can be true in some class, as far as is known: false is certain, true is not."""
        return any(self.possible(formula(cells), cells) is not False for cells in classes)

    def doubts(self, answer: bool | None, concerned: int, cells: CellClass) -> set[str]:  # noqa: FBT001 - an answer
        """Return what keeps an answer of `possible` about some policies from being certain; nothing does for "no"."""
        if answer is False:
            return set()
        constructs = set(self.applications.constructs(self.listed(concerned), cells))
        return constructs if answer else constructs | {self._unsettled}

    def failure(self, bit: int, cells: CellClass) -> Flaw | set[str]:
        """Return that a policy can fail where something is granted, or what keeps that from being known.

        Raises `UnconfirmedError` where the engine contradicts the formula.
        """
        policy = self.policy(bit)
        fails = self.applications.of(policy, cells).fails
        if fails is False:
            return set()
        concerned = self.listed(cells.mask & self.live)
        granted = self.applications.live(self.listed(cells.mask & self.permits))
        found = self._solver.find(self._possible(cells), fails, granted)
        if found == "none":
            return set()
        return {self._unsettled} if found == "unknown" else self._confirmed(policy, cells, concerned, found)

    def _confirmed(self, policy: Policy, cells: CellClass, concerned: list[Policy], found: Found) -> Flaw | set[str]:
        witness = witness_of(self.applications.world(cells), cells.target, cells.caller, concerned, found)
        if witness is None:
            return {no_request(cells.target)}
        decision = decide(witness, self._catalog, concerned)
        if decision.reason is Reason.POLICY_ERROR and policy.id in decision.policies:
            return flaws.failing(policy, witness)
        constructs = self.applications.constructs(concerned, cells)
        if constructs or decision.reason is Reason.BAD_PARAMETER:
            return set(constructs) or {no_request(cells.target)}
        raise UnconfirmedError(
            f"the solver says that `{policy.id}` fails for {witness}, and the engine does not",
            hint="this is a defect of Inward: please report it with the policies",
        )

    @property
    def _unsettled(self) -> str:
        return OUT_OF_TIME if self._solver.spent else UNSETTLED


def bits(mask: int) -> Iterator[int]:
    """Yield the bits of a mask, the lowest first."""
    while mask:
        low = mask & -mask
        yield low
        mask ^= low
