"""The store: adds what follows in the record to the rows, each entry once.

Rules:

1. The place up to which the record is in the rows is changed in the transaction that changes them, and only from the
   place that it was read at. So a crash, a database of yesterday and a second process all come to the same numbers.
2. In one minute (hour, day) a caller has so many rows, and so many callers have some; all else is counted in rows that
   are called `*`. So whoever calls ten thousand operations fills no disk, and crowds nobody else out.
3. Only calls count; acts and gaps are passed.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import bindparam, delete, func, insert, inspect, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from inward.record.call import Call
from inward.record.follow import START, Place
from inward.record.rollup.database import StateDamagedError, StateError, chunks, open_engine, reading, writing
from inward.record.rollup.distinct import KEY_BYTES
from inward.record.rollup.figures import REST, Figures, key_text, moment_of
from inward.record.rollup.rows import figures_of, row_of
from inward.record.rollup.schema import KEPT_MS, UNITS, VERSION, edges, metadata, progress, segments, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from typing import Any

    from sqlalchemy import URL, Connection, Insert, Select, Table

    from inward.record.call import Entry

MOST_TARGETS = {"minute": 500, "hour": 2_000, "day": 5_000}  # rows of one caller
MOST_CALLERS = 5_000  # with rows, in each unit
_MOST_KNOWN = 50_000  # edges whose number is kept in memory


class Edge(NamedTuple):
    """Who called whom with which operation; an empty text is what the record does not know."""

    caller: str
    callee: str
    operation: str


class MovedError(StateError):
    """Another process has added to the rows, or begun to rebuild them, since the place was read."""

    code = "rollup_moved"


class Progress(NamedTuple):
    """How far the rows have come. Calls before `kept_place`, up to `kept_moment` (ms), are in them from before."""

    place: Place
    key: bytes
    kept_place: Place
    kept_moment: int


NOTHING = -(1 << 62)  # a moment before all


class Store:
    """The rows in one state database; makes the tables where there are none of this version. Raises `StateError`."""

    def __init__(self, url: URL, key: bytes | None = None) -> None:
        self.engine = open_engine(url)
        self._numbers: dict[Edge, int] = {}
        insert_into = postgresql.insert if self.engine.dialect.name == "postgresql" else sqlite.insert
        self._statements = {unit: _Statements.of(table, insert_into) for unit, table in tables.items()}
        self._insert_edge = insert_into(edges).on_conflict_do_nothing()
        rising = insert_into(segments)
        self._insert_segment = rising.on_conflict_do_update(
            index_elements=["number"],
            set_={"latest": rising.excluded.latest},
            where=rising.excluded.latest > segments.c.latest,
        )
        self.renewed = self._prepare(key)  # whether there were tables of another version
        self.progress = self.load_progress()

    def close(self) -> None:
        """Let the database go."""
        self.engine.dispose()

    def _prepare(self, key: bytes | None) -> bool:
        with writing(self.engine) as connection:
            if read_version(connection) == VERSION:
                return False
            names = {name for name in inspect(connection).get_table_names() if name.startswith("rollup_")}
            metadata.drop_all(connection)
            metadata.create_all(connection)
            values = Progress(START, key or os.urandom(KEY_BYTES), START, NOTHING)
            connection.execute(insert(progress).values(id=1, version=VERSION, **_as_row(values)))
            return bool(names)

    def load_progress(self) -> Progress:
        """Read how far the rows have come. Raises `StateError`."""
        with reading(self.engine) as connection:
            self.progress = read_progress(connection)
        return self.progress

    def take(self, batch: Sequence[tuple[Place, Entry]]) -> int:
        """Add entries that follow the place, with the places after each; return how many calls.

        Raises `MovedError`, and then nothing was added and `progress` is as it is now; and `StateError`.
        """
        if not batch:
            return 0
        before = self.progress
        new = [pair for pair in batch if pair[0] > before.kept_place]
        again = batch[: len(batch) - len(new)]
        try:
            with writing(self.engine) as connection:
                self._move(connection, before, before._replace(place=batch[-1][0]))
                count = self._add(connection, again, before.key, before.kept_moment)
                count += self._add(connection, new, before.key, NOTHING)
        except MovedError:
            self._numbers.clear()
            self.load_progress()
            raise
        except BaseException:
            self._numbers.clear()  # those of edges that were not stored after all may be among them
            raise
        self.progress = before._replace(place=batch[-1][0])
        return count

    def restart(self, whole: Collection[int]) -> int:
        """Empty the rows, to be made anew; return the moment (ms) up to which they are kept, `NOTHING` for none.

        `whole` are the numbers of the segments that are there with all their entries. What came of others cannot be
        made anew: rows up to their latest call stay.
        """
        with writing(self.engine) as connection:
            before = read_progress(connection)
            kept = latest_gone(connection, whole)
            for unit, table in tables.items():
                connection.execute(delete(table).where(table.c.bucket > kept // UNITS[unit]))
            kept_place = START if kept == NOTHING else max(before.place, before.kept_place)
            after = before._replace(place=START, kept_place=kept_place, kept_moment=kept)
            self._move(connection, before, after)
        self.progress = after
        return kept

    def prune(self, now: int) -> None:
        """Delete the minutes and hours that are older than they are kept at `now` (ms since 1970)."""
        with writing(self.engine) as connection:
            for unit, kept in KEPT_MS.items():
                table = tables[unit]
                connection.execute(delete(table).where(table.c.bucket < (now - kept) // UNITS[unit]))

    @staticmethod
    def _move(connection: Connection, before: Progress, after: Progress) -> None:
        """Set the progress, and hold it against all others until the end of the transaction."""
        here = (
            (progress.c.id == 1)
            & (progress.c.segment == before.place.segment)
            & (progress.c.entry == before.place.entry)
        )
        same = (progress.c.kept_moment == before.kept_moment) & (progress.c.kept_entry == before.kept_place.entry)
        found = connection.execute(update(progress).where(here & same).values(**_as_row(after)))
        if found.rowcount != 1:
            raise MovedError("another process has changed the rollups meanwhile")

    def _add(self, connection: Connection, batch: Sequence[tuple[Place, Entry]], key: bytes, kept: int) -> int:
        """Add the calls of `batch`, but not to rows up to the moment `kept`."""
        minutes: dict[tuple[int, str | None, str | None, str | None], tuple[list[Call], list[int]]] = {}
        latest: dict[int, int] = {}
        count = 0
        for place, entry in batch:
            if isinstance(entry, Call):
                moment = moment_of(entry.time)
                row = moment // UNITS["minute"], entry.caller, entry.callee, entry.operation
                calls, moments = minutes.get(row) or minutes.setdefault(row, ([], []))
                calls.append(entry)
                moments.append(moment)
                latest[place.segment] = max(moment, latest.get(place.segment, moment))
                count += 1
        # By unit, bucket and edge. What was called first comes first in each, in whatever batches it came.
        found: dict[str, dict[int, dict[Edge, list[Figures]]]] = {unit: {} for unit in UNITS}
        for (minute, caller, callee, operation), (calls, moments) in minutes.items():
            edge = Edge(key_text(caller or ""), key_text(callee or ""), key_text(operation or ""))
            figures = Figures.of_calls(calls, moments, key)
            for unit, length in UNITS.items():
                rows = found[unit].setdefault(minute * UNITS["minute"] // length, {})
                rows.setdefault(edge, []).append(figures)
        for unit, buckets in found.items():
            statements = self._statements[unit]
            newest = connection.execute(statements.newest).scalar()
            changed: list[dict[str, int | str | bytes]] = []
            for bucket, named in buckets.items():
                if bucket > kept // UNITS[unit]:
                    old = newest is not None and bucket <= newest
                    totals = self._add_to(connection, unit, bucket, named, old=old)
                    changed += ({"bucket": bucket, "edge": number, **row_of(row)} for number, row in totals.items())
            if changed:
                connection.execute(statements.store, changed)
        if latest:
            connection.execute(
                self._insert_segment, [{"number": number, "latest": moment} for number, moment in latest.items()]
            )
        return count

    def _add_to(
        self, connection: Connection, unit: str, bucket: int, named: dict[Edge, list[Figures]], *, old: bool
    ) -> dict[int, Figures]:
        """Return the rows, by edge, of one minute, hour or day with figures added; `old`: there may be rows of it."""
        statements = self._statements[unit]
        numbers = self._find(connection, named)
        rows = self._load(connection, statements, bucket, numbers.values()) if old else {}
        new = [edge for edge in named if numbers.get(edge) not in rows]
        counts: Counter[str] = Counter()
        if new and old:
            counts.update({row[0]: row[1] for row in connection.execute(statements.callers, {"bucket": bucket})})
        target = _bounded(new, unit, counts)
        if rest := {other for edge, other in target.items() if other != edge}:
            numbers |= self._find(connection, rest)
            if old:
                rows |= self._load(connection, statements, bucket, [numbers[edge] for edge in rest if edge in numbers])
        numbers |= self._make(connection, {target.get(edge, edge) for edge in named} - numbers.keys())
        changed: dict[int, Figures] = {}
        for edge, portions in named.items():
            number = numbers[target.get(edge, edge)]
            row = changed.setdefault(number, rows.get(number) or Figures())
            for figures in portions:
                row.add(figures)
        return changed

    def _find(self, connection: Connection, wanted: Iterable[Edge]) -> dict[Edge, int]:
        """Return the numbers of those edges that have one."""
        if len(self._numbers) > _MOST_KNOWN:
            self._numbers.clear()
        wanted = list(wanted)
        columns = (edges.c.caller, edges.c.callee, edges.c.operation)
        for some in chunks([edge for edge in wanted if edge not in self._numbers]):
            for row in connection.execute(select(edges.c.id, *columns).where(tuple_(*columns).in_(some))):
                self._numbers[Edge(*row[1:])] = row[0]
        return {edge: self._numbers[edge] for edge in wanted if edge in self._numbers}

    def _make(self, connection: Connection, new: set[Edge]) -> dict[Edge, int]:
        if not new:
            return {}
        wanted = sorted(new)
        connection.execute(self._insert_edge, [edge._asdict() for edge in wanted])
        return self._find(connection, wanted)

    @staticmethod
    def _load(
        connection: Connection, statements: _Statements, bucket: int, numbers: Iterable[int]
    ) -> dict[int, Figures]:
        rows: dict[int, Figures] = {}
        for some in chunks(sorted(numbers)):
            for row in connection.execute(statements.load, {"bucket": bucket, "edges": some}):
                rows[row[1]] = figures_of(row)
        return rows


class _Statements(NamedTuple):
    """What is asked of the table of one unit, put together once."""

    newest: Select[Any]
    load: Select[Any]
    callers: Select[Any]
    store: Insert

    @classmethod
    def of(cls, table: Table, insert_into: Callable[[Table], Any]) -> _Statements:
        insertion = insert_into(table)
        values = {column.name: insertion.excluded[column.name] for column in table.columns if not column.primary_key}
        here = table.c.bucket == bindparam("bucket")
        return cls(
            select(func.max(table.c.bucket)),
            select(table).where(here, table.c.edge.in_(bindparam("edges", expanding=True))),
            select(edges.c.caller, func.count())
            .join_from(table, edges, table.c.edge == edges.c.id)
            .where(here, edges.c.operation != REST)
            .group_by(edges.c.caller),
            insertion.on_conflict_do_update(index_elements=["bucket", "edge"], set_=values),
        )


def _bounded(new: list[Edge], unit: str, counts: Counter[str]) -> dict[Edge, Edge]:
    """Return in which row each new edge is counted, those that came first in rows of their own."""
    target: dict[Edge, Edge] = {}
    for edge in new:
        if counts[edge.caller] == 0 and len(counts) >= MOST_CALLERS:
            target[edge] = Edge(REST, REST, REST)
        elif counts[edge.caller] >= MOST_TARGETS[unit]:
            target[edge] = Edge(edge.caller, REST, REST)
        else:
            target[edge] = edge
            counts[edge.caller] += 1
    return target


def read_progress(connection: Connection) -> Progress:
    """Return how far the rows have come."""
    row = connection.execute(select(progress).where(progress.c.id == 1)).one()
    places = (row.segment, row.entry, row.kept_segment, row.kept_entry, row.kept_moment)
    if not all(type(each) is int for each in places) or type(row.hash_key) is not bytes:
        raise StateDamagedError("how far the rollups have come was changed: it has values of other types")
    return Progress(
        Place(row.segment, row.entry), row.hash_key, Place(row.kept_segment, row.kept_entry), row.kept_moment
    )


def _as_row(values: Progress) -> dict[str, int | bytes]:
    return {
        "segment": values.place.segment,
        "entry": values.place.entry,
        "hash_key": values.key,
        "kept_segment": values.kept_place.segment,
        "kept_entry": values.kept_place.entry,
        "kept_moment": values.kept_moment,
    }


def latest_gone(connection: Connection, whole: Collection[int]) -> int:
    """Return the latest moment (ms) of a call of a segment that is not among the whole ones, `NOTHING` for none."""
    rows = connection.execute(select(segments.c.number, segments.c.latest))
    return max((latest for number, latest in rows if number not in whole), default=NOTHING)


def read_version(connection: Connection) -> int | None:
    """Return the version of the tables that there are, None where there are none."""
    if not inspect(connection).has_table(progress.name):
        return None
    names = {str(column["name"]) for column in inspect(connection).get_columns(progress.name)}
    return (
        connection.execute(select(progress.c.version).where(progress.c.id == 1)).scalar() if "version" in names else 0
    )
