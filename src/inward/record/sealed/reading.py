"""Reading sealed segments with DuckDB: connections, lines, and what their metadata say.

A connection lives in memory and only reads files, so nothing is locked and two processes may read at once. Whatever is
wrong with a file is one `SealError` about it: DuckDB tells damage in several ways.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import duckdb
import msgspec

from inward.record.disk import RecordError
from inward.record.sealed.columns import FILE_ONLY, LEAF, LINE, VERSION
from inward.record.sealed.files import is_bucket

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.record.sealed.files import Sealed

MEMORY = "512MB"
METADATA = "inward"
_ROWS_AT_ONCE = 10_000
_BLOCK_BYTES = 1 << 20


class SealError(RecordError):
    """A segment cannot be sealed, or a sealed one cannot be read."""

    code = "seal"


class Extent(msgspec.Struct, frozen=True):
    """Which entries of the log a sealed segment is of: `count`, from index `first` on."""

    first: int
    count: int
    version: int = VERSION


class Row(NamedTuple):
    """One entry of a sealed segment: its index in the log, its line; where that was dropped, the hash of its leaf."""

    entry: int
    line: bytes | None
    leaf: bytes | None
    start: int  # the first two bytes of that hash, as it was when the segment was sealed


def _connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"memory_limit": MEMORY, "threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


@cache
def _kept_connection() -> duckdb.DuckDBPyConnection:
    """Return a connection for short questions to files here: opening one takes longer than asking.

    What is read is not kept, so a file that was changed since is read again.
    """
    connection = _connect()
    connection.execute("SET enable_external_file_cache = false; SET GLOBAL TimeZone = 'UTC'")
    return connection


@contextmanager
def asking(sealed: Sealed) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection for a short question to one sealed segment, as `connected` does."""
    if is_bucket(sealed.place):
        with connected(sealed.url, sealed.place) as connection:
            yield connection
        return
    cursor = _kept_connection().cursor()
    try:
        yield cursor
    except (duckdb.Error, ValueError, MemoryError, OSError) as error:
        raise SealError(f"`{sealed.url}` cannot be read: {first_line(error)}") from error
    finally:
        cursor.close()


