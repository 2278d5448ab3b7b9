"""What it costs an Envoy that answers can be sampled, and that they are: CPU a call with an answer of 1 kB.

What the sampler itself spends is bounded by its own rules, and is no part of this: see `spotting`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from bench.load import run_load
from bench.report import Series
from bench.rig import Rig, write_system
from inward.control.bundle import load_policy
from inward.envoy.admin import Admin, EnvoyAdminError
from inward.envoy.tap import SECONDS, tap_request

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 7
LOAD_SECONDS = 2.0
CONNECTIONS = 16
ANSWER = json.dumps({"id": 7, "contact": "ada@lindqvist.test", "note": "x" * 960})
SHARES = {"no filter": None, "no tap": 0.0, "1 % tapped": 0.01, "10 % tapped": 0.1, "all tapped": 1.0}


def measure() -> Series:
    """Measure all shares in turn, round after round; taps are attached one after the other without a pause."""
    series = Series("sampling answers", "CPU µs a call", "no filter")
    base = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(tempfile.gettempdir())  # noqa: S108 - made private
    rig = Rig(Path(tempfile.mkdtemp(prefix="inward-bench-", dir=base)))
    try:
        rig.start_upstream(rig.upstream, answer=ANSWER)
        rig.wait([rig.upstream])
        write_system(rig.folder / "system", 5, 50)
        policy = load_policy(rig.folder / "system")
        without = rig.start_inward("without", policy, tap=False)
        with_it = rig.start_inward("with", policy)
        contexts = [rig.context("caller-0")]
        for _ in range(ROUNDS):
            for name, share in SHARES.items():
                subject = without if share is None else with_it
                with _tapping(rig.folder / subject.name / "admin.sock", share or 0.0) as taken:
                    before = subject.cpu_seconds()
                    load = run_load(("127.0.0.1", subject.port), contexts, subject.requests, CONNECTIONS, LOAD_SECONDS)
                    cpu = subject.cpu_seconds() - before
                series.add(
                    name,
                    cpu_us=cpu / load.calls * 1e6,
                    calls_per_second=load.calls / load.seconds,
                    answers_per_second=sum(taken) / load.seconds,
                )
        return series
    finally:
        rig.close()


@contextlib.contextmanager
def _tapping(socket: Path, share: float) -> Iterator[list[int]]:
    """Attach taps in a thread for as long as this is open; how many answers each gave is in what is yielded."""
    taken: list[int] = []
    ended = threading.Event()

    async def tap() -> None:
        while not ended.is_set():
            with contextlib.suppress(EnvoyAdminError):
                taken.append((await Admin(socket).tap(tap_request(share), SECONDS)).count(b'"as_bytes"'))

    thread = threading.Thread(target=lambda: asyncio.run(tap()))
    if share:
        thread.start()
    try:
        yield taken
    finally:
        ended.set()
        if share:
            thread.join()
