"""How many different things each key asks for: in a short window and in a day, held against what it usually asks for.

Things are counted by a HyperLogLog sketch of 2^10 registers (exact up to some dozens, then within 4 %), which takes
half a kilobyte whatever is counted. What goes into it begins with a secret of this engine: whoever chooses the things
cannot choose ones that the sketch does not count.

The usual is the highest count of any day of the last four weeks. A day adds to it at most `GROWTH` times what was usual
before, once the key is known: whoever raises it on purpose needs days, and is told of when they are faster.
"""

from __future__ import annotations

import math

import msgspec
from datasketches import hll_sketch, tgt_hll_type

from inward.alerting.stream.bounded import Table
from inward.alerting.stream.clock import DAY
from inward.alerting.stream.saved import load, save

GROWTH = 1.5
USUAL_DAYS = 28
REFERENCES = 8  # of calls that a window keeps
_LG_K = 10


def _sketch() -> hll_sketch:
    return hll_sketch(_LG_K, tgt_hll_type.HLL_4)


class Usual(msgspec.Struct):
    """The lows and highs of each day's windows, the newest last; the highs as far as `GROWTH` lets them rise.

    `past` is the highest of the days before the last one.
    """

    days: list[tuple[int, float, float]] = []
    past: float = 0.0
    low: float = 0.0
    high: float = 0.0

    def close(self, count: float, day: int, floor: float) -> None:
        """Take the count of a window that is over; up to `floor` it may be usual at once."""
        days = self.days
        if not days or days[-1][0] != day:
            self.days = days = [each for each in days if day - USUAL_DAYS < each[0] <= day][-USUAL_DAYS:]
            self.past = max((high for _, _, high in days), default=0.0)
            days.append((day, count, min(count, max(floor, self.past * GROWTH))))
            self.low = min(low for _, low, _ in days)
        elif count < days[-1][1] or count > days[-1][2]:
            _, low, high = days[-1]
            high = max(high, min(count, max(floor, self.past * GROWTH)))
            days[-1] = (day, min(low, count), high)
            self.low = min(self.low, count)
        else:
            return
        self.high = max(self.past, days[-1][2])


class Window(msgspec.Struct):
    """One window of one key."""

    sketch: hll_sketch
    number: int = -1  # its start, in windows since the epoch
    updates: int = 0
    began: str = ""
    calls: list[str] = []


class Track(msgspec.Struct):
    """All that is known of one key."""

    born: float
    short: Window
    long: Window
    usual_short: Usual
    usual_long: Usual
    told_day: int = -1
    told: float = 0.0


class Limits(msgspec.Struct, frozen=True):
    """When a count is too high: more than `floor`, and more than `factor` times the usual."""

    short_seconds: int
    short_floor: int
    long_floor: int
    factor: float
    learn_seconds: float  # a key younger than that has no usual: its floors are `unlearned` times as high
    unlearned: float


class Excess(msgspec.Struct, frozen=True):
    """A key asks for too many different things."""

    count: int
    updates: int
    seconds: int
    low: int
    high: int
    began: str
    calls: tuple[str, ...]
    learned: bool
    day: int


class DistinctCounts:
    """Counts of many keys. `see` returns an excess when there is one that was not told of today, or it doubled."""

    def __init__(self, limits: Limits, most: int, secret: str) -> None:
        self.limits = limits
        self._secret = secret
        self._tracks: Table[tuple[str, ...], Track] = Table(most)

    @property
    def evicted(self) -> int:
        """Keys that were given up for others."""
        return self._tracks.evicted

    def see(self, key: tuple[str, ...], thing: str, at: float, call: tuple[str, str]) -> Excess | None:
        """Take one thing that `key` asked for at `at`; `call` is the call's time and reference."""
        track = self._tracks.get(key)
        if track is None:
            track = Track(at, Window(_sketch()), Window(_sketch()), Usual(), Usual())
            self._tracks.put(key, track)
        limits = self.limits
        salted = self._secret + thing
        day = int(at) // DAY
        short, long = track.short, track.long
        number = int(at) // limits.short_seconds
        # What comes late counts in the window that is open; a stream that was set back begins a new one.
        if number > short.number or number < short.number - 1:
            floor = limits.short_floor if at - track.born >= limits.learn_seconds else math.inf
            _roll(short, track.usual_short, (number, short.number * limits.short_seconds // DAY), floor, call)
        if day > long.number or day < long.number - 1:
            floor = limits.long_floor if at - track.born >= limits.learn_seconds else math.inf
            _roll(long, track.usual_long, (day, long.number), floor, call)
        short.sketch.update(salted)
        long.sketch.update(salted)
        short.updates += 1
        long.updates += 1
        if len(short.calls) < REFERENCES:
            short.calls.append(call[1])
        if len(long.calls) < REFERENCES:
            long.calls.append(call[1])
        if short.updates <= limits.short_floor and long.updates <= limits.long_floor:
            return None
        return self._judge(track, at, day)

    def _judge(self, track: Track, at: float, day: int) -> Excess | None:
        limits = self.limits
        learned = at - track.born >= limits.learn_seconds
        for window, usual, floor, seconds in (
            (track.short, track.usual_short, limits.short_floor, limits.short_seconds),
            (track.long, track.usual_long, limits.long_floor, DAY),
        ):
            limit = max(floor, limits.factor * usual.high) if learned else limits.unlearned * floor
            if window.updates <= limit:
                continue
            count = window.sketch.get_estimate()
            if count <= limit or (track.told_day == day and count < 2 * track.told):
                continue
            track.told_day, track.told = day, count
            return Excess(
                count=round(count),
                updates=window.updates,
                seconds=seconds,
                low=round(usual.low),
                high=round(usual.high),
                began=window.began,
                calls=tuple(window.calls),
                learned=learned,
                day=day,
            )
        return None

    def dumped(self) -> bytes:
        """Return all counts as bytes."""
        return save(self._tracks.dump())

    def restore(self, state: bytes) -> None:
        """Take what `dumped` gave; raises `SnapshotError`."""
        kept = list[tuple[tuple[str, ...], Track]]
        self._tracks.load(load(state, tuple[kept, kept, int]))


def _roll(window: Window, usual: Usual, numbers: tuple[int, int], floor: float, call: tuple[str, str]) -> None:
    number, day = numbers  # of the window that begins, and of the day of the one that ends
    if window.number >= 0:
        usual.close(window.sketch.get_estimate(), day, floor)
    window.sketch.reset()
    window.number = number
    window.updates = 0
    window.began = call[0]
    window.calls = []
