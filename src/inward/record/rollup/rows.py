"""Between figures and the rows of a table: what of them is a column of its own, and what is packed.

Whoever can write to the database can write anything: what is no row of these tables is `StateDamagedError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import MsgspecError

from inward.record.rollup.database import StateDamagedError
from inward.record.rollup.figures import Figures, names_in
from inward.record.rollup.schema import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def row_of(figures: Figures) -> dict[str, int | str | bytes]:
    """Return the columns of a row, without its key."""
    row: dict[str, int | str | bytes] = {name: getattr(figures, name) for name in NUMBERS}
    return row | {
        "reference": figures.reference,
        "names": figures.packed_names(),
        "shape": figures.packed_shape(),
    }


def figures_of(row: Sequence[Any], *, shapes: bool = True) -> Figures:
    """Return the figures in a row, its columns in their order; without `shapes` the last of them is not needed."""
    _, _, *numbers, reference, names = row[: len(NUMBERS) + 4]
    if not all(type(number) is int for number in numbers) or type(reference) is not str:
        raise StateDamagedError("a row of the rollups was changed: it has values of other types")
    figures = Figures()
    for name, number in zip(NUMBERS, numbers, strict=True):
        setattr(figures, name, number)
    figures.reference = reference
    try:
        figures.unpack_names(names)
        if shapes:
            figures.unpack_shape(row[len(NUMBERS) + 4])
    except (MsgspecError, ValueError, TypeError) as error:
        raise StateDamagedError(f"a row of the rollups was changed: {error}") from error
    return figures


def names_of(packed: bytes) -> tuple[dict[str, int], ...]:
    """Return the counts by name in the column `names`, in the order of `Figures.names`."""
    try:
        return names_in(packed)
    except (MsgspecError, ValueError, TypeError) as error:
        raise StateDamagedError(f"a row of the rollups was changed: {error}") from error
