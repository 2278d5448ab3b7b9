"""The tables of rollups: a row for each minute, hour and day, and edge; how far they have come; which segments are in.

All of it follows from the record, so there are no migrations: tables of another `VERSION` are dropped and made anew.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

VERSION = 1
UNITS = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000}  # ms; the finest first
KEPT_MS = {"minute": 8 * UNITS["day"], "hour": 100 * UNITS["day"]}  # days are kept for good

metadata = MetaData()

# One row. `kept_*` are of a rebuilding: what calls before that place come to is in the rows already, up to that moment.
progress = Table(
    "rollup_progress",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("segment", BigInteger, nullable=False),
    Column("entry", BigInteger, nullable=False),
    Column("hash_key", LargeBinary, nullable=False),
    Column("kept_segment", BigInteger, nullable=False),
    Column("kept_entry", BigInteger, nullable=False),
    Column("kept_moment", BigInteger, nullable=False),
)
segments = Table(
    "rollup_segment",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("latest", BigInteger, nullable=False),  # arrival of its latest call, ms since 1970
)
# What is absent is an empty text, as two NULLs are not the same to a database.
edges = Table(
    "rollup_edge",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("caller", String, nullable=False),
    Column("callee", String, nullable=False),
    Column("operation", String, nullable=False),
    UniqueConstraint("caller", "callee", "operation"),
)


def _unit(name: str) -> Table:
    return Table(
        f"rollup_{name}",
        metadata,
        Column("bucket", BigInteger, primary_key=True, autoincrement=False),  # units since 1970, UTC
        Column("edge", Integer, primary_key=True, autoincrement=False),
        Column("calls", BigInteger, nullable=False),
        Column("refused", BigInteger, nullable=False),
        Column("stopped", BigInteger, nullable=False),
        Column("first", BigInteger, nullable=False),
        Column("last", BigInteger, nullable=False),
        Column("duration_us", BigInteger, nullable=False),
        Column("bytes_in", BigInteger, nullable=False),
        Column("bytes_out", BigInteger, nullable=False),
        Column("reference", String, nullable=False),
        Column("names", LargeBinary, nullable=False),
        Column("shape", LargeBinary, nullable=False),
        Index(f"rollup_{name}_edge", "edge", "bucket"),
        sqlite_with_rowid=False,
    )


tables = {name: _unit(name) for name in UNITS}
NUMBERS = ("calls", "refused", "stopped", "first", "last", "duration_us", "bytes_in", "bytes_out")
