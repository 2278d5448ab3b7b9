"""Guardrails proven, against every call that could be tried: by the engine, with and without the guardrail."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from tests.differential import worlds

from inward.catalog.model import Operation
from inward.policy.index import Index
from inward.policy.proving import prove as proving
from inward.policy.proving.applies import Applications
from inward.policy.proving.classes import Classes, Readings, name_of, parameters_of
from inward.policy.proving.prove import prove
from inward.policy.proving.reading import Reading
from inward.policy.proving.witness import UnconfirmedError
from inward.policy.symbolic.condition import Conditions
from inward.policy.symbolic.solve import Solver
from inward.policy.symbolic.term import any_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inward.policy.decide import Engine
    from inward.policy.decision import Decision
    from inward.policy.proving.classes import CellClass
    from inward.policy.proving.prove import Verdict
    from inward.policy.request import Read

SEEDS = 200  # among which a planted error must be noticed
ANSWERS = [f"{when} {status}" for when in ("today", "tomorrow") for status in ("proven", "refuted", "unknown")]
NEWCOMERS = 12


def _breaches_by_trying(world: worlds.World, callers: list[str], each: int) -> Iterator[tuple[str, worlds.Trial]]:
    """Yield the guardrails that are needed, each with a call that the owners allow and it refuses."""
    owners = worlds.engine(world, world.owners)
    guarded = {each.id: worlds.engine(world, [*world.owners, each]) for each in world.guardrails}
    for trial in world.trials(callers, each):
        if worlds.ask(owners, trial).allowed:
            for name, engine in guarded.items():
                decision = worlds.ask(engine, trial)
                if not decision.allowed and name in decision.policies and decision.reason == "forbidden":
                    yield name, trial


def _wrong(world: worlds.World, verdicts: tuple[Verdict, ...], each: int = 4) -> list[str]:
    """Return what is wrong with verdicts: proven and yet needed, or refuted by a call that shows nothing."""
    found = []
    proven = {verdict.guardrail.id for verdict in verdicts if verdict.today.status == "proven"}
    for name, trial in _breaches_by_trying(world, sorted(world.catalog.services), each):
        if name in proven:
            found.append(f"seed {world.seed}: `{name}` is proven, and needed for {trial}")
    proven = {verdict.guardrail.id for verdict in verdicts if verdict.tomorrow.status == "proven"}
    tomorrow = world.with_newcomers(NEWCOMERS)
    newcomers = sorted(set(tomorrow.catalog.services) - set(world.catalog.services))
    for name, trial in _breaches_by_trying(tomorrow, newcomers, 1 + each // 3):
        if name in proven:
            found.append(f"seed {world.seed}: `{name}` is proven for newcomers, and needed for {trial}")
    found.extend(
        f"seed {world.seed}: {breach.witness} does not refute `{verdict.guardrail.id}`"
        for verdict in verdicts
        for breach in (*verdict.today.breaches, *verdict.tomorrow.breaches)
        if not _shown(world, verdict, breach)
    )
    return found


def _shown(world: worlds.World, verdict: Verdict, breach: proving.Breach) -> bool:
    there = worlds.with_caller(world, breach.witness)
    allowed = worlds.ask(worlds.engine(there, there.owners), breach.witness)
    refused = worlds.ask(worlds.engine(there, [*there.owners, verdict.guardrail]), breach.witness)
    return (
        breach.witness.moment >= worlds.NOW
        and allowed.allowed
        and {grant.id for grant in breach.grants} == set(allowed.policies)
        and not refused.allowed
        and refused.policies == (verdict.guardrail.id,)
        and (breach.witness.newcomer is not None or breach.witness.caller in world.catalog.services)
    )


@pytest.mark.parametrize("first", [0, 50, 100, 150])
def test_no_call_gets_through_a_guardrail_that_is_proven(tmp_path: Path, first: int) -> None:
    said = _prove_all(tmp_path, range(first, first + 50))
    # each answer is really given, and nothing in these systems has no formula
    assert {status for status in ANSWERS if said[status] < 10} == {"today unknown", "tomorrow unknown"}
    assert not [status for status in said if "unknown" in status]
    assert said["about data"] > 0


@pytest.mark.long
def test_no_call_gets_through_any_of_many_guardrails(tmp_path: Path) -> None:
    assert _prove_all(tmp_path, range(1000, 3000), each=8).total() > 10_000


def _prove_all(folder: Path, seeds: range, each: int = 4) -> Counter[str]:
    """Prove the guardrails of systems, look for what is wrong with that, and return what was said, and how often."""
    said: Counter[str] = Counter()
    for seed in seeds:
        world = worlds.load(seed, folder / str(seed))
        verdicts = prove(world.catalog, world.policies, worlds.NOW)
        assert [verdict.guardrail.id for verdict in verdicts] == [
            guardrail.id for guardrail in sorted(world.guardrails, key=lambda guardrail: guardrail.place)
        ]
        assert _wrong(world, verdicts, each) == []
        for verdict in verdicts:
            said[f"today {verdict.today.status}"] += 1
            said[f"tomorrow {verdict.tomorrow.status}"] += 1
            said["about data"] += any(not breach.witness.path for breach in verdict.today.breaches)
    return said


def _without_forbids(self: Applications, policies: Any, cells: CellClass) -> Any:
    return any_of(self.of(policy, cells).fails for policy in policies)


def _plant(monkeypatch: pytest.MonkeyPatch, error: str) -> None:
    ask = Solver._ask
    match error:
        case "forbids are dropped":
            monkeypatch.setattr(Applications, "barred", _without_forbids)
        case "of a chunk, the first formula is asked":
            monkeypatch.setattr(proving, "any_of", next)
        case "what is not settled counts as none":
            monkeypatch.setattr(Solver, "_ask", lambda self, f, r: False if len(str(f)) % 2 else ask(self, f, r))
        case "every newcomer is in a scope":
            monkeypatch.setattr(Conditions, "_scope", lambda _self, _policy: True)
        case "no newcomer is in a scope":
            monkeypatch.setattr(Conditions, "_scope", lambda self, _policy: self.world.caller.service is not None)
        case "callers are not told apart":
            nothing = Reading(caller=False, identity=False, action=False, resource=False)
            monkeypatch.setattr(Reading, "of", lambda _policy: nothing)
        case "expiry is ignored":
            monkeypatch.setattr("inward.policy.symbolic.context.Moment.before", lambda _self, _moment: True)


@pytest.mark.parametrize(
    "error",
    [
        "forbids are dropped",
        "of a chunk, the first formula is asked",
        "what is not settled counts as none",
        "every newcomer is in a scope",
        "no newcomer is in a scope",
        "callers are not told apart",
        "expiry is ignored",
    ],
)
def test_a_planted_error_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str) -> None:
    _plant(monkeypatch, error)
    for seed in range(SEEDS):
        world = worlds.load(seed, tmp_path / str(seed))
        try:
            if _wrong(world, prove(world.catalog, world.policies, worlds.NOW)):
                return
        except UnconfirmedError:
            return
    pytest.fail("not noticed")


def test_what_the_solver_does_not_settle_is_never_proven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = Solver._ask
    chance = random.Random(5)  # noqa: S311 - the same every time, on purpose
    monkeypatch.setattr(Solver, "_ask", lambda self, f, r: None if chance.random() < 0.5 else ask(self, f, r))
    statuses: Counter[str] = Counter()
    for seed in range(25):
        world = worlds.load(seed, tmp_path / str(seed))
        verdicts = prove(world.catalog, world.policies, worlds.NOW)
        assert _wrong(world, verdicts) == []
        statuses.update(verdict.today.status for verdict in verdicts)
    assert statuses["unknown"] > 5


def test_in_the_cells_of_a_class_all_is_decided_alike(tmp_path: Path) -> None:
    """One request, to every target of a class by every caller of it."""
    compared = 0
    for seed in range(60):
        world = worlds.load(seed, tmp_path / str(seed))
        compared += _compare(world)
    assert compared > 800


def test_classes_that_put_unlike_cells_together_would_be_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = Reading(caller=False, identity=False, action=False, resource=False)
    monkeypatch.setattr(Reading, "of", lambda _policy: nothing)

    def compare_all() -> None:
        for seed in range(60):
            _compare(worlds.load(seed, tmp_path / str(seed)))

    with pytest.raises(AssertionError, match="seed"):
        compare_all()


def _compare(world: worlds.World) -> int:
    index = Index(world.catalog, world.policies)
    every = (1 << len(world.policies)) - 1
    engine = worlds.engine(world, world.policies)
    rng = random.Random(f"classes {world.seed}")  # noqa: S311 - the same every time, on purpose
    cells = compared = 0
    for each in Classes(world.catalog, index, Readings(world.policies)).today(every):
        cells += each.size
        for _ in range(4):
            decisions = list(_decide_all(each, rng, engine))
            assert len(set(decisions)) == 1, f"seed {world.seed}: {decisions}"
            compared += len(decisions) - 1
    both = len(world.catalog.operations) + len(world.catalog.data_classes)
    assert cells <= len(world.catalog.services) * both
    return compared


def _decide_all(cells: CellClass, rng: random.Random, engine: Engine) -> Iterator[Decision]:
    """Decide one request, sent to every target of a class by every caller of it."""
    every = {(each.where, each.name): each for target in cells.targets for each in parameters_of(target)}
    there = {key for key, parameter in every.items() if parameter.required or rng.random() < 0.7}
    values = {key: worlds.value(rng, parameter) for key, parameter in every.items() if key in there}
    now = worlds.NOW + rng.choice(worlds.LATER)
    for target in cells.targets:
        sent: dict[Read, str] = {
            key: values[key] for each in parameters_of(target) if (key := (each.where, each.name)) in values
        }
        path, query = worlds.filled(target, sent) if isinstance(target, Operation) else ("", "")
        for caller in cells.callers:
            yield worlds.ask(engine, worlds.Trial(caller.name, name_of(target), path, query, now))
