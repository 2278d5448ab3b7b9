"""What metrics cost: each call beside recording it, and a page beside the number of series.

Subjects of the first table: `record` appends calls durably in batches of 1,000, as the intake does; `count` counts
what was appended, in the same thread; `follow` parses the lines again and counts them, as a reader of the record would.
`strangers` counts calls of which each has a caller of its own, which all become one. The second table is a page, in
both formats, with so many series of calls.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from bench.report import Series
from inward.record.call import Call, encode_entry, parse_entry
from inward.record.metrics.counting import CallCounters
from inward.record.metrics.exposition import OPENMETRICS, TEXT, render
from inward.record.recorder import Recorder

ROUNDS = 5
BATCH = 1_000
CALLS = 50_000
SERVICES = 50
OPERATIONS = 20  # of each service
NAMES = SimpleNamespace(
    services={f"service-{number}": None for number in range(SERVICES)},
    operations={f"service-{a}:operation{b}": None for a in range(SERVICES) for b in range(OPERATIONS)},
    data_classes={},
)


def _calls(edges: int, *, strangers: bool = False) -> list[bytes]:
    """Return lines of calls over so many edges."""
    dice = random.Random(1)
    found = []
    for number in range(CALLS):
        edge = dice.randrange(edges)
        callee = f"service-{edge % SERVICES}"
        call = Call(
            time="2026-11-26T12:00:00.000Z",
            id=f"{number:032x}",
            caller=f"spiffe://elsewhere/{number}" if strangers else f"service-{edge // SERVICES % SERVICES}",
            callee=callee,
            operation=f"{callee}:operation{edge // SERVICES // SERVICES % OPERATIONS}",
            method="GET",
            path="/orders/{id}",
            parameters={"id": str(number)},
            decision="allow",
            carried_out="allow",
            reason="granted",
            policies=("sellers-read",),
            status=200,
            duration_us=dice.randrange(100_000),
            bytes_out=999,
            trace=f"{number:032x}",
        )
        found.append(encode_entry(call).rstrip())
    return found


def measure() -> tuple[Series, Series]:
    """Measure both tables."""
    calls = Series("metrics of calls", "CPU us a call", base="record")
    pages = Series("a page of metrics", "CPU ms", base="500 series")
    lines, strange = _calls(500), _calls(500, strangers=True)
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="inward-bench-") as folder:
            _count(calls, Path(folder), lines, strange)
    for edges in (500, 5_000, 20_000):
        counted = CallCounters(lambda: NAMES)
        counted.add([parse_entry(line) for line in _calls(edges)])
        for _ in range(ROUNDS):
            started = time.process_time()
            readings = counted.readings()
            text = render(readings, TEXT)
            rendered = time.process_time()
            render(readings, OPENMETRICS)
            ended = time.process_time()
            pages.add(
                f"{edges} series" if edges <= 5_000 else "all that there is room for",
                ms=(rendered - started) * 1000,
                openmetrics_ms=(ended - rendered) * 1000,
                kilobytes=len(text) / 1000,
            )
    return calls, pages


def _count(series: Series, folder: Path, lines: list[bytes], strange: list[bytes]) -> None:
    spent = dict.fromkeys(("record", "count", "follow", "strangers"), 0.0)
    counted, followed, folded = (CallCounters(lambda: NAMES) for _ in range(3))
    with Recorder(folder) as recorder:
        for start in range(0, CALLS, BATCH):
            batch = [parse_entry(line) for line in lines[start : start + BATCH]]
            other = [parse_entry(line) for line in strange[start : start + BATCH]]
            times = [time.process_time()]
            recorder.append(batch)
            times.append(time.process_time())
            counted.add(batch)
            times.append(time.process_time())
            followed.add([parse_entry(line) for line in lines[start : start + BATCH]])
            times.append(time.process_time())
            folded.add(other)
            times.append(time.process_time())
            for subject, begun, ended in zip(spent, times, times[1:], strict=False):
                spent[subject] += ended - begun
    for subject, seconds in spent.items():
        series.add(subject, us=seconds / CALLS * 1e6)
