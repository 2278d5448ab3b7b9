"""`make bench`: every benchmark, or those named.

`python -m bench [enforcement] [decisions] [replay] [checking] [comparing] [guarding] [spotting] [FILE …]`: files are
API descriptions, whose loading is measured.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench import checking, comparing, decisions, descriptions, enforcement, guarding, replay, spotting

if TYPE_CHECKING:
    from bench.report import Series

NAMES = ("enforcement", "decisions", "replay", "checking", "comparing", "guarding", "spotting")


def main() -> None:
    """Run the benchmarks, and print all tables at the end."""
    names = [name for name in sys.argv[1:] if name in NAMES]
    files = [Path(name) for name in sys.argv[1:] if name not in names]
    chosen = names or ([] if files else list(NAMES))
    tables: list[tuple[Series, tuple[str, ...]]] = []
    if "enforcement" in chosen:
        tables.append((enforcement.measure(), ("cpu_us", "calls_per_cpu_second", "calls_per_second")))
    if "decisions" in chosen:
        tables += [(series, ("us",)) for series in decisions.measure()]
    if "replay" in chosen:
        tables.append((replay.measure(), ("us", "calls_per_cpu_second")))
    if "checking" in chosen:
        tables.append((checking.measure(), ("cpu_seconds", "seconds")))
    if "comparing" in chosen:
        tables.append((comparing.measure(), ("seconds", "found")))
    if "guarding" in chosen:
        requests, views = guarding.measure()
        tables += [(requests, ("us",)), (views, ("ms",))]
    if "spotting" in chosen:
        tables.append((spotting.measure(), ("us_per_kb", "us", "bytes")))
    if files:
        tables.append((descriptions.measure(files), ("seconds", "operations")))
    for series, figures in tables:
        series.print_table(*figures)


if __name__ == "__main__":
    main()
