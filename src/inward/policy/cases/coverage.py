"""What tests have not shown: policies that decided no case, and terms of conditions that were never seen both ways.

A policy is exercised when a decision names it as one that holds, or when its conditions were evaluated for a case. One
that had expired at the time of a case was not exercised by it. A term is exercised when it was met in one case and not
met in another.

Left out are policies about nothing but `disclose`, which decide no calls, and guardrails: where no grant allows what
they forbid, as it should be, no case can show them at work.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from inward.errors import Place
from inward.policy.authoring.explain import Examiner
from inward.policy.authoring.wording import clauses_of
from inward.policy.decision import Reason
from inward.policy.loading.rules import Parsed
from inward.policy.request import BadParameterError, build_context, reads_of
from inward.policy.resources.values import entity_of
from inward.policy.schema import DISCLOSE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inward.catalog.model import Catalog
    from inward.policy.cases.model import Outcome
    from inward.policy.decide import Engine
    from inward.policy.model import Cell, ObjectCell, Policies, Policy

_UNEVALUATED = frozenset({Reason.NO_GRANT, Reason.EXPIRED, Reason.BAD_PARAMETER})


@dataclass(frozen=True, slots=True)
class Gap:
    """A term that was not seen both ways. `never` says which; "seen": it could not be said in any case."""

    policy: Policy
    kind: Literal["when", "unless"]
    text: str
    place: Place
    never: Literal["met", "unmet", "seen"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far tests go. `terms` counts those of all policies; `gaps` are of policies that are exercised."""

    policies: int
    terms: int
    exercised: int  # policies
    seen: int  # terms that were seen both ways
    missed: tuple[Policy, ...]  # policies that are not exercised
    gaps: tuple[Gap, ...]

    @property
    def complete(self) -> bool:
        """Whether tests have shown everything."""
        return not self.missed and not self.gaps


@dataclass(slots=True)
class _Seen:
    met: set[int] = field(default_factory=set)  # numbers of terms
    unmet: set[int] = field(default_factory=set)


def coverage_of(outcomes: Iterable[Outcome], catalog: Catalog, policies: Policies, engine: Engine) -> Coverage:
    """Return what the cases exercised of `policies`, by which `engine` decided them."""
    examiner = Examiner(catalog)
    seen: dict[str, _Seen] = {}
    for outcome in outcomes:
        if outcome.decision.reason in _UNEVALUATED:
            continue
        for name in outcome.decision.policies:
            seen.setdefault(name, _Seen())
        _examine(outcome, examiner, engine, seen)
    return _summary([policy for policy in policies if _can_be_shown(policy)], seen)


def _examine(outcome: Outcome, examiner: Examiner, engine: Engine, seen: dict[str, _Seen]) -> None:
    """Note what the conditions of a case's cell said of it."""
    case, now = outcome.case, outcome.test.now
    _examine_cell(outcome, engine.cell(case.request.caller, case.request.operation), examiner, seen)
    if case.resource is None:
        return
    called = engine.decide(case.request, now)
    if called.allowed:  # else nothing was asked about the object
        kind = engine.index.resources.by_name[case.resource.type]
        cell = engine.index.object_cell(case.request.caller, case.request.operation, kind)
        for name in called.policies:
            seen.setdefault(name, _Seen())
        _examine_cell(outcome, cell, examiner, seen, entity_of(case.resource, kind))


def _examine_cell(
    outcome: Outcome,
    cell: Cell | ObjectCell,
    examiner: Examiner,
    seen: dict[str, _Seen],
    entity: dict[str, Any] | None = None,
) -> None:
    request, now = outcome.case.request, outcome.test.now
    live = [each for each in (*cell.permits, *cell.forbids) if each.expires is None or now < each.expires]
    conditional = [policy for policy in live if policy.conditional]
    if not conditional:
        return
    try:
        context = build_context(cell.operation, request.path, request.query, now, reads_of(live, cell.operation))
    except BadParameterError:
        return
    for policy in conditional:
        noted = seen.setdefault(policy.id, _Seen())
        for number, term in enumerate(examiner.examine(policy, cell, now, context, entity).terms):
            if term.met is not None:
                (noted.met if term.met else noted.unmet).add(number)


def _can_be_shown(policy: Policy) -> bool:
    return policy.file_owner is not None and Parsed.of(policy.pst).scope != (DISCLOSE,)


def _summary(policies: list[Policy], seen: dict[str, _Seen]) -> Coverage:
    missed = [policy for policy in policies if policy.id not in seen]
    terms = {policy.id: list(_terms(policy)) for policy in policies}
    gaps = [
        Gap(policy, kind, text, place, never)
        for policy in policies
        if (noted := seen.get(policy.id)) is not None
        for number, (kind, text, place) in enumerate(terms[policy.id])
        if (never := _never(noted, number)) is not None
    ]
    total = sum(map(len, terms.values()))
    hidden = sum(len(terms[policy.id]) for policy in missed)
    return Coverage(
        policies=len(policies),
        terms=total,
        exercised=len(policies) - len(missed),
        seen=total - hidden - len(gaps),
        missed=tuple(sorted(missed, key=lambda policy: policy.place)),
        gaps=tuple(sorted(gaps, key=lambda gap: gap.place)),
    )


def _never(noted: _Seen, number: int) -> Literal["met", "unmet", "seen"] | None:
    met, unmet = number in noted.met, number in noted.unmet
    if met and unmet:
        return None
    if not met and not unmet:
        return "seen"
    return "unmet" if met else "met"


def _terms(policy: Policy) -> Iterator[tuple[Literal["when", "unless"], str, Place]]:
    for clause in clauses_of(policy):
        for text, line in zip(clause.terms, clause.lines, strict=True):
            yield clause.kind, text, Place(policy.place.file, policy.place.line + line)
