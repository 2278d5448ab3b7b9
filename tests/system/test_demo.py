"""The demonstration, as `make demo` starts it: every call of its traffic goes as the traffic says."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

import psutil
import pytest
from tests.system.guarded import INWARD

from inward.control.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Keeps the demonstration's copy in a folder of this test's own, and sees that nothing of it is left."""
    yield dict(os.environ) | {"XDG_STATE_HOME": str(tmp_path), "INWARD_TEST_TAG": str(tmp_path)}
    left = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("INWARD_TEST_TAG") == str(tmp_path) and process.status() != psutil.STATUS_ZOMBIE:
                left.append(process.cmdline())
                process.kill()
        except psutil.Error:
            continue
    shutil.rmtree(Layout.of(tmp_path / "inward" / "demo" / "shop").run, ignore_errors=True)
    assert left == []


def test_every_call_goes_as_expected(environment: dict[str, str]) -> None:
    argv = [*INWARD, "demo", "--once"]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all as expected" in done.stdout
    assert " NOT " not in done.stdout
    assert "Traceback" not in done.stderr


def test_it_greets_and_ends_with_control_c(environment: dict[str, str], tmp_path: Path) -> None:
    argv = [*INWARD, "demo"]
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        greeting = []
        for line in process.stdout:
            greeting.append(line)
            if "Ctrl-C stops everything" in line:
                break
        folder = tmp_path / "inward" / "demo" / "shop"
        assert any(f"cd {folder}" in line for line in greeting), (greeting, process.stderr.read())
        status = subprocess.run(
            [*INWARD, "status", "--system", str(folder)], capture_output=True, text=True, check=False
        )
        assert (status.returncode, status.stdout.count("  up  ")) == (0, 10), status
        second = subprocess.run([*INWARD, "demo"], env=environment, capture_output=True, text=True, check=False)
        assert (second.returncode, f"process {process.pid}" in second.stderr) == (1, True), second
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert "Traceback" not in process.stderr.read()
