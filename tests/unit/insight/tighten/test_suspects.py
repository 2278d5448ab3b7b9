"""Which recorded calls are replayed one by one: the same of an open and of a sealed record, and none too few."""

from __future__ import annotations

import dataclasses
import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.control.random_systems import CALLERS, OPERATIONS, make
from tests.unit.envoy import shop
from tests.unit.insight.conftest import Make, call, engine
from tests.unit.record.audit.log import Log

from inward.insight.tighten.suspects import Suspects, find_suspects, key_of
from inward.policy.index import Index
from inward.policy.model import Policies
from inward.record.call import Act, Gap
from inward.record.reader import read_entries

if TYPE_CHECKING:
    from pathlib import Path

    from inward.insight.recorded import Decider
    from inward.record.call import Entry


def find(old: Decider, new: Decider) -> Suspects:
    return find_suspects(old.catalog, engine(old).index, engine(new).index, ["orders"])


def is_suspect(found: Suspects, **fields: Any) -> bool:
    given: dict[str, Any] = {"path": "/orders/{id}", "parameters": {"id": "7"}}
    return found.matches(call(**{**given, **fields}))


def test_a_pair_of_which_the_same_decides_is_none(make: Make) -> None:
    old = make(shop.policy("a") + shop.policy("b", caller="monitor"))
    found = find(old, make(shop.policy("renamed")))
    assert not is_suspect(found)
    assert is_suspect(found, caller="monitor")


def test_a_pair_that_is_always_allowed_is_none(make: Make) -> None:
    sooner = shop.policy("soon", more='@expires("2030-01-01")')
    assert not is_suspect(find(make(shop.policy("a") + sooner), make(shop.policy("a"))))
    assert is_suspect(find(make(shop.policy("a") + sooner), make(sooner)))


@pytest.mark.parametrize(
    "fields",
    [
        {"operation": "orders:of-old"},
        {"path": "/things/{id}"},
        {"path": "/orders/7", "parameters": {}},
        {"method": "POST"},
        {"caller": "spiffe://shop.internal/checkout"},
    ],
)
def test_what_may_be_another_pair_today_is_one(make: Make, fields: dict[str, Any]) -> None:
    old = make(shop.policy("a") + shop.policy("b", caller="monitor"))
    assert is_suspect(find(old, make(shop.policy("a"))), **fields)


def test_refused_calls_and_those_of_other_services_are_none(make: Make) -> None:
    found = find(make(shop.policy("a")), make(""))
    assert is_suspect(found)
    assert not is_suspect(found, decision="deny")
    assert not is_suspect(found, callee="audit")


GET = {"operationId": "getOrder", "responses": {"200": {"description": "ok"}}}
MINE = {**GET, "operationId": "mine"}


@pytest.mark.parametrize(
    ("value", "suspect"),
    [("7", False), ("mine", True), ("MINE", True), ("%6dine", True), ("hash#" + "0" * 32, True), (None, True)],
)
def test_a_path_that_another_template_takes_today(make: Make, value: str | None, suspect: bool) -> None:  # noqa: FBT001 - pytest gives it
    api = json.dumps({"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": {
        "/orders/{id}": {"get": GET}, "/orders/mine": {"get": MINE}}})  # fmt: skip
    mine = shop.policy("mine").replace("orders:getOrder", "orders:mine")
    found = find(make(shop.policy("a") + mine, api=api), make(shop.policy("a"), api=api))
    assert is_suspect(found, parameters={} if value is None else {"id": value}) is suspect


def entries(number: int) -> Entry:
    dice = random.Random(number)  # noqa: S311 - no secret
    if number % 100 in {3, 4}:
        time = "2026-11-26T12:00:00.000Z"
        return Act(time=time, what="policy") if number % 2 else Gap(time=time, why="lost")
    name = dice.choice(list(OPERATIONS))
    method, template = OPERATIONS[name]
    value = dice.choice(["7", "mine", "Mine", "x%20y", "hash#" + "1" * 32, "\u017f"])
    return call(
        number,
        caller=dice.choice([*CALLERS, "spiffe://shop.internal/a", None, "x\x1fy"]),
        callee=dice.choice(["orders", "orders", "other", None]),
        operation=dice.choice([f"orders:{name}", f"orders:{name}", "orders:of-old", None]),
        method=method,
        path=dice.choice([template, template, "/orders/8", None]),
        parameters=dice.choice([{"id": value}, {"id": value}, {}]) if "{id}" in template else {},
        decision=dice.choice(["allow", "allow", "deny"]),
    )


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Entry]]:
    log = Log.make(tmp_path_factory.mktemp("log"), 2_000, entry=entries)
    log.note([entries(number) for number in range(100)])
    before = list(read_entries(log.folder))
    assert log.seal()
    assert len(list(log.folder.glob("*.ndjson"))) < len(list(log.folder.glob("day=*/*")))
    return log.folder, before


@pytest.mark.parametrize("seed", range(6))
def test_sealed_and_open_segments_have_the_same(tmp_path: Path, sealed: tuple[Path, list[Entry]], seed: int) -> None:
    folder, before = sealed
    system = make(tmp_path / "made", seed).system
    dice = random.Random(seed)  # noqa: S311 - no secret
    some = [each for each in system.policies if each.effect == "forbid" or dice.random() < 0.6]
    proposed = Index(system.catalog, Policies.of(some))
    wanted = find_suspects(system.catalog, system.engine.index, proposed, ["orders"])
    wanted = dataclasses.replace(
        wanted, plain=wanted.plain | {key_of("a", "orders:get", "GET", "/orders/{id}")}, words=frozenset({"MINE"})
    )
    expected = [each for each in before if wanted.matches(each)]
    assert [each for each in read_entries(folder, wanted) if getattr(each, "what", "") != "seal"] == expected
    assert 0 < len(expected) < len(before)
