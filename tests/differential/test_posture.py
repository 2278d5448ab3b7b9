"""What is said of policies that do nothing or can fail, against every call that could be tried, by the engine."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from tests.differential import worlds

from inward.policy.proving.applies import Applications
from inward.policy.proving.posture import posture
from inward.policy.proving.witness import UnconfirmedError
from inward.policy.symbolic.solve import Solver

if TYPE_CHECKING:
    from pathlib import Path

    from inward.policy.decide import Engine
    from inward.policy.proving.flaws import Flaw
    from inward.policy.proving.witness import Witness

SEEDS = 100


def _wrong(world: worlds.World, flaws: tuple[Flaw, ...]) -> list[str]:
    """Return what a call shows to be wrong."""
    return [f"seed {world.seed}: {each}" for each in (*_of_idle(world, flaws), *_of_failing(world, flaws))]


def _of_idle(world: worlds.World, flaws: tuple[Flaw, ...]) -> list[str]:
    gone = {flaw.policy.id for flaw in flaws if flaw.kind in {"redundant", "overruled", "never_applies"}}
    idle = [flaw.policy for flaw in flaws if flaw.kind == "never_applies"]
    overruled = [flaw.policy for flaw in flaws if flaw.kind == "overruled"]
    whole = worlds.engine(world, world.policies)
    rest = worlds.engine(world, [policy for policy in world.policies if policy.id not in gone])
    alone = {policy.id: worlds.engine(world, [worlds.EVERYTHING, policy]) for policy in idle}
    found = []
    for trial in world.trials(sorted(world.catalog.services), 4):
        allowed = worlds.ask(whole, trial)
        if allowed.allowed and not worlds.ask(rest, trial).allowed:
            found.append(f"without {sorted(gone)} this would be refused: {trial}")
        found += [
            f"`{each.id}` grants {trial}" for each in overruled if allowed.allowed and allowed.policies == (each.id,)
        ]
        found += [f"`{name}` applies to {trial}" for name, engine in alone.items() if _names(engine, trial, name)]
    return found


def _names(engine: Engine, trial: worlds.Trial, name: str) -> bool:
    decision = worlds.ask(engine, trial)
    return name in decision.policies and decision.reason in {"granted", "forbidden"}


def _of_failing(world: worlds.World, flaws: tuple[Flaw, ...]) -> list[str]:
    engine = worlds.engine(world, world.policies)
    failing = {flaw.policy.id for flaw in flaws if flaw.kind == "can_fail"}
    found = [
        f"`{flaw.policy.id}` does not fail for {flaw.witness}"
        for flaw in flaws
        if flaw.witness and flaw.policy.id not in _failed(engine, flaw.witness)
    ]
    for trial in world.trials(sorted(world.catalog.services), 4):
        found += [f"`{name}` fails for {trial}" for name in _failed(engine, trial) if name not in failing]
    return found


def _failed(engine: Engine, trial: worlds.Trial | Witness) -> tuple[str, ...]:
    decision = worlds.ask(engine, trial)
    return decision.policies if decision.reason == "policy_error" else ()


def test_what_is_said_to_do_nothing_does_nothing(tmp_path: Path) -> None:
    kinds: Counter[str] = Counter()
    for seed in range(SEEDS):
        world = worlds.load(seed, tmp_path / str(seed))
        flaws = posture(world.catalog, world.policies, worlds.NOW)
        assert _wrong(world, flaws) == []
        kinds.update(flaw.kind for flaw in flaws)
        assert not any(worlds.expired(flaw.policy) for flaw in flaws)
        assert {flaw.policy.id for flaw in flaws if flaw.kind == "redundant"}.isdisjoint(
            policy.id for policy in world.guardrails
        )
    # each is really found, and nothing in these systems has no formula
    assert {kind for kind in ("never_applies", "redundant", "overruled", "can_fail") if kinds[kind] < 10} == set()
    assert kinds["unknown"] == 0


@pytest.mark.parametrize(
    "error", ["others count where they do not hold", "what can be counts as none", "nothing fails"]
)
def test_a_planted_error_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str) -> None:
    ask, of = Solver._ask, Applications.of
    match error:
        case "others count where they do not hold":
            monkeypatch.setattr(Applications, "held", lambda _self, policies, _cells: bool(list(policies)))
        case "what can be counts as none":
            monkeypatch.setattr(Solver, "_ask", lambda self, f, r: False if len(str(f)) % 2 else ask(self, f, r))
        case "nothing fails":
            monkeypatch.setattr(Applications, "of", lambda self, *cell: of(self, *cell)._replace(fails=False))
    for seed in range(SEEDS):
        world = worlds.load(seed, tmp_path / str(seed))
        try:
            if _wrong(world, posture(world.catalog, world.policies, worlds.NOW)):
                return
        except UnconfirmedError:
            return
    pytest.fail("not noticed")
