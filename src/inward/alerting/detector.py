"""What a detector is: it sees the entries of the record in their order, and says when one completes a finding.

Rules for every detector (the contract tests hold all of them to these):

1. Its time is that of the stream (`Moment`), and nothing else that may differ when the record is read again is asked.
2. What it keeps is bounded, whatever callers send.
3. An alert's id follows from what it is about and the day, so that an attack that goes on is one alert. The same id is
   given again when the count has doubled.
4. `restore(state())` leaves a detector that goes on as if nothing had happened.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TypeAlias

import msgspec

from inward.alerting.alert import MOST_CALLS, Alert, Severity, alert_id
from inward.alerting.stream.clock import DAY
from inward.record.call import Act, Call, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.alerting.stream.novelty import New

Seen: TypeAlias = Call | Act

_SHOWN = 80  # characters of one name in a sentence


class Moment(msgspec.Struct):
    """Where in the stream an entry stands.

    `at` is in seconds since the epoch, and `said` is what the entry itself says, however wrong. `late`: it came too
    late for the windows of its time. `learning`: the stream is too young to know what is usual. `new` is there for a
    call that was let through over an edge that is new; `known` says of a refused call that its edge is not.
    """

    at: float
    said: float
    late: bool = False
    learning: bool = False
    age: float = 0.0  # of the stream, seconds
    new: New | None = None
    known: bool = False

    @property
    def day(self) -> int:
        """The day (UTC) since the epoch."""
        return int(self.at) // DAY


class Detector(Protocol):
    """One thing that is looked for."""

    slug: str

    def see(self, entry: Seen, moment: Moment) -> Iterable[Alert]:
        """Take one entry, and return what it completes."""
        ...

    def evicted(self) -> int:
        """Return how many keys were given up because there were too many."""
        ...

    def state(self) -> bytes:
        """Return all that it knows of the stream."""
        ...

    def restore(self, state: bytes) -> None:
        """Go on from a state; raises `SnapshotError`."""
        ...


def alert(  # noqa: PLR0913 - one value a field of the alert
    slug: str,
    subject: tuple[str, ...],
    severity: Severity,
    why: str,
    *,
    time: str,
    began: str | None = None,
    caller: str | None = None,
    callee: str | None = None,
    operation: str | None = None,
    data_class: str | None = None,
    count: int = 1,
    calls: tuple[str, ...] = (),
) -> Alert:
    """Return an alert of the detector `slug` about `subject`."""
    return Alert(
        id=alert_id(slug, *subject),
        time=time,
        began=began or time,
        detector=slug,
        severity=severity,
        why=why,
        caller=caller,
        callee=callee,
        operation=operation,
        data_class=data_class,
        count=count,
        calls=calls[:MOST_CALLS],
    )


def shown(name: str) -> str:
    """Return a name as sentences have it: not longer than can be read."""
    return name if len(name) <= _SHOWN else name[: _SHOWN - 1] + "…"


def day_text(day: int) -> str:
    """Return the bucket of a day since the epoch, as alerts' subjects have it: `2026-11-26`."""
    return timestamp(datetime.fromtimestamp(day * DAY, UTC))[:10]


def span_text(seconds: float) -> str:
    """Return a length of time as people say it: `10 minutes`, `a day`."""
    for unit, name in ((DAY, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= unit:
            number = round(seconds / unit)
            return f"{number} {name}s" if number > 1 else f"{'an' if name == 'hour' else 'a'} {name}"
    return f"{round(seconds)} seconds"
