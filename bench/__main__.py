"""`make bench`: every benchmark, or those named on the command line."""

from __future__ import annotations

import sys

from bench import enforcement


def main() -> None:
    """Run the benchmarks."""
    chosen = set(sys.argv[1:]) or {"enforcement"}
    if "enforcement" in chosen:
        enforcement.measure().print_table("cpu_us", "calls_per_cpu_second", "calls_per_second")


if __name__ == "__main__":
    main()
