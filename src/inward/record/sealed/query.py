"""SQL over the whole record, in place: sealed segments and open ones as one relation.

`calls`, `acts` and `gaps` are views. A query may only read them: one SELECT, no other file, no setting. It has memory
of a fixed size, and spills into a private folder.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import duckdb

from inward.errors import BadInputError
from inward.record.audit.notary import load_state
from inward.record.call import timestamp
from inward.record.pieces import Piece, list_pieces
from inward.record.recovery import load_cuts
from inward.record.sealed.columns import COLUMNS, FILE_ONLY, lines_of, quoted, rows_of
from inward.record.sealed.reading import connected, first_line
from inward.record.segment import read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from inward.record.segment import Segment

MEMORY = "1GB"
_ROWS_AT_ONCE = 1_000
_FIELDS = ", ".join(f'"{name}"' for column in COLUMNS for name in column.names)
_VIEWS = {
    "calls": f"SELECT entry, {_FIELDS} FROM entries WHERE kind = 'call' AND id IS NOT NULL",  # noqa: S608 - columns
    "acts": "SELECT entry, time, raw ->> 'what' AS what, raw ->> 'about' AS about, raw ->> 'detail' AS detail, "
    "raw ->> 'by' AS account FROM entries WHERE kind = 'act'",
    "gaps": "SELECT entry, time, raw ->> 'why' AS why, raw ->> 'service' AS service, "
    "(raw ->> 'lost_lines')::BIGINT AS lost_lines, (raw ->> 'lost_bytes')::BIGINT AS lost_bytes "
    "FROM entries WHERE kind = 'gap'",
}


class QueryError(BadInputError):
    """A query cannot be answered."""

    code = "query"


class Answer:
    """What a query gives: the names of its columns, and its rows, read as they are asked for."""

    def __init__(self, relation: duckdb.DuckDBPyConnection) -> None:
        self._relation = relation
        self.names: list[str] = []  # each once: `a`, `a_1`
        for name, *_ in relation.description or ():
            names = (f"{name}_{number}" if number else name for number in count())
            self.names.append(next(each for each in names if each not in self.names))

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows. Raises `QueryError`, and `SealError` where a part of the record is damaged."""
        try:
            while found := self._relation.fetchmany(_ROWS_AT_ONCE):
                yield from found
        except (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.OutOfMemoryException) as error:
            raise QueryError(f"the query cannot be answered: {first_line(error)}", hint=_HINT) from error


@contextmanager
def asked(folder: Path, sql: str, since: datetime | None = None, until: datetime | None = None) -> Iterator[Answer]:
    """Give the answer to a query of the record in `folder`, of calls that arrived from `since` to before `until`.

    Raises `QueryError` for a query that is none, and `SealError` where a part of the record is damaged.
    """
    _check(sql)
    pieces = [piece for piece in list_pieces(folder) if piece.may_hold(since, until)]
    places = [piece.sealed.place for piece in pieces if piece.sealed is not None]
    with tempfile.TemporaryDirectory(prefix="inward-") as spill, connected(str(folder), *places) as connection:
        connection.execute(f"SET memory_limit = '{MEMORY}'; SET threads = {os.cpu_count() or 1}")
        connection.execute(f"SET temp_directory = '{quoted(spill)}'")
        connection.execute(f"CREATE VIEW entries AS {_entries(folder, pieces, since, until)}")
        for name, view in _VIEWS.items():
            connection.execute(f"CREATE VIEW {name} AS {view}")
        allowed = ", ".join(f"'{quoted(_path(piece))}'" for piece in pieces)
        connection.execute(f"SET allowed_paths = [{allowed}]; SET allowed_directories = ['{quoted(spill)}']")
        connection.execute("SET enable_external_access = false; SET lock_configuration = true")
        try:
            answer = Answer(connection.execute(sql))
        except duckdb.Error as error:
            raise QueryError(f"the query cannot be answered: {first_line(error)}", hint=_HINT) from error
        yield answer


_NO_LINES = "(SELECT '' AS line, 1 AS number)"
_HINT = "the tables are calls, acts and gaps; docs/record-schema.md has their columns"


def _check(sql: str) -> None:
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryError(f"the query cannot be read: {first_line(error)}", hint=_HINT) from error
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise QueryError("only one SELECT can be asked", hint=_HINT)


def _count_lines(segment: Segment, cut: dict[str, int]) -> int:
    """Return how many lines of a segment count, of which the recorder took the last ones back."""
    with segment.path.open("rb") as file:
        return sum(1 for _ in read_lines(file, 0, cut[segment.path.name]))


def _path(piece: Piece) -> str:
    return piece.sealed.url if piece.sealed is not None else str(piece.segment.path if piece.segment else "")


def _entries(folder: Path, pieces: list[Piece], since: datetime | None, until: datetime | None) -> str:
    """Return the SQL for all entries in the pieces."""
    sealed = ", ".join(f"'{quoted(piece.sealed.url)}'" for piece in pieces if piece.sealed is not None)
    parts = [f"SELECT * FROM read_parquet([{sealed}], union_by_name = true, {FILE_ONLY})"] if sealed else []  # noqa: S608 - quoted
    taken, cut = load_state(folder).segments, load_cuts(folder)
    for piece in pieces:
        if piece.segment is not None and piece.segment.path.stat().st_size:
            known = taken.get(piece.segment.path.name)
            lines = lines_of(str(piece.segment.path))
            if piece.segment.path.name in cut:
                lines = f"(SELECT * FROM {lines} WHERE number <= {_count_lines(piece.segment, cut)})"  # noqa: S608 - ours
            parts.append(rows_of(lines, known.first if known else 0))
    if not parts:
        parts = [rows_of(_NO_LINES) + " WHERE false"]
    bounds = [
        f"time {sign} '{timestamp(moment)}'::TIMESTAMPTZ"
        for sign, moment in ((">=", since), ("<", until))
        if moment is not None
    ]
    everything = " UNION ALL BY NAME ".join(f"({part})" for part in parts)
    where = f" WHERE {' AND '.join(bounds)}" if bounds else ""
    return f"SELECT * FROM ({everything}){where}"  # noqa: S608 - quoted paths and times
