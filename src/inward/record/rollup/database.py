"""The state database: SQLite in a private file, or PostgreSQL by its URL; and what is said when it cannot be used.

No call waits for it. What is in it follows from the record, so a damaged SQLite file is moved aside and made anew; one
that another program has locked, and a PostgreSQL that is away, are asked again later.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, NoSuchModuleError, SQLAlchemyError

from inward.errors import BadInputError, InwardError
from inward.record.disk import make_private_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Engine
    from sqlalchemy.pool import ConnectionPoolEntry

_POSTGRES = "postgresql+pg8000"
_BUSY_MS = 5000
_TIMEOUT_SECONDS = 60  # until an answer of PostgreSQL
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_PER_PAGE = 500  # rows in one INSERT


class StateError(InwardError):
    """The state database cannot be used now; it may be tried again."""

    code = "state_database"


class StateDamagedError(StateError):
    """What is in the state database is damaged, or its file is no database."""

    code = "state_damaged"

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="`inward rollup rebuild` makes it anew from the record")


def parse_state_url(text: str) -> URL:
    """Return the address of a state database; `BadInputError` for what is none that Inward speaks to."""
    try:
        url = make_url(text)
    except ArgumentError:
        url = None
    if url is not None and url.drivername in {"postgresql", "postgres"}:
        url = url.set(drivername=_POSTGRES)
    if url is None or url.drivername not in {_POSTGRES, "sqlite"} or not url.database or url.database == ":memory:":
        # The text itself may hold a password.
        raise BadInputError(
            "the address of the state database is none",
            hint="give `postgresql://user:password@host:5432/database`, or `sqlite:////path/of/a/file`",
        )
    return url


def sqlite_url(path: Path) -> URL:
    """Return the address of the SQLite file `path`."""
    return URL.create("sqlite", database=os.fspath(path))


def open_engine(url: URL) -> Engine:
    """Return the engine of a state database; SQLite's file is made, and is private. Raises `StateError`."""
    if url.drivername == "sqlite":
        return _open_sqlite(url)
    try:
        engine = create_engine(
            url, connect_args={"timeout": _TIMEOUT_SECONDS}, pool_size=1, pool_pre_ping=True, hide_parameters=True
        )
    except (SQLAlchemyError, NoSuchModuleError, ImportError, TypeError, ValueError) as error:
        raise StateError(f"the state database cannot be used: {error}") from error
    # Else each row of many is a statement of its own, and a round trip.
    engine.dialect.use_insertmanyvalues_wo_returning = True
    engine.dialect.insertmanyvalues_page_size = _PER_PAGE
    return engine


def _open_sqlite(url: URL) -> Engine:
    path = Path(url.database or "")
    make_private_folder(path.parent)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)  # if it was deleted while it was in use, SQLite has made it, for all to read
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StateError(f"the state database `{path}` cannot be opened: {error.strerror}") from error
    engine = create_engine(url, pool_size=1, connect_args={"check_same_thread": False}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        record.info["file"] = _file(path)
        connection.isolation_level = None  # transactions are begun below
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    @event.listens_for(engine, "checkout")
    def chosen(_: object, record: ConnectionPoolEntry, __: object) -> None:
        # Else what is written after the file was deleted or replaced goes to one that nobody reads.
        if record.info["file"] != _file(path):
            raise DisconnectionError

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("writes", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _file(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give a connection in a transaction, which is committed at the end. Raises `StateError`."""
    with _told(engine), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection that sees one state of the database, whatever is written meanwhile. Raises `StateError`."""
    options: dict[str, Any] = {"writes": False}
    if engine.dialect.name != "sqlite":
        options["isolation_level"] = "REPEATABLE READ"
    with _told(engine), engine.connect().execution_options(**options) as connection:
        yield connection


@contextmanager
def _told(engine: Engine) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        where = engine.url.render_as_string(hide_password=True)
        what = StateDamagedError if getattr(original, "sqlite_errorcode", 0) & 0xFF in _DAMAGED else StateError
        raise what(f"the state database `{where}` cannot be used: {_said(original)}") from error


def _said(error: BaseException) -> str:
    """Return what a driver says, on one line; pg8000 gives PostgreSQL's fields."""
    found = error.args[0] if error.args else ""
    text = found.get("M", "") if isinstance(found, dict) else str(found)
    return " ".join(text.split()) or type(error).__name__


def move_aside(url: URL) -> Path | None:
    """Move the file of a SQLite database out of the way; return its new name, None where it is none or not there."""
    if url.drivername != "sqlite":
        return None
    path = Path(url.database or "")
    target = next(
        name for number in range(1, 1_000_000) if not (name := path.with_name(f"{path.name}.damaged-{number}")).exists()
    )
    try:
        path.replace(target)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"the state database `{path}` cannot be moved aside: {error.strerror}") from error
    return target


def chunks(values: Sequence[Any], size: int = _PER_PAGE) -> Iterator[Sequence[Any]]:
    """Yield `values` in pieces, as a statement takes only so many."""
    for first in range(0, len(values), size):
        yield values[first : first + size]
