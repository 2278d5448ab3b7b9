"""What the tests of rollups share: entries with places, and all rows of a store as they are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from inward.record.follow import Place
from inward.record.rollup.database import reading
from inward.record.rollup.schema import edges, tables
from inward.record.rollup.store import Edge

if TYPE_CHECKING:
    from inward.record.call import Entry
    from inward.record.rollup.store import Store


def placed(entries: list[Entry], segment: int = 1) -> list[tuple[Place, Entry]]:
    return [(Place(segment, number), entry) for number, entry in enumerate(entries, 1)]


def take(store: Store, pairs: list[tuple[Place, Entry]], size: int = 1000) -> None:
    for first in range(0, len(pairs), size):
        store.take(pairs[first : first + size])


def all_rows(store: Store) -> dict[str, dict[tuple[int, Edge], tuple[Any, ...]]]:
    """Return the rows by unit, bucket and edge, without the edges' numbers."""
    with reading(store.engine) as connection:
        names = {row.id: Edge(row.caller, row.callee, row.operation) for row in connection.execute(select(edges))}
        return {
            unit: {(row.bucket, names[row.edge]): tuple(row)[2:] for row in connection.execute(select(table))}
            for unit, table in tables.items()
        }
