"""`make bench`: every benchmark, or those named.

`python -m bench [enforcement] [decisions] [replay] [checking] [comparing] [reach] [guarding] [guarding_grpc]
[spotting] [sampling] [viewing] [auditing] [sealing] [metrics] [exporting] [detecting] [discovering] [rollups]
[surveying] [tightening] [FILE …]`: files are API descriptions, whose loading is measured; with `discovering`, how well
their paths are inferred.
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
    detecting,
    discovering,
    enforcement,
    exporting,
    guarding,
    guarding_grpc,
    metrics,
    reach,
    replay,
    rollups,
    sampling,
    sealing,
    spotting,
    surveying,
    tightening,
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
    "reach",
    "guarding",
    "guarding_grpc",
    "spotting",
    "sampling",
    "viewing",
    "auditing",
    "sealing",
    "metrics",
    "exporting",
    "detecting",
    "discovering",
    "rollups",
    "surveying",
    "tightening",
)
# those that measure one series, and the figures of its table
ONE_TABLE = {
    "replay": (replay, ("us", "calls_per_cpu_second")),
    "checking": (checking, ("cpu_seconds", "seconds")),
    "comparing": (comparing, ("seconds", "found")),
    "reach": (reach, ("seconds", "found")),
    "surveying": (surveying, ("seconds", "wall", "rows")),
    "tightening": (tightening, ("seconds", "alone", "grants")),
    "spotting": (spotting, ("us_per_kb", "us", "bytes")),
    "viewing": (viewing, ("cpu_us", "calls_per_second")),
    "detecting": (detecting, ("us", "kilobytes")),
    "sampling": (sampling, ("cpu_us", "calls_per_second", "answers_per_second")),
}

# those that measure several, and the figures of each table
MORE_TABLES = {
    "guarding": (guarding, (("us",), ("ms",))),
    "guarding_grpc": (guarding_grpc, (("us",), ("ms",))),
    "auditing": (auditing, (("us",), ("ms", "entries"))),
    "sealing": (sealing, (("rate", "wall_rate", "delay_ms"), ("us", "bytes"), ("ms",))),
    "metrics": (metrics, (("us",), ("ms", "openmetrics_ms", "kilobytes"))),
    "exporting": (exporting, (("us", "bytes"), ("rate", "cpu_us"))),
    "rollups": (rollups, (("us", "calls_per_cpu_second"), ("seconds", "rows"), ("bytes", "calls"))),
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
    for name, (module, each) in MORE_TABLES.items():
        if name in chosen:
            tables += zip(module.measure(), each, strict=True)
    if "discovering" in chosen:
        tables.append((discovering.measure(files), ("us", "lines_per_cpu_second")))
    tables += [(module.measure(), figures) for name, (module, figures) in ONE_TABLE.items() if name in chosen]
    if files and "discovering" not in chosen:
        tables.append((descriptions.measure(files), ("seconds", "operations")))
    for series, figures in tables:
        series.print_table(*figures)


if __name__ == "__main__":
    main()
