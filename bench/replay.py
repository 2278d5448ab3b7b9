"""What replaying the record costs, beside only reading it.

200 services with 5,000 operations and 1,000 grants, every fifth with a condition on a path parameter. The record is of
calls that are granted; replayed are those whose cells are constant, and those of which Cedar is asked.
"""

from __future__ import annotations

import random
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bench.decisions import NOW, write_system
from bench.report import Series
from inward.control.bundle import load_policy
from inward.identity.private_files import private_folder
from inward.insight.recorded import Decider
from inward.insight.replay import Replayer
from inward.record.call import Call, timestamp
from inward.record.reader import read_entries
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from inward.control.bundle import Policy

GRANTS = 1_000
CALLS = 100_000
ROUNDS = 5
BATCH = 10_000


def _write_record(folder: Path, policy: Policy, grants: list[tuple[str, str, bool]], *, conditional: bool) -> None:
    chance = random.Random(5)
    chosen = [grant for grant in grants if grant[2] is conditional]
    with Recorder(private_folder(folder)) as recorder:
        for start in range(0, CALLS, BATCH):
            calls = []
            for number in range(start, start + BATCH):
                caller, name, _ = chance.choice(chosen)
                operation = policy.catalog.operations[name]
                calls.append(
                    Call(
                        time=timestamp(NOW + timedelta(milliseconds=number)),
                        id=f"{number:032x}",
                        caller=caller,
                        callee=operation.service,
                        operation=name,
                        method=operation.method,
                        path=operation.template.text.replace("{id}", "42"),
                        decision="allow",
                        carried_out="allow",
                        reason="granted",
                        policy_version=policy.version,
                        status=200,
                        duration_us=1_000,
                    )
                )
            recorder.append(calls)


def measure() -> Series:
    """Measure the microseconds of CPU of one call."""
    series = Series("replay", "CPU µs a call", "reading, constant")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        grants = write_system(folder / "system", GRANTS)
        policy = load_policy(folder / "system")
        for kind in ("constant", "conditional"):
            _write_record(folder / kind, policy, grants, conditional=kind == "conditional")
        for _ in range(ROUNDS):
            for kind in ("constant", "conditional"):
                _measure_kind(series, kind, folder / kind, policy)
    return series


def _measure_kind(series: Series, kind: str, record: Path, policy: Policy) -> None:
    started = time.process_time()
    if sum(1 for _ in read_entries(record)) != CALLS:
        raise ValueError("the record does not hold all calls")
    read = time.process_time()
    decider = Decider(policy.catalog, policy.engine, policy.version)
    if Replayer(decider, None).add(read_entries(record)).unchanged != CALLS:
        raise ValueError("a call is not decided as it was")
    replayed = time.process_time()
    for what, seconds in ((f"reading, {kind}", read - started), (f"replay, {kind}", replayed - read)):
        series.add(what, us=seconds / CALLS * 1e6, calls_per_cpu_second=CALLS / seconds)
