"""What becomes of alerts: each finding is kept once, goes on, is acknowledged, comes back; and who is to be told.

The state of the detectors, the place in the record that they have read to, the alerts, and who is to be told of them
advance in one commit. So a restart repeats nothing and forgets nothing: detectors begin with their last snapshot, read
the record again from there, and what they find up to the place that was committed is known already.

Rules:

1. A finding that goes on is one alert: its count and its last time grow.
2. It is told when it is new, when it fires again after it was acknowledged (an hour later at the earliest), and once a
   day while it goes on. One that is muted is kept and not told; it is told when it fires after the mute has ended.
3. What happened before anybody watched is kept, acknowledged, and not told.
4. Times are those of the record.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from inward.alerting.alert import MOST_CALLS, Alert
from inward.alerting.keeping.database import AlertStoreError, Database
from inward.record.call import timestamp
from inward.record.follow import Place

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

State: TypeAlias = Literal["open", "acknowledged"]
What: TypeAlias = Literal["new", "again", "still", "acknowledged"]

HOUR = timedelta(hours=1)
QUIET = timedelta(hours=1)  # after an acknowledgement: what goes on meanwhile only counts
REMIND = timedelta(days=1)  # while it goes on
RULE = "sigma:"  # how the detectors that are rules of a team begin
BEFORE = "it fired before alerts were watched"
_COLUMNS = "alert, state, fired, since, by, note, changed"
_decoder = msgspec.json.Decoder(Alert)


@dataclass(frozen=True, slots=True)
class Kept:
    """An alert, and what became of it. `alert.time` is when it fired last, `fired` how often it did."""

    alert: Alert
    state: State
    fired: int
    since: str  # when it came into its state
    by: str | None  # who acknowledged it
    note: str | None
    changed: int  # rises with every change of any alert


@dataclass(frozen=True, slots=True)
class Telling:
    """That an alert is new, again there, still going on, or acknowledged: what sinks are told, by its number."""

    number: int
    what: What
    time: str
    kept: Kept


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the record was watched: everything up to `done` is in the alerts; `snapshot` was taken at `place`."""

    since: str
    done: Place
    place: Place
    snapshot: bytes | None


