"""The number: what it is made of, and that nobody who was refused can change it."""

from __future__ import annotations

import random

import pytest
from tests.unit.envoy import shop

from inward.catalog.model import Mode
from inward.insight.surface.number import COSTS, cost, number_of, weight
from inward.insight.surface.row import Problem, Row, Wrong


def row(*wrong: Wrong, classes: int = 0, open_to: int = 0, stopped: bool = False, operation: bool = True) -> Row:
    return Row(
        "orders",
        shop.operation("/orders") if operation else None,
        "team-orders",
        Mode.ENFORCE,
        tuple(f"c{number}" for number in range(classes)),
        {},
        0,
        0,
        None,
        open_to,
        tuple(Problem(kind, "it is so", stopped=stopped) for kind in wrong),
    )


def test_nothing_is_rated_where_there_is_nothing() -> None:
    assert number_of([]).value is None


def test_all_is_100_and_only_then() -> None:
    assert number_of([row(), row(classes=3)]).value == 100
    many = [row(classes=5, open_to=5) for _ in range(1000)]
    assert number_of([*many, row(Wrong.DEPRECATED)]).value == 99
    assert number_of([row(Wrong.UNDOCUMENTED)]).value == 0


def test_weights() -> None:
    assert weight(row()) == 1
    assert weight(row(classes=2, open_to=3)) == 6
    assert weight(row(classes=200, open_to=300)) == 11
    assert number_of([row(Wrong.OBSERVE_ONLY, open_to=2), row()]).value == 62


def test_no_row_loses_more_than_it_weighs() -> None:
    assert cost(row(*Wrong)) == 1
    assert cost(row(Wrong.OVER_PERMISSIVE, Wrong.OVER_PERMISSIVE)) == COSTS[Wrong.OVER_PERMISSIVE]
    assert set(COSTS) == set(Wrong)


@pytest.mark.parametrize("kind", [Wrong.UNDOCUMENTED, Wrong.UNAUTHENTICATED])
def test_what_was_refused_costs_nothing(kind: Wrong) -> None:
    rows = [row(), row(Wrong.FORGOTTEN)]
    refused = row(kind, stopped=True, operation=False)
    assert number_of([*rows, refused, refused]).value == number_of(rows).value
    assert number_of([*rows, row(kind, operation=False)]).value != number_of(rows).value


def test_every_missing_point_is_of_some_row() -> None:
    chosen = random.Random(5)  # noqa: S311 - not for secrets
    for _ in range(100):
        rows = [
            row(
                *chosen.sample(list(Wrong), chosen.randrange(4)),
                classes=chosen.randrange(7),
                open_to=chosen.randrange(7),
            )
            for _ in range(chosen.randrange(1, 20))
        ]
        number = number_of(rows)
        assert number.value is not None
        missing = 100 - sum(number.points)
        assert number.value <= missing + 1e-9 < number.value + 1 + 2e-9
