"""Making rollups anew from the record, and comparing those that there are with it.

Both read all of the record that is left. What came of segments that were deleted, or of which entries were dropped for
their age, cannot be made again: rows up to the latest call of those are kept, and are not compared.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import select

from inward.record.follow import START, Follower, checkpointed
from inward.record.pieces import list_pieces
from inward.record.rollup.database import StateDamagedError, reading, sqlite_url
from inward.record.rollup.figures import REST
from inward.record.rollup.rows import figures_of
from inward.record.rollup.schema import KEPT_MS, NUMBERS, UNITS, edges, tables
from inward.record.rollup.store import NOTHING, Edge, MovedError, Store, latest_gone, read_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from sqlalchemy import Connection, Engine

    from inward.record.rollup.store import Progress
    from inward.record.sealed.files import Sealed

    Told = Callable[[int, int], None]  # bytes of the record that are done, and of how many

ENTRIES_AT_ONCE = 10_000
MOST_DIFFERENCES = 100  # that are told one by one
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is not what the record comes to: of which minute, hour or day, whose, and which of its columns."""

    unit: str
    begin: datetime
    edge: Edge
    what: Literal["changed", "missing", "invented"]
    columns: tuple[str, ...] = ()  # of one that was changed


@dataclass(slots=True)
class Verified:
    """What came out: how many rows there should be, how many differ, and the first of those."""

    rows: int = 0
    differing: int = 0
    differences: list[Difference] = field(default_factory=list)
    since: datetime | None = None  # from when on rows were compared; None: all of them
    ahead: bool = False  # whether the record ends before the place that the rollups have come to

    def add(self, difference: Difference) -> None:
        """Count one, and keep it if there are few."""
        self.differing += 1
        if len(self.differences) < MOST_DIFFERENCES:
            self.differences.append(difference)


@dataclass(slots=True)
class Rebuilt:
    """How much was read and added, and until when rows were kept as they are, None where none were."""

    kept_until: datetime | None
    entries: int = 0
    calls: int = 0


def rebuild_rollups(store: Store, record: Path, told: Told | None = None) -> Rebuilt:
    """Make the rows anew from the record in `record`, up to the recorder's last checkpoint.

    A running `inward up` goes on from there, and takes part before. Raises `StateError` and `RecordError`.
    """
    kept = store.restart(whole_segments(record))
    rebuilt = Rebuilt(None if kept == NOTHING else _moment(kept))
    follower = Follower(record, store.progress.place, checkpointed(record))
    size = follower.lag()
    while batch := follower.read(ENTRIES_AT_ONCE):
        try:
            rebuilt.calls += store.take(batch)
            rebuilt.entries += len(batch)
        except MovedError:
            follower = Follower(record, store.progress.place, checkpointed(record))
        if told is not None:
            told(max(0, size - follower.lag()), size)
    return rebuilt


def whole_segments(record: Path) -> set[int]:
    """Return the numbers of the segments that are there, and of which no entry was dropped. Raises `RecordError`."""
    return {piece.number for piece in list_pieces(record) if piece.sealed is None or _is_whole(piece.sealed)}


def _is_whole(sealed: Sealed) -> bool:
    from inward.record.sealed.reading import SealError, connected, extent_of  # noqa: PLC0415 - DuckDB, if there is any

    try:
        with connected(sealed.url, sealed.place) as connection:
            query = "SELECT count(*) FROM read_parquet(?, hive_partitioning = false) WHERE kind <> 'dropped'"
            found = connection.execute(query, [sealed.url])
            return found.fetchall() == [(extent_of(sealed).count,)]
    except SealError:
        return False


