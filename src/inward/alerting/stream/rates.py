"""Rates of many keys, each held against its season: which bucket of which key is out of season.

A bucket is judged when the stream goes on past it. Two of the last three must be out of season, or one must be so far
that no vote is needed. What comes too late for its bucket is not counted.

A mean says little of a job that runs for some minutes of an hour. So the peak of each hour of the day is kept too,
and a bucket is not out of season within `PEAK_FACTOR` of it. While a key is new, all peaks are learned. Later, an
hour has a new peak once it was out of season on `REPEATED` days: that is a job which is new, and people were told of
it as often.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from inward.alerting.stream.bounded import Table
from inward.alerting.stream.clock import DAY, HOUR, LATENESS
from inward.alerting.stream.saved import load, save
from inward.alerting.stream.season import Season

REFERENCES = 8  # of calls that a bucket keeps
_VOTERS, _VOTES = 3, 2
REPEATED = 3  # days
PEAK_FACTOR = 1.5
_PEAK_DECAY = 0.97  # a day
_PEAK_GROWTH = 1.1  # a day
_CLEAR = 3.0  # times the excess that is asked for needs no vote


class Open(msgspec.Struct):
    """The bucket of a key that is not over."""

    count: float
    events: int
    began: str
    last: str
    calls: list[str]


class Peak(msgspec.Struct):
    """The highest bucket of an hour of the day, and what was out of season at that hour on `days` so far."""

    height: float
    day: int  # of which the height is
    out: float = 0.0
    out_day: int = -1
    days: int = 0

    def at(self, day: int) -> float:
        """Return how high it counts on a later day."""
        return self.height * _PEAK_DECAY ** max(0, day - self.day)


class Rate(msgspec.Struct):
    """All that is known of one key."""

    born: float
    season: Season
    out: list[tuple[int, float, float, int, str, list[str]]] = []  # of the last buckets, those out of season
    told_day: int = -1
    told: float = 0.0
    peaks: dict[int, Peak] = {}  # by hour of the day


class RateLimits(msgspec.Struct, frozen=True):
    """When a bucket is out of season: `score` deviations, `factor` times the usual, and `floor` above it."""

    bucket_seconds: int
    score: float
    factor: float
    floor: float
    learn_seconds: float


class OutOfSeason(msgspec.Struct, frozen=True):
    """A key did far more than it usually does at this hour."""

    key: tuple[str, ...]
    count: float  # in the buckets that voted
    usual: float
    events: int
    score: float
    minutes: int
    began: str
    time: str
    calls: tuple[str, ...]
    day: int


_Rates: TypeAlias = list[tuple[tuple[str, ...], Rate]]


class Rates:
    """Counts of many keys. `see` counts; `close` gives what was out of season, once the stream has gone on."""

    def __init__(self, limits: RateLimits, most: int) -> None:
        self.limits = limits
        self.start = -1  # of the open bucket, seconds since the epoch
        self._open: dict[tuple[str, ...], Open] = {}
        self._rates: Table[tuple[str, ...], Rate] = Table(most)
        self._most = most
        self.uncounted = 0

    @property
    def evicted(self) -> int:
        """Keys that were given up for others, and those that found no place in a bucket."""
        return self._rates.evicted + self.uncounted

    def passed(self, at: float) -> bool:
        """Return whether the open bucket is over at `at`, or the stream was set back far."""
        return at >= self.start + self.limits.bucket_seconds or at < self.start - DAY

    def takes(self, at: float) -> bool:
        """Return whether what came at `at` can be counted in the open bucket."""
        return at >= self.start - LATENESS

    def see(self, key: tuple[str, ...], amount: float, call: tuple[str, str]) -> None:
        """Count `amount` in the open bucket; `call` is the call's time and reference."""
        found = self._open.get(key)
        if found is None:
            if len(self._open) >= self._most:
                self.uncounted += 1
                return
            found = self._open[key] = Open(0.0, 0, call[0], call[0], [])
        found.count += amount
        found.events += 1
        found.last = call[0]
        if len(found.calls) < REFERENCES:
            found.calls.append(call[1])

    def close(self, at: float) -> list[OutOfSeason]:
        """Judge and learn the open bucket, and open the one of `at`."""
        found = [each for key, counted in self._open.items() if (each := self._judge(key, counted))]
        self._open = {}
        bucket = self.limits.bucket_seconds
        start = int(at) // bucket * bucket
        if start < self.start:  # the stream was set back: what was learned ahead of it must not keep it from learning
            for rate in self._rates.values():
                rate.born -= self.start - start
                rate.season.learned_to = -1
                rate.peaks = {hour: Peak(each.height, start // DAY) for hour, each in rate.peaks.items()}
                rate.out = []
        self.start = start
        return found

    def _judge(self, key: tuple[str, ...], counted: Open) -> OutOfSeason | None:
        limits, start = self.limits, self.start
        rate = self._rates.get(key)
        if rate is None:
            rate = Rate(float(start), Season.empty())
            self._rates.put(key, rate)
        season = rate.season
        usual = season.usual(start)
        score = season.score(counted.count, usual)
        learned = start - rate.born >= limits.learn_seconds
        over = counted.count - usual
        out = score >= limits.score and over >= limits.floor and counted.count >= limits.factor * usual
        if out and learned:
            out = counted.count > PEAK_FACTOR * _peak(rate, start)
        _learn_peak(rate, start, counted.count, out=out, learned=learned)
        season.learn(start, limits.bucket_seconds, counted.count, trusted=not learned)
        if not learned or not out:
            return None
        oldest = start - (_VOTERS - 1) * limits.bucket_seconds
        rate.out = [each for each in rate.out if each[0] >= oldest]
        rate.out.append((start, counted.count, usual, counted.events, counted.began, counted.calls))
        clear = over >= _CLEAR * limits.floor and score >= _CLEAR * limits.score
        if len(rate.out) < _VOTES and not clear:
            return None
        day = start // DAY
        total = sum(each[1] for each in rate.out)
        if rate.told_day == day and total < 2 * rate.told:
            return None
        rate.told_day, rate.told = day, total
        return OutOfSeason(
            key=key,
            count=total,
            usual=sum(each[2] for each in rate.out),
            events=sum(each[3] for each in rate.out),
            score=score,
            minutes=round((start + limits.bucket_seconds - rate.out[0][0]) / 60),
            began=rate.out[0][4],
            time=counted.last,
            calls=tuple(call for each in rate.out for call in each[5])[: 2 * REFERENCES],
            day=day,
        )

    def dumped(self) -> bytes:
        """Return all counts as bytes."""
        return save((self.start, list(self._open.items()), self.uncounted, self._rates.dump()))

    def restore(self, state: bytes) -> None:
        """Take what `dumped` gave; raises `SnapshotError`."""
        self.start, opened, self.uncounted, rates = load(
            state, tuple[int, list[tuple[tuple[str, ...], Open]], int, tuple[_Rates, _Rates, int]]
        )
        self._open = dict(opened)
        self._rates.load(rates)


def _peak(rate: Rate, start: int) -> float:
    """Return the highest known peak of the hour of `start` and its neighbours."""
    hour, day = start % DAY // HOUR, start // DAY
    near = (rate.peaks.get((hour + step) % 24) for step in (-1, 0, 1))
    return max((each.at(day) for each in near if each is not None), default=0.0)


def _learn_peak(rate: Rate, start: int, count: float, *, out: bool, learned: bool) -> None:
    hour, day = start % DAY // HOUR, start // DAY
    peak = rate.peaks.get(hour)
    if peak is None:
        peak = rate.peaks[hour] = Peak(0.0 if learned else count, day)
    if not learned:
        peak.height, peak.day = max(peak.height, count), day
    elif out:
        peak.out = max(peak.out, count)
        peak.days += day != peak.out_day
        peak.out_day = day
        if peak.days >= REPEATED:
            peak.height, peak.day = peak.out, day
            peak.out, peak.days = 0.0, 0
    elif day > peak.day:
        now = peak.at(day)
        peak.height, peak.day = max(now, min(count, now * _PEAK_GROWTH)), day
