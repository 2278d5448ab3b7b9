"""A caller calls a service far more often than it usually does at this hour of the week; or is given far more data.

`Volume` counts calls of each caller and callee, `DataVolume` the bytes of answers that may hold a data class, of each
caller and class. Both hold them against `stream.season`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from inward.alerting.detector import Moment, Seen, alert, day_text, shown, span_text
from inward.alerting.stream.clock import DAY
from inward.alerting.stream.rates import OutOfSeason, RateLimits, Rates
from inward.record.call import Call

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.alerting.alert import Alert
    from inward.alerting.view import View

MOST_EDGES = 5_000
KILOBYTE = 1000
_OK = range(200, 300)
_SEVERE = 10  # times the usual

Minutes = Annotated[int, msgspec.Meta(ge=1, le=60)]
Score = Annotated[float, msgspec.Meta(ge=1, le=100)]
Factor = Annotated[float, msgspec.Meta(ge=1, le=1000)]
Days = Annotated[int, msgspec.Meta(ge=1, le=90)]


class VolumeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bucket of `minutes` is out of season with `score` deviations, `factor` times the usual, `calls` above."""

    minutes: Minutes = 10
    score: Score = 4.0
    factor: Factor = 3.0
    calls: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 60
    learn_days: Days = 7

    def __post_init__(self) -> None:
        _divides_an_hour(self.minutes)

    @property
    def limits(self) -> RateLimits:
        """What rates are held to."""
        return RateLimits(self.minutes * 60, self.score, self.factor, self.calls, self.learn_days * DAY)


class DataVolumeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As those of `volume`; `kilobytes` (1000 bytes) above the usual."""

    minutes: Minutes = 10
    score: Score = 4.0
    factor: Factor = 3.0
    kilobytes: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 200
    learn_days: Days = 7

    def __post_init__(self) -> None:
        _divides_an_hour(self.minutes)

    @property
    def limits(self) -> RateLimits:
        """What rates are held to."""
        return RateLimits(self.minutes * 60, self.score, self.factor, self.kilobytes, self.learn_days * DAY)


def _divides_an_hour(minutes: int) -> None:
    if 60 % minutes:
        raise ValueError("`minutes` must divide an hour")


class _OfRates:
    slug = ""

    def __init__(self, limits: RateLimits) -> None:
        self._rates = Rates(limits, MOST_EDGES)

    def evicted(self) -> int:
        """Return how many keys were given up because there were too many."""
        return self._rates.evicted

    def state(self) -> bytes:
        """Return all that it knows of the stream."""
        return self._rates.dumped()

    def restore(self, state: bytes) -> None:
        """Go on from a state; raises `SnapshotError`."""
        self._rates.restore(state)


class Volume(_OfRates):
    """Calls of each caller and callee, refused ones too."""

    slug = "volume"

    def __init__(self, settings: VolumeSettings) -> None:
        super().__init__(settings.limits)

    def see(self, entry: Seen, moment: Moment) -> Iterable[Alert]:
        """Take one entry."""
        rates = self._rates
        found = [self._alert(each) for each in rates.close(moment.at)] if rates.passed(moment.at) else ()
        if not isinstance(entry, Call) or moment.late or not rates.takes(moment.at):
            return found
        if entry.caller is not None and entry.callee is not None:
            rates.see((entry.caller, entry.callee), 1.0, (entry.time, entry.id))
        return found

    def _alert(self, out: OutOfSeason) -> Alert:
        caller, callee = out.key
        return alert(
            self.slug,
            (caller, callee, day_text(out.day)),
            "high" if out.count >= _SEVERE * out.usual else "medium",
            f"{shown(caller)} called {shown(callee)} {out.events} times within {span_text(out.minutes * 60)};"
            f" usual at this hour are {_number(out.usual)}",
            time=out.time,
            began=out.began,
            caller=caller,
            callee=callee,
            count=out.events,
            calls=out.calls,
        )


class DataVolume(_OfRates):
    """Bytes of answers of each caller and data class, but for what was withheld."""

    slug = "data-volume"

    def __init__(self, settings: DataVolumeSettings, view: View) -> None:
        super().__init__(settings.limits)
        self.view = view

    def see(self, entry: Seen, moment: Moment) -> Iterable[Alert]:
        """Take one entry."""
        rates = self._rates
        found = [self._alert(each) for each in rates.close(moment.at)] if rates.passed(moment.at) else ()
        if not isinstance(entry, Call) or moment.late or not rates.takes(moment.at):
            return found
        if entry.operation is None or entry.caller is None:
            return found
        classes = self.view.classes.get(entry.operation)
        if classes and entry.bytes_out and entry.carried_out == "allow" and (entry.status or 200) in _OK:
            withheld = () if entry.mode == "observe" else entry.withheld
            for name in classes:
                if name not in withheld:
                    rates.see((entry.caller, name), entry.bytes_out / KILOBYTE, (entry.time, entry.id))
        return found

    def _alert(self, out: OutOfSeason) -> Alert:
        caller, name = out.key
        return alert(
            self.slug,
            (caller, name, day_text(out.day)),
            "high",
            f"{shown(caller)} was given {_number(out.count)} kB of answers with {shown(name)} within"
            f" {span_text(out.minutes * 60)}, by {out.events} calls; usual at this hour are {_number(out.usual)} kB",
            time=out.time,
            began=out.began,
            caller=caller,
            data_class=name,
            count=out.events,
            calls=out.calls,
        )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"  # noqa: PLR2004 - two digits say enough
