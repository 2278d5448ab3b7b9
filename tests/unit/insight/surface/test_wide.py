"""Grants by which more may call an operation than need to."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.unit.insight.surveyed import NOW, coverage, grant, on, system, to

from inward.insight.surface.wide import Wide, recent_callers
from inward.insight.unused.coverage import Ages

if TYPE_CHECKING:
    from pathlib import Path

    from inward.insight.unused.coverage import Coverage


def wide(
    folder: Path, *policies: str, recent: tuple[str, ...] = (), known: Coverage | None = None, ages: Ages | None = None
) -> list[tuple[str, tuple[str, ...]]]:
    """Return what is wrong with orders:listOrders."""
    made = system(folder, *policies)
    found = Wide(made.catalog, made.engine.index, known or coverage(), ages or Ages({}))
    operation = made.catalog.operations["orders:listOrders"]
    return [(each.what, each.grants) for each in found.problems(operation, recent)]


def test_a_grant_to_one_service_that_calls_is_not_wide(tmp_path: Path) -> None:
    assert wide(tmp_path, grant("a", to("web"), on("listOrders")), recent=("web",)) == []


@pytest.mark.parametrize("who", ["principal", "principal is Service"])
def test_any_service(tmp_path: Path, who: str) -> None:
    found = wide(tmp_path, grant("a", who, on("listOrders")), known=coverage(begin=30))
    assert ("any service may call it, those to come too", ("a",)) in found


@pytest.mark.parametrize("what", ["action", 'action in Action::"orders:*"', 'action in [Action::"orders:*"]'])
def test_all_operations(tmp_path: Path, what: str) -> None:
    found = wide(tmp_path, grant("a", to("web"), what), recent=("web",))
    assert found == [("all operations of orders are granted at once, those to come too", ("a",))]
    assert wide(tmp_path, grant("a", to("web"), 'action in Action::"orders:read"'), recent=("web",)) == []


def test_data_for_whoever_joins_a_group(tmp_path: Path) -> None:
    sellers = 'principal in Group::"sellers"'
    members = ("web", "till")
    [(what, grants)] = wide(tmp_path, grant("a", sellers, on("listOrders")), recent=members)
    assert (what, grants) == ("whoever joins a group gets pii.email, with neither a condition nor an end", ("a",))
    assert wide(tmp_path, grant("a", sellers, on("listOrders"), '@expires("2027-06-30")'), recent=members) == []
    condition = 'when { context.query has state && context.query.state == "open" }'
    assert wide(tmp_path, grant("a", sellers, on("listOrders"), condition=condition), recent=members) == []


def test_callers_that_do_not_call(tmp_path: Path) -> None:
    policies = (grant("a", to("web"), on("listOrders")), grant("b", to("till"), on("listOrders")))
    assert wide(tmp_path, *policies, recent=("web",)) == [("till may call it and does not", ("a", "b"))]
    assert wide(tmp_path, *policies, recent=()) == [("web, till may call it and do not", ("a", "b"))]
    for begin in (None, 89, 92):
        assert wide(tmp_path, *policies, known=coverage(since=30, begin=begin)) == []
    assert wide(tmp_path, *policies, known=coverage(since=30, begin=93)) != []
    assert wide(tmp_path, *policies, ages=Ages({"b": NOW - timedelta(days=5)})) == []
    assert wide(tmp_path, *policies, ages=Ages({"b": NOW - timedelta(days=95)})) != []


def test_expired_grants_are_none(tmp_path: Path) -> None:
    assert wide(tmp_path, grant("a", "principal", "action", '@expires("2026-01-31")')) == []


def test_a_quarter_and_a_half() -> None:
    def ms(days: int) -> int:
        return int((NOW - timedelta(days=days)).timestamp() * 1000)

    calls = {"now": ms(1), "quarterly": ms(130), "gone": ms(150), "never": None}
    assert recent_callers(calls, coverage()) == {"now", "quarterly"}
    assert recent_callers(calls, coverage(since=200)) == {"now", "quarterly", "gone"}