class AlertStore:
    """The alerts in a database. Its methods raise `AlertStoreError`, and then nothing of them was done."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    # --- the detectors

    def progress(self) -> Progress | None:
        """Return how far the record was watched; None: nobody has begun."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT since, done_segment, done_entry, segment, entry, snapshot FROM watching"
            ).fetchone()
        return None if row is None else Progress(row[0], Place(row[1], row[2]), Place(row[3], row[4]), row[5])

    def begin(self, now: datetime, place: Place) -> Progress:
        """Begin to watch at a place of the record, with nothing known; alerts from before `now` are told nobody."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO watching VALUES (1, ?, ?, ?, ?, ?, NULL)", (timestamp(now), *place, *place)
            )
        return Progress(timestamp(now), place, place, None)

    def begin_again(self, place: Place) -> None:
        """Forget the snapshot, and let detectors learn anew from a place; what was done stays done."""
        with self._database.writing() as connection:
            connection.execute("UPDATE watching SET segment = ?, entry = ?, snapshot = NULL", place)

    def commit(self, done: Place, alerts: Sequence[Alert], snapshot: bytes | None = None) -> list[Telling]:
        """Keep what was found up to a place, and perhaps a snapshot of the detectors there; return what is to be told.

        A batch in which nothing was found needs no commit. With a snapshot, what every sink was told of is taken out.
        """
        with self._database.writing() as connection:
            row = connection.execute("SELECT since FROM watching").fetchone()
            if row is None:
                raise AlertStoreError("nobody has begun to watch the record")
            connection.execute("UPDATE watching SET done_segment = ?, done_entry = ?", done)
            if snapshot is not None:
                connection.execute("UPDATE watching SET segment = ?, entry = ?, snapshot = ?", (*done, snapshot))
                connection.execute("DELETE FROM tellings WHERE number <= (SELECT min(told) FROM sinks)")
            told = [number for alert in alerts if (number := _take(connection, alert, row[0])) is not None]
            return _tellings(connection, told)

    # --- people

    def find(
        self, *, since: datetime | None = None, open_only: bool = False, detector: str | None = None, limit: int = 0
    ) -> list[Kept]:
        """Return alerts, in the order in which they fired last; with `limit`, the newest of them."""
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM alerts WHERE last >= ? AND (? = 0 OR state = 'open')"  # noqa: S608 - constants
                " AND (? IS NULL OR detector = ?) ORDER BY last DESC, id LIMIT ?",
                (timestamp(since) if since else "", open_only, detector, detector, limit or -1),
            ).fetchall()
        return [_kept(row) for row in reversed(rows)]

    def changed_since(self, number: int) -> list[Kept]:
        """Return the alerts that have changed since the change with that number, in the order of their changes."""
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM alerts WHERE changed > ? ORDER BY changed",  # noqa: S608 - constants
                (number,),
            ).fetchall()
        return [_kept(row) for row in rows]

    def named(self, prefix: str) -> list[Kept]:
        """Return the alerts whose id begins like that, two at most."""
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM alerts WHERE substr(id, 1, ?) = ? LIMIT 2",  # noqa: S608 - constants
                (len(prefix), prefix),
            ).fetchall()
        return [_kept(row) for row in rows]

    def acknowledge(self, alert: str, now: datetime, by: str, note: str | None) -> bool:
        """Acknowledge an alert, by its whole id; false where it was so already, and only the note is another."""
        with self._database.writing() as connection:
            before = connection.execute("SELECT state FROM alerts WHERE id = ?", (alert,)).fetchone()
            if before is None:
                raise AlertStoreError(f"there is no alert `{alert}`")
            changed: bool = before[0] != "acknowledged"
            if changed or note is not None:
                connection.execute(
                    "UPDATE alerts SET state = 'acknowledged', since = ?, by = ?, note = coalesce(?, note), changed = ?"
                    " WHERE id = ?",
                    (timestamp(now), by, note, _next_change(connection), alert),
                )
            if changed:
                _tell(connection, alert, "acknowledged", timestamp(now))
            return changed

    # --- sinks

    def pending(self, sink: str, limit: int) -> list[Telling]:
        """Return what a sink has not been told yet, the oldest first; a new one is told what comes from now on."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT told FROM sinks WHERE name = ?", (sink,)).fetchone()
        if row is None:
            with self._database.writing() as connection:
                connection.execute(
                    "INSERT OR IGNORE INTO sinks SELECT ?, coalesce(max(number), 0), NULL FROM tellings", (sink,)
                )
            return []
        with self._database.reading() as connection:
            numbers = connection.execute(
                "SELECT number FROM tellings WHERE number > ? ORDER BY number LIMIT ?", (row[0], limit)
            ).fetchall()
            return _tellings(connection, [number for (number,) in numbers])

    def told(self, sink: str, number: int) -> None:
        """Note that a sink was told everything up to a number."""
        with self._database.writing() as connection:
            connection.execute("UPDATE sinks SET told = ?, problem = NULL WHERE name = ?", (number, sink))

    def failed(self, sink: str, problem: str) -> None:
        """Note why a sink cannot be told, for people."""
        with self._database.writing() as connection:
            connection.execute("UPDATE sinks SET problem = ? WHERE name = ?", (problem, sink))

    def to_remind(self) -> list[Kept]:
        """Return the open alerts that are not muted and were told: what a receiver that forgets is told again."""
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM alerts WHERE state = 'open' AND sent IS NOT NULL ORDER BY last, id"  # noqa: S608 - constants
            ).fetchall()
            now = timestamp(datetime.now(UTC))
            return [kept for kept in map(_kept, rows) if not _muted(connection, kept.alert, now)]

    def may_cut_off(self, service: str, now: datetime, most: int) -> bool:
        """Count that an alert cuts a service off; false, and nothing is counted, where the hour has had its most."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM quarantines WHERE time <= ?", (timestamp(now - HOUR),))
            if connection.execute("SELECT count(*) FROM quarantines").fetchone()[0] >= most:
                return False
            connection.execute("INSERT INTO quarantines VALUES (?, ?)", (timestamp(now), service))
            return True

    def sinks(self) -> list[tuple[str, int, str | None]]:
        """Return each sink, how much it has not been told yet, and what is wrong with it."""
        with self._database.reading() as connection:
            return connection.execute(
                "SELECT name, (SELECT count(*) FROM tellings WHERE number > told), problem FROM sinks"
                " WHERE name != 'quarantine' ORDER BY name"
            ).fetchall()


def _take(connection: sqlite3.Connection, alert: Alert, watched: str) -> int | None:
    """Keep one firing of an alert; return the number of what is to be told of it, if anything is."""
    row = connection.execute(f"SELECT {_COLUMNS}, sent FROM alerts WHERE id = ?", (alert.id,)).fetchone()  # noqa: S608 - constants
    what: What | None
    sent: str | None
    if row is None:
        what, sent, kept = "new", None, Kept(alert, "open", 1, alert.time, None, None, 0)
        if alert.time < watched:
            what, kept = None, replace(kept, state="acknowledged", by="inward", note=BEFORE)
    else:
        kept, sent = _kept(row[:-1]), row[-1]
        kept = replace(kept, alert=_joined(kept.alert, alert), fired=kept.fired + 1)
        what = _what(kept, sent)
        if what == "again":
            kept, sent = replace(kept, state="open", since=kept.alert.time), None
    if what is not None and _muted(connection, kept.alert, kept.alert.time):
        what = None
    _store(connection, kept, sent if what is None else kept.alert.time)
    return None if what is None else _tell(connection, kept.alert.id, what, kept.alert.time)


def _store(connection: sqlite3.Connection, kept: Kept, sent: str | None) -> None:
    alert = kept.alert
    state = (kept.state, msgspec.json.encode(alert), kept.fired, sent, kept.since, kept.by, kept.note)
    connection.execute(
        "INSERT OR REPLACE INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (alert.id, alert.detector, alert.time, *state, _next_change(connection)),
    )


def _what(kept: Kept, sent: str | None) -> What | None:
    """Return what there is to be told of an alert that has fired once more; `sent` is when it was told last."""
    time = kept.alert.time
    if kept.state == "acknowledged":
        return "again" if _later(kept.since, QUIET) <= time else None
    if sent is None:
        return "new"  # it was muted until now
    return "still" if _later(sent, REMIND) <= time else None


def _later(time: str, by: timedelta) -> str:
    try:
        return timestamp(datetime.fromisoformat(time) + by)
    except (ValueError, OverflowError):
        return time


def _joined(before: Alert, now: Alert) -> Alert:
    # A detector counts from where its finding began, a rule what it found since it fired last.
    count = before.count + now.count if now.detector.startswith(RULE) else max(before.count, now.count)
    return msgspec.structs.replace(
        now,
        began=min(before.began, now.began),
        time=max(before.time, now.time),
        count=count,
        calls=tuple(dict.fromkeys((*before.calls, *now.calls)))[:MOST_CALLS],
    )


def _muted(connection: sqlite3.Connection, alert: Alert, time: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM mutes WHERE until > ? AND (detector IS NULL OR detector = ?) AND (caller IS NULL OR caller = ?)"
        " AND (callee IS NULL OR callee = ?) AND (operation IS NULL OR operation = ?)",
        (time, alert.detector, alert.caller, alert.callee, alert.operation),
    ).fetchone()
    return row is not None


def _next_change(connection: sqlite3.Connection) -> int:
    number: int = connection.execute("SELECT coalesce(max(changed), 0) + 1 FROM alerts").fetchone()[0]
    return number


def _tell(connection: sqlite3.Connection, alert: str, what: What, time: str) -> int | None:
    return connection.execute(
        "INSERT INTO tellings (about, what, time) VALUES (?, ?, ?)", (alert, what, time)
    ).lastrowid


def _tellings(connection: sqlite3.Connection, numbers: Iterable[int]) -> list[Telling]:
    found = []
    for number in numbers:
        row = connection.execute(
            f"SELECT {_COLUMNS}, what, time FROM tellings JOIN alerts ON alerts.id = tellings.about WHERE number = ?",  # noqa: S608 - constants
            (number,),
        ).fetchone()
        if row is not None:
            found.append(Telling(number, row[-2], row[-1], _kept(row[:-2])))
    return found


def _kept(row: tuple[bytes, State, int, str, str | None, str | None, int]) -> Kept:
    try:
        alert = _decoder.decode(row[0])
    except (msgspec.MsgspecError, ValueError) as error:
        raise AlertStoreError(f"an alert that was kept cannot be read: {error}") from None
    return Kept(alert, *row[1:])
