from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest
from cedarpy import policies_to_pst, pst

from inward.policy.cel import UntranslatableError
from inward.policy.cel.fold import Folder, folder_of, milliseconds, reads_context
from inward.policy.model import Cell

if TYPE_CHECKING:
    from inward.catalog.model import Catalog


def expression(text: str) -> pst.Expr:
    (tree,) = policies_to_pst(f"permit(principal, action, resource) when {{ {text} }};").static_policies.values()
    return tree.clauses[0].expr


@pytest.fixture
def cell(shop: Catalog) -> Cell:
    return Cell("checkout", shop.operations["orders:getOrder"], (), ())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('principal == Service::"checkout"', True),
        ('principal in Zone::"edge" && action in Action::"read"', True),
        ('resource.owner == Team::"team-orders"', True),
        ('principal in [Zone::"core", Team::"team-orders"]', False),
        ('decimal("1.5").lessThan(decimal("1.6"))', True),
        ("[1, 2].contains(3)", False),
    ],
)
def test_constants_are_what_cedar_says(shop: Catalog, cell: Cell, text: str, *, value: bool) -> None:
    folder = Folder(shop)
    assert folder.truth(expression(text), cell) is value
    assert folder.truth(expression(text), cell) is value  # from memory


def test_the_same_expression_differs_between_cells(shop: Catalog, cell: Cell) -> None:
    folder = folder_of(shop)
    assert folder_of(shop) is folder
    other = Cell("reporting", cell.operation, (), ())
    assert folder.truth(expression('principal in Zone::"edge"'), cell) is True
    assert folder.truth(expression('principal in Zone::"edge"'), other) is False


@pytest.mark.parametrize("text", ["9223372036854775807 + 1 == 0", "principal.nope == 1", '"a" < 1'])
def test_a_constant_that_fails_has_no_value(shop: Catalog, cell: Cell, text: str) -> None:
    with pytest.raises(UntranslatableError):
        Folder(shop).truth(expression(text), cell)


@pytest.mark.parametrize(
    ("text", "reads"),
    [("context.path.id == 1", True), ("principal has zone", False), ("[1].contains({a: context}.a.b)", True)],
)
def test_what_depends_on_the_request(text: str, *, reads: bool) -> None:
    assert reads_context(expression(text)) is reads


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("1970-01-01", 0),
        ("1970-01-01T00:00:01Z", 1000),
        ("1970-01-01T00:00:00.001Z", 1),
        ("1969-12-31T23:59:59.999Z", -1),
        ("1970-01-01T01:00:00+0100", 0),
        ("1970-01-01T00:00:00.250-0030", 1_800_250),
    ],
)
def test_datetimes(literal: str, value: int) -> None:
    assert milliseconds("datetime", literal) == value


@pytest.mark.parametrize(
    ("literal", "value"), [("0ms", 0), ("1d2h3m4s5ms", 93_784_005), ("-90m", -5_400_000), ("5ms", 5), ("1m5ms", 60_005)]
)
def test_durations(literal: str, value: int) -> None:
    assert milliseconds("duration", literal) == value


@pytest.mark.parametrize("literal", ["", "2026", "2026-13-01", "2026-02-30", "2026-01-01T00:00:00", "1970-01-01\n"])
@pytest.mark.parametrize("function", ["datetime", "duration"])
def test_literals_that_are_none(literal: str, function: Literal["datetime", "duration"]) -> None:
    with pytest.raises(UntranslatableError) as caught:
        milliseconds(function, literal)
    assert caught.value.construct == f'`{function}("{literal}")`'
