"""What spotting undeclared data costs, and how well it tells: CPU a kB of answer, precision and recall of each kind.

The answers are those of a shop: without personal data, with one address in each, and a list with everything. Each
labelled value (`bench.labelled`) is looked at in an answer of its own, so that none helps another.
"""

from __future__ import annotations

import json
import time
from collections import Counter

from rich.console import Console
from rich.table import Table

from bench.labelled import labelled_values
from bench.report import Series
from inward.catalog.shape import NOTHING
from inward.spotting.kinds import Kind
from inward.spotting.spot import spot

ROUNDS = 9
CPU_SECONDS = 0.2  # of one measurement
SEED = 7
_ORDER = {
    "id": 1001, "reference": "ORD-2026-000123", "created": "2026-01-02T10:00:00Z", "status": "shipped",
    "customer": {"name": "Ada Lindqvist", "city": "Uppsala"}, "total": 39.8, "note": "leave it with the neighbour",
    "lines": [{"sku": "A-1234", "name": "Blue teapot", "price": 19.9, "quantity": 2}],
    "uuid": "c0ffee00-1234-4abc-8def-00aa22334455",
}  # fmt: skip
_CONTACT = _ORDER | {"contact": "ada@lindqvist.test", "line": "+46 70 123 45 67"}


def measure() -> Series:
    """Print how well kinds are told apart, and return the CPU time of a sampled kB."""
    print_accuracy()
    series = Series("spotting undeclared data", "microseconds of CPU a kB", base="3 orders")
    documents = {
        "3 orders": json.dumps([_ORDER] * 3).encode(),
        "1 order with a contact": json.dumps(_CONTACT).encode(),
        "30 orders with contacts": json.dumps([_CONTACT] * 30).encode(),
        "300 orders": json.dumps([_ORDER] * 300).encode(),
    }
    for document in documents.values():
        spot(document, NOTHING)
    for _ in range(ROUNDS):
        for name, document in documents.items():
            runs, start = 0, time.process_time()
            while (taken := time.process_time() - start) < CPU_SECONDS:
                spot(document, NOTHING)
                runs += 1
            series.add(name, us_per_kb=taken / runs / len(document) * 1e9, us=taken / runs * 1e6, bytes=len(document))
    return series


def print_accuracy() -> None:
    """Print precision and recall of each kind on the labelled set, and which near misses were taken for what."""
    right: Counter[Kind] = Counter()
    missed: Counter[Kind] = Counter()
    wrong: Counter[Kind] = Counter()
    taken: Counter[str] = Counter()
    values = labelled_values(SEED)
    for each in values:
        found = {spotted.kind for spotted in spot(json.dumps({each.field: each.value}).encode(), NOTHING)}
        for kind in found - {each.kind}:
            wrong[kind] += 1
            taken[f"{each.form} as {kind}"] += 1
        if each.kind is not None:
            (right if each.kind in found else missed)[each.kind] += 1
    table = Table(title=f"telling kinds apart ({len(values):,} labelled values)", title_justify="left")
    for column in ("kind", "values", "precision", "recall"):
        table.add_column(column, justify="left" if column == "kind" else "right")
    for kind in Kind:
        values_of_kind = right[kind] + missed[kind]
        said = right[kind] + wrong[kind]
        table.add_row(kind, str(values_of_kind), f"{right[kind] / said:.3f}", f"{right[kind] / values_of_kind:.3f}")
    console = Console(width=150)
    console.print(table)
    console.print("taken for something else:", ", ".join(f"{form} ({n})" for form, n in taken.most_common()) or "none")
