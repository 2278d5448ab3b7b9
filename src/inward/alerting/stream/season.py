"""What a rate usually is at this hour of the week, and how unlikely a count is beside that.

Model: the count of a bucket is negative binomial with mean `mu` and variance `mu + a mu²`. `mu` is the mean of its
hour of the week, drawn to that of its hour of the day while there are few weeks of it, and that to the overall mean;
times the *level*, which follows what lasts (a deploy that doubles a rate) within two days. The score is the deviance
residual of the count (McCullagh and Nelder, Generalized Linear Models, 2.4.3), which reads like standard deviations
and stays true far out, where those of a skewed distribution do not.

Rules:

1. What is learned of a count is at most what stands `CLIP` deviations above the mean, unless it is trusted: a flood
   teaches little, and a baseline that somebody wants to raise takes days to follow.
2. An hour without any call is one of zeros. Such hours are learned when the next call comes.
3. Near the end of an hour the higher of two hours counts: a job that starts at 02:00 may start at 01:58.
"""

from __future__ import annotations

import math
from array import array

import msgspec

from inward.alerting.stream.clock import DAY, HOUR

CLIP = 3.0
SPREAD_CLIP = 2.0  # what is learned of the spread: it is what would hide a flood
HOURS_OF_WEEK = 168
_WEEKS = 4  # that an hour of the week remembers
_DAYS = 14  # that an hour of the day remembers
_LEVEL_DAYS = 1.5
_LEVEL_PRIOR = 30.0  # calls for which the level stands at one
_MOST_LEVEL = 20.0
_SPREAD_BUCKETS = 500.0  # that the spread remembers
_FIRST_SPREAD = 0.5
_LEAST_SPREAD, _MOST_SPREAD = 0.02, 2.0
_LEAST_MEAN = 0.25  # calls in a bucket: below that, counts say nothing
_EDGE_SECONDS = 900  # of an hour, in which its neighbour counts too
_THURSDAY = 3  # the epoch was one; Monday is 0
_DRAW_DAY, _DRAW_WEEK = 0.5, 1.0  # hours of observation for which the coarser mean stands


def _zeros(cells: int) -> array[float]:
    return array("f", bytes(4 * cells))


class Season(msgspec.Struct):
    """The baseline of one rate. Counts are of buckets of `bucket` seconds, which divide an hour."""

    week: array  # type: ignore[type-arg]  # msgspec decodes by the bare class
    week_seen: array  # type: ignore[type-arg]  # hours of observation
    day: array  # type: ignore[type-arg]  # as above
    day_seen: array  # type: ignore[type-arg]  # as above
    mean: float = 0.0
    seen: float = 0.0  # hours
    spread: float = _FIRST_SPREAD
    got: float = 0.0  # what the level is worked out from: calls, and what the hours alone let expect
    expected: float = 0.0
    learned_to: int = -1  # start of the bucket up to which everything is learned

    @classmethod
    def empty(cls) -> Season:
        """Return the baseline of a rate of which nothing is known."""
        return cls(_zeros(HOURS_OF_WEEK), _zeros(HOURS_OF_WEEK), _zeros(24), _zeros(24))

    @property
    def level(self) -> float:
        """How far above its hours' means the rate is of late."""
        level = (self.got + _LEVEL_PRIOR) / (self.expected + _LEVEL_PRIOR)
        return min(max(level, 1 / _MOST_LEVEL), _MOST_LEVEL)

    def _of_hour(self, hour: int) -> float:
        of_day = hour % 24
        seen = self.day_seen[of_day]
        by_day = (seen * self.day[of_day] + _DRAW_DAY * self.mean) / (seen + _DRAW_DAY)
        seen = self.week_seen[hour]
        value: float = (seen * self.week[hour] + _DRAW_WEEK * by_day) / (seen + _DRAW_WEEK)
        return value

    def usual(self, start: int) -> float:
        """Return the mean of the bucket that begins at `start`, seconds since the epoch."""
        hour = hour_of_week(start)
        mean = self._of_hour(hour)
        into = start % HOUR
        if into < _EDGE_SECONDS:
            mean = max(mean, self._of_hour((hour - 1) % HOURS_OF_WEEK))
        elif into >= HOUR - _EDGE_SECONDS:
            mean = max(mean, self._of_hour((hour + 1) % HOURS_OF_WEEK))
        return max(mean * self.level, _LEAST_MEAN)

    def score(self, count: float, usual: float) -> float:
        """Return how many deviations `count` is above `usual`: the deviance residual; 0 where it is not above."""
        if count <= usual:
            return 0.0
        shape = 1 / self.spread
        half = count * math.log(count / usual) - (count + shape) * math.log((count + shape) / (usual + shape))
        return math.sqrt(max(0.0, 2 * half))

    def learn(self, start: int, bucket: int, count: float, *, trusted: bool) -> None:
        """Learn the count of the bucket that begins at `start`, if `trusted` all of it, and zeros before it."""
        if self.learned_to >= 0:
            if start < self.learned_to:
                return
            self._learn_silence(start, bucket)
        hour = hour_of_week(start)
        usual = self.usual(start)
        if self.seen:
            if not trusted:
                count = min(count, usual + CLIP * math.sqrt(usual + self.spread * usual * usual))
            if usual > 1:
                off = min(abs(count - usual), SPREAD_CLIP * math.sqrt(usual + self.spread * usual * usual))
                spread = (off * off - usual) / (usual * usual)
                weight = 1 / _SPREAD_BUCKETS
                self.spread = min(max(self.spread + weight * (spread - self.spread), _LEAST_SPREAD), _MOST_SPREAD)
        share = bucket / HOUR
        of_hour = self._of_hour(hour)
        fading = math.exp(-bucket / (_LEVEL_DAYS * DAY))
        plain = count / self.level
        self.got = self.got * fading + count
        self.expected = self.expected * fading + of_hour
        self._take(hour, plain, share)
        self.learned_to = start + bucket

    def _take(self, hour: int, count: float, share: float) -> None:
        """Learn the mean `count` of buckets that fill `share` of an hour."""
        for cells, seen, cell, most in (
            (self.week, self.week_seen, hour, float(_WEEKS)),
            (self.day, self.day_seen, hour % 24, float(_DAYS)),
        ):
            total = min(seen[cell] + share, most)
            cells[cell] += (count - cells[cell]) * min(1.0, share / total)
            seen[cell] = total
        self.seen = min(self.seen + share, _DAYS * 24.0)
        self.mean += (count - self.mean) * min(1.0, share / self.seen)

    def _learn_silence(self, start: int, bucket: int) -> None:
        at = max(self.learned_to, start - 7 * DAY)
        if at >= start:
            return
        fading = math.exp(-(start - at) / (_LEVEL_DAYS * DAY))
        self.got *= fading
        self.expected *= fading
        while at < start:
            end = min(start, (at // HOUR + 1) * HOUR)
            hour = hour_of_week(at)
            self.expected += self._of_hour(hour) * (end - at) / bucket
            self._take(hour, 0.0, (end - at) / HOUR)
            at = end


def hour_of_week(seconds: int) -> int:
    """Return the hour of the week (UTC, from Monday 00:00), 0 to 167, of a moment since the epoch."""
    hours = seconds // HOUR + _THURSDAY * 24
    return hours % HOURS_OF_WEEK
