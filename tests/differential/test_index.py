"""The engine, which asks Cedar about few policies, against Cedar itself, which is asked about all of them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cedarpy
import pytest

from inward.catalog.model import Catalog
from inward.catalog.system import load_catalog
from inward.policy.decide import Engine
from inward.policy.decision import Decision, Reason
from inward.policy.load import load_policies
from inward.policy.model import Policies
from inward.policy.request import BadParameterError, Request, build_context, reads_of
from inward.policy.schema import entities_of, schema_of
from tests.differential import systems

SEEDS = range(60)


@dataclass(frozen=True)
class _Loaded:
    system: systems.GeneratedSystem
    catalog: Catalog
    policies: Policies
    engine: Engine


def _load(seed: int, folder: Path) -> _Loaded:
    system = systems.generate(seed)
    catalog, mistakes = load_catalog(system.write(folder))
    assert catalog is not None
    assert mistakes == []
    policies, mistakes = load_policies(folder, catalog)
    assert mistakes == []
    assert policies.by_id.keys() == {policy.id for policy in system.policies}
    return _Loaded(system, catalog, policies, Engine(catalog, policies))


class _Oracle:
    """Decides from the generated texts alone, asking Cedar about all of them each time. No index, no cells."""

    def __init__(self, loaded: _Loaded) -> None:
        self._policies = loaded.policies  # for what they read, nothing else
        self._catalog = loaded.catalog
        self._generated = loaded.system.policies
        self._entities = cedarpy.Entities.from_json_str(json.dumps(entities_of(loaded.catalog)))
        schema = schema_of(loaded.catalog.operations.values(), loaded.catalog.services)
        self._schema = cedarpy.Schema.from_json_str(json.dumps(schema))
        self._sets: dict[frozenset[str], tuple[cedarpy.PolicySet, cedarpy.PolicySet]] = {}

    def decide(self, request: Request, now: datetime) -> Decision:
        matching = self._matching(request, frozenset(policy.id for policy in self._generated))
        live = frozenset(policy.id for policy in self._generated if policy.expires is None or now < policy.expires)
        candidates = [policy for policy in self._generated if policy.id in matching & live]
        if not any(policy.effect == "permit" for policy in candidates):
            expired = sorted(p.id for p in self._generated if p.id in matching - live and p.effect == "permit")
            return Decision(False, Reason.EXPIRED if expired else Reason.NO_GRANT, tuple(expired))
        context: dict[str, Any] = {"path": {}, "query": {}, "time": _time(now)}
        if any(policy.conditions for policy in candidates):
            try:
                context = self._context(request, now, [policy.id for policy in candidates])
            except BadParameterError:
                return Decision(False, Reason.BAD_PARAMETER)
        whole, _ = self._set(live)
        answer = cedarpy.is_authorized(self._asked(request, context), whole, self._entities)
        if answer.diagnostics.errors:
            return Decision(False, Reason.POLICY_ERROR)
        holding = tuple(sorted(answer.diagnostics.id_annotations_by_reason.values()))
        if answer.allowed:
            return Decision(True, Reason.GRANTED, holding)
        return Decision(False, Reason.FORBIDDEN if holding else Reason.CONDITION, holding)

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
        answer = cedarpy.is_authorized(self._asked(request, {}), scopes, self._entities)
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

    def _asked(self, request: Request, context: dict[str, Any]) -> dict[str, Any]:
        return {
            "principal": {"type": "Service", "id": request.caller},
            "action": {"type": "Action", "id": request.operation},
            "resource": {"type": "Service", "id": request.operation.partition(":")[0]},
            "context": context,
        }


def _time(now: datetime) -> dict[str, Any]:
    return {"__extn": {"fn": "datetime", "arg": now.strftime("%Y-%m-%dT%H:%M:%SZ")}}


def _differences(loaded: _Loaded, engine: Engine, each: int) -> tuple[list[str], Counter[Reason]]:
    oracle = _Oracle(loaded)
    found: list[str] = []
    reasons: Counter[Reason] = Counter()
    for call in loaded.system.calls(each):
        request = Request(call.caller, call.operation, call.path, call.query)
        expected, actual = oracle.decide(request, call.now), engine.decide(request, call.now)
        reasons[expected.reason] += 1
        same = (expected.allowed, expected.reason) == (actual.allowed, actual.reason)
        if same and expected.policies:
            same = expected.policies == actual.policies
        if not same:
            found.append(f"seed {loaded.system.seed}: {call}: expected {expected}, got {actual}")
    return found, reasons


def test_the_engine_says_what_cedar_says_of_the_whole_set(tmp_path: Path) -> None:
    reasons: Counter[Reason] = Counter()
    for seed in SEEDS:
        found, seen = _differences(loaded := _load(seed, tmp_path / str(seed)), loaded.engine, 2)
        assert found == []
        reasons += seen
    print(reasons)
    assert sum(reasons.values()) > 4000
    decided = {Reason.GRANTED, Reason.NO_GRANT, Reason.CONDITION, Reason.EXPIRED, Reason.FORBIDDEN}
    assert {reason for reason in decided | {Reason.BAD_PARAMETER, Reason.POLICY_ERROR} if reasons[reason] < 20} == set()


@pytest.mark.parametrize("effect", ["permit", "forbid"])
def test_a_policy_that_the_index_lost_would_be_noticed(tmp_path: Path, effect: str) -> None:
    noticed = 0
    for seed in SEEDS[:12]:
        loaded = _load(seed, tmp_path / str(seed))
        for lost in loaded.policies:
            if lost.effect == effect:
                rest = Policies.of(policy for policy in loaded.policies if policy is not lost)
                found, _ = _differences(loaded, Engine(loaded.catalog, rest), 1)
                noticed += bool(found)
    assert noticed >= 10


def test_an_expiry_that_is_off_by_a_moment_would_be_noticed(tmp_path: Path) -> None:
    noticed = 0
    for seed in SEEDS[:12]:
        loaded = _load(seed, tmp_path / str(seed))
        engine = loaded.engine

        class Late(Engine):
            def decide(self, request: Request, now: datetime, engine: Engine = engine) -> Decision:
                return engine.decide(request, now - timedelta(microseconds=1))

        found, _ = _differences(loaded, Late(loaded.catalog, loaded.policies), 1)
        noticed += bool(found)
    assert noticed >= 3
