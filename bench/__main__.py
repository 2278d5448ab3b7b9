"""`make bench`: every benchmark, or those named: `python -m bench [enforcement] [decisions] [FILE …]`.

Files are API descriptions, whose loading is measured.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench import decisions, descriptions, enforcement

if TYPE_CHECKING:
    from bench.report import Series


def main() -> None:
    """Run the benchmarks, and print all tables at the end."""
    names = [name for name in sys.argv[1:] if name in {"enforcement", "decisions"}]
    files = [Path(name) for name in sys.argv[1:] if name not in names]
    chosen = names or ([] if files else ["enforcement", "decisions"])
    tables: list[tuple[Series, tuple[str, ...]]] = []
    if "enforcement" in chosen:
        tables.append((enforcement.measure(), ("cpu_us", "calls_per_cpu_second", "calls_per_second")))
    if "decisions" in chosen:
        tables += [(series, ("us",)) for series in decisions.measure()]
    if files:
        tables.append((descriptions.measure(files), ("seconds", "operations")))
    for series, figures in tables:
        series.print_table(*figures)


if __name__ == "__main__":
    main()
