"""How well discovery infers path templates from logs, and what a line of a log costs.

Precision is the share of the inferred operations that there are; recall the share of those that were called often
enough and are inferred. Seeds that were used while the thresholds were chosen are not measured here. API descriptions
that are named on the command line are measured as well, with calls that are made up.
"""

from __future__ import annotations

import gzip
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from bench.paths import Traffic, generated, lines, shape, traffic
from bench.report import Series
from inward.discovery.described import read_openapi
from inward.discovery.found import Discovery, LeftOut
from inward.discovery.logs.read import read_log
from inward.discovery.paths.observed import LEAST_CALLS, Observed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

JUDGED = range(20, 40)
ROUNDS = 5
LINES = 50_000


def measure(descriptions: Sequence[Path] = ()) -> Series:
    """Print how well templates are inferred, and return what reading a line costs."""
    print_accuracy(descriptions)
    series = Series("reading access logs", "microseconds of CPU a line", base="lines alone")
    combined = list(lines(generated(JUDGED[0], LINES)))
    with tempfile.TemporaryDirectory() as folder:
        plain, packed = Path(folder) / "access.log", Path(folder) / "access.log.gz"
        envoy, structured = Path(folder) / "envoy.log", Path(folder) / "envoy.json"
        plain.write_text("".join(combined))
        packed.write_bytes(gzip.compress(plain.read_bytes()))
        requests = [line.split('"')[1].split() for line in combined]
        envoy.write_text(
            "".join(
                f'[2026-01-01T00:00:00.000Z] "{" ".join(each)}" 200 - 0 512 3 2 "-" "client" "-" "orders"\n'
                for each in requests
            )
        )
        structured.write_text(
            "".join(f'{{"method":"{method}","path":"{path}","response_code":200}}\n' for method, path, _ in requests)
        )
        for _ in range(ROUNDS):
            start = time.process_time()
            with plain.open("rb") as file:
                number = sum(1 for _ in file)
            _add(series, "lines alone", start, number)
            for subject, path in (
                ("combined", plain),
                ("combined, gzip", packed),
                ("Envoy's default", envoy),
                ("JSON", structured),
            ):
                discovery = Discovery()
                observed = Observed((), discovery.left_out)
                start = time.process_time()
                number = read_log(path, observed, discovery)
                _add(series, subject, start, number)
    return series


def _add(series: Series, subject: str, start: float, number: int) -> None:
    taken = time.process_time() - start
    series.add(subject, us=taken / number * 1e6, lines_per_cpu_second=number / taken)


def print_accuracy(descriptions: Iterable[Path]) -> None:
    """Print precision and recall."""
    table = Table(title="templates inferred from calls", title_justify="left")
    for column in ("calls of", "operations", "calls", "inferred", "precision", "recall", "doubtful"):
        table.add_column(column, justify="left" if column == "calls of" else "right")
    for calls in (2_000, 20_000):
        _row(table, f"{len(JUDGED)} generated systems", [generated(seed, calls) for seed in JUDGED])
    for path in descriptions:
        discovery = Discovery()
        read_openapi("described", path.read_bytes(), path.name, discovery)
        operations = {(each.method, each.template.text) for each in discovery.found}
        for calls in (20_000, 100_000):
            _row(table, path.name, [traffic(operations, seed, calls) for seed in JUDGED[:2]])
    Console(width=150).print(table)


def _row(table: Table, name: str, systems: Sequence[Traffic]) -> None:
    inferred = right = wanted = met = doubtful = 0
    for each in systems:
        observed = Observed((), LeftOut())
        for method, path, status, _ in each.calls:
            observed.take(method, path, status)
        found = {shape((one.method, one.template.text)): one for one in observed.operations("log", name)}
        truth = {shape(operation) for operation in each.truth}
        called = {shape(operation) for operation in each.called(LEAST_CALLS)}
        inferred, right, doubtful = (
            inferred + len(found),
            right + len(truth & found.keys()),
            doubtful + sum(one.sure == "doubtful" for one in found.values()),
        )
        wanted, met = wanted + len(called), met + len(called & found.keys())
    number = len(systems)
    table.add_row(
        name,
        f"{sum(len(each.truth) for each in systems) / number:,.0f}",
        f"{sum(len(each.calls) for each in systems) / number:,.0f}",
        f"{inferred / number:,.0f}", f"{right / inferred:.3f}", f"{met / wanted:.3f}", f"{doubtful / number:.1f}",
    )  # fmt: skip
