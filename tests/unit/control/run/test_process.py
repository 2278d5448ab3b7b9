"""One process: started, told apart from every other one, ended with all that it started."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psutil
import pytest

from inward.control.run import process
from inward.control.run.process import ProcessMark, ProcessSpec, RunningProcess, last_line

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""
PARENT = """
import subprocess, sys, time
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(worker.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def started() -> Iterator[list[RunningProcess]]:
    """What a test has started; killed after it whatever happened."""
    processes: list[RunningProcess] = []
    yield processes
    for each in processes:
        if each.child is not None and each.child.returncode is None:
            os.killpg(each.mark.pid, signal.SIGKILL)
            each.child.wait()


def spec(folder: Path, *argv: str, name: str = "job", **environment: str) -> ProcessSpec:
    given = {"PATH": os.environ["PATH"], **environment}
    return ProcessSpec(name, argv or LONG, folder, given, folder / "output" / f"{name}.txt")


async def until_printed(output: Path) -> str:
    while not (said := last_line(output)):
        await asyncio.sleep(0.005)
    return said


def test_it_runs_apart_from_this_process_and_is_reaped(tmp_path: Path, started: list[RunningProcess]) -> None:
    running = RunningProcess.start(spec(tmp_path), "f")
    started.append(running)
    assert running.alive()
    pid = running.mark.pid
    # a Ctrl-C in this terminal does not reach it
    assert os.getsid(pid) == os.getpgid(pid) == pid != os.getsid(0)
    asyncio.run(running.stop(5))
    assert (running.alive(), running.exit_code) == (False, -signal.SIGTERM)
    assert not psutil.pid_exists(pid)


def test_its_output_is_private_and_kept(tmp_path: Path, started: list[RunningProcess]) -> None:
    job = spec(tmp_path, sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr)")
    for _ in range(2):
        running = RunningProcess.start(job, "f")
        started.append(running)
        asyncio.run(running.wait())
        running.bury()
        assert running.exit_code == 0
    assert job.output.read_text().count("out") == 2
    assert job.output.stat().st_mode & 0o777 == 0o600
    assert job.output.parent.stat().st_mode & 0o077 == 0
    assert last_line(job.output) in {"out", "err"}


def test_output_does_not_grow_for_ever(
    tmp_path: Path, started: list[RunningProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "MAX_OUTPUT_BYTES", 10)
    job = spec(tmp_path, "/bin/echo", "a line of some length")
    for _ in range(3):
        started.append(RunningProcess.start(job, "f"))
        asyncio.run(started[-1].wait())
    assert {each.name for each in job.output.parent.iterdir()} == {"job.txt", "job.1.txt"}
    assert job.output.stat().st_size < 30


@pytest.mark.parametrize("argv", [("/no/such/program",), ("no-such-program",), ("/etc",), ("a\0b",)])
def test_what_cannot_be_started_raises_and_leaves_nothing(tmp_path: Path, argv: tuple[str, ...]) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises((OSError, ValueError)):
        RunningProcess.start(spec(tmp_path, *argv), "f")
    assert len(set(Path("/proc/self/fd").iterdir())) <= len(before)


def test_one_who_does_not_listen_is_killed(tmp_path: Path, started: list[RunningProcess]) -> None:
    async def run() -> None:
        job = spec(tmp_path, sys.executable, "-c", STUBBORN)
        running = RunningProcess.start(job, "f")
        started.append(running)
        await until_printed(job.output)
        await running.stop(0.05)
        assert running.exit_code == -signal.SIGKILL

    asyncio.run(run())


@pytest.mark.parametrize("how", ["stop", "bury"])
def test_its_workers_end_with_it(tmp_path: Path, started: list[RunningProcess], how: str) -> None:
    async def run() -> None:
        job = spec(tmp_path, sys.executable, "-c", PARENT)
        running = RunningProcess.start(job, "f")
        started.append(running)
        worker = psutil.Process(int(await until_printed(job.output)))
        if how == "stop":
            await running.stop(5)
        else:  # the master was killed by somebody else: its workers are not
            os.kill(running.mark.pid, signal.SIGKILL)
            await running.wait()
            assert worker.is_running()
            running.bury()
        await asyncio.to_thread(psutil.wait_procs, [worker], 5)
        assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE

    asyncio.run(run())


def test_a_process_is_taken_over_by_its_pid_and_birth(tmp_path: Path, started: list[RunningProcess]) -> None:
    running = RunningProcess.start(spec(tmp_path), "f")
    started.append(running)
    read_back = msgspec.json.decode(msgspec.json.encode(running.mark), type=ProcessMark)
    adopted = RunningProcess.adopt(read_back)
    assert adopted is not None
    assert adopted.alive()
    assert adopted.child is None
    # it is a zombie of this process until it is reaped, and a zombie does not run
    os.kill(running.mark.pid, signal.SIGKILL)
    asyncio.run(running.wait())
    assert not adopted.alive()
    assert adopted.exit_code == -1
    assert RunningProcess.adopt(read_back) is None


def test_a_pid_that_is_another_process_by_now_is_left_alone(
    tmp_path: Path, started: list[RunningProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    innocent = RunningProcess.start(spec(tmp_path), "f")
    started.append(innocent)
    signals: list[object] = []
    monkeypatch.setattr(os, "killpg", lambda *arguments: signals.append(arguments))
    stale = ProcessMark(innocent.mark.pid, "another-boot 1", "f")
    assert RunningProcess.adopt(stale) is None
    pretender = RunningProcess(stale)
    asyncio.run(pretender.stop(0.01))
    pretender.bury()
    assert signals == []
    RunningProcess(innocent.mark).bury()  # by its own mark it would be
    assert signals == [(innocent.mark.pid, signal.SIGKILL)]
    monkeypatch.undo()


def test_a_clock_that_is_set_changes_no_birth(
    tmp_path: Path, started: list[RunningProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What psutil calls the time of creation moves with the clock: a second Envoy would be started beside the first."""
    running = RunningProcess.start(spec(tmp_path), "f")
    started.append(running)
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: 1.0)
    assert psutil.Process(running.mark.pid).create_time() < 1e9
    assert RunningProcess.adopt(running.mark) is not None


def test_a_name_with_parentheses_is_no_field(tmp_path: Path) -> None:
    """proc(5): the name may hold spaces, parentheses and what looks like the fields behind it."""
    odd = tmp_path / "x) Z 1 1 1"
    odd.symlink_to("/bin/sleep")
    running = RunningProcess.start(ProcessSpec("n", [str(odd), "600"], tmp_path, {}, tmp_path / "o" / "n.txt"), "f")
    try:
        assert RunningProcess.adopt(running.mark) is not None
    finally:
        asyncio.run(running.stop(5))


def test_where_there_is_no_proc_psutil_tells_births(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(process, "_BOOT", tmp_path / "boot_id")
    assert process._born(os.getpid()) == process._born_elsewhere(os.getpid())
    assert process._born(os.getpid()) != process._born(1)
    assert process._born(2**22 + 1) is None


@pytest.mark.parametrize("pid", [1, 0, -1, -7])
def test_a_mark_names_no_group_of_others(pid: int) -> None:
    written = msgspec.json.encode({"pid": pid, "born": "", "fingerprint": ""})
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(written, type=ProcessMark)


def test_a_fingerprint_is_of_what_makes_the_process_what_it_is(tmp_path: Path) -> None:
    first = spec(tmp_path, "/bin/true", HTTP_PROXY="a", OTHER="1").fingerprint(["HTTP_PROXY"])
    assert spec(tmp_path, "/bin/true", HTTP_PROXY="a", OTHER="2").fingerprint(["HTTP_PROXY"]) == first
    others = (
        spec(tmp_path, "/bin/true", HTTP_PROXY="b"),
        spec(tmp_path, "/bin/true"),
        spec(tmp_path, "/bin/true", "x", HTTP_PROXY="a"),
        spec(tmp_path / "elsewhere", "/bin/true", HTTP_PROXY="a"),
    )
    assert len({first, *(each.fingerprint(["HTTP_PROXY"]) for each in others)}) == 5
    assert "secret" not in spec(tmp_path, "/bin/true", HTTP_PROXY="secret").fingerprint(["HTTP_PROXY"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ""),
        (b"\n\n", ""),
        (b"one\ntwo\n\n", "two"),
        (b"half a line", "half a line"),
        (b"\x1b[2Jcleared\n", "\\x1b[2Jcleared"),
        (b"\xff\xfe\n", "\N{REPLACEMENT CHARACTER}" * 2),
        (b"x" * 10_000, "x" * 200),
    ],
)
def test_the_last_line_is_short_and_harmless(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "o.txt").write_bytes(content)
    assert last_line(tmp_path / "o.txt") == said
    assert last_line(tmp_path / "none.txt") == ""
