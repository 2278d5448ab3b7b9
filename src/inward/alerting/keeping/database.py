"""The file of the alerts: an SQLite database of its own, private, in which a commit is durable and whole or not at all.

It is apart from the database of rollups, which may be deleted at any time, since that follows from the record: what
people did with an alert does not. Rules: several processes may have it open, and take turns; a file that is damaged is
never written to.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from inward.errors import InwardError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE = "alerts.db"
VERSION = 1  # of the tables
WAIT_SECONDS = 10.0  # for another process
_TABLES = """
CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    detector TEXT NOT NULL,
    last TEXT NOT NULL,
    state TEXT NOT NULL,
    alert BLOB NOT NULL,
    fired INTEGER NOT NULL,
    sent TEXT,
    since TEXT NOT NULL,
    by TEXT,
    note TEXT,
    changed INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX alerts_last ON alerts (last);
CREATE INDEX alerts_changed ON alerts (changed);
CREATE TABLE tellings (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    about TEXT NOT NULL,
    what TEXT NOT NULL,
    time TEXT NOT NULL
);
CREATE TABLE sinks (
    name TEXT PRIMARY KEY,
    told INTEGER NOT NULL,
    problem TEXT
) WITHOUT ROWID;
CREATE TABLE mutes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    detector TEXT,
    caller TEXT,
    callee TEXT,
    operation TEXT,
    since TEXT NOT NULL,
    until TEXT NOT NULL,
    by TEXT,
    note TEXT
);
CREATE TABLE quarantines (
    time TEXT NOT NULL,
    service TEXT NOT NULL
);
CREATE TABLE watching (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    since TEXT NOT NULL,
    done_segment INTEGER NOT NULL,
    done_entry INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    entry INTEGER NOT NULL,
    snapshot BLOB
);
"""


class AlertStoreError(InwardError):
    """The alerts cannot be read or kept."""

    code = "alert_store"


class DamagedAlertStoreError(AlertStoreError):
    """The file of the alerts is damaged, or no such file."""

    code = "damaged_alert_store"


class Database:
    """The open file, for the threads of one process, which take turns. Raises `AlertStoreError`."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.path = path
        self._turn = threading.RLock()
        if not create and not path.exists():
            raise AlertStoreError(f"there is no `{path}`", hint="alerts are kept while `inward up` runs")
        try:
            # Made before SQLite does, for the mode: what it makes beside it has the same.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            self._connection = sqlite3.connect(
                path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=32
            )
        except (OSError, sqlite3.Error) as error:
            raise AlertStoreError(f"`{path}` cannot be opened: {_said(error)}") from error
        try:
            with self._errors():
                self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        execute = self._connection.execute
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = FULL")
        execute("PRAGMA trusted_schema = OFF")
        execute("BEGIN IMMEDIATE")
        try:
            version = execute("PRAGMA user_version").fetchone()[0]
            if version == 0 and not execute("SELECT 1 FROM sqlite_schema").fetchone():
                for statement in filter(None, map(str.strip, _TABLES.split(";"))):
                    execute(statement)
                execute(f"PRAGMA user_version = {VERSION}")
            elif version != VERSION:
                self._refuse()
            execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _refuse(self) -> NoReturn:
        told = f"`{self.path}` was made by another version of Inward"
        raise AlertStoreError(told, hint="use that one, or move the file away")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the connection, for questions. Raises `AlertStoreError`."""
        with self._turn, self._errors():
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection for one transaction: durable when this returns, and nothing of it where it raises."""
        with self._turn, self._errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        if self._connection.in_transaction:  # SQLite may have done it already
            self._connection.execute("ROLLBACK")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise AlertStoreError(f"`{self.path}` cannot be used: {_said(error)}") from error
        except sqlite3.DatabaseError as error:
            hint = "move it away to begin anew: what was acknowledged and muted is in there"
            raise DamagedAlertStoreError(f"`{self.path}` is damaged: {_said(error)}", hint=hint) from error


def _said(error: OSError | sqlite3.Error) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
