"""Proves guardrails: that no grant ever allows what a guardrail names, for every request there is.

A guardrail is a `forbid` in `guardrails.cedar`. What the owners' files allow by themselves, with their own forbids and
without any guardrail, must never be what a guardrail forbids; then it is never needed, and stands as a second lock.

1. Cells of one class are asked about once (`classes`).
2. The question is a formula: the owners' policies allow, and the guardrail holds (`symbolic`).
3. Where no request makes it true, the guardrail is proven for that class.
4. Where one does, the engine must confirm both halves of it before it is shown: else it is unknown where the formula
   holds a construct that has none or stands for no request, or `UnconfirmedError`.

Two verdicts: for callers of today's catalog, and for a service that may be added tomorrow, whatever its owner, its zone
and its groups. Requests are from `now` on; what has expired by then is left out.

All proofs together have a limit of time, `BUDGET_SECONDS`; what is not settled then is unknown.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from inward.policy.decision import Reason
from inward.policy.index import Index
from inward.policy.proving.applies import Applications
from inward.policy.proving.classes import Classes, Readings
from inward.policy.proving.witness import (
    OUT_OF_TIME,
    UNSETTLED,
    UnconfirmedError,
    Witness,
    decide,
    no_request,
    witness_of,
)
from inward.policy.symbolic.context import OpenRequests
from inward.policy.symbolic.solve import Solver
from inward.policy.symbolic.term import Bool, any_of, conj, negate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from datetime import datetime

    from inward.catalog.model import Catalog
    from inward.policy.model import Policies, Policy
    from inward.policy.proving.classes import CellClass
    from inward.policy.symbolic.solve import Found

MOST_WITNESSES = 20  # of one guardrail; then no more ways through it are looked for
BUDGET_SECONDS = 60.0  # for all guardrails of a system
CHUNK = 128  # formulas that the solver is asked about together

Status = Literal["proven", "refuted", "unknown"]


@dataclass(frozen=True, slots=True)
class Breach:
    """A request that the owners' policies allow though a guardrail names it; `cells` is how many are alike."""

    witness: Witness
    grants: tuple[Policy, ...]
    cells: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found of a guardrail for some callers. `constructs`: what kept it from being known."""

    status: Status
    breaches: tuple[Breach, ...] = ()
    more: int = 0  # classes of cells that were not looked at any more, after so many breaches
    constructs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The two answers about one guardrail."""

    guardrail: Policy
    today: Answer
    tomorrow: Answer

    @property
    def status(self) -> Status:
        """The worse of the two answers."""
        worst: tuple[Status, ...] = ("refuted", "unknown")
        found = {self.today.status, self.tomorrow.status}
        return next((status for status in worst if status in found), "proven")


def prove(
    catalog: Catalog,
    policies: Policies,
    now: datetime,
    *,
    only: Collection[str] | None = None,
    budget_seconds: float = BUDGET_SECONDS,
    watch: Callable[[int, int], None] | None = None,
) -> tuple[Verdict, ...]:
    """Return the verdicts on all guardrails that have not expired, or on those named by `only`, in the order of files.

    `now` must have a time zone. `watch` is told how many questions were asked, and how many there are. Raises
    `UnconfirmedError` where the engine contradicts a formula.
    """
    if all(policy.file_owner is not None for policy in policies):
        return ()  # without an index of them all
    return tuple(_Proof(catalog, policies, now, only, budget_seconds, watch).verdicts())


@dataclass(frozen=True, slots=True)
class _Question:
    """Whether a guardrail is needed in a class of cells."""

    guardrail: Policy
    cells: CellClass
    owners: tuple[Policy, ...]
    formula: Bool
    constructs: frozenset[str]


@dataclass
class _Gathered:
    """What is known so far of one guardrail."""

    breaches: list[Breach] = field(default_factory=list)
    more: int = 0
    constructs: set[str] = field(default_factory=set)

    def answer(self) -> Answer:
        status: Status = "refuted" if self.breaches else "unknown" if self.constructs else "proven"
        return Answer(status, tuple(self.breaches), self.more, tuple(sorted(self.constructs)))


