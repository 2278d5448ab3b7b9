"""The number of a surface: 0 to 100, and how many of the missing points each row accounts for. No I/O, no clock.

Each row weighs 1, one more for each data class in its answers and requests (five at most), and one more for each
service that may call it (five at most). Of its weight a row loses the shares in `COSTS` of all that is wrong with it,
and no more than all. The number is the share of all weight that is left, in percent, rounded down: 100 is for nothing
wrong. What was refused costs nothing, so nobody who may not call anything can lower it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from inward.insight.surface.row import Wrong

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inward.insight.surface.row import Row

COSTS: Final[Mapping[Wrong, float]] = {
    Wrong.UNDOCUMENTED: 1.0,
    Wrong.UNAUTHENTICATED: 1.0,
    Wrong.OBSERVE_ONLY: 0.5,
    Wrong.UNOWNED: 0.5,
    Wrong.OVER_PERMISSIVE: 0.25,
    Wrong.FORGOTTEN: 0.25,
    Wrong.DEPRECATED: 0.25,
}
MOST_CLASSES, MOST_CALLERS = 5, 5  # that count


@dataclass(frozen=True, slots=True)
class Number:
    """`value` is 0 to 100, None where there is nothing to rate; `points` what each row takes away, in their order."""

    value: int | None
    points: tuple[float, ...]


def weight(row: Row) -> int:
    """Return what a row weighs; nothing where it only tells of what was refused."""
    if row.operation is None and all(problem.stopped for problem in row.problems):
        return 0
    return 1 + min(len(row.classes), MOST_CLASSES) + min(row.open_to, MOST_CALLERS)


def cost(row: Row) -> float:
    """Return the share of its weight that a row loses, 0 to 1."""
    return min(1.0, sum(COSTS[kind] for kind in {each.kind for each in row.problems if not each.stopped}))


def number_of(rows: Sequence[Row]) -> Number:
    """Return the number of some rows."""
    weights = [weight(row) for row in rows]
    total = sum(weights)
    if not total:
        return Number(None, (0.0,) * len(rows))
    lost = [each * cost(row) for each, row in zip(weights, rows, strict=True)]  # quarters of whole numbers: exact
    return Number(math.floor(100 * (total - sum(lost)) / total), tuple(100 * each / total for each in lost))
