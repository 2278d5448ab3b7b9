"""The engine, which asks Cedar about few policies, against Cedar itself, which is asked about all of them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import cedarpy
import pytest
from cedarpy import pst
from tests.differential import systems

from inward.catalog.system import load_catalog
from inward.policy.decide import Engine
from inward.policy.decision import Decision, Reason
from inward.policy.loading.load import load_policies
from inward.policy.model import Policies
from inward.policy.request import BadParameterError, Request, build_context, reads_of
from inward.policy.schema import DISCLOSE, entities_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inward.catalog.model import Catalog

DECIDED = (
    Reason.GRANTED,
    Reason.NO_GRANT,
    Reason.CONDITION,
    Reason.EXPIRED,
    Reason.FORBIDDEN,
    Reason.BAD_PARAMETER,
    Reason.POLICY_ERROR,
)
DISCLOSE_ACTION = pst.ActionEq(pst.EntityUid(pst.EntityType("Action"), DISCLOSE))


@dataclass(frozen=True)
class _Loaded:
    system: systems.GeneratedSystem
    catalog: Catalog
    policies: Policies


def _load(seed: int, folder: Path) -> _Loaded:
    system = systems.generate(seed)
    catalog, mistakes = load_catalog(system.write(folder))
    assert catalog is not None
    assert mistakes == []
    policies, mistakes = load_policies(folder, catalog)
    assert mistakes == []
    assert policies.by_id.keys() == {policy.id for policy in system.policies}
    return _Loaded(system, catalog, policies)


class _Oracle:
    """Decides from the generated texts alone, asking Cedar about all of them each time: no index, no cells."""

    def __init__(self, loaded: _Loaded) -> None:
        self._policies = loaded.policies  # for what they read, nothing else
        self._catalog = loaded.catalog
        self._generated = loaded.system.policies
        self._entities = cedarpy.Entities.from_json_str(json.dumps(entities_of(loaded.catalog)))
        self._sets: dict[frozenset[str], tuple[cedarpy.PolicySet, cedarpy.PolicySet]] = {}

    def decide(self, request: Request, now: datetime) -> Decision:
        matching = self._matching(request, frozenset(policy.id for policy in self._generated))
        live = frozenset(policy.id for policy in self._generated if policy.expires is None or now < policy.expires)
        candidates = [policy for policy in self._generated if policy.id in matching & live]
        if not any(policy.effect == "permit" for policy in candidates):
            expired = sorted(p.id for p in self._generated if p.id in matching - live and p.effect == "permit")
            return _refused(Reason.EXPIRED if expired else Reason.NO_GRANT, *expired)
        context: dict[str, Any] = {"path": {}, "query": {}, "time": _time(now)}
        if any(policy.conditions for policy in candidates):
            try:
                context = self._context(request, now, [policy.id for policy in candidates])
            except BadParameterError:
                return _refused(Reason.BAD_PARAMETER)
        whole, _ = self._set(live)
        answer = cedarpy.is_authorized(_asked(request, context), whole, self._entities)
        if answer.diagnostics.errors:
            return _refused(Reason.POLICY_ERROR)
        holding = tuple(sorted(answer.diagnostics.id_annotations_by_reason.values()))
        if answer.allowed:
            return Decision(allowed=True, reason=Reason.GRANTED, policies=holding)
        return _refused(Reason.FORBIDDEN if holding else Reason.CONDITION, *holding)

    def _context(self, request: Request, now: datetime, candidates: list[str]) -> dict[str, Any]:
        """Return all parameters where all are in plain form, else those that the candidates read."""
        operation = self._catalog.operations[request.operation]
        every = frozenset((parameter.where, parameter.name) for parameter in operation.parameters)
        reads = reads_of([self._policies.by_id[name] for name in candidates], operation)
        try:
            return build_context(operation, request.path, request.query, now, every)
        except BadParameterError:
            return build_context(operation, request.path, request.query, now, reads)

    def _matching(self, request: Request, names: frozenset[str]) -> frozenset[str]:
        _, scopes = self._set(names)
        answer = cedarpy.is_authorized(_asked(request, {}), scopes, self._entities)
        assert not answer.diagnostics.errors
        return frozenset(answer.diagnostics.id_annotations_by_reason.values())

    def _set(self, names: frozenset[str]) -> tuple[cedarpy.PolicySet, cedarpy.PolicySet]:
        """Return the named policies, as they are and as permits of their scopes alone."""
        if names not in self._sets:
            chosen = [policy for policy in self._generated if policy.id in names]
            self._sets[names] = (
                cedarpy.PolicySet.from_str("".join(policy.text for policy in chosen)),
                cedarpy.PolicySet.from_str("".join(f'@id("{p.id}") permit({p.scope});' for p in chosen)),
            )
        return self._sets[names]


def _refused(reason: Reason, *policies: str) -> Decision:
    return Decision(allowed=False, reason=reason, policies=policies)


def _asked(request: Request, context: dict[str, Any]) -> dict[str, Any]:
    return {
        "principal": {"type": "Service", "id": request.caller},
        "action": {"type": "Action", "id": request.operation},
        "resource": {"type": "Service", "id": request.operation.partition(":")[0]},
        "context": context,
    }


def _time(now: datetime) -> dict[str, Any]:
    return {"__extn": {"fn": "datetime", "arg": now.strftime("%Y-%m-%dT%H:%M:%SZ")}}


_Case = tuple[Request, datetime, Decision]  # with what must be decided


def _cases(loaded: _Loaded, each: int) -> list[_Case]:
    oracle = _Oracle(loaded)
    requests = [
        (Request(call.caller, call.operation, call.path, call.query), call.now) for call in loaded.system.calls(each)
    ]
    return [(request, now, oracle.decide(request, now)) for request, now in requests]


def _differences(decide: Callable[[Request, datetime], Decision], cases: list[_Case]) -> list[str]:
    found = []
    for request, now, expected in cases:
        actual = decide(request, now)
        same = (expected.allowed, expected.reason) == (actual.allowed, actual.reason)
        if not same or (expected.policies and expected.policies != actual.policies):
            found.append(f"{request} at {now}: expected {expected}, got {actual}")
    return found


def test_the_engine_says_what_cedar_says_of_the_whole_set(tmp_path: Path) -> None:
    reasons: Counter[Reason] = Counter()
    for seed in range(80):
        loaded = _load(seed, tmp_path / str(seed))
        cases = _cases(loaded, 2)
        found = _differences(Engine(loaded.catalog, loaded.policies).decide, cases)
        assert found == [], f"seed {seed}"
        reasons.update(expected.reason for _, _, expected in cases)
    assert sum(reasons.values()) > 4000
    # each way to decide is really tried
    assert {reason for reason in DECIDED if reasons[reason] < 20} == set()


@pytest.mark.parametrize("effect", ["permit", "forbid"])
def test_a_policy_that_the_index_lost_would_be_noticed(tmp_path: Path, effect: str) -> None:
    noticed = lost = 0
    for seed in range(5):
        loaded = _load(seed, tmp_path / str(seed))
        cases = _cases(loaded, 2)
        for policy in loaded.policies:
            if policy.effect == effect and policy.pst.action != DISCLOSE_ACTION:
                rest = Policies.of(other for other in loaded.policies if other is not policy)
                noticed += bool(_differences(Engine(loaded.catalog, rest).decide, cases))
                lost += 1
    assert lost >= 10
    assert noticed > lost / 2


def test_an_expiry_that_is_off_by_a_moment_would_be_noticed(tmp_path: Path) -> None:
    noticed = 0
    for seed in range(8):
        loaded = _load(seed, tmp_path / str(seed))
        decide = Engine(loaded.catalog, loaded.policies).decide
        cases = [(request, now - timedelta(microseconds=1), expected) for request, now, expected in _cases(loaded, 2)]
        late = _differences(decide, cases)
        noticed += bool(late)
    assert noticed >= 4


def test_a_forbid_that_fails_would_be_noticed_if_it_were_skipped(tmp_path: Path) -> None:
    """What Cedar alone does: an error skips the policy, and a permit beside it allows."""
    noticed = 0
    for seed in range(40):
        loaded = _load(seed, tmp_path / str(seed))
        whole = cedarpy.PolicySet.from_str("".join(policy.text for policy in loaded.system.policies))
        cases = [case for case in _cases(loaded, 2) if case[2].reason is Reason.POLICY_ERROR]
        entities = cedarpy.Entities.from_json_str(json.dumps(entities_of(loaded.catalog)))
        for request, now, expected in cases:
            operation = loaded.catalog.operations[request.operation]
            reads = reads_of(loaded.policies, operation)
            try:
                context = build_context(operation, request.path, request.query, now, reads)
            except BadParameterError:
                continue
            answer = cedarpy.is_authorized(_asked(request, context), whole, entities)
            noticed += answer.allowed != expected.allowed
    assert noticed >= 1


def test_cells_agree_with_what_is_decided(tmp_path: Path) -> None:
    constants = 0
    for seed in range(20):
        loaded = _load(seed, tmp_path / str(seed))
        engine = Engine(loaded.catalog, loaded.policies)
        for operation in loaded.catalog.operations:
            listed = {cell.caller: cell for cell in engine.index.cells_of(operation)}
            for caller in loaded.catalog.services:
                cell = engine.cell(caller, operation)
                assert (caller in listed) == bool(cell.permits)
                assert listed.get(caller, cell) == cell
        for request, now, expected in _cases(loaded, 1):
            constant = engine.cell(request.caller, request.operation).constant
            assert constant in {None, expected.allowed}, (seed, request, now, expected)
            constants += constant is True
    assert constants > 20
