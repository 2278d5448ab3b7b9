"""Says why a call is allowed or refused, and what would have to change: for people, never for the caller.

Nothing here decides: `Engine.decide` does, and Cedar itself is asked about each term of a condition. A grant is
suggested only after the engine has confirmed that it would allow the call.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import cedarpy

from inward.policy.authoring.grants import grant_text, new_id
from inward.policy.authoring.wording import clauses_of
from inward.policy.decide import Engine
from inward.policy.decision import Decision, Reason
from inward.policy.loading.rules import nearest as did_you_mean
from inward.policy.model import Disclosure, Policies, Policy
from inward.policy.request import BadParameterError, Request, build_context, reads_of
from inward.policy.schema import DISCLOSE, entities_of

if TYPE_CHECKING:
    from datetime import datetime

    from inward.catalog.model import Catalog, Operation
    from inward.policy.authoring.wording import Clause
    from inward.policy.model import Cell, ObjectCell

_CURABLE = frozenset({Reason.NO_GRANT, Reason.EXPIRED, Reason.CONDITION})  # by one more grant
_FAILED = re.compile(r"error while evaluating policy `(policy[0-9]+)`: (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a condition. `met`: whether it lets its policy apply; None where that cannot be said.

    A term of an `unless` is met when it is false. It cannot be said without a request, where the term fails to
    evaluate (`problem` says how), and where an earlier term that is not met keeps it from being reached.
    """

    kind: Literal["when", "unless"]
    text: str
    met: bool | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Examined:
    """A policy whose scope covers the call, and what its conditions say."""

    policy: Policy
    expired: bool
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Nearest:
    """The grant that comes closest to allowing the call, and in what it differs."""

    differs: Literal["condition", "expired", "operation", "caller"]
    policy: Policy
    caller: str
    operation: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a call is decided as it is.

    `decision` is None where no request was given and the request decides: allowed when the terms of a permit are
    met and those of no forbid. `deciding` are the policies that the decision names. `problem` says what is wrong
    with a parameter or a name. `grant` is the Cedar text of the smallest grant that would allow the call, for
    `grant_file`; both are empty where none would.
    """

    caller: str
    operation: str
    decision: Decision | None
    deciding: tuple[Policy, ...] = ()
    examined: tuple[Examined, ...] = ()
    nearest: Nearest | None = None
    problem: str = ""
    grant: str = ""
    grant_file: str = ""


def explain(
    engine: Engine,
    catalog: Catalog,
    policies: Policies,
    caller: str,
    operation: str,
    now: datetime,
    request: Request | None = None,
) -> Explanation:
    """Explain a call, or without `request` a cell, at a moment. The names may be unknown ones."""
    if caller not in catalog.services:
        refused = Decision(allowed=False, reason=Reason.UNKNOWN_CALLER)
        return Explanation(caller, operation, refused, problem=did_you_mean(caller, catalog.services))
    found = catalog.operations.get(operation)
    if found is None:
        refused = Decision(allowed=False, reason=Reason.UNKNOWN_OPERATION)
        return Explanation(caller, operation, refused, problem=did_you_mean(operation, catalog.operations))
    cell = engine.cell(caller, operation)
    decision = _decide(engine, cell, request, now)
    context, problem = _context(cell, request, now)
    examiner = Examiner(catalog)
    examined = tuple(examiner.examine(policy, cell, now, context) for policy in (*cell.permits, *cell.forbids))
    nearest, grant = None, ""
    if decision is not None and decision.reason in _CURABLE:
        nearest = _nearest(engine, catalog, cell, examined, now)
        grant = _smallest_grant(catalog, policies, cell, request, now)
    named = decision.policies if decision is not None else ()
    return Explanation(
        caller,
        operation,
        decision,
        tuple(policy for policy in (*cell.permits, *cell.forbids) if policy.id in named),
        examined,
        nearest,
        problem,
        grant,
        f"policies/{found.service}.cedar" if grant else "",
    )


def _lives(policy: Policy, now: datetime) -> bool:
    return policy.expires is None or now < policy.expires


def _live(cell: Cell, now: datetime) -> list[Policy]:
    return [policy for policy in (*cell.permits, *cell.forbids) if _lives(policy, now)]


def _decide(engine: Engine, cell: Cell, request: Request | None, now: datetime) -> Decision | None:
    """Return the decision; without a request what is decided whatever it is, or None where it matters."""
    if request is not None:
        return engine.decide(request, now)
    live = _live(cell, now)
    if any(policy.effect == "permit" for policy in live) and any(policy.conditional for policy in live):
        always = tuple(policy.id for policy in live if policy.effect == "forbid" and not policy.conditional)
        return Decision(allowed=False, reason=Reason.FORBIDDEN, policies=always) if always else None
    return engine.decide(Request(cell.caller, cell.operation.id, ""), now)  # looks at nothing of the request


def _context(cell: Cell, request: Request | None, now: datetime) -> tuple[dict[str, Any] | None, str]:
    """Return the request's context, or None and what is wrong with the request."""
    if request is None:
        return None, ""
    reads = reads_of(_live(cell, now), cell.operation)
    try:
        return build_context(cell.operation, request.path, request.query, now, reads), ""
    except BadParameterError as error:
        return None, error.message


