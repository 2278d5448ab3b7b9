"""A real Envoy, the engine, and Cedar on the whole set: what each of them does with the same requests.

One Envoy is given the routes of one random system after another, as it is when a system changes; it answers
requests of several callers over connections that stay open. The dates in the generated policies are moved, so that
they lie around the time at which Envoy is asked.
"""

from __future__ import annotations

import dataclasses
import random
import re
import secrets
import shutil
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

import pytest
import uvicorn
from tests.differential import systems
from tests.differential.enforcer import PATIENCE, TRUST_DOMAIN, Ask, Enforcer, Told
from tests.differential.test_index import _Loaded, _Oracle
from tests.system.guarded import Seen

from inward.catalog.model import Mode
from inward.catalog.resolve import Resolver
from inward.catalog.system import load_catalog
from inward.envoy.access_log import parse_line
from inward.envoy.resources import render
from inward.envoy.slow_path import SlowPath
from inward.identity.private_files import runtime_folder
from inward.policy.cel import UntranslatableError
from inward.policy.decide import Engine
from inward.policy.decision import Decision, Reason
from inward.policy.loading.load import load_policies
from inward.policy.model import Policies
from inward.policy.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inward.catalog.model import Catalog, Service
    from inward.policy.model import Cell
    from inward.record.call import Call

pytestmark = pytest.mark.xdist_group("systems")

_UNRESERVED = re.compile(r"%(?:2[DdEe]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaFf]|6[1-9A-Fa-f]|7[0-9AaEe])")
_MOMENT = re.compile(r"2030-06-\d\dT\d\d:\d\d:\d\dZ")
_DAY = re.compile(r"2030-06-\d\d(?!T)")


def normalised(path: str) -> str:
    """Return a path as Envoy hands it on: what need not be encoded is not (RFC 3986 section 6.2.2.2)."""
    return _UNRESERVED.sub(lambda found: chr(int(found[0][1:], 16)), path)


@pytest.fixture(scope="module")
def enforcer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Enforcer]:
    folder = runtime_folder(f"d{secrets.token_hex(5)}").path
    made = Enforcer(folder)
    server = uvicorn.Server(
        uvicorn.Config(SlowPath(lambda: made), uds=str(folder / "slow.sock"), log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=server.run)
    try:
        loaded = load(0, tmp_path_factory.mktemp("first"))
        service = next(iter(loaded.catalog.services.values()))
        made.enforce(loaded.catalog, Engine(loaded.catalog, loaded.policies), service)
        thread.start()
        made.start(service)
        yield made
    finally:
        made.stop()
        server.should_exit = True
        if thread.is_alive():
            thread.join(PATIENCE)
        shutil.rmtree(folder)


def load(seed: int, folder: Path, mode: Mode = Mode.ENFORCE) -> _Loaded:
    """Load a random system with its dates moved to around now."""
    system = moved(systems.generate(seed))
    files = dict(system.files)
    files["inward.yaml"] = files["inward.yaml"].replace("mode: enforce", f"mode: {mode}")
    system = dataclasses.replace(system, files=files)
    catalog, mistakes = load_catalog(system.write(folder))
    assert catalog is not None
    assert mistakes == []
    policies, mistakes = load_policies(folder, catalog)
    assert mistakes == []
    return _Loaded(system, catalog, policies)


def moved(system: systems.GeneratedSystem) -> systems.GeneratedSystem:
    """Move the system in time. Half a minute, so that nothing is decided by the moment at which it is asked."""
    delta = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=30) - systems.NOON

    def move(text: str) -> str:
        text = _MOMENT.sub(lambda found: f"{datetime.fromisoformat(found[0]) + delta:%Y-%m-%dT%H:%M:%SZ}", text)
        return _DAY.sub(lambda found: f"{datetime.fromisoformat(found[0] + 'T12:00Z') + delta:%Y-%m-%d}", text)

    def expires(policy: systems.GeneratedPolicy) -> datetime | None:
        if policy.expires is None:
            return None
        day = re.search(r'@expires\("(\d{4}-\d\d-\d\d)"\)', move(policy.text))
        if day is None:
            return policy.expires + delta
        return datetime.fromisoformat(day[1] + "T00:00Z") + timedelta(days=1)

    policies = tuple(
        dataclasses.replace(policy, text=move(policy.text), conditions=move(policy.conditions), expires=expires(policy))
        for policy in system.policies
    )
    files = {name: move(text) for name, text in system.files.items()}
    return dataclasses.replace(system, files=files, policies=policies)


