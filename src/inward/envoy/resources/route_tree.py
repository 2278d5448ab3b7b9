"""Routes under one prefix, split by what stands in a later segment, so that few are tried one by one.

Internal APIs like to put everything under one variable (`/tenants/{tenant}/…`, GitHub's `/repos/{owner}/{repo}/…`):
then a map of static prefixes leaves hundreds of routes together. Here they are split by the segment in which most of
their literals differ, again and again, into lists of a few.

INVARIANT: a list holds, in the order of all, every operation that a path which leads to it can mean. Too many in a list
costs a little; one too few would be refused, or taken for another.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inward.catalog.model import Operation

ENOUGH = 12  # operations in a list are not split further
BRANCHES = 8  # expressions that are tried one after another at a split
MOST_FREE = 0.25  # of the operations may say nothing about a segment by which they are split
MOST_SPLITS = 3  # on one way down: each nests Envoy's JSON deeper


@dataclass(frozen=True, slots=True)
class Leaf:
    """Operations to be tried in this order."""

    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """The first branch whose expression matches the whole path and query leads on, else `otherwise`."""

    branches: tuple[tuple[str, Leaf | Split], ...]
    otherwise: Leaf | Split


Node = Leaf | Split


def route_tree(operations: Sequence[Operation], splits: int = MOST_SPLITS) -> Node:
    """Return the tree of `operations`, which are in the order in which they are to be tried."""
    if len(operations) <= ENOUGH or splits == 0:
        return Leaf(tuple(operations))
    segments = {operation.id: operation.template.text.split("/")[1:] for operation in operations}
    position = _best_position(list(segments.values()))
    if position is None:
        return Leaf(tuple(operations))
    literals: dict[str, int] = defaultdict(int)
    free = []  # operations for which this segment says nothing: it has a variable, or they end before it
    for operation in operations:
        segment = _literal(segments[operation.id], position)
        if segment is None:
            free.append(operation)
        else:
            literals[segment] += 1
    branches = []
    for chosen in _balanced(literals):
        inside = [
            operation
            for operation in operations
            if (segment := _literal(segments[operation.id], position)) is None or segment in chosen
        ]
        if len(inside) == len(operations):
            return Leaf(tuple(operations))
        branches.append((_expression(position, chosen), route_tree(inside, splits - 1)))
    return Split(tuple(branches), route_tree(free, splits - 1))


def _literal(segments: list[str], position: int) -> str | None:
    if position >= len(segments) or "{" in segments[position]:
        return None
    return segments[position]


def _best_position(paths: list[list[str]]) -> int | None:
    """Return the segment whose literals leave the fewest operations together; None where none parts them."""
    best: tuple[int, int] | None = None
    for position in range(max(map(len, paths))):
        counts: dict[str | None, int] = defaultdict(int)
        for segments in paths:
            counts[_literal(segments, position)] += 1
        if len(counts) < 2:  # noqa: PLR2004 - all of one kind
            continue
        free = counts.pop(None, 0)
        if free > len(paths) * MOST_FREE:
            continue  # they would be copied into every branch
        worst = free + max(counts.values())
        if best is None or worst < best[0]:
            best = (worst, position)
    return best[1] if best else None


def _balanced(literals: dict[str, int]) -> list[set[str]]:
    """Spread literals over at most `BRANCHES` sets with about the same number of operations in each."""
    sets: list[tuple[int, set[str]]] = [(0, set()) for _ in range(min(BRANCHES, len(literals)))]
    for literal, count in sorted(literals.items(), key=lambda item: (-item[1], item[0])):
        least = min(range(len(sets)), key=lambda index: sets[index][0])
        total, members = sets[least]
        members.add(literal)
        sets[least] = (total + count, members)
    return [members for _, members in sets]


def _expression(position: int, literals: set[str]) -> str:
    """Return the expression for every path that has one of `literals` in the segment `position`, query included."""
    chosen = "|".join(re.escape(literal).replace(r"\-", "-").replace(r"\ ", " ") for literal in sorted(literals))
    before = f"(?:/[^/?]*){{{position}}}" if position else ""
    return rf"{before}/(?:{chosen})(?:[/?].*)?"
