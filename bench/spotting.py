"""What spotting undeclared data costs, and how well it tells: CPU a kB of answer, precision and recall of each kind.

The answers are those of a shop: without personal data, with one address in each, and a list with everything. Each
labelled value (`bench.labelled`) is looked at in an answer of its own, so that none helps another.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from bench.labelled import Labelled, labelled_values
from bench.peers import peers
from bench.report import Series
from inward.catalog.shape import NOTHING
from inward.spotting.kinds import Kind
from inward.spotting.spot import spot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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

_NUMBERS = {"name": "Ada", "phone": "+46 70 123 45 67", "mobile": "0701234567", "fax": "212-736-5000"}


def measure() -> Series:
    """Print how well kinds are told apart, and return the CPU time of a sampled kB."""
    print_accuracy()
    series = Series("spotting undeclared data", "microseconds of CPU a kB", base="3 orders")
    documents = {
        "3 orders": json.dumps([_ORDER] * 3).encode(),
        "1 order with a contact": json.dumps(_CONTACT).encode(),
        "30 orders with contacts": json.dumps([_CONTACT] * 30).encode(),
        "300 orders": json.dumps([_ORDER] * 300).encode(),
        "1 contact, 3 numbers": json.dumps(_NUMBERS).encode(),
        "40 bad numbers": json.dumps([{"phone": f"9999{number:04d}"} for number in range(40)]).encode(),
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
    """Print precision and recall of each kind on the labelled set, and which near misses were taken for what.

    Beside them stand those of others, where they are installed: they are shown the values, and not the fields' names.
    """
    values = labelled_values(SEED)
    accuracies = [Accuracy("inward", values, lambda each: _kinds(each.field, each.value))]
    absent = []
    for name, kinds in peers():
        if kinds is None:
            absent.append(name)
        else:
            accuracies.append(Accuracy(name, values, partial(_of_value, kinds)))
    table = Table(title=f"telling kinds apart ({len(values):,} labelled values)", title_justify="left")
    table.add_column("kind")
    table.add_column("values", justify="right")
    for accuracy in accuracies:
        table.add_column(f"{accuracy.name}: precision", justify="right")
        table.add_column("recall", justify="right")
    for kind in Kind:
        row = [kind.value, str(sum(each.kind is kind for each in values))]
        for accuracy in accuracies:
            row += accuracy.of(kind)
        table.add_row(*row)
    console = Console(width=150)
    console.print(table)
    for accuracy in accuracies:
        told = ", ".join(f"{form} ({n})" for form, n in accuracy.taken.most_common(12)) or "none"
        console.print(f"{accuracy.name} took for something else:", told)
    if absent:
        console.print("not installed, so not compared with:", ", ".join(absent))


def _of_value(kinds: Callable[[str], set[Kind]], labelled: Labelled) -> set[Kind]:
    return kinds(str(labelled.value))


def _kinds(field: str, value: str | int) -> set[Kind]:
    return {spotted.kind for spotted in spot(json.dumps({field: value}).encode(), NOTHING)}


class Accuracy:
    """How well something tells the kinds of labelled values."""

    def __init__(self, name: str, values: Iterable[Labelled], kinds: Callable[[Labelled], set[Kind]]) -> None:
        self.name = name
        self.taken: Counter[str] = Counter()
        self._right: Counter[Kind] = Counter()
        self._missed: Counter[Kind] = Counter()
        self._wrong: Counter[Kind] = Counter()
        for each in values:
            found = kinds(each)
            for kind in found - {each.kind}:
                self._wrong[kind] += 1
                self.taken[f"{each.form} as {kind}"] += 1
            if each.kind is not None:
                (self._right if each.kind in found else self._missed)[each.kind] += 1

    def of(self, kind: Kind) -> tuple[str, str]:
        """Return precision and recall of a kind, as text; a dash where it knows no such kind."""
        right, said = self._right[kind], self._right[kind] + self._wrong[kind]
        return f"{right / said:.3f}" if said else "-", f"{right / (right + self._missed[kind]):.3f}"
