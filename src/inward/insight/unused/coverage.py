"""How far the record can be relied upon: since when, with which holes. No I/O, no clock.

The record reaches back to the earliest day from which on at least half of the days have a call that was allowed. So a
single call with a wrong time, or refused calls that were kept for longer than allowed ones, make it reach no further; a
system that rests at weekends is whole.

# INVARIANT: what was not seen is only evidence for as long as somebody looked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

QUARTER = 93  # days in which a job that runs every quarter has run
YEAR = 367
MOST_DAYS = 400  # that are looked at
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What of the time from `since` to `now` (aware) the record knows.

    `begin` is the first moment that it can be relied upon from, None where there is nothing; `with_calls` counts the
    days since the later of both on which some call was allowed, `gaps` the entries in the time asked for that say that
    something was lost.
    """

    since: datetime
    now: datetime
    begin: datetime | None
    with_calls: int = 0
    gaps: int = 0
    first_gap: str | None = None  # the day of the first
    notes: tuple[str, ...] = ()  # what else is to be known: lower case, no full stop

    @property
    def days(self) -> int:
        """How many whole days the record reaches back."""
        return 0 if self.begin is None else (self.now - self.begin).days

    @property
    def whole(self) -> bool:
        """Whether the record covers all of the time asked for."""
        return self.begin is not None and self.begin <= self.since


@dataclass(frozen=True, slots=True)
class Ages:
    """Since when policies are as they are, as far as acts in the record tell (aware).

    `changed` has those that an act names, with the last one. At `anything` some policies were changed, and it is not
    known which.
    """

    changed: Mapping[str, datetime]
    anything: datetime | None = None

    def since(self, policy: str) -> tuple[datetime | None, bool]:
        """Return when a policy was last changed at the latest, and whether that is known of this very one."""
        named = self.changed.get(policy)
        if named is not None and (self.anything is None or named >= self.anything):
            return named, True
        return self.anything, False


def reach_of(days: Collection[int], today: int) -> int | None:
    """Return the earliest day from which on at least half of the days up to `today` are in `days` (all from 1970)."""
    found = None
    for count, day in enumerate(sorted((day for day in days if day <= today), reverse=True), 1):
        if 2 * count >= today - day + 1:
            found = day
    return found


def day_of(moment: datetime) -> int:
    """Return the day of a moment, counted from 1970 (UTC)."""
    return (moment - _EPOCH) // timedelta(days=1)


def moment_of(day: int) -> datetime:
    """Return the begin of a day that is counted from 1970."""
    return _EPOCH + timedelta(days=day)
