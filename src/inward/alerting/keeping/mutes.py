"""Mutes: what nobody is to be told of for a while. Each has an end; what is muted is kept all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inward.record.call import timestamp

if TYPE_CHECKING:
    from datetime import datetime

    from inward.alerting.alert import Alert
    from inward.alerting.keeping.database import Database

_COLUMNS = "number, detector, caller, callee, operation, since, until, by, note"


class Mute(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is muted: alerts that fit all that is given, until then. Times are RFC 3339, in UTC."""

    number: int
    detector: str | None
    caller: str | None
    callee: str | None
    operation: str | None
    since: str
    until: str
    by: str | None = None
    note: str | None = None

    def fits(self, alert: Alert) -> bool:
        """Return whether an alert is one that is muted."""
        asked = (
            (self.detector, alert.detector),
            (self.caller, alert.caller),
            (self.callee, alert.callee),
            (self.operation, alert.operation),
        )
        return all(wanted is None or wanted == found for wanted, found in asked)

    @property
    def about(self) -> str:
        """What it is about, for people."""
        names = ("detector", "caller", "callee", "operation")
        return ", ".join(f"{name} {value}" for name in names if (value := getattr(self, name)) is not None)


def add_mute(database: Database, wanted: Mute) -> Mute:
    """Keep a mute; return it with its number. Raises `AlertStoreError`."""
    with database.writing() as connection:
        number = connection.execute(
            "INSERT INTO mutes (detector, caller, callee, operation, since, until, by, note)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            msgspec.structs.astuple(wanted)[1:],
        ).lastrowid
    return msgspec.structs.replace(wanted, number=number)


def end_mute(database: Database, number: int) -> Mute | None:
    """Take a mute away; return it, None where there is none of that number. Raises `AlertStoreError`."""
    with database.writing() as connection:
        row = connection.execute(f"SELECT {_COLUMNS} FROM mutes WHERE number = ?", (number,)).fetchone()  # noqa: S608 - constants
        connection.execute("DELETE FROM mutes WHERE number = ?", (number,))
    return None if row is None else Mute(*row)


def load_mutes(database: Database, now: datetime) -> list[Mute]:
    """Return the mutes that have not ended, the one that ends first before the others. Raises `AlertStoreError`."""
    with database.reading() as connection:
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM mutes WHERE until > ? ORDER BY until, number",  # noqa: S608 - constants
            (timestamp(now),),
        ).fetchall()
    return [Mute(*row) for row in rows]
