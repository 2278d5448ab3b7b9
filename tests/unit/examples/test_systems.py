"""The example systems as Inward reads them: no mistakes, and the policies decide the traffic as it says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from inward.catalog.model import Mode
from inward.catalog.system import load_system
from inward.policy.cel import UntranslatableError, translate
from inward.policy.decide import Engine
from inward.policy.loading.load import load_policies
from inward.policy.request import Request

EXAMPLES = Path(__file__).parents[3] / "examples"
NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
NIGHT = datetime(2026, 6, 15, 23, tzinfo=UTC)
MODES = {"refused": Mode.ENFORCE, "observed": Mode.OBSERVE}


@pytest.mark.parametrize("name", ["shop", "unmodified"])
@pytest.mark.parametrize("now", [NOON, NIGHT])
def test_the_policies_decide_the_traffic_as_it_says(name: str, now: datetime) -> None:
    system = load_system(EXAMPLES / name)
    assert system.mistakes == ()
    assert system.catalog is not None
    policies, mistakes = load_policies(EXAMPLES / name, system.catalog)
    assert mistakes == []
    engine = Engine(system.catalog, policies)
    for call in json.loads((EXAMPLES / name / "traffic.json").read_text())["calls"]:
        url = urlsplit(call["url"])
        operation = next(
            (
                operation
                # the most specific template first
                for operation in sorted(
                    system.catalog.services[url.netloc].operations,
                    key=lambda each: len(each.template.variables),
                )
                if operation.method == call["method"] and operation.template.match(url.path) is not None
            ),
            None,
        )
        if operation is None:
            assert (call["expect"], call["reason"]) == ("refused", "unknown_operation"), call
            continue
        decision = engine.decide(Request(call["caller"], operation.id, url.path, url.query), now)
        if call["expect"] == "either":
            assert decision.allowed is (now == NIGHT)
        else:
            assert decision.allowed is (call["expect"] == "allowed"), (call, decision)
            assert decision.reason == call.get("reason", "granted"), (call, decision)
            assert decision.allowed or operation.mode is MODES[call["expect"]], call


def test_one_cell_of_the_shop_is_for_the_slow_path() -> None:
    catalog = load_system(EXAMPLES / "shop").catalog
    assert catalog is not None
    engine = Engine(catalog, load_policies(EXAMPLES / "shop", catalog)[0])
    slow = []
    for caller in catalog.services:
        for operation in catalog.operations:
            cell = engine.cell(caller, operation)
            if cell.constant is None:
                try:
                    translate(cell, catalog)
                except UntranslatableError:
                    slow.append((caller, operation))
    assert slow == [("reporting", "inventory:listStock")]