def verify_rollups(engine: Engine, record: Path, told: Told | None = None) -> Verified:
    """Compare the rows in a state database with what the record comes to. Raises `StateError` and `RecordError`."""
    verified = Verified()
    with (
        tempfile.TemporaryDirectory(prefix="rollups-", dir=record.parent) as folder,
        reading(engine) as connection,  # one state of the rows, whatever is added meanwhile
    ):
        progress = read_progress(connection)
        expected = Store(sqlite_url(Path(folder) / "expected.db"), progress.key)
        try:
            verified.ahead = not _read_until(expected, record, progress, told)
            # After all was read, as entries may be dropped for their age meanwhile.
            kept = max(progress.kept_moment, latest_gone(connection, whole_segments(record)))
            verified.since = None if kept == NOTHING else _moment(kept)
            with reading(expected.engine) as right:
                for unit in UNITS:
                    _compare(unit, connection, right, max(kept, _pruned(unit)), verified)
        finally:
            expected.close()
    return verified


def _read_until(expected: Store, record: Path, progress: Progress, told: Told | None) -> bool:
    """Add the entries up to the place of `progress`; false: the record ends before it."""
    follower = Follower(record, START)
    size = follower.lag()
    while follower.place < progress.place and (batch := follower.read(ENTRIES_AT_ONCE)):
        expected.take([pair for pair in batch if pair[0] <= progress.place])
        if told is not None:
            told(max(0, size - follower.lag()), size)
    return follower.place >= progress.place


def _pruned(unit: str) -> int:
    """Return the moment (ms) up to which rows may have been deleted for their age."""
    now = (datetime.now(UTC) - _EPOCH) // timedelta(milliseconds=1)
    return now - KEPT_MS[unit] + UNITS["hour"] if unit in KEPT_MS else NOTHING


def _compare(unit: str, found: Connection, right: Connection, after: int, verified: Verified) -> None:
    """Compare the rows of one unit whose bucket begins after the moment `after` (ms)."""
    table = tables[unit]
    buckets = {
        bucket
        for connection in (found, right)
        for (bucket,) in connection.execute(select(table.c.bucket).distinct())
        if bucket > after // UNITS[unit]
    }
    for bucket in sorted(buckets):
        have, expected = dict(_rows(found, unit, bucket)), dict(_rows(right, unit, bucket))
        verified.rows += len(expected)
        begin = _moment(bucket * UNITS[unit])
        for edge in sorted(have.keys() | expected.keys()):
            if edge not in have:
                verified.add(Difference(unit, begin, edge, "missing"))
            elif edge not in expected:
                verified.add(Difference(unit, begin, edge, "invented"))
            elif columns := _differing(have[edge], expected[edge]):
                verified.add(Difference(unit, begin, edge, "changed", columns))


def _rows(connection: Connection, unit: str, bucket: int) -> Iterator[tuple[Edge, Sequence[Any]]]:
    """Yield the rows of one bucket; one of an edge that nobody knows comes under its number."""
    table = tables[unit]
    query = (
        select(*table.columns, edges.c.caller, edges.c.callee, edges.c.operation)
        .join_from(table, edges, table.c.edge == edges.c.id, isouter=True)
        .where(table.c.bucket == bucket)
    )
    for row in connection.execute(query):
        yield Edge(*row[-3:]) if row[-3] is not None else Edge("", "", f"#{row[1]}"), row


def _differing(have: Sequence[Any], expected: Sequence[Any]) -> tuple[str, ...]:
    """Return the columns in which two rows differ."""
    columns = [name for place, name in enumerate((*NUMBERS, "reference"), 2) if have[place] != expected[place]]
    try:
        mine = figures_of(have)
    except StateDamagedError:
        return (*columns, "names", "shape")
    right = figures_of(expected)
    if any(not _same_names(*pair) for pair in zip(mine.names(), right.names(), strict=True)):
        columns.append("names")
    if mine.packed_shape() != right.packed_shape():
        columns.append("shape")
    return tuple(columns)


def _same_names(mine: dict[str, int], right: dict[str, int]) -> bool:
    """Whether two counts are the same. Of too many names, those told apart depend on the portions they came in."""
    if REST in mine and REST in right:
        return sum(mine.values()) == sum(right.values()) and len(mine) == len(right)
    return mine == right


def _moment(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)
