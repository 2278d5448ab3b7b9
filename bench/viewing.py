"""What it costs an Envoy to view answers of 1 kB for a service without a guard: CPU a call.

The answer is a list of people, whose e-mail addresses the caller is not shown. All subjects have the same filters; what
differs is what their routes switch on.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from bench.load import run_load
from bench.report import Series
from bench.rig import Rig, write_system
from inward.control.bundle import load_policy

ROUNDS = 7
LOAD_SECONDS = 2.0
CONNECTIONS = 16
PERSON = {"id": 7, "name": "Ada Lindqvist", "email": "ada@example.com", "city": "Uppsala", "orders": [1, 2], "x": 1.25}
ANSWER = json.dumps({"people": [PERSON] * 10}, separators=(",", ":"))  # without spaces, as most servers write it
WITHOUT, SHOWN = "nothing declared", "all is shown to this caller"
SUBJECTS = {WITHOUT: None, SHOWN: "drop", "drop": "drop", "null": "null", "mask": "mask", "tokenise": "tokenise"}


def _write(folder: Path, undisclosed: str | None, *, shown: bool) -> None:
    """Write a system like that of the other benchmarks, whose answers hold people."""
    write_system(folder, 5, 50)
    if undisclosed is None:
        return
    person = {"type": "object", "properties": {"email": {"type": "string", "x-inward-data": "pii.email"}}}
    schema = {"type": "object", "properties": {"people": {"type": "array", "items": person}}}
    described = {"200": {"description": "ok", "content": {"application/json": {"schema": schema}}}}
    api = json.loads((folder / "api.json").read_text())
    for operations in api["paths"].values():
        for operation in operations.values():
            operation["responses"] = described
    (folder / "api.json").write_text(json.dumps(api))
    system = json.loads((folder / "inward.yaml").read_text())
    system["data"] = {"pii.email": {"owner": "team", "undisclosed": undisclosed}}
    (folder / "inward.yaml").write_text(json.dumps(system))
    if shown:
        grant = '@id("shown") @reason("r") permit (principal == Service::"caller-0", action == Action::"disclose", '
        with (folder / "policies" / "callee.cedar").open("a") as policies:
            policies.write(f'\n{grant}resource == DataClass::"pii.email");\n')


def measure() -> Series:
    """Measure all subjects in turn, round after round."""
    series = Series("Envoy views answers of 1 kB", "CPU µs a call", WITHOUT)
    base = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(tempfile.gettempdir())  # noqa: S108 - made private
    rig = Rig(Path(tempfile.mkdtemp(prefix="inward-bench-", dir=base)))
    try:
        rig.start_upstream(rig.upstream, answer=ANSWER)
        rig.wait([rig.upstream])
        subjects = {}
        for number, (name, undisclosed) in enumerate(SUBJECTS.items()):
            folder = rig.folder / f"system-{number}"
            _write(folder, undisclosed, shown=name == SHOWN)
            key = rig.folder / f"subject-{number}.key"
            key.write_bytes(b"k" * 32)
            subjects[name] = rig.start_inward(f"subject-{number}", load_policy(folder), token_key=str(key))
        contexts = [rig.context("caller-0")]
        for _ in range(ROUNDS):
            for name, subject in subjects.items():
                before = subject.cpu_seconds()
                load = run_load(("127.0.0.1", subject.port), contexts, subject.requests, CONNECTIONS, LOAD_SECONDS)
                cpu = subject.cpu_seconds() - before
                series.add(name, cpu_us=cpu / load.calls * 1e6, calls_per_second=load.calls / load.seconds)
        return series
    finally:
        rig.close()
