"""What rollups cost: adding a call to them, asking them about 100 million calls, and the room they take.

The first table is CPU a call of a record with 20 services: `record` appends durably, `follow` reads on, `roll` reads on
and adds to the rows of minutes, hours and days. The second asks 29 days of 5,000 edges, 3.3 million calls a day, from a
moment that takes days and hours to put together: `totals` by edge, `days` by edge and day with what policies were used
for, `names` all counts by name, `figures` distributions and objects too. The third is bytes a row of such calls.
"""

from __future__ import annotations

import random
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import insert

from bench.auditing import _call as make_call
from bench.report import Series
from inward.record.call import timestamp
from inward.record.follow import Follower
from inward.record.recorder import Recorder
from inward.record.rollup.database import sqlite_url, writing
from inward.record.rollup.figures import Figures, moment_of
from inward.record.rollup.query import Asked, Rollups
from inward.record.rollup.rows import row_of
from inward.record.rollup.schema import UNITS, edges, tables
from inward.record.rollup.store import Store

if TYPE_CHECKING:
    from inward.record.call import Call

ROUNDS = 3
CALLS = 100_000
AT_ONCE = 10_000  # entries
DAYS = 30
EDGES = 5_000
CALLS_A_DAY = 100_000_000 // DAYS // EDGES
SHAPES = 20  # different rows of each unit, as making 100 million calls takes long


def measure() -> tuple[Series, Series, Series]:
    """Measure all tables."""
    with tempfile.TemporaryDirectory(prefix="inward-bench-") as folder:
        return _adding(Path(folder)), *_asking(Path(folder))


def _adding(folder: Path) -> Series:
    series = Series("adding calls to rollups", "CPU us a call", base="record")
    calls = [make_call(number) for number in range(CALLS)]
    for number in range(ROUNDS):
        with Recorder(folder / f"record-{number}") as recorder:
            begin = time.process_time()
            for first in range(0, CALLS, 1_000):
                recorder.append(calls[first : first + 1_000])
            _add(series, "record", begin)
            begin = time.process_time()
            _follow(Follower(recorder.folder, durable=recorder.durable), None)
            _add(series, "follow", begin)
            store = Store(sqlite_url(folder / f"{number}.db"))
            begin = time.process_time()
            _follow(Follower(recorder.folder, durable=recorder.durable), store)
            _add(series, "roll", begin)
            store.close()
    return series


def _follow(follower: Follower, store: Store | None) -> None:
    while batch := follower.read(AT_ONCE):
        if store is not None:
            store.take(batch)


def _add(series: Series, subject: str, begin: float) -> None:
    seconds = time.process_time() - begin
    series.add(subject, us=seconds / CALLS * 1e6, calls_per_cpu_second=CALLS / seconds)


def _asking(folder: Path) -> tuple[Series, Series]:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    store = Store(sqlite_url(folder / "asked.db"))
    room = _fill(store, now)
    store.close()
    asking = Series("asking about 100 million calls", "s", base="totals")
    rollups = Rollups(sqlite_url(folder / "asked.db"))
    asked = Asked(since=now - timedelta(days=DAYS - 1, minutes=30), until=now)
    for _ in range(ROUNDS):
        for name, question in (
            ("totals", rollups.totals),
            ("days", lambda asked: list(rollups.days(asked.since or now))),
            ("names", lambda asked: rollups.figures(asked, shapes=False)),
            ("figures", rollups.figures),
        ):
            begin = time.perf_counter()
            found = question(asked)
            asking.add(name, seconds=time.perf_counter() - begin, rows=len(found))
    rollups.close()
    return asking, room


def _fill(store: Store, now: datetime) -> Series:
    """Make rows of all days, of the hours that a time begins and ends with, and of a minute."""
    room = Series("room of rollups", "bytes a row", base="minute")
    chosen = random.Random(1)
    with writing(store.engine) as connection:
        connection.execute(
            insert(edges),
            [
                {"id": n, "caller": f"s{n % 50}", "callee": f"s{n // 50}", "operation": f"s{n // 50}:op{n % 50}"}
                for n in range(EDGES)
            ],
        )
        for unit, count in (("day", DAYS), ("hour", 48), ("minute", 1)):
            calls = max(1, CALLS_A_DAY * UNITS[unit] // UNITS["day"])
            rows = [row_of(_figures(chosen, calls)) for _ in range(SHAPES)]
            room.add(unit, bytes=sum(_size(row) for row in rows) / SHAPES, calls=calls)
            newest = int(now.timestamp() * 1000) // UNITS[unit]
            # of hours only those that are asked: of the first day, and of the last
            oldest = newest - (DAYS - 1) * 24
            ends = {*range(oldest, oldest + 24), *range(newest - 23, newest + 1)}
            for bucket in ends if unit == "hour" else range(newest - count + 1, newest + 1):
                times = {"first": bucket * UNITS[unit], "last": (bucket + 1) * UNITS[unit] - 1}
                connection.execute(
                    insert(tables[unit]),
                    [{"bucket": bucket, "edge": n, **rows[chosen.randrange(SHAPES)], **times} for n in range(EDGES)],
                )
    return room


def _figures(chosen: random.Random, count: int) -> Figures:
    calls = [_varied(chosen, number) for number in range(count)]
    figures = Figures()
    figures.add(Figures.of_calls(calls, [moment_of(call.time) for call in calls], b"k" * 32))
    return figures


def _varied(chosen: random.Random, number: int) -> Call:
    return msgspec.structs.replace(
        make_call(number),
        time=timestamp(datetime.now(UTC)),
        path=f"/orders/{chosen.randrange(10_000)}",
        duration_us=int(chosen.lognormvariate(8, 1)),
        bytes_out=int(chosen.lognormvariate(7, 1)),
        policies=(f"grant-{chosen.randrange(3)}",),
    )


def _size(row: dict[str, int | str | bytes]) -> int:
    """Return about how many bytes a row takes: whole numbers up to 6 each, texts and packed parts as they are."""
    return sum(len(value) if isinstance(value, str | bytes) else 6 for value in row.values()) + 8
