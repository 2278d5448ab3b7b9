"""Compares two systems by what they allow: not lines, but effects.

1. Cells that could differ come in pairs, by class (`pairs`).
2. Where the same policies by meaning decide about the same facts, nothing is asked.
3. Else the question is two formulas over one request (`meeting`): what only the new system allows, and what only the
   old one allows. Constants are decided without the solver.
4. An example is shown only where the engines of both systems confirm it: else the cells are unknown where a formula
   holds a construct that has none, or it is an `UnconfirmedError`.

Requests are from `now` on, and of services that are in one of the catalogs: what a grant would allow a service that
does not exist yet is seen when that service is added. Operations are compared one by one: that the path of a new one
takes calls away from another one is not seen.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from inward.policy.comparing.change import Change, Comparison, Example, Kind, Unknown
from inward.policy.comparing.confirm import Confirming
from inward.policy.comparing.meeting import FOREVER, Asked, meet
from inward.policy.comparing.pairs import Meanings, Pairs, Side
from inward.policy.comparing.shifts import shifts_of
from inward.policy.proving.classes import kind_of, name_of
from inward.policy.proving.witness import UNSETTLED, UnconfirmedError, no_request, texts_of, with_object, witness_to
from inward.policy.symbolic.context import Moment, OpenRequests
from inward.policy.symbolic.solve import Solver, Values
from inward.policy.symbolic.term import Bool, any_of, conj, disj

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence
    from datetime import datetime

    from inward.catalog.model import Catalog
    from inward.policy.comparing.meeting import Meeting
    from inward.policy.comparing.pairs import CellPairs, Chosen, TargetPair
    from inward.policy.model import Policies, Policy
    from inward.policy.proving.witness import Witness
    from inward.policy.request import Read
    from inward.policy.resources.model import Resource

CHUNK = 64  # questions that the solver is asked about together
BUDGET_SECONDS = 120.0  # for all questions; what is not settled by then is unknown
ODD_TEXT = "%78"  # an encoded `x`: a value in plain form for no type

_Objects: TypeAlias = "tuple[Resource | None, Resource | None]"  # as the old and as the new system know it
_Answer: TypeAlias = "tuple[Values, frozenset[Read], _Objects] | Literal['none', 'unknown']"


@dataclass(frozen=True, slots=True)
class System:
    """What is compared: a catalog and its policies."""

    catalog: Catalog
    policies: Policies


def compare(old: System, new: System, now: datetime, budget_seconds: float = BUDGET_SECONDS) -> Comparison:
    """Compare two systems from `now` on, which must have a time zone.

    Raises `UnconfirmedError` where an engine contradicts a formula.
    """
    return _Comparer(old, new, now, budget_seconds).comparison()


@dataclass(eq=False, slots=True)
class _Question:
    """What is asked once about all classes in which the same policies, by meaning, decide about the same facts."""

    meeting: Meeting
    gained: _Answer = "none"
    lost: _Answer = "none"
    partly: bool = True  # whether the system that allows less allows something; false is certain

    @property
    def differs(self) -> Bool:
        """When the two systems differ."""
        return disj(self.meeting.gained, self.meeting.lost)

    @property
    def constructs(self) -> tuple[str, ...]:
        """What kept it from being known, where it is not."""
        return tuple(sorted(self.meeting.constructs | {UNSETTLED}))


@dataclass(frozen=True, slots=True)
class _Group:
    """Classes with one answer, of the same callers, with the same policies in question."""

    cells: CellPairs  # one of them
    targets: list[TargetPair]
    old_policies: tuple[Policy, ...]
    new_policies: tuple[Policy, ...]

    @property
    def callers(self) -> tuple[str, ...]:
        """The names of the callers."""
        return tuple(each.name for old, new in self.cells.callers if (each := new or old) is not None)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the targets, as the new system has them where it has them."""
        return tuple(name_of(each) for old, new in self.targets if (each := new or old) is not None)