class _Proof:
    def __init__(
        self,
        catalog: Catalog,
        policies: Policies,
        now: datetime,
        only: Collection[str] | None,
        budget_seconds: float,
        watch: Callable[[int, int], None] | None,
    ) -> None:
        self._catalog = catalog
        self._index = Index(catalog, policies)
        self._classes = Classes(catalog, self._index, Readings(policies))
        self._applications = Applications(catalog, OpenRequests(now))
        self._solver = Solver(budget_seconds=budget_seconds)
        self._watch = watch or _nobody
        self._guardrails: dict[int, Policy] = {}  # those to be proven
        self._others = 0  # no part of what the owners allow by themselves
        for number, policy in enumerate(policies):
            if policy.expires is not None and policy.expires <= now:
                self._others |= 1 << number
            elif policy.effect == "forbid" and policy.file_owner is None:
                self._others |= 1 << number
                if only is None or policy.id in only:
                    self._guardrails[1 << number] = policy

    def verdicts(self) -> Iterator[Verdict]:
        wanted = sum(self._guardrails)
        today = self._answers(self._classes.today(wanted))
        tomorrow = self._answers(self._classes.tomorrow(wanted))
        for guardrail in sorted(self._guardrails.values(), key=lambda policy: (policy.place, policy.id)):
            yield Verdict(guardrail, today[guardrail.id].answer(), tomorrow[guardrail.id].answer())

    def _answers(self, classes: Iterable[CellClass]) -> dict[str, _Gathered]:
        questions: dict[str, list[_Question]] = defaultdict(list)
        gathered: dict[str, _Gathered] = defaultdict(_Gathered)
        for cells in classes:
            for question in self._questions(cells, gathered):
                questions[question.guardrail.id].append(question)
        done, count = 0, sum(map(len, questions.values()))
        for name, asked in questions.items():
            for start in range(0, len(asked), CHUNK):
                self._watch(done + start, count)
                self._ask(asked[start : start + CHUNK], gathered[name])
            done += len(asked)
        self._watch(done, count)
        return gathered

    def _questions(self, cells: CellClass, gathered: dict[str, _Gathered]) -> Iterator[_Question]:
        """Yield what is to be asked about a class; nothing where it is plain that nothing gets through."""
        permits, forbids = self._index.chosen(cells.mask & ~self._others)
        if not permits:
            return
        named = [guardrail for bit, guardrail in self._guardrails.items() if cells.mask & bit]
        if self._solver.spent:
            for guardrail in named:
                gathered[guardrail.id].constructs.add(OUT_OF_TIME)
            return
        owners = (*permits, *forbids)
        allowed = conj(self._applications.held(permits, cells), negate(self._applications.barred(owners, cells)))
        if allowed is False:
            return
        possible, constructs = self._applications.possible(owners, cells), self._applications.constructs(owners, cells)
        for guardrail in named:
            applied = self._applications.of(guardrail, cells)
            formula = conj(possible, self._applications.possible((guardrail,), cells), allowed, applied.holds)
            if formula is not False:
                yield _Question(guardrail, cells, owners, formula, constructs | applied.constructs)

    def _ask(self, questions: Sequence[_Question], gathered: _Gathered) -> None:
        """Ask about some classes at once; where that is not the end of it, about each of them."""
        if len(gathered.breaches) >= MOST_WITNESSES:
            gathered.more += len(questions)
            return
        if len(questions) > 1 and not self._solver.possible(any_of(question.formula for question in questions)):
            return
        for question in questions:
            if len(gathered.breaches) >= MOST_WITNESSES:
                gathered.more += 1
                continue
            found = self._solver.find(question.formula)
            if found == "unknown":
                gathered.constructs.add(OUT_OF_TIME if self._solver.spent else UNSETTLED)
                gathered.constructs |= question.constructs
            elif found != "none":
                self._show(question, found, gathered)

    def _show(self, question: _Question, found: Found, gathered: _Gathered) -> None:
        """Take a request that the solver found for a breach, if the engine confirms it."""
        cells, guardrail = question.cells, question.guardrail
        concerned = (*question.owners, guardrail)
        witness = witness_of(self._applications.world(cells), cells.target, cells.caller, concerned, found)
        if witness is None:
            gathered.constructs.add(no_request(cells.target))
            return
        allowed = decide(witness, self._catalog, question.owners)
        forbidden = decide(witness, self._catalog, concerned)
        if allowed.allowed and guardrail.id in forbidden.policies and not forbidden.allowed:
            grants = tuple(policy for policy in question.owners if policy.id in allowed.policies)
            gathered.breaches.append(Breach(witness, grants, cells.size))
        elif question.constructs:
            gathered.constructs |= question.constructs
        elif forbidden.reason is Reason.BAD_PARAMETER:
            gathered.constructs.add(no_request(cells.target))
        else:
            raise UnconfirmedError(
                f"the solver says that `{guardrail.id}` is needed for {witness}, and the engine does not",
                hint="this is a defect of Inward: please report it with the policies",
            )


def _nobody(_done: int, _of: int) -> None:
    """Watch nothing."""
