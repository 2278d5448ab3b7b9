"""`make bench`: every benchmark, or those named.

`python -m bench [enforcement] [decisions] [replay] [checking] [comparing] [guarding] [guarding_grpc]
[spotting] [sampling] [viewing] [auditing] [FILE …]`: files are API descriptions, whose loading is measured.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench import (
    auditing,
    checking,
    comparing,
    decisions,
    descriptions,
    enforcement,
    guarding,
    guarding_grpc,
    replay,
    sampling,
    spotting,
    viewing,
)

if TYPE_CHECKING:
    from bench.report import Series

NAMES = (
    "enforcement",
    "decisions",
    "replay",
    "checking",
    "comparing",
    "guarding",
    "guarding_grpc",
    "spotting",
    "sampling",
    "viewing",
    "auditing",
)
# those that measure one series, and the figures of its table
ONE_TABLE = {
    "replay": (replay, ("us", "calls_per_cpu_second")),
    "checking": (checking, ("cpu_seconds", "seconds")),
    "comparing": (comparing, ("seconds", "found")),
    "spotting": (spotting, ("us_per_kb", "us", "bytes")),
    "viewing": (viewing, ("cpu_us", "calls_per_second")),
    "sampling": (sampling, ("cpu_us", "calls_per_second", "answers_per_second")),
}


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
    if "guarding" in chosen:
        requests, views = guarding.measure()
        tables += [(requests, ("us",)), (views, ("ms",))]
    if "guarding_grpc" in chosen:
        calls, messages = guarding_grpc.measure()
        tables += [(calls, ("us",)), (messages, ("ms",))]
    if "auditing" in chosen:
        entries, proofs = auditing.measure()
        tables += [(entries, ("us",)), (proofs, ("ms", "entries"))]
    tables += [(module.measure(), figures) for name, (module, figures) in ONE_TABLE.items() if name in chosen]
    if files:
        tables.append((descriptions.measure(files), ("seconds", "operations")))
    for series, figures in tables:
        series.print_table(*figures)


if __name__ == "__main__":
    main()
