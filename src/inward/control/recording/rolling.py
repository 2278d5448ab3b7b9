"""Keeping the rollups while a system runs: what is durable in the record is added to them, some at a time.

Nothing waits for it. A database that is away or locked costs nothing but being behind, and is told once. A damaged
SQLite file is moved aside, and the rows are made anew from the record, as they are where the record was changed.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

from inward.errors import InwardError
from inward.record.disk import RecordError
from inward.record.follow import Follower
from inward.record.rollup.database import StateDamagedError, StateError, move_aside, parse_state_url, sqlite_url
from inward.record.rollup.making import ENTRIES_AT_ONCE, whole_segments
from inward.record.rollup.store import MovedError, Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import URL

    from inward.control.layout import Layout
    from inward.record.follow import Durable, Missing

SECONDS = 2.0
SLOWEST_SECONDS = 60.0  # between attempts at a database that is away
END_SECONDS = 5.0  # for what is left at the end of a run; the next one goes on
PRUNE_SECONDS = 3600.0


def state_database(layout: Layout, address: str | None) -> URL:
    """Return the state database of a system: at `address`, or in its state folder. Raises `BadInputError`."""
    return parse_state_url(address) if address else sqlite_url(layout.database)


class Rolling:
    """Adds the record in `record` to the rollups in the database at `url`."""

    def __init__(self, record: Path, url: URL, durable: Durable, told: Callable[[str], None]) -> None:
        self._record = record
        self._url = url
        self._durable = durable
        self._told = told
        self._store: Store | None = None
        self._follower: Follower | None = None
        self._pruned = 0.0
        self._away = ""  # what was told of a database that cannot be used
        self._turn = threading.Lock()  # a thread that was left behind by a cancelled `keep` may still be at it

    def roll(self) -> int:
        """Add some of what is durable; return how many entries. Raises `StateError` and `RecordError`: try again."""
        with self._turn:
            try:
                return self._roll()
            except StateDamagedError as error:
                self._begin_anew(error)
                return self._roll()
            except StateError:
                self._forget()
                raise

    def _roll(self) -> int:
        store, follower = self._opened()
        batch = follower.read(ENTRIES_AT_ONCE)
        missing = follower.missing()
        for each in missing:
            self._tell_missing(each)
        if any(each.changed for each in missing):
            store.restart(whole_segments(self._record))
            self._follower = None
            return 1
        before = store.progress.place
        try:
            store.take(batch)
        except MovedError:
            pass
        else:
            if batch or store.load_progress().place == before:
                self._prune(store)
                return len(batch)
        self._follower = None  # somebody rebuilds the rollups: what they have added is not added again
        return 1

    def _opened(self) -> tuple[Store, Follower]:
        if self._store is None:
            self._store = Store(self._url)
            if self._store.renewed:
                self._told("the rollups were those of another version: they are made anew from the record")
        if self._follower is None:
            self._follower = Follower(self._record, self._store.load_progress().place, self._durable)
        return self._store, self._follower

    def _tell_missing(self, missing: Missing) -> None:
        if missing.changed:
            self._told(f"{missing.why}: the rollups are made anew from the record")
        else:
            count = "entries" if missing.entries is None else f"{missing.entries} entries"
            self._told(f"{missing.why}: {count} are not in the rollups")

    def _begin_anew(self, error: StateDamagedError) -> None:
        aside = move_aside(self._url)
        if aside is not None:
            self._forget()
            self._told(f"{error.message}; it was moved to `{aside.name}`, and the rollups are made anew")
            return
        self._opened()[0].restart(whole_segments(self._record))
        self._follower = None
        self._told(f"{error.message}; the rollups are made anew")

    def _prune(self, store: Store) -> None:
        if time.monotonic() - self._pruned >= PRUNE_SECONDS or not self._pruned:
            store.prune(time.time_ns() // 1_000_000)
            self._pruned = time.monotonic()

    def behind(self) -> int | None:
        """Return about how many bytes of the record are not added yet; None while the database cannot be used."""
        follower = self._follower
        try:
            return None if follower is None or self._away else follower.lag()
        except RecordError:
            return None

    def _forget(self) -> None:
        if self._store is not None:
            self._store.close()
        self._store = self._follower = None

    async def keep(self) -> None:
        """Add what becomes durable for as long as this runs."""
        pause = SECONDS
        while True:
            try:
                while await asyncio.to_thread(self.roll) >= ENTRIES_AT_ONCE // 2:
                    pass
            except StateError as error:
                pause = min(pause * 2, SLOWEST_SECONDS)
                if not self._away:
                    self._told(f"{error.message}; the rollups wait for it, and nothing else does")
                self._away = error.message
            else:
                pause = SECONDS
                if self._away:
                    self._told("the state database is back: the rollups go on")
                self._away = ""
            await asyncio.sleep(pause)

    def finish(self) -> None:
        """Add what is left, as far as it takes no longer than a few seconds, and let the database go."""
        end = time.monotonic() + END_SECONDS
        try:
            while not self._away and self.roll() and time.monotonic() < end:
                pass
        except InwardError as error:
            self._told(f"{error.message}; the rollups go on with the next run")
        with self._turn:
            self._forget()
