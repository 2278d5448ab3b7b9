"""What was used in a system, and how far that can be relied upon: the rollups, with what the record says beside them.

What is in the record and not in the rollups yet is added to them first, so that nothing depends on whether `inward up`
runs; where the database cannot be written, what it has is taken, and that is said. Only whole days (UTC) are counted.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from inward.control.acts import BEFORE, policies_in
from inward.control.recording.rolling import state_database
from inward.errors import BadInputError
from inward.insight.unused.coverage import MOST_DAYS, Ages, Coverage, day_of, moment_of, reach_of
from inward.insight.unused.uses import Uses, full_names, restored
from inward.record.call import Act, Gap
from inward.record.filter import Filter
from inward.record.follow import Follower, checkpointed
from inward.record.reader import read_entries
from inward.record.rollup.database import StateDamagedError, StateError
from inward.record.rollup.making import ENTRIES_AT_ONCE
from inward.record.rollup.query import Rollups
from inward.record.rollup.store import MovedError, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from sqlalchemy import URL

    from inward.control.bundle import Policy as System
    from inward.control.layout import Layout
    from inward.insight.unused.history import Candidate
    from inward.record.call import Entry
    from inward.record.rollup.query import Day
    from inward.record.rollup.store import Edge

    Watch = Callable[[int, int], None]  # bytes of the record that are done, and of how many

MOST_SINCE = timedelta(days=MOST_DAYS)


@dataclass(frozen=True, slots=True)
class Survey:
    """What was used since a day, in one system."""

    rollups: Rollups
    names: Collection[str]  # of operations and policies
    uses: Uses
    coverage: Coverage
    ages: Ages

    def before(self, candidates: Iterable[Candidate]) -> Iterator[Day]:
        """Yield the days before the time asked for on which the operations of some candidates were called."""
        operations = {name for each in candidates for name in each.operations}
        if operations:
            begin = self.coverage.now - MOST_SINCE
            until = self.coverage.since
            yield from restored(self.rollups.days(begin, until, operations=operations), self.names)

    def last_before(self) -> dict[Edge, int]:
        """Return by edge when the last call before the time asked for was let through (ms since 1970)."""
        full = full_names(self.names)
        found = self.rollups.last_through(self.coverage.now - MOST_SINCE, self.coverage.since)
        return {edge._replace(operation=full.get(edge.operation, edge.operation)): last for edge, last in found.items()}


@contextmanager
def surveyed(
    layout: Layout,
    environment: Mapping[str, str],
    system: System,
    since: datetime,
    now: datetime,
    watch: Watch | None = None,
) -> Iterator[Survey]:
    """Give what was used since the day of `since` (aware, UTC). Raises `StateError`, `RecordError`, `BadInputError`."""
    if not now - MOST_SINCE <= since <= now:
        raise BadInputError(
            "the time asked for is too long, or has not begun", hint=f"give {MOST_DAYS} days at most: `--since 90d`"
        )
    since = moment_of(day_of(since))
    url = state_database(layout, environment.get("INWARD_STATE_URL"))
    notes = _catch_up(url, layout.record, watch)
    said = _said(read_entries(layout.record, Filter(since=now - MOST_SINCE, calls=False)), since)
    names = [*system.catalog.operations, *(each.id for each in system.policies)]
    rollups = Rollups(url)
    try:
        uses = Uses(restored(rollups.days(since), names))
        days = {*uses.days, *rollups.days_with_calls(now - MOST_SINCE, since)}
        first = reach_of(days, day_of(now))
        begin = None if first is None else moment_of(first)
        relied = since if begin is None else max(begin, since)
        with_calls = sum(day_of(relied) <= day <= day_of(now) for day in uses.days)
        coverage = Coverage(since, now, begin, with_calls, said.gaps, said.first_gap, notes)
        yield Survey(rollups, names, uses, coverage, Ages(said.changed, said.blanket(begin)))
    finally:
        rollups.close()


def _catch_up(url: URL, record: Path, watch: Watch | None) -> tuple[str, ...]:
    """Add what is durable in the record to the rollups; return what is to be known of it."""
    try:
        store = Store(url)
    except StateDamagedError:
        raise
    except StateError as error:
        return (f"{error.message}, so what was recorded last may be missing",)
    try:
        follower = Follower(record, store.progress.place, checkpointed(record))
        size = follower.lag()
        while batch := follower.read(ENTRIES_AT_ONCE):
            try:
                store.take(batch)
            except MovedError:  # `inward up` adds to them too
                follower = Follower(record, store.progress.place, checkpointed(record))
            if watch is not None:
                watch(max(0, size - follower.lag()), size)
        return tuple(missing.why for missing in follower.missing())
    except StateDamagedError:
        raise
    except StateError as error:
        return (f"{error.message}, so what was recorded last may be missing",)
    finally:
        store.close()


@dataclass
class _Said:
    """What gaps and acts in the record say."""

    changed: dict[str, datetime] = field(default_factory=dict)
    anything: datetime | None = None
    first_start: datetime | None = None  # if nothing says which policies were there before
    gaps: int = 0
    first_gap: str | None = None

    def blanket(self, begin: datetime | None) -> datetime | None:
        """Return when some policies were changed, unknown which; `begin` is that of what is known of calls."""
        if self.first_start is not None and begin is not None and begin < self.first_start - timedelta(days=1):
            return max(self.first_start, self.anything or self.first_start)
        return self.anything


def _said(entries: Iterable[Entry], since: datetime) -> _Said:
    said, version = _Said(), None
    for entry in entries:
        moment = _moment(entry.time)
        if isinstance(entry, Gap):
            if moment is not None and moment >= since:
                said.gaps += 1
                said.first_gap = min(said.first_gap or entry.time[:10], entry.time[:10])
        elif isinstance(entry, Act) and entry.what in {"start", "stop", "policy"} and moment is not None:
            names, more = policies_in(entry)
            said.changed |= dict.fromkeys(names, moment)
            if more:
                said.anything = moment
            elif (
                entry.what == "start"
                and entry.about != version
                and f"{BEFORE}{version or ''}" not in (entry.detail or "")
            ):
                # the folder was changed while nothing ran, or it is not known what was there before
                said.anything = moment if version is not None else said.anything
                said.first_start = moment if version is None else said.first_start
            version = entry.about
    return said


def _moment(time: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(time)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
