"""`inward down`: end what an `inward up` that was killed has left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import print_json, print_line, remark
from inward.control.run.supervisor import Supervisor
from inward.errors import InwardError
from inward.identity.private_files import private_folder
from inward.record.lock import FolderLock, FolderLockedError

if TYPE_CHECKING:
    from inward.control.layout import Layout

FORCE_SECONDS = 30.0
LOOK_SECONDS = 0.05


class StillRunningError(InwardError):
    """An `inward up` holds the system."""

    code = "still_running"


def down(
    force: Annotated[bool, typer.Option("--force", help="End an `inward up` that is still there, too.")] = False,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> None:
    """End the services and Envoys that an `inward up` has left when it was killed."""
    layout = system_layout(system)
    with _lock(layout, force=force):
        private_folder(layout.run)  # a run that has ended meanwhile has taken it away
        supervisor = Supervisor(layout.processes, lambda *_: None)
        ended = sorted(supervisor.leftovers())
        asyncio.run(supervisor.clear(set()))
        layout.running.unlink(missing_ok=True)
    if json:
        print_json({"ended": ended})
    elif ended:
        print_line(f"ended {', '.join(ended)}")
        remark("calls that are not in the record yet are recorded by the next `inward up`")
    else:
        print_line("nothing was left")


def _lock(layout: Layout, *, force: bool) -> FolderLock:
    """Hold the system, so that nobody starts it meanwhile."""
    deadline = time.monotonic() + FORCE_SECONDS
    asked = False
    while True:
        try:
            return FolderLock(private_folder(layout.state))
        except FolderLockedError as error:
            if error.holder is None or not force or time.monotonic() > deadline:
                who = f"process {error.holder.pid}" if error.holder else "another process"
                raise StillRunningError(
                    f"`inward up` runs here ({who})",
                    hint="end it with Ctrl-C where it runs, or with `inward down --force`",
                ) from None
            if not asked:
                asked = True
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(error.holder.pid, signal.SIGTERM)
            time.sleep(LOOK_SECONDS)
