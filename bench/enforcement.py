"""What enforcement costs: CPU per call of everything between caller and upstream, and calls per second."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from bench.load import run_load
from bench.report import Series
from bench.rig import Rig, Subject, write_system
from inward.control.bundle import Policy, load_policy

ROUNDS = 7
SECONDS = 2.0
CONNECTIONS = 16
SIZES = ((5, 50), (500, 50), (500, 500), (5000, 50), (5000, 500))


def measure() -> Series:
    """Measure all subjects in turn, round after round."""
    series = Series("enforcement", "CPU µs a call", "bare")
    base = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(tempfile.gettempdir())  # noqa: S108 - made private
    rig = Rig(Path(tempfile.mkdtemp(prefix="inward-bench-", dir=base)))
    try:
        rig.start_upstream(rig.upstream)
        rig.wait([rig.upstream])
        subjects: list[Subject] = []
        systems = [(size, _system(rig.folder, *size)) for size in SIZES]
        for (operations, callers), policy in systems:
            subjects.append(rig.start_inward(f"inward {operations:,} operations, {callers} callers", policy))
        largest = systems[-1][1]
        subjects.insert(0, rig.start_bare("bare", subjects[0].requests))
        subjects.append(rig.start_inward("inward 5,000/500, loss-free record", largest, log="durable"))
        subjects.append(rig.start_inward("inward 5,000/500, buffered record", largest, log="buffered"))
        subjects.append(rig.start_inward("ext_authz to an Envoy (floor)", largest, shape="floor"))
        subjects.append(rig.start_inward("ext_authz to our slow path", largest, shape="slow"))
        contexts = [rig.context("caller-0")]
        for subject in subjects:
            run_load(("127.0.0.1", subject.port), contexts, subject.requests, CONNECTIONS, 0.5)
        for _ in range(ROUNDS):
            for subject in subjects:
                before = subject.cpu_seconds()
                load = run_load(("127.0.0.1", subject.port), contexts, subject.requests, CONNECTIONS, SECONDS)
                cpu = subject.cpu_seconds() - before
                series.add(
                    subject.name,
                    cpu_us=cpu / load.calls * 1e6,
                    calls_per_cpu_second=load.calls / cpu,
                    calls_per_second=load.calls / load.seconds,
                )
        return series
    finally:
        rig.close()


def _system(folder: Path, operations: int, callers: int) -> Policy:
    system = folder / f"system-{operations}-{callers}"
    write_system(system, operations, callers)
    return load_policy(system)
