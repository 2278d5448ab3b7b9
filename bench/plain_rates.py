"""Two plain ways to watch the rate of each edge, which the detectors are held against: a z-score, and river."""

from __future__ import annotations

import math
from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from river import anomaly

from bench.generated_company import DAY, START
from inward.alerting.detectors.volume import DataVolumeSettings, VolumeSettings
from inward.record.call import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.generated_company import Company

BUCKET = 600
_LEARN = 7 * DAY // BUCKET


def counts_of(company: Company, rate: str) -> dict[tuple[str, str], np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Return what is counted in each bucket, by caller and callee or class."""
    found: dict[tuple[str, str], np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
    buckets = company.days * DAY // BUCKET
    classes = company.view.classes
    for each in company.entries:
        if not isinstance(each, Call) or each.caller is None or each.callee is None:
            continue
        at = int(datetime.fromisoformat(each.time).timestamp() - START) // BUCKET
        if not 0 <= at < buckets:
            continue
        if rate == "volume":
            pairs = [(each.callee, 1.0)]
        else:
            pairs = [(name, (each.bytes_out or 0) / 1000) for name in classes.get(each.operation or "", ())]
        for about, amount in pairs:
            row = found.get((each.caller, about))
            if row is None:
                row = found[each.caller, about] = np.zeros(buckets)
            row[at] += amount
    return found


def z_score(values: list[float], limit: float = 4.0, factor: float = 0.0, floor: float = 0.0) -> list[bool]:
    """Say of each value whether it is `limit` standard deviations above the mean of the week before.

    And `factor` times the mean, and `floor` above it.
    """
    recent: deque[float] = deque(maxlen=_LEARN)
    total = squares = 0.0
    found = []
    for value in values:
        count = len(recent)
        mean = total / count if count else 0.0
        deviation = math.sqrt(max(squares / count - mean * mean, 0.0)) if count else 0.0
        least = max(mean + limit * max(deviation, 1.0), factor * mean, mean + floor)
        found.append(count == _LEARN and value > least)
        if count == _LEARN:
            old = recent[0]
            total -= old
            squares -= old * old
        recent.append(value)
        total += value
        squares += value * value
    return found


def gaussian(values: list[float], limit: float = 0.9999) -> list[bool]:
    """Say the same by `river.anomaly.GaussianScorer`."""
    scorer: Any = anomaly.GaussianScorer(window_size=None, grace_period=_LEARN)  # type: ignore[no-untyped-call]  # river has few types
    found, mean = [], 0.0
    for count, value in enumerate(values, 1):
        found.append(bool(scorer.score_one(None, value) > limit) and value > mean)
        scorer.learn_one(None, value)
        mean += (value - mean) / count
    return found


def _watch(company: Company, rate: str, judge: Callable[[list[float]], list[bool]]) -> Iterator[tuple[float, str, str]]:
    for (caller, about), row in counts_of(company, rate).items():
        told = set()
        for at, out in enumerate(judge(row.tolist())):
            day = at * BUCKET // DAY
            if out and day not in told:  # one alert a day, as the detectors do
                told.add(day)
                yield float(START + (at + 1) * BUCKET - 1), caller, f"{caller} {about} {day}"


def _floored(company: Company, rate: str) -> Iterator[tuple[float, str, str]]:
    floor = VolumeSettings().calls if rate == "volume" else DataVolumeSettings().kilobytes
    return _watch(company, rate, lambda values: z_score(values, factor=VolumeSettings().factor, floor=floor))


PLAIN: dict[str, Callable[[Company, str], Iterator[tuple[float, str, str]]]] = {
    "z-score": lambda company, rate: _watch(company, rate, z_score),
    "z-score, with our floors": _floored,
    "river GaussianScorer": lambda company, rate: _watch(company, rate, gaussian),
}