def asks_of(loaded: _Loaded, engine: Engine, service: Service, each: int) -> list[Ask]:
    """Make requests to a service, and ask the engine and Cedar about them."""
    rng = random.Random(f"asks {loaded.system.seed} {service.name}")  # noqa: S311 - the same every time
    oracle, resolver = _Oracle(loaded), Resolver(service)
    now = datetime.now(UTC)
    found = []
    for call in loaded.system.calls(each):
        if not call.operation.startswith(service.name + ":"):
            continue
        method, path = call.method, call.path
        if rng.random() < 0.06:  # another operation, or none
            method = rng.choice(["GET", "POST", "PUT", "DELETE", "PATCH"])
        if rng.random() < 0.06:
            path = rng.choice([path + "/", path + "/x", path.upper(), path.rpartition("/")[0] or "/", path + ";a", "/"])
        caller = "nobody" if rng.random() < 0.05 else call.caller
        path = normalised(path)
        resolved = resolver.resolve(method, path)
        if resolved is None:
            expected = Decision(allowed=False, reason=Reason.UNKNOWN_OPERATION)
            found.append(Ask(caller, method, path, call.query, None, expected, None))
            continue
        request = Request(caller, resolved[0].id, path, call.query)
        expected = engine.decide(request, now)
        by_cedar = oracle.decide(request, now).allowed if caller != "nobody" else None
        found.append(Ask(caller, method, path, call.query, request.operation, expected, by_cedar))
    return found


def wrong_with(told: Told, mode: Mode) -> str | None:
    """Return what is wrong with what Envoy made of a request."""
    ask, answer = told
    if ask.by_cedar not in {None, ask.expected.allowed}:
        return "Cedar and the engine differ"
    if answer.status != (200 if ask.expected.allowed or mode is Mode.OBSERVE else 403):
        return "Envoy differs"
    if answer.status == 200:
        seen = Seen.parse(answer.body)
        if (seen.method, seen.target) != (ask.method, ask.path + (f"?{ask.query}" if ask.query else "")):
            return f"the app saw {seen}"
    return None


def wrong_in_the_record(ask: Ask, call: Call, mode: Mode, version: str, *, by_slow_path: bool) -> str | None:
    """Return what is wrong with what is recorded of a request."""
    expected = ask.expected
    allowed = "allow" if expected.allowed else "deny"
    carried_out = "allow" if mode is Mode.OBSERVE else allowed
    claimed = f"spiffe://{TRUST_DOMAIN}/{ask.caller}"
    # Of what it decides by a condition, Envoy cannot say more than that; and a forbid that always holds it looks up.
    loose = {Reason.EXPIRED, Reason.FORBIDDEN, Reason.BAD_PARAMETER, Reason.POLICY_ERROR, Reason.CONDITION}
    near = not by_slow_path and {call.reason, expected.reason} <= loose
    exactly = by_slow_path or expected.allowed
    wrong = {
        "the decision": (call.decision, call.carried_out, call.mode) != (allowed, carried_out, mode),
        "the operation or the version": (call.operation, call.policy_version) != (ask.operation, version),
        "the caller": call.caller != claimed and (call.caller != ask.caller or ask.caller == "nobody"),
        "the reason": call.reason != expected.reason and not near,
        "the policies": exactly and bool(call.policies) != bool(expected.policies),
        "a policy": exactly and not set(call.policies) <= set(expected.policies),
    }
    return next((what for what, is_so in wrong.items() if is_so), None)


def differences(
    enforcer: Enforcer,
    loaded: _Loaded,
    *,
    each: int,
    mode: Mode = Mode.ENFORCE,
    counted: Counter[str] | None = None,
    engine: Engine | None = None,
) -> list[str]:
    """Try a random system, by another engine than its own if one is given; return every difference."""
    counted = counted if counted is not None else Counter()
    engine = engine or Engine(loaded.catalog, loaded.policies)
    found = []
    for service in loaded.catalog.services.values():
        asks = asks_of(loaded, engine, service, each)
        version = enforcer.enforce(loaded.catalog, engine, service)
        told = enforcer.ask(asks)
        found += [f"{wrong}: {one}" for one in told if (wrong := wrong_with(one, mode)) is not None]
        counted.update(one.ask.expected.reason for one in told)
        lines = enforcer.lines({one.answer.header("x-request-id") or "" for one in told})
        for one in told:
            line = lines[one.answer.header("x-request-id") or ""]
            call = parse_line(line, service.name, loaded.catalog, "log:1")
            assert call is not None
            slow = b'"slow_path"' in line
            counted["slow"] += slow
            wrong = wrong_in_the_record(one.ask, call, mode, version, by_slow_path=slow)
            if wrong is not None:
                found.append(f"{wrong} in the record: {one.ask} {call}")
    return found


