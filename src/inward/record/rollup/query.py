"""Asking the rollups: what became of the calls of some time, by edge, by policy, or by minute, hour or day.

A time is put together from days, hours and minutes. It begins and ends to the minute if it is of two days at most, to
the hour up to sixty days, and else to the day; no finer than what is kept of then (minutes for eight days, hours for a
hundred). What is asked for is never left out. Texts that the record does not know, such as the caller of a call
without an identity, are empty; what was too much to be told apart is under `*`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from sqlalchemy import bindparam, func, select

from inward.record.rollup.database import StateDamagedError, StateError, chunks, open_engine, reading
from inward.record.rollup.figures import Figures
from inward.record.rollup.rows import figures_of, names_of
from inward.record.rollup.schema import KEPT_MS, UNITS, VERSION, edges, tables
from inward.record.rollup.store import Edge, read_progress, read_version

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from typing import Any

    from sqlalchemy import URL, ColumnElement, Connection, Engine, Select

    from inward.record.follow import Place

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EVER = 1 << 60  # ms
_MOST_MS = {"minute": 2 * UNITS["day"], "hour": 60 * UNITS["day"]}  # of a time that begins and ends within such a unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which calls are asked for: from `since` to before `until` (aware), of these services; all where None."""

    since: datetime | None = None
    until: datetime | None = None
    caller: str | None = None
    callee: str | None = None
    operation: str | None = None


EVERYTHING = Asked()


@dataclass(frozen=True, slots=True)
class Totals:
    """What the calls of one edge come to: how many, how many the policy refused, how many of those were stopped."""

    edge: Edge
    calls: int
    refused: int
    stopped: int
    first: datetime
    last: datetime
    duration_us: int  # sums
    bytes_in: int
    bytes_out: int


class Bucket(NamedTuple):
    """One minute, hour or day of the calls asked for."""

    begin: datetime
    calls: int
    refused: int
    bytes_out: int


class Day(NamedTuple):
    """What the calls of one edge come to on one day (UTC).

    `day` is counted from 1970, `last` in ms from then. `outcomes` are by "<decision> <carried out> <mode> <reason>",
    `granting` by the policies that allowed calls, `refusing` by those that refused them or did not hold.
    """

    edge: Edge
    day: int
    calls: int
    refused: int
    stopped: int
    last: int
    outcomes: dict[str, int]
    granting: dict[str, int]
    refusing: dict[str, int]


