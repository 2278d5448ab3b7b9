from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from inward.control.layout import Layout
from inward.control.run.process import ProcessSpec, RunningProcess
from inward.control.running import Running, store_running
from inward.identity.private_files import private_folder, write_private
from inward.record.lock import FolderLock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward

import os

import msgspec


def leave_a_process(layout: Layout) -> RunningProcess:
    argv = [sys.executable, "-c", "import time; time.sleep(600)"]
    spec = ProcessSpec("left", argv, layout.system, dict(os.environ), layout.output("left"))
    process = RunningProcess.start(spec, "x")
    write_private(layout.processes, msgspec.json.encode({"left": process.mark}))
    store_running(layout, Running(pid=process.mark.pid, since="2026-01-01T00:00:00.000Z", services={}))
    return process


def test_what_is_left_is_ended(inward: Inward, system: Path) -> None:
    layout = Layout.of(system)
    process = leave_a_process(layout)
    assert inward("status").code == 1
    done = inward("down")
    assert (done.code, done.out) == (0, "ended left\n")
    assert not process.alive()
    process.bury()
    assert inward("down", "--json").json == {"ended": []}
    assert inward("status").out.startswith("nothing runs in ")


def test_nothing_is_ended_while_somebody_holds_the_system(inward: Inward, system: Path) -> None:
    layout = Layout.of(system)
    process = leave_a_process(layout)
    with FolderLock(private_folder(layout.state)):
        done = inward("down")
    assert (done.code, f"process {os.getpid()}" in done.err) == (1, True)
    assert process.alive()
    assert inward("down").code == 0
    process.bury()
