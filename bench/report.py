"""What the benchmarks print: a JSON line a measurement, then a table of medians and ratios."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass
class Series:
    """Measurements of several subjects, in rounds. Ratios are of medians, to the subject `base`."""

    title: str
    unit: str
    base: str
    values: dict[str, dict[str, list[float]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))

    def add(self, subject: str, **figures: float) -> None:
        """Take one measurement, and print it as a JSON line."""
        print(json.dumps({"series": self.title, "subject": subject, **figures}), flush=True)
        for name, value in figures.items():
            self.values[subject][name].append(value)

    def median(self, subject: str, figure: str) -> float:
        """Return the median of a figure."""
        return statistics.median(self.values[subject][figure])

    def print_table(self, main: str, *others: str) -> None:
        """Print medians, the spread of the figure `main`, and its ratio to the base."""
        table = Table(title=f"{self.title} ({self.unit})", title_justify="left")
        table.add_column("subject")
        for name in (main, "min", "max", f"ratio to {self.base}", *others):
            table.add_column(name, justify="right")
        base = self.median(self.base, main)
        for subject, figures in self.values.items():
            value = self.median(subject, main)
            table.add_row(
                subject,
                f"{value:.2f}",
                f"{min(figures[main]):.2f}",
                f"{max(figures[main]):.2f}",
                f"{value / base:.2f}",
                *(f"{self.median(subject, other):,.1f}" if other in figures else "" for other in others),
            )
        Console(width=150).print(table)