REASONS = (
    Reason.GRANTED,
    Reason.NO_GRANT,
    Reason.CONDITION,
    Reason.EXPIRED,
    Reason.FORBIDDEN,
    Reason.BAD_PARAMETER,
    Reason.POLICY_ERROR,
    Reason.UNKNOWN_OPERATION,
    Reason.UNKNOWN_CALLER,
)


def test_envoy_does_what_the_engine_and_cedar_say(
    enforcer: Enforcer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counted: Counter[str] = Counter()
    for seed in range(40):
        loaded = load(seed, tmp_path / str(seed))
        found = differences(enforcer, loaded, each=2, counted=counted)
        assert found == [], f"seed {seed}: {len(found)} differences, the first: {found[0]}"
    cases = sum(counted[reason] for reason in REASONS)
    with capsys.disabled():
        print(f" {cases} cases: {dict(counted)} ", end="")  # noqa: T201 - a measurement
    assert cases > 2500
    assert {reason for reason in REASONS if counted[reason] < 10} == set()


@pytest.mark.parametrize("mode", Mode)
def test_the_slow_path_does_what_the_engine_and_cedar_say(
    enforcer: Enforcer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    """All conditions take it here; of themselves, those that are generated could be translated."""

    def refuse(cell: Cell, _catalog: Catalog) -> NoReturn:
        raise UntranslatableError(f"anything, such as {cell}")

    monkeypatch.setattr(render, "translate", refuse)
    counted: Counter[str] = Counter()
    for seed in range(200, 206):
        loaded = load(seed, tmp_path / str(seed), mode)
        found = differences(enforcer, loaded, each=1, mode=mode, counted=counted)
        assert found == [], f"seed {seed}: {len(found)} differences, the first: {found[0]}"
    assert counted["slow"] > 50
    assert all(counted[reason] for reason in (Reason.GRANTED, Reason.CONDITION, Reason.FORBIDDEN, Reason.BAD_PARAMETER))


def test_envoy_observes_what_the_engine_and_cedar_say(enforcer: Enforcer, tmp_path: Path) -> None:
    counted: Counter[str] = Counter()
    for seed in range(100, 110):
        loaded = load(seed, tmp_path / str(seed), Mode.OBSERVE)
        found = differences(enforcer, loaded, each=1, mode=Mode.OBSERVE, counted=counted)
        assert found == [], f"seed {seed}: {len(found)} differences, the first: {found[0]}"
    assert counted.total() - counted[Reason.GRANTED] > 100


def test_a_forbid_that_the_routes_lost_would_be_noticed(
    enforcer: Enforcer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaf_of = render.leaf_of
    monkeypatch.setattr(
        render, "leaf_of", lambda cell, catalog: leaf_of(dataclasses.replace(cell, forbids=()), catalog)
    )
    noticed = 0
    for seed in range(8):
        loaded = load(seed, tmp_path / str(seed))
        noticed += any("Envoy differs" in each for each in differences(enforcer, loaded, each=2))
    assert noticed >= 4


def test_a_condition_that_the_routes_lost_would_be_noticed(
    enforcer: Enforcer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may under a condition may always."""
    monkeypatch.setattr(render, "translate", lambda _cell, _catalog: {"const_expr": {"bool_value": True}})
    noticed = 0
    for seed in range(8):
        loaded = load(seed, tmp_path / str(seed))
        noticed += any("Envoy differs" in each for each in differences(enforcer, loaded, each=2))
    assert noticed >= 4


def test_a_policy_that_the_engine_lost_would_be_noticed(enforcer: Enforcer, tmp_path: Path) -> None:
    """Engine and Envoy agree, and both are wrong: Cedar says so."""
    noticed = lost = 0
    for seed in range(5):
        loaded = load(seed, tmp_path / str(seed))
        permits = [each for each in loaded.policies if each.effect == "permit" and each.expires is None]
        for policy in permits[:3]:
            rest = Policies.of(other for other in loaded.policies if other is not policy)
            found = differences(enforcer, loaded, each=1, engine=Engine(loaded.catalog, rest))
            noticed += any("Cedar and the engine differ" in each for each in found)
            lost += 1
    assert lost >= 8
    assert noticed >= lost / 5  # many are granted by another policy too


@pytest.mark.long
def test_envoy_does_what_the_engine_and_cedar_say_for_long(enforcer: Enforcer, tmp_path: Path) -> None:
    for seed in range(1000, 1400):
        loaded = load(seed, tmp_path / str(seed))
        found = differences(enforcer, loaded, each=4)
        assert found == [], f"seed {seed}: {len(found)} differences, the first: {found[0]}"