class Examiner:
    """Asks Cedar what each term of a policy says of a call; keeps what it has made ready, for many calls."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._terms: dict[Policy, tuple[tuple[Clause, ...], cedarpy.PolicySet]] = {}

    def examine(
        self,
        policy: Policy,
        cell: Cell | ObjectCell | Disclosure,
        now: datetime,
        context: dict[str, Any] | None,
        entity: dict[str, Any] | None = None,
    ) -> Examined:
        """Return what a policy of `cell` says of a call with that context, None where there is no request.

        `entity` is the object that the call is about, in Cedar's JSON form.
        """
        clauses, terms = self._ready(policy)
        said = iter(self._ask(terms, sum(len(clause.terms) for clause in clauses), cell, context, entity))
        examined: list[Term] = []
        reached = True
        for clause in clauses:
            for text in clause.terms:
                value, problem = next(said)
                met = value if value is None or clause.kind == "when" else not value
                if met is None and not reached:
                    problem = ""  # such as an absent parameter, after the term that tests for it
                examined.append(Term(clause.kind, text, met, problem))
                reached = reached and met is True
        return Examined(policy, not _lives(policy, now), tuple(examined))

    @cached_property
    def _entities(self) -> cedarpy.Entities:
        return cedarpy.Entities.from_json_str(json.dumps(entities_of(self._catalog)))

    def _ready(self, policy: Policy) -> tuple[tuple[Clause, ...], cedarpy.PolicySet]:
        """Return a policy's clauses, and a permit for each term, in order."""
        found = self._terms.get(policy)
        if found is None:
            clauses = clauses_of(policy)
            texts = [text for clause in clauses for text in clause.terms]
            # a term may end in a comment, so the brace stands on a line of its own
            permits = "".join(f"permit(principal, action, resource) when {{ {text}\n}};\n" for text in texts)
            found = self._terms[policy] = clauses, cedarpy.PolicySet.from_str(permits)
        return found

    def _ask(
        self,
        terms: cedarpy.PolicySet,
        count: int,
        cell: Cell | ObjectCell | Disclosure,
        context: dict[str, Any] | None,
        entity: dict[str, Any] | None,
    ) -> list[tuple[bool | None, str]]:
        """Return what Cedar says of each of `count` terms, or None and why it cannot say."""
        if not count:
            return []
        if isinstance(cell, Disclosure):
            action, resource = DISCLOSE, {"type": "DataClass", "id": cell.data_class.name}
        else:
            action, resource = cell.operation.id, {"type": "Service", "id": cell.operation.service}
        answer = cedarpy.is_authorized(
            {
                "principal": {"type": "Service", "id": cell.caller},
                "action": {"type": "Action", "id": action},
                "resource": entity["uid"] if entity else resource,
                "context": context or {},
            },
            terms,
            self._entities.with_added_json_str(json.dumps([entity])) if entity else self._entities,
        )
        errors = answer.diagnostics.errors
        failed = {found[1]: found[2] for error in errors if (found := _FAILED.match(error))}
        if answer.decision is cedarpy.Decision.NoDecision or len(failed) != len(errors):
            return [(None, "; ".join(errors))] * count  # nothing was evaluated, or it cannot be said what
        # Cedar numbers the policies of a text; without a context, a term that reads it fails, whatever the request
        true = set(answer.diagnostics.reasons)
        return [
            (None, "" if context is None else failed[name]) if name in failed else (name in true, "")
            for name in (f"policy{number}" for number in range(count))
        ]


def _nearest(
    engine: Engine, catalog: Catalog, cell: Cell, examined: tuple[Examined, ...], now: datetime
) -> Nearest | None:
    """Return the closest grant: of this cell, else of another operation, else of another caller."""
    own = [each for each in examined if each.policy.effect == "permit"]
    here = cell.caller, cell.operation.id
    if live := [each for each in own if not each.expired]:
        best = min(live, key=lambda each: sum(term.met is not True for term in each.terms))
        return Nearest("condition", best.policy, *here)
    if own:
        latest = max(own, key=lambda each: each.policy.expires or now)
        return Nearest("expired", latest.policy, *here)
    others = [
        each
        for operation in catalog.services[cell.operation.service].operations
        for each in _granted(engine.cell(cell.caller, operation.id), now)
    ]
    if others:
        policy, _, operation = max(others, key=lambda each: _similarity(each[2].name, cell.operation.name))
        return Nearest("operation", policy, cell.caller, operation.id)
    others = [each for other in engine.index.cells_of(cell.operation.id) for each in _granted(other, now)]
    if others:
        caller = catalog.services[cell.caller]

        def kinship(name: str) -> tuple[bool, bool, float]:
            other = catalog.services[name]
            return other.owner == caller.owner, other.zone == caller.zone, _similarity(name, caller.name)

        policy, name, _ = max(others, key=lambda each: kinship(each[1]))
        return Nearest("caller", policy, name, cell.operation.id)
    return None


def _granted(cell: Cell, now: datetime) -> list[tuple[Policy, str, Operation]]:
    return [(permit, cell.caller, cell.operation) for permit in cell.permits if _lives(permit, now)][:1]


def _similarity(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def _smallest_grant(catalog: Catalog, policies: Policies, cell: Cell, request: Request | None, now: datetime) -> str:
    """Return the text of a grant of exactly this cell, if with it the engine would not refuse the call."""
    operation = cell.operation
    identifier = new_id(cell.caller, (operation,), policies.by_id)
    text = grant_text(identifier, f"why {cell.caller} needs {operation.id}", cell.caller, (operation,))
    (parsed,) = cedarpy.policies_to_pst(text).static_policies.values()
    parsed = dataclasses.replace(parsed, id=identifier)
    granted = Policy(identifier, "permit", "", None, operation.service, operation.place, text, parsed)
    engine = Engine(catalog, Policies.of([*cell.permits, *cell.forbids, granted]))
    decision = _decide(engine, engine.cell(cell.caller, operation.id), request, now)
    return text if decision is None or decision.allowed else ""
