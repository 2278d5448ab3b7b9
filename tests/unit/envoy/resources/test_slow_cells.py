from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inward.control.bundle import load_policy
from inward.envoy.resources import render
from inward.envoy.resources.slow_cells import SlowCells, Verdicts
from inward.policy.cel import UntranslatableError

if TYPE_CHECKING:
    from inward.control.bundle import Policy
    from inward.envoy.resources.render import SlowCell

SHOP = Path(__file__).resolve().parents[4] / "examples" / "shop"


@pytest.fixture(scope="module")
def shop() -> Policy:
    return load_policy(SHOP)


def found(policy: Policy, verdicts: Verdicts | None = None) -> list[SlowCell]:
    cells = SlowCells(policy.catalog, policy.policies, policy.engine, verdicts)
    return [cell for service in policy.catalog.services.values() for cell in cells.of(service)]


def compiled(policy: Policy) -> list[SlowCell]:
    services = policy.catalog.services.values()
    return [cell for each in services for cell in render.service_routes(each, policy.catalog, policy.engine).slow]


def test_they_are_those_of_the_routes(shop: Policy) -> None:
    assert found(shop) == compiled(shop) != []


def test_verdicts_are_the_same_the_second_time_and_are_not_worked_out_again(
    shop: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdicts = Verdicts()
    first = found(shop, verdicts)
    monkeypatch.setattr(render, "leaf_of", None)
    again = Verdicts(verdicts.used)
    assert found(shop, again) == first
    assert again.used == verdicts.used
    with pytest.raises(TypeError):
        found(shop)


def test_a_shared_leaf_is_the_leaf_of_each_cell(shop: Policy) -> None:
    leaves = render.Leaves(shop.catalog)
    compared = 0
    for operation in shop.catalog.operations:
        for cell in shop.engine.index.cells_of(operation):
            try:
                alone = render.leaf_of(cell, shop.catalog)
            except UntranslatableError as error:
                with pytest.raises(UntranslatableError, match=f"^{error.message}$"):
                    leaves.of(cell)
            else:
                assert leaves.of(cell) == alone
            compared += 1
    assert compared > 20