@contextmanager
def connected(about: str, *places: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection that reads sealed segments in `places`; what fails in it is a `SealError` about `about`."""
    connection = _connect()
    try:
        for place in {place for place in places if is_bucket(place)}:
            _register(connection, place)
        yield connection
    except (duckdb.Error, ValueError, MemoryError) as error:  # of a damaged file, text that is no UTF-8 too
        raise SealError(f"`{about}` cannot be read: {first_line(error)}") from error
    except OSError as error:
        raise SealError(f"`{about}` cannot be read: {error.strerror or first_line(error)}") from error
    finally:
        connection.close()


def extent_of(sealed: Sealed) -> Extent:
    """Return which entries a sealed segment is of. Raises `SealError`."""
    with asking(sealed) as connection:
        found = connection.execute("SELECT key, value FROM parquet_kv_metadata(?)", [sealed.url]).fetchall()
        for key, value in found:
            if bytes(key) == METADATA.encode():
                try:
                    extent = msgspec.json.decode(bytes(value), type=Extent)
                except (msgspec.MsgspecError, RecursionError):
                    break
                if extent.version > VERSION:
                    raise SealError(f"`{sealed.url}` is from a newer Inward")
                return extent
    raise SealError(f"`{sealed.url}` is no sealed segment")


def rows_in(
    sealed: Sealed, begin: int = 0, end: int | None = None, *, where: str = "", values: tuple[object, ...] = ()
) -> Iterator[Row]:
    """Yield the rows of a sealed segment whose index in the log is from `begin` to before `end`, in their order.

    `where` is SQL that narrows them, `values` what its question marks stand for. Raises `SealError`.
    """
    wanted = [part for part in (_within(begin, end), where) if part]
    condition = f" WHERE {' AND '.join(f'({part})' for part in wanted)}" if wanted else ""
    with asking(sealed) if end is not None else connected(sealed.url, sealed.place) as connection:
        yield from _rows(connection, sealed.url, condition, values)


def rows_at(url: str) -> Iterator[Row]:
    """Yield all rows of the file at `url`. Raises `SealError`."""
    with connected(url) as connection:
        yield from _rows(connection, url)


def _rows(
    connection: duckdb.DuckDBPyConnection, url: str, condition: str = "", values: tuple[object, ...] = ()
) -> Iterator[Row]:
    cursor = connection.execute(
        f"SELECT entry, encode({LINE}), leaf, leaf_start FROM read_parquet(?, {FILE_ONLY}){condition}",  # noqa: S608 - columns, numbers
        [url, *values],
    )
    while found := cursor.fetchmany(_ROWS_AT_ONCE):
        for entry, line, leaf, start in found:
            yield Row(entry, None if line is None else bytes(line), None if leaf is None else bytes(leaf), start)


def hashes_in(sealed: Sealed) -> Iterator[list[tuple[int, bytes, bytes | None, bool]]]:
    """Yield rows, some at a time: index in the log, hash of the leaf, the line of an act, and whether it was dropped.

    The hash is of the line as the row gives it now. Raises `SealError`.
    """
    with connected(sealed.url, sealed.place) as connection:
        cursor = connection.execute(
            f"SELECT entry, {LEAF}, CASE WHEN kind = 'act' THEN encode({LINE}) END, kind = 'dropped' "  # noqa: S608 - columns
            f"FROM read_parquet(?, {FILE_ONLY})",
            [sealed.url],
        )
        while found := cursor.fetchmany(_ROWS_AT_ONCE):
            yield found


def positions_in(sealed: Sealed) -> list[str]:
    """Return how far each log had been read by the end of a sealed segment, as `src` has it. Raises `SealError`."""
    with connected(sealed.url, sealed.place) as connection:
        file = f"read_parquet($url, {FILE_ONLY})"
        ours = f"SELECT src_file AS log, src_offset AS reached FROM {file} WHERE raw IS NULL"  # noqa: S608 - ours
        # of what keeps its line: gaps and acts
        lines = f"SELECT raw ->> 'src' AS src FROM {file} WHERE raw IS NOT NULL AND json_valid(raw)"  # noqa: S608 - ours
        parts = "regexp_extract(src, '^(.*):[0-9]+$', 1), regexp_extract(src, ':([0-9]+)$', 1)::BIGINT"
        others = f"SELECT {parts} FROM ({lines}) WHERE regexp_matches(src, ':[0-9]{{1,18}}$')"  # noqa: S608 - ours
        both = f"SELECT * FROM ({ours} UNION ALL {others}) WHERE log IS NOT NULL"  # noqa: S608 - nothing from outside
        query = f"SELECT log || ':' || max(reached) FROM ({both}) GROUP BY log"  # noqa: S608 - nothing from outside
        return [text for (text,) in connection.execute(query, {"url": sealed.url}).fetchall()]


def _within(begin: int, end: int | None) -> str:
    parts = [f"entry >= {int(begin)}"] if begin else []
    if end is not None:
        parts.append(f"entry < {int(end)}")
    return " AND ".join(parts)


def digest_of(sealed: Sealed) -> str:
    """Return the SHA-256 of a sealed segment's file, hexadecimal. Raises `SealError`."""
    try:
        with _opened(sealed) as file:
            return _digest(file)
    except OSError as error:
        raise SealError(f"`{sealed.url}` cannot be read: {error.strerror or first_line(error)}") from error


def digest_at(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal. Raises `OSError`."""
    with path.open("rb") as file:
        return _digest(file)


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()


def _opened(sealed: Sealed) -> BinaryIO:
    if not is_bucket(sealed.place):
        return Path(sealed.url).open("rb")
    from inward.record.sealed import bucket  # noqa: PLC0415 - its libraries are needed for buckets only

    return bucket.open_object(sealed.place, sealed.name)


def _register(connection: duckdb.DuckDBPyConnection, place: str) -> None:
    from inward.record.sealed import bucket  # noqa: PLC0415 - its libraries are needed for buckets only

    connection.register_filesystem(bucket.file_system(place))


def first_line(error: Exception) -> str:
    """Return what an error says in its first line."""
    return str(error).partition("\n")[0]