class _Comparer:
    def __init__(self, old: System, new: System, now: datetime, budget_seconds: float) -> None:
        meanings = Meanings()
        self._now = now
        self._old = Side(old.catalog, old.policies, now, meanings)
        self._new = Side(new.catalog, new.policies, now, meanings)
        self._pairs = Pairs(self._old, self._new)
        self._requests = OpenRequests(now)
        at, moment = Moment.at(now), self._requests.moment
        self._at_once = conj(moment.milliseconds == at.milliseconds, moment.beyond == at.beyond)
        self._solver = Solver(budget_seconds=budget_seconds)
        self._questions: dict[Hashable, _Question] = {}
        self._engines: tuple[Confirming, ...] = ()

    def comparison(self) -> Comparison:
        asked = [(cells, question) for cells in self._pairs.classes() if (question := self._question(cells))]
        questions = list(self._questions.values())
        for start in range(0, len(questions), CHUNK):
            self._settle(questions[start : start + CHUNK])
        groups = list(self._groups(asked))
        self._engines = tuple(
            Confirming(side.catalog, side.policies, [target for _, group in groups if (target := group.targets[0][at])])
            for at, side in enumerate((self._old, self._new))
        )
        outcomes = [self._outcome(question, group) for question, group in groups]
        return Comparison(
            changes=tuple(each for each in outcomes if isinstance(each, Change)),
            unknown=tuple(each for each in outcomes if isinstance(each, Unknown)),
            shifts=shifts_of(self._old.catalog, self._new.catalog, self._pairs.operations),
            idle=(*self._old.idle(), *self._new.idle()),
        )

    def _question(self, cells: CellPairs) -> _Question | None:
        """Return what is to be asked about a class; None where both systems plainly say the same."""
        (old_caller, new_caller), (old_target, new_target) = cells.callers[0], cells.targets[0]
        old = Asked(self._old.catalog, old_caller, old_target, self._meaning(self._old, cells.old_mask))
        new = Asked(self._new.catalog, new_caller, new_target, self._meaning(self._new, cells.new_mask))
        told = (
            self._old.told(cells.old_mask, old_caller, old_target),
            self._new.told(cells.new_mask, new_caller, new_target),
        )
        same = told[0] == told[1] and not self._pairs.moved
        if same and old.policies == new.policies:
            return None
        kinds = [kind_of(each) if each is not None else None for each in (old_target, new_target)]
        key = (old.policies, new.policies, told, *kinds)
        if key not in self._questions:
            self._questions[key] = _Question(meet(self._requests, old, new, same=same))
        return self._questions[key]

    @staticmethod
    def _meaning(side: Side, mask: int) -> Chosen:
        """Return what the permits and the forbids of a mask mean, each meaning once."""
        permits, forbids = ([side.meaning[each.id] for each in part] for part in side.index.chosen(mask))
        return _distinct(permits), _distinct(forbids)

    def _settle(self, questions: list[_Question]) -> None:
        """Ask about some questions at once; where that is not the end of it, about each of them."""
        asked = [question for question in questions if not question.meeting.impossible]
        if self._solver.find(any_of(question.differs for question in asked)) == "none":
            return
        for question in asked:
            meeting = question.meeting
            question.gained = self._answer(meeting, meeting.gained)
            question.lost = self._answer(meeting, meeting.lost)
            if question.gained == "none" or question.lost == "none":
                rest = meeting.old if question.lost == "none" else meeting.new
                question.partly = rest if isinstance(rest, bool) else self._solver.possible(meeting.possible, rest)

    def _answer(self, meeting: Meeting, formula: Bool) -> _Answer:
        """Return a request of which a formula is true: in plain form and at once, where there is such a one."""
        if formula is False:
            return "none"
        if formula is True and not meeting.about_objects:
            return Values({}, self._now), frozenset(), (None, None)
        for preferred in (conj(meeting.plain, self._at_once), meeting.plain):
            found = self._solver.find(formula, preferred)
            if not isinstance(found, str):
                return (*meeting.values(found), meeting.objects(found))
        found = self._solver.find(formula)
        return found if isinstance(found, str) else (*meeting.values(found), meeting.objects(found))

    def _groups(self, asked: Sequence[tuple[CellPairs, _Question]]) -> Iterator[tuple[_Question, _Group]]:
        """Yield the classes that differ, or of which it is not known, those that read alike as one."""
        groups: dict[Hashable, tuple[_Question, _Group]] = {}
        for cells, question in asked:
            if question.gained == question.lost == "none" and not question.meeting.impossible:
                continue
            policies = self._concerned(cells)
            gone = cells.targets[0][0] is None, cells.targets[0][1] is None
            key = (question, tuple(_names(cells)), gone, *policies)
            if key not in groups:
                groups[key] = question, _Group(cells, [], *policies)
            groups[key][1].targets.extend(cells.targets)
        yield from groups.values()

    def _concerned(self, cells: CellPairs) -> tuple[tuple[Policy, ...], tuple[Policy, ...]]:
        """Return the policies of a class that only one side has there by meaning; all, where both have the same."""
        old, new = self._old.index.chosen(cells.old_mask), self._new.index.chosen(cells.new_mask)
        old_all, new_all = (*old[0], *old[1]), (*new[0], *new[1])
        old_meanings = {self._old.meaning[each.id] for each in old_all}
        new_meanings = {self._new.meaning[each.id] for each in new_all}
        old_only = tuple(each for each in old_all if self._old.meaning[each.id] not in new_meanings)
        new_only = tuple(each for each in new_all if self._new.meaning[each.id] not in old_meanings)
        return (old_only, new_only) if old_only or new_only else (old_all, new_all)

    def _outcome(self, question: _Question, group: _Group) -> Change | Unknown:
        constructs: set[str] = set()
        if question.meeting.impossible:
            constructs.add(question.meeting.impossible)
        gained = self._example(question, group, question.gained, 1, constructs)
        lost = self._example(question, group, question.lost, 0, constructs)
        named = tuple(sorted(constructs))
        if gained is None and lost is None:
            return Unknown(group.callers, group.names, group.old_policies, group.new_policies, named)
        return Change(
            kind=_kind(question, gained, lost),
            callers=group.callers,
            targets=group.names,
            gained=gained,
            lost=lost,
            old_policies=group.old_policies,
            new_policies=group.new_policies,
            until=_until(group),
            constructs=named,
        )

    def _example(
        self, question: _Question, group: _Group, answer: _Answer, at: Literal[0, 1], constructs: set[str]
    ) -> Example | None:
        """Return an example that the system at `at` allows and the other refuses, if the engines confirm it."""
        if answer == "none":
            return None
        if isinstance(answer, str):
            constructs |= {UNSETTLED, *question.meeting.constructs}
            return None
        values, odd, objects = answer
        texts = texts_of(values)
        texts.update(dict.fromkeys(odd, ODD_TEXT))
        witnesses = [
            witness and (with_object(witness, found) if found is not None else witness)
            for side, found in enumerate(objects)
            for witness in [self._witness(group, side, texts, values.moment, shown=side == at)]
        ]
        witness = witnesses[at]
        if witness is None:
            target = group.targets[0][at]
            constructs.add(no_request(target) if target is not None else UNSETTLED)
            return None
        decisions = [engine.decide(each) for engine, each in zip(self._engines, witnesses, strict=True)]
        if decisions[at].allowed and not decisions[1 - at].allowed:
            by, against = (self._engines[side].named(decisions[side]) for side in (at, 1 - at))
            return Example(witness, tuple(sorted(name for _, name in odd)), by, against)
        if question.meeting.constructs:
            constructs |= question.meeting.constructs
        elif twins := _look_alikes(texts):
            constructs.add(f"the query parameters {twins}, which look alike")
        else:
            raise UnconfirmedError(
                f"the solver says that the systems differ about {witness}, and the engines do not",
                hint="this is a defect of Inward: please report it with the policies of both",
            )
        return None

    def _witness(
        self, group: _Group, at: int, texts: dict[tuple[str, str], str], moment: datetime, *, shown: bool
    ) -> Witness | None:
        """Return the request as one side knows it; one that is shown must not be another operation's there."""
        caller, target = group.cells.callers[0][at], group.targets[0][at]
        if caller is None or target is None:
            return None
        catalog = (self._old, self._new)[at].catalog if shown else None
        return witness_to(target, caller.name, texts, moment, catalog=catalog)


