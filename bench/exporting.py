"""What it costs to send the record on: each form, an entry; and what the intake of calls is like meanwhile.

Subjects of the first table: `read` follows the record and does nothing with it; the forms encode what was read, with
the bodies of requests of 512 entries. The second appends calls to a record, in batches of 500 and each batch durably,
while all three forms are sent to a receiver (a process of its own) that takes them, hangs, or is not there.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bench.auditing import _call
from bench.report import Series
from inward.control.exporting.delivery import BATCH_ENTRIES
from inward.control.exporting.exporter import Exporting
from inward.control.exporting.settings import ExportSettings
from inward.control.layout import Layout
from inward.record.export.ocsf import Events
from inward.record.export.otlp_logs import Logs
from inward.record.export.otlp_spans import Spans
from inward.record.follow import Follower
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inward.record.call import Call
    from inward.record.export.encoding import Encoding

ROUNDS = 5
ENTRIES = 20_000
BATCH = 500
INTAKE_BATCHES = 120
FORMS: dict[str, Encoding[Any]] = {
    "ocsf": Events(lines=False),
    "otlp-logs": Logs("bench.internal", {}),
    "otlp-traces": Spans("bench.internal", {}),
}


def _calls(start: int, count: int) -> list[Call]:
    return [
        msgspec.structs.replace(_call(number), trace=f"{number + 1:032x}", span=f"{number + 1:016x}")
        for number in range(start, start + count)
    ]


def measure() -> tuple[Series, Series]:
    """Measure both tables."""
    return _forms(), _intake()


def _forms() -> Series:
    series = Series("sending the record on", "CPU us an entry", base="read")
    with tempfile.TemporaryDirectory(prefix="inward-bench-") as folder, Recorder(Path(folder)) as recorder:
        recorder.append(_calls(0, ENTRIES))
        for _ in range(ROUNDS):
            started = time.process_time()
            follower = Follower(Path(folder), durable=recorder.durable)
            entries = []
            while found := follower.read(BATCH_ENTRIES):
                entries += [entry for _, entry in found]
            series.add("read", us=(time.process_time() - started) / ENTRIES * 1e6)
            for name, encoding in FORMS.items():
                started = time.process_time()
                size = 0
                for at in range(0, ENTRIES, BATCH_ENTRIES):
                    items = [encoding.item(entry, 0) for entry in entries[at : at + BATCH_ENTRIES]]
                    size += sum(map(encoding.size, items))
                    encoding.body(items)
                series.add(name, us=(time.process_time() - started) / ENTRIES * 1e6, bytes=size / ENTRIES)
    return series


def _receive(listening: socket.socket, answers: bool) -> None:  # noqa: FBT001 - the argument of a process
    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                await reader.readexactly(int(length.split(b":")[1]))
                if answers:
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    async def serve() -> None:
        server = await asyncio.start_server(take, sock=listening)
        await server.serve_forever()

    asyncio.run(serve())


def _intake() -> Series:
    series = Series("recording calls meanwhile", "calls/s, wall", base="nothing is sent")
    for _ in range(ROUNDS):
        for subject in ("nothing is sent", "taken", "hanging", "away"):
            with socket.create_server(("127.0.0.1", 0)) as listening:
                url = f"http://127.0.0.1:{listening.getsockname()[1]}"
                if subject == "away":
                    listening.close()
                receiver = multiprocessing.get_context("fork").Process(
                    target=_receive, args=(listening, subject == "taken"), daemon=True
                )
                if subject in {"taken", "hanging"}:
                    receiver.start()
                sent = subject != "nothing is sent"
                given = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "INWARD_OCSF_URL": url} if sent else {}
                rate, cpu = asyncio.run(_record(ExportSettings.from_environment(given)))
                if receiver.pid is not None:
                    receiver.kill()
                    receiver.join()
                series.add(subject, rate=rate, cpu_us=cpu)
    return series


async def _record(settings: ExportSettings) -> tuple[float, float]:
    """Return calls recorded a second, and the CPU of this process for each, in microseconds."""
    # A thread may still be noting how far it has come when the folder goes.
    with tempfile.TemporaryDirectory(prefix="inward-bench-", ignore_cleanup_errors=True) as folder:
        system = Path(folder)
        (system / "inward.yaml").write_text("trust_domain: bench.internal\n")
        layout = Layout.of(system)
        with Recorder(layout.record) as recorder:
            exporting = Exporting(settings, layout, recorder.durable, "bench.internal", lambda _: None)
            keeping = asyncio.create_task(exporting.keep())
            await asyncio.sleep(0)
            batches = [_calls(number * BATCH, BATCH) for number in range(INTAKE_BATCHES)]
            started, cpu = time.perf_counter(), time.process_time()
            await asyncio.to_thread(_append, recorder, batches)
            seconds, used = time.perf_counter() - started, time.process_time() - cpu
            keeping.cancel()
            await exporting.finish(0)
    return BATCH * INTAKE_BATCHES / seconds, used / (BATCH * INTAKE_BATCHES) * 1e6


def _append(recorder: Recorder, batches: Sequence[list[Call]]) -> None:
    for batch in batches:
        recorder.append(batch)
