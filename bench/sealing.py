"""What a record costs from the call to the year: intake by batch size, sealing, and questions to a long record.

The first table is durable intake (an fsync a batch) on one core: `rate` is what the core takes, `delay_ms` how long the
first call of a batch waits for its fsync. The second is sealing and reading back, beside the lines of JSON; `bytes` are
those of an entry on disk. The third asks a record of `INWARD_BENCH_CALLS` calls (10 million; 30 days) in milliseconds,
with two threads; the calls of its days are those of one segment, moved in time.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.report import Series
from inward.record.audit.notary import Notary, load_state
from inward.record.call import Call
from inward.record.filter import Filter
from inward.record.reader import Reading, find_calls, read_entries
from inward.record.recorder import Recorder
from inward.record.sealed.files import Sealed
from inward.record.sealed.query import asked
from inward.record.sealed.reading import Extent, rows_in
from inward.record.sealed.seal import ROWS_IN_GROUP, seal
from inward.record.segment import list_segments
from inward.tlog.note import Signer

ROUNDS = 3
BATCHES = (1, 10, 100, 1_000)
CALLS = 200_000  # of the segment that is sealed
DAYS = 30
START = datetime(2026, 10, 1, tzinfo=UTC)
LONG = int(os.environ.get("INWARD_BENCH_CALLS", "10_000_000"))


def _calls(count: int, seconds: float) -> list[Call]:
    """Return calls of 20 callers and 10 callees, spread over so many seconds."""
    dice = random.Random(1)
    found = []
    for number in range(count):
        moment = START + timedelta(seconds=number * seconds / count)
        callee = f"service-{dice.randrange(10)}"
        found.append(
            Call(
                time=moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                id=str(uuid.UUID(int=dice.getrandbits(128))),
                caller=f"caller-{dice.randrange(20)}",
                callee=callee,
                address=f"10.0.0.{dice.randrange(40)}",
                operation=f"{callee}:operation{dice.randrange(12)}",
                method="GET",
                path="/orders/{id}",
                parameters={"id": str(dice.randrange(100_000))},
                decision="allow",
                carried_out="allow",
                reason="granted",
                policies=("sellers-read",),
                policy_version="0123456789ab",
                status=200,
                duration_us=int(dice.lognormvariate(8, 1)),
                bytes_in=0,
                bytes_out=int(dice.lognormvariate(7, 0.5)),
                trace=f"{dice.getrandbits(128):032x}",
                span=f"{dice.getrandbits(64):016x}",
                src=f"{callee}/access-00000001.log:{number * 390 + 1}",
            )
        )
    return found


def measure() -> tuple[Series, Series, Series]:
    """Measure the three tables."""
    intake = Series("durable intake", "calls a second on one core", base="batches of 1000")
    forms = Series("sealing", "CPU us an entry", base="record")
    questions = Series(f"questions to {LONG:,} calls", "ms", base="by caller and hour")
    calls = _calls(CALLS, 86_400)
    for _ in range(ROUNDS):
        for size in BATCHES:
            _take_in(intake, calls[: min(CALLS, size * 400)], size)
    with tempfile.TemporaryDirectory(prefix="inward-bench-") as name:
        for number in range(ROUNDS):
            sealed = _seal(forms, Path(name) / str(number), calls)
            if number == 0:
                _spread(sealed, Path(name) / "long")
        for _ in range(ROUNDS):
            _ask(questions, Path(name) / "long", calls)
    return intake, forms, questions


def _take_in(series: Series, calls: list[Call], size: int) -> None:
    with tempfile.TemporaryDirectory(prefix="inward-bench-") as name, Recorder(Path(name) / "record") as recorder:
        # without positions, as if each came from a log of its own
        calls = [
            Call(**{**{each: getattr(call, each) for each in Call.__struct_fields__}, "src": None}) for call in calls
        ]
        batches = [calls[at : at + size] for at in range(0, len(calls), size)]
        cpu, started = time.process_time(), time.perf_counter()
        for batch in batches:
            recorder.append(batch)
        cpu, passed = time.process_time() - cpu, time.perf_counter() - started
        series.add(
            f"batches of {size}",
            rate=len(calls) / cpu,
            wall_rate=len(calls) / passed,
            delay_ms=passed / len(batches) * 1e3,
        )


def _seal(series: Series, folder: Path, calls: list[Call]) -> Sealed:
    with Recorder(folder) as recorder:
        started = time.process_time()
        for at in range(0, len(calls), 1_000):
            recorder.append(calls[at : at + 1_000])
        series.add("record", us=(time.process_time() - started) / len(calls) * 1e6)
        signer = Signer("bench.internal/record", Ed25519PrivateKey.generate())
        notary = Notary(folder, signer, folder.with_name(f"{folder.name}-head"))
        started = time.process_time()
        notary.advance(*recorder.durable())
        notary.sign(datetime.now(UTC))
        series.add("sign", us=(time.process_time() - started) / len(calls) * 1e6)
    [segment] = list_segments(folder)
    taken = load_state(folder).segments[segment.path.name]
    started = time.process_time()
    sealed = seal(segment, taken.size, Extent(taken.first, taken.count))
    used = time.process_time() - started
    series.add("seal", us=used / len(calls) * 1e6, bytes=Path(sealed.url).stat().st_size / len(calls))
    started = time.process_time()
    _expect(sum(1 for _ in rows_in(sealed)), len(calls))
    series.add("read lines of a sealed segment", us=(time.process_time() - started) / len(calls) * 1e6)
    started = time.process_time()
    _expect(sum(1 for _ in read_entries(folder)), len(calls))
    series.add(
        "read an open segment", us=(time.process_time() - started) / len(calls) * 1e6, bytes=taken.size / len(calls)
    )
    return sealed


def _spread(sealed: Sealed, folder: Path) -> None:
    """Make a record of many days of one sealed segment."""
    count = max(1, LONG // CALLS)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for number in range(count):
            moved = DAYS * 86_400 * number // count
            day = (START + timedelta(seconds=moved)).date()
            target = Path(Sealed(number + 1, day, str(folder)).url)
            target.parent.mkdir(parents=True, exist_ok=True)
            began = f"TIMESTAMPTZ '{START.isoformat()}'"
            since = f"(epoch_us(time - {began}) * {DAYS / count} + {moved}e6)::BIGINT"
            changed = f"entry + {number * CALLS} AS entry, {began} + to_microseconds({since}) AS time"
            rows = f"SELECT * REPLACE ({changed}) FROM read_parquet('{sealed.url}')"  # noqa: S608 - ours
            metadata = f'KV_METADATA {{inward: \'{{"first":{number * CALLS},"count":{CALLS}}}\'}}'
            options = f"FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, ROW_GROUP_SIZE {ROWS_IN_GROUP}"
            connection.execute(f"COPY ({rows}) TO '{target}' ({options}, {metadata})")


def _ask(series: Series, folder: Path, calls: list[Call]) -> None:
    noon = START + timedelta(days=12, hours=12)
    hour = (noon, noon + timedelta(hours=1))
    day = (noon, noon + timedelta(days=1))
    of_one = "SELECT count(*), avg(duration_us) FROM calls WHERE caller = 'caller-7'"
    by_hour = "SELECT caller, date_trunc('hour', time), count(*) FROM calls GROUP BY ALL"
    queries: dict[str, tuple[str, tuple[datetime | None, datetime | None]]] = {
        "by caller and hour": (of_one, hour),
        "each caller by hour, of a day": (by_hour, day),
        "each caller by hour, of all": (by_hour, (None, None)),
    }
    for name, (sql, (since, until)) in queries.items():
        started = time.perf_counter()
        with asked(folder, sql, since, until) as answer:
            list(answer.rows())
        series.add(name, ms=(time.perf_counter() - started) * 1e3)
    started = time.perf_counter()
    wanted = Filter(caller="caller-7", since=hour[0], until=hour[1])
    _expect(any(True for _ in read_entries(folder, wanted)), True)  # noqa: FBT003 - what is to be
    series.add("the calls of a caller in an hour", ms=(time.perf_counter() - started) * 1e3)
    started = time.perf_counter()
    _expect(len(Reading(folder, Filter(caller="caller-7")).newest(50)), 50)
    series.add("the newest 50 of a caller", ms=(time.perf_counter() - started) * 1e3)
    started = time.perf_counter()
    _expect(bool(find_calls(folder, calls[CALLS // 2].id)), True)  # noqa: FBT003 - what is to be
    series.add("one reference, the newest file", ms=(time.perf_counter() - started) * 1e3)


def _expect(found: object, wanted: object) -> None:
    if found != wanted:
        raise RuntimeError(f"{found} is not {wanted}")
