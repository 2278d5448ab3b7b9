"""Starts the program of one guarded service alone, asks it, and ends it: what `inward up` does, where no system runs.

It is given a socket and a bundle of its own in a temporary folder, and no way to other services: its calls find nobody.
It is the program itself that runs, with whatever it does when it starts.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from inward.control.bundle import store_bundle
from inward.control.layout import Layout
from inward.control.probe.look import Outcome, look
from inward.control.probe.questions import questions_of
from inward.control.run.ports import Ports
from inward.control.run.process import RunningProcess, last_lines
from inward.control.run.readiness import LOOK_SECONDS, listens
from inward.control.run.services import allocate, app_process
from inward.errors import InwardError
from inward.identity.private_files import private_folder, write_private

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inward.catalog.model import Service
    from inward.control.bundle import Policy

START_SECONDS = 30.0
STOP_SECONDS = 8.0
LINES = 2  # told of what a program printed; servers say last that they end, and before that why


async def look_alone(
    folder: Path, system: Policy, service: Service, environment: Mapping[str, str], seconds: float = START_SECONDS
) -> Outcome:
    """Ask a service's program, which has `seconds` to listen. What keeps it from that is in the outcome."""
    with tempfile.TemporaryDirectory(prefix="inward-") as temporary:
        layout = Layout(folder, Path(temporary), in_memory=False)
        ports = Ports()
        try:
            allocation = allocate(service, layout, None, ports)
            store_bundle(private_folder(layout.bundle), system)
            private_folder(layout.service(service.name).path)
            key, output = layout.run / "tokens.key", layout.run / "output.txt"
            write_private(key, secrets.token_bytes(32))
            spec = app_process(service, allocation, layout, environment)
            given = {**spec.environment, "INWARD_TOKEN_KEY": str(key)}
            process = RunningProcess.start(dataclasses.replace(spec, environment=given, output=output), "")
            try:
                return await _asked(process, layout, service, output, seconds)
            finally:
                await process.stop(STOP_SECONDS)
        except (OSError, ValueError, InwardError) as error:
            said = error.message if isinstance(error, InwardError) else str(error).lower()
            return Outcome(0, silent=f"it cannot be started: {said}")
        finally:
            ports.close()


async def _asked(process: RunningProcess, layout: Layout, service: Service, output: Path, seconds: float) -> Outcome:
    socket = str(layout.service(service.name).own_socket)
    deadline = time.monotonic() + seconds
    while not await listens(socket):
        late = time.monotonic() > deadline
        if late or not process.alive():
            if not late:
                process.bury()
            how = f"it does not listen after {seconds:g} s" if late else f"it has ended ({process.exit_code})"
            said = " … ".join(last_lines(output, LINES))
            return Outcome(0, silent=f"{how}, and said `{said}`" if said else how)
        await asyncio.sleep(LOOK_SECONDS)
    return await look(socket, service, questions_of(service))