def _distinct(policies: Iterable[Policy]) -> tuple[Policy, ...]:
    return tuple(sorted(set(policies), key=lambda policy: policy.id))


def _names(cells: CellPairs) -> Iterator[tuple[str | None, str | None]]:
    for old, new in cells.callers:
        yield (old.name if old is not None else None), (new.name if new is not None else None)


def _kind(question: _Question, gained: Example | None, lost: Example | None) -> Kind:
    if gained is not None and lost is not None:
        return "changed"
    if gained is not None:
        return "wider" if question.partly else "allowed"
    return "narrower" if question.partly else "refused"


def _until(group: _Group) -> tuple[datetime | None, datetime | None] | None:
    """Return until when the old and the new grants hold, where they differ in nothing else."""
    ends: list[dict[Hashable, datetime]] = []
    for policies in (group.old_policies, group.new_policies):
        found: dict[Hashable, datetime] = {}
        for policy in policies:
            if policy.effect == "forbid":
                return None
            end = policy.expires or FOREVER
            found[policy.pst.clauses] = max(end, found.get(policy.pst.clauses, end))
        ends.append(found)
    pairs = {(ends[0][clauses], ends[1].get(clauses)) for clauses in ends[0]}
    if ends[0].keys() != ends[1].keys() or len(pairs) != 1:
        return None
    [(old, new)] = pairs
    if new is None or old == new:
        return None
    return (None if old == FOREVER else old), (None if new == FOREVER else new)


def _look_alikes(texts: Iterable[tuple[str, str]]) -> str:
    """Return query parameters whose names some library takes for the same (`policy.request`), or an empty text."""
    seen: dict[str, list[str]] = defaultdict(list)
    for where, name in texts:
        if where == "query":
            seen[re.sub(r"[.\[]", "_", name.lower())].append(name)
    return next((" and ".join(f"`{name}`" for name in sorted(names)) for names in seen.values() if len(names) > 1), "")
