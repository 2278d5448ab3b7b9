"""The baseline of `volume` on series that others labelled: the Numenta Anomaly Benchmark, from a folder that is given.

A window that is labelled is found if anything is told of in it. The learning time of all subjects is a quarter of each
series, or a week if that is shorter; labels in it do not count. The series are not of calls, and hold anomalies that
are no excess at all (a value that drops, or that is too regular): nothing here looks for those.
"""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from river import anomaly

from bench.plain_rates import gaussian, z_score
from inward.alerting.detectors.volume import VolumeSettings
from inward.alerting.stream.rates import RateLimits, Rates

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_DAY = 86400
_SCALE = 100.0  # what the median of each series is brought to: counts, as far as the baseline is concerned

Series = list[tuple[int, float]]


def load_series(path: Path) -> Series:
    """Return moments (UTC, seconds) and values of one file."""
    with path.open(newline="") as file:
        rows = [
            (int(datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC).timestamp()), float(row["value"]))
            for row in csv.DictReader(file)
        ]
    middle = sorted(value for _, value in rows)[len(rows) // 2] or 1.0
    return [(moment, max(0.0, value) / middle * _SCALE) for moment, value in rows]


def by_season(series: Series, learn: int) -> list[int]:
    """Return when the baseline of `volume` finds something, by its score alone: its floors are of calls."""
    settings = VolumeSettings()
    gap = sorted(later - moment for (moment, _), (later, _) in pairwise(series))[len(series) // 2]
    bucket = next(each for each in (300, 600, 900, 1800, 3600) if each >= min(gap, 3600))
    rates = Rates(RateLimits(bucket, settings.score, 1.0, 0.01, learn), 4)
    found = []
    for moment, value in series:
        if rates.passed(moment):
            start = rates.start
            found += [start for _ in rates.close(moment)]
        rates.see(("series",), value, ("", ""))
    return found


def by_values(series: Series, learn: int, judge: Callable[[list[float]], list[bool]]) -> list[int]:
    """Return when a judge of plain values finds something after the learning time, once a day."""
    found: dict[int, int] = {}
    for (moment, _), out in zip(series, judge([value for _, value in series]), strict=True):
        if out and moment >= series[0][0] + learn:
            found.setdefault(moment // _DAY, moment)
    return list(found.values())


def half_space_trees(values: list[float]) -> list[bool]:
    """Say which values `river.anomaly.HalfSpaceTrees` scores above 0.95."""
    trees: Any = anomaly.HalfSpaceTrees(
        n_trees=10, height=6, window_size=250, limits={"value": (0.0, max(values) or 1.0)}, seed=1
    )
    found = []
    for value in values:
        found.append(trees.score_one({"value": value}) > 0.95)
        trees.learn_one({"value": value})
    return found


def print_series(folder: Path) -> None:
    """Print recall, precision and false alerts a day of each subject over all series of `folder`."""
    windows = json.loads((folder / "combined_windows.json").read_text())
    table = Table(title="labelled series (NAB)", title_justify="left")
    for name in ("", "windows", "recall", "precision", "false a day"):
        table.add_column(name, justify="left" if not name else "right")
    subjects: dict[str, Callable[[Series, int], list[int]]] = {
        "the baseline of volume": by_season,
        "z-score": lambda series, learn: by_values(series, learn, z_score),
        "river GaussianScorer": lambda series, learn: by_values(series, learn, gaussian),
        "river HalfSpaceTrees": lambda series, learn: by_values(series, learn, half_space_trees),
    }
    for name, judge in subjects.items():
        hit = labelled = right = wrong = 0
        days = 0.0
        for path in sorted(folder.glob("*/*.csv")):
            series = load_series(path)
            first, last = series[0][0], series[-1][0]
            learn = min(7 * _DAY, (last - first) // 4)
            days += (last - first - learn) / _DAY
            spans = [
                span
                for begin, end in windows[f"{path.parent.name}/{path.name}"]
                if (span := (_moment(begin), _moment(end)))[0] >= first + learn
            ]
            found = judge(series, learn)
            labelled += len(spans)
            hit += sum(any(begin <= moment <= end for moment in found) for begin, end in spans)
            about = [any(begin <= moment <= end for begin, end in spans) for moment in found]
            right += sum(about)
            wrong += len(about) - sum(about)
        table.add_row(
            name, str(labelled), f"{hit / labelled:.2f}", f"{right / max(right + wrong, 1):.2f}", f"{wrong / days:.3f}"
        )
    Console(width=150).print(table)


def _moment(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