class Rollups:
    """The rollups in a state database, for reading. Raises `StateError`; so do its methods."""

    def __init__(self, url: URL) -> None:
        self._engine = open_rollups(url)

    def close(self) -> None:
        """Let the database go."""
        self._engine.dispose()

    def place(self) -> Place:
        """Return how far of the record is in the rollups."""
        with reading(self._engine) as connection:
            return read_progress(connection).place

    def begin(self) -> datetime | None:
        """Return when the first call arrived of which anything is known, None where there was none."""
        with reading(self._engine) as connection:
            first = connection.execute(select(func.min(tables["day"].c.first))).scalar()
        return None if first is None else _moment(first)

    def totals(self, asked: Asked = EVERYTHING) -> list[Totals]:
        """Return what the calls of each edge come to, in the order of edges' names."""
        found: dict[int, list[int]] = {}
        with reading(self._engine) as connection:
            names = _names(connection, asked)
            for unit, first, end in _ranges(asked, _now()):
                for number, *values in connection.execute(_summed(unit, first, end, asked)):
                    sums = found.setdefault(number, [0] * 6 + [_EVER, -_EVER])
                    sums[:6] = [have + int(more) for have, more in zip(sums, values[:6], strict=False)]
                    sums[6:] = min(sums[6], values[6]), max(sums[7], values[7])
        return sorted(
            (
                Totals(names[number], calls, refused, stopped, _moment(first), _moment(last), us, size_in, size_out)
                for number, (calls, refused, stopped, us, size_in, size_out, first, last) in found.items()
                if number in names
            ),
            key=lambda totals: totals.edge,
        )

    def figures(self, asked: Asked = EVERYTHING, *, shapes: bool = True) -> dict[Edge, Figures]:
        """Return all that is known of the calls of each edge; without `shapes`, no distributions and no objects."""
        found: dict[Edge, Figures] = {}
        with reading(self._engine) as connection:
            names = _names(connection, asked)
            for unit, first, end in _ranges(asked, _now()):
                for row in connection.execute(_chosen(unit, first, end, asked, shapes=shapes)):
                    if (edge := names.get(row[1])) is not None:
                        total = found.get(edge) or found.setdefault(edge, Figures())
                        total.add(figures_of(row, shapes=shapes))
        return dict(sorted(found.items()))

    def days(
        self, since: datetime, until: datetime | None = None, *, operations: Collection[str] | None = None
    ) -> Iterator[Day]:
        """Yield what the calls of each edge come to, by day, from the day of `since` to before that of `until`.

        `operations`: only edges of these (an empty text is what no operation fits). A day without a call is left out.
        """
        table = tables["day"]
        columns = [table.c[name] for name in ("bucket", "edge", "calls", "refused", "stopped", "last", "names")]
        query = select(*columns).where(table.c.bucket >= _ms(since) // UNITS["day"])
        if until is not None:
            query = query.where(table.c.bucket < _ms(until) // UNITS["day"])
        with reading(self._engine) as connection:
            names = _names(connection, EVERYTHING)
            if operations is None:
                yield from _days(connection.execute(query.order_by(table.c.bucket)), names)
                return
            wanted = set(operations)
            for some in chunks(sorted(number for number, edge in names.items() if edge.operation in wanted)):
                yield from _days(connection.execute(query.where(table.c.edge.in_(some))), names)

    def last_through(self, since: datetime, until: datetime) -> dict[Edge, int]:
        """Return by edge when the last call in these days (UTC) was let through, no earlier, in ms since 1970."""
        table = tables["day"]
        first, end = (_ms(moment) // UNITS["day"] for moment in (since, until))
        query = select(table.c.edge, func.max(table.c.last)).where(table.c.bucket >= first, table.c.bucket < end)
        query = query.where(table.c.calls > table.c.stopped).group_by(table.c.edge)
        with reading(self._engine) as connection:
            names = _names(connection, EVERYTHING)
            return {names[number]: last for number, last in connection.execute(query) if number in names}

    def days_with_calls(self, since: datetime, until: datetime) -> list[int]:
        """Return on which days (counted from 1970) in this time some call was allowed."""
        table = tables["day"]
        query = select(1).where(table.c.bucket == bindparam("day"), table.c.calls > table.c.refused).limit(1)
        first, end = (_ms(moment) // UNITS["day"] for moment in (since, until))
        with reading(self._engine) as connection:
            return [day for day in range(first, end) if connection.execute(query, {"day": day}).first() is not None]

    def series(self, unit: str, asked: Asked = EVERYTHING) -> list[Bucket]:
        """Return the calls asked for by `unit` (`minute`, `hour`, `day`), in order; one without a call is left out."""
        table = tables[unit]
        begin, end = _bounds(asked)
        sums = (func.sum(table.c.calls), func.sum(table.c.refused), func.sum(table.c.bytes_out))
        query = _narrowed(select(table.c.bucket, *sums), table.c.edge, asked)
        query = query.where(table.c.bucket >= begin // UNITS[unit], table.c.bucket < -(-end // UNITS[unit]))
        with reading(self._engine) as connection:
            rows = connection.execute(query.group_by(table.c.bucket).order_by(table.c.bucket)).all()
        return [Bucket(_moment(bucket * UNITS[unit]), *(int(each) for each in values)) for bucket, *values in rows]


def _days(rows: Iterable[Any], names: dict[int, Edge]) -> Iterator[Day]:
    for day, number, calls, refused, stopped, last, packed in rows:
        edge = names.get(number)
        if edge is None:
            continue
        if not type(calls) is type(refused) is type(stopped) is type(last) is int:
            raise StateDamagedError("a row of the rollups was changed: it has values of other types")
        outcomes, granting, refusing = names_of(packed)[:3]
        yield Day(edge, day, calls, refused, stopped, last, outcomes, granting, refusing)


def open_rollups(url: URL) -> Engine:
    """Return the engine of a state database that has rollups of this version. Raises `StateError`."""
    engine = open_engine(url)
    with reading(engine) as connection:
        version = read_version(connection)
    if version != VERSION:
        engine.dispose()
        raise StateError(
            "there are no rollups in the state database",
            hint="`inward up` makes them while it runs, `inward rollup rebuild` from the record as it is",
        )
    return engine


_Range: TypeAlias = tuple[str, int, int]  # a unit, its first bucket, and the one after its last


def _bounds(asked: Asked) -> tuple[int, int]:
    begin = -_EVER if asked.since is None else _ms(asked.since)
    end = _EVER if asked.until is None else _ms(asked.until)
    return begin, max(begin, end)


def _ranges(asked: Asked, now: datetime) -> Iterator[_Range]:
    """Yield the buckets that make up the time asked for, from the fewest rows."""
    begin, end = _bounds(asked)
    lasts = min(end, _ms(now)) - begin
    begin, end = (
        begin // (unit := _finest(begin, lasts, now)) * unit,
        -(-end // (unit := _finest(end, lasts, now))) * unit,
    )
    yield from _covered(begin, end, [*reversed(UNITS.items())])


def _finest(moment: int, lasts: int, now: datetime) -> int:
    """Return the length (ms) of the finest unit that is kept from `moment` on, and fit for a time of `lasts` ms."""
    return next(
        length
        for unit, length in UNITS.items()
        if moment >= _ms(now) - KEPT_MS.get(unit, 2 * _EVER) + length and lasts <= _MOST_MS.get(unit, 2 * _EVER)
    )


def _covered(begin: int, end: int, units: list[tuple[str, int]]) -> Iterator[_Range]:
    if begin >= end:
        return
    (unit, length), *finer = units
    first, last = -(-begin // length), end // length
    if first >= last:
        yield from _covered(begin, end, finer)
        return
    yield from _covered(begin, first * length, finer)
    yield unit, first, last
    yield from _covered(last * length, end, finer)


def _summed(unit: str, first: int, end: int, asked: Asked) -> Select[Any]:
    table = tables[unit]
    sums = ("calls", "refused", "stopped", "duration_us", "bytes_in", "bytes_out")
    query = select(
        table.c.edge, *(func.sum(table.c[name]) for name in sums), func.min(table.c.first), func.max(table.c.last)
    )
    query = query.where(table.c.bucket >= first, table.c.bucket < end).group_by(table.c.edge)
    return _narrowed(query, table.c.edge, asked)


def _chosen(unit: str, first: int, end: int, asked: Asked, *, shapes: bool) -> Select[Any]:
    table = tables[unit]
    query = (
        select(*table.columns if shapes else list(table.columns)[:-1])
        .where(table.c.bucket >= first, table.c.bucket < end)
        .order_by(table.c.bucket)
    )
    return _narrowed(query, table.c.edge, asked)


def _narrowed(query: Select[Any], number: ColumnElement[int], asked: Asked) -> Select[Any]:
    conditions = _conditions(asked)
    return query.where(number.in_(select(edges.c.id).where(*conditions))) if conditions else query


def _names(connection: Connection, asked: Asked) -> dict[int, Edge]:
    query = select(edges.c.id, edges.c.caller, edges.c.callee, edges.c.operation).where(*_conditions(asked))
    return {row[0]: Edge(*row[1:]) for row in connection.execute(query)}


def _conditions(asked: Asked) -> list[Any]:
    names = {"caller": asked.caller, "callee": asked.callee, "operation": asked.operation}
    return [edges.c[column] == name for column, name in names.items() if name is not None]


def _now() -> datetime:
    return datetime.now(UTC)


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _moment(ms: int) -> datetime:
    """Return a moment that `datetime` can hold, as near as may be to `ms`, which came with the calls."""
    try:
        return _EPOCH + timedelta(milliseconds=ms)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if ms > 0 else datetime.min.replace(tzinfo=UTC)
