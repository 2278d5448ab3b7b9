"""Jobs that are kept running: restarts, take-over, and an end that leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import msgspec
import psutil
import pytest

from inward.control.run import supervisor as module
from inward.control.run.process import ProcessSpec
from inward.control.run.supervisor import DamagedProcessesError, Job, Supervisor
from inward.envoy.log_folder import LogError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

LONG = (sys.executable, "-c", "import time; time.sleep(600)")


DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""


class Watched:
    """A supervisor, what it told, and a way to wait for it."""

    def __init__(self, folder: Path) -> None:
        self.told: list[tuple[str, str, int | None]] = []
        self._news = asyncio.Event()
        self.supervisor = Supervisor(folder / "processes.json", self._tell)

    def _tell(self, name: str, what: str, code: int | None) -> None:
        self.told.append((name, what, code))
        self._news.set()

    def count(self, name: str, what: str) -> int:
        return sum(told[0] == name and told[1].startswith(what) for told in self.told)

    async def until(self, name: str, what: str, times: int = 1) -> None:
        async with asyncio.timeout(20):
            while self.count(name, what) < times:
                self._news.clear()
                await self._news.wait()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("inward.control.run.process.POLL_SECONDS", 0.005)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A private folder; whatever was started there and still runs is killed, and fails the test."""
    path = tmp_path / "run"
    path.mkdir(mode=0o700)
    yield path
    left = [each for each in psutil.Process().children(recursive=True) if str(path) in " ".join(each.cmdline())]
    for each in left:
        each.kill()
    assert left == []


def job(
    folder: Path, *argv: str, name: str = "job", prepare: Callable[[], Awaitable[None]] | None = None, mark: str = "1"
) -> Job:
    environment = {"PATH": os.environ["PATH"], "MARK": mark}
    # the folder stands among the arguments, so that the fixture finds what was left
    spec = ProcessSpec(name, (*(argv or LONG), str(folder)), folder, environment, folder / "o" / f"{name}.txt")
    return Job(spec, ("MARK",), prepare)


def marks(folder: Path) -> dict[str, int]:
    return {name: each["pid"] for name, each in msgspec.json.decode((folder / "processes.json").read_bytes()).items()}


def test_it_runs_is_written_down_and_ends(folder: Path) -> None:
    async def run() -> None:
        watched = Watched(folder)
        supervisor = watched.supervisor
        await supervisor.run(job(folder))
        pid = supervisor.pid("job")
        assert pid is not None
        assert supervisor.alive("job")
        assert marks(folder) == {"job": pid}
        assert supervisor.runs(job(folder))
        assert not supervisor.runs(job(folder, mark="2"))
        assert not supervisor.runs(job(folder, name="other"))
        await supervisor.end("job")
        await supervisor.end("job")
        assert (supervisor.alive("job"), supervisor.pid("job"), supervisor.runs(job(folder))) == (False, None, False)
        assert marks(folder) == {}
        assert not psutil.pid_exists(pid)
        assert watched.told == [("job", "started", None)]

    asyncio.run(run())


def test_what_is_renewed_is_ended_and_started_again(folder: Path) -> None:
    async def run() -> None:
        watched = Watched(folder)
        await watched.supervisor.run(job(folder))
        before = watched.supervisor.pid("job")
        assert before is not None
        await watched.supervisor.renew("job")
        assert not psutil.pid_exists(before)
        await watched.until("job", "started", 2)
        assert watched.supervisor.pid("job") not in {None, before}
        await watched.supervisor.renew("nobody")
        await watched.supervisor.end_all()

    asyncio.run(run())


def test_what_ends_is_started_again(folder: Path) -> None:
    async def run() -> None:
        prepared = 0

        async def prepare() -> None:
            nonlocal prepared
            prepared += 1

        watched = Watched(folder)
        await watched.supervisor.run(job(folder, prepare=prepare))
        first = watched.supervisor.pid("job")
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await watched.until("job", "started", 2)
        assert watched.supervisor.pid("job") not in {None, first}
        assert marks(folder) == {"job": watched.supervisor.pid("job")}
        assert ("job", "ended", -signal.SIGKILL) in watched.told
        assert prepared == 2
        await watched.supervisor.end_all()

    asyncio.run(run())


def test_the_pauses_grow_and_are_short_again_after_a_steady_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def slept(seconds: float) -> None:
        if seconds != 0.005:  # the polling of a process
            pauses.append(seconds)
        await sleep(0)

    async def run() -> None:
        monkeypatch.setattr(asyncio, "sleep", slept)
        watched = Watched(folder)
        await watched.supervisor.run(job(folder, "/bin/false"))
        await watched.until("job", "ended", 13)
        assert pauses[:11] == [0.01 * 2**number for number in range(10)] + [10.0]
        monkeypatch.setattr(module, "STEADY_SECONDS", 0.0)
        done = len(pauses)
        await watched.until("job", "ended", 16)
        assert pauses[done + 1] == 0.01
        await watched.supervisor.end_all()

    asyncio.run(run())


def test_a_program_that_does_not_exist_is_told_and_tried_again(folder: Path) -> None:
    async def run() -> None:
        watched = Watched(folder)
        await watched.supervisor.run(job(folder, "/no/such/program"))
        await watched.until("job", "cannot start: `/no/such/program`: no such file or directory", 3)
        assert not watched.supervisor.alive("job")
        assert watched.supervisor.runs(job(folder, "/no/such/program"))
        await watched.supervisor.end_all()

    asyncio.run(run())


@pytest.mark.parametrize(
    "error", [LogError("the log folder cannot be used"), PermissionError(13, "denied"), ValueError("no")]
)
def test_a_preparation_that_fails_ends_nothing(folder: Path, error: Exception) -> None:
    """It once ended the keeper: the process was never started again, and nobody was told."""

    async def run() -> None:
        failures = 3

        async def prepare() -> None:
            nonlocal failures
            failures -= 1
            if failures >= 0:
                raise error

        watched = Watched(folder)
        await watched.supervisor.run(job(folder, prepare=prepare))
        await watched.until("job", "started")
        assert watched.count("job", "cannot start: ") == 3
        await watched.supervisor.end_all()

    asyncio.run(run())


def test_a_run_after_this_one_takes_over_what_is_the_same(folder: Path) -> None:
    async def run() -> None:
        before = Watched(folder)
        for name in ("same", "changed", "gone", "dead"):
            await before.supervisor.run(job(folder, name=name))
        pids = marks(folder)
        for slot in before.supervisor._slots.values():  # as if this process had been killed: nobody keeps them any more
            assert slot.task is not None
            slot.task.cancel()
        os.kill(pids["dead"], signal.SIGKILL)
        dead = before.supervisor._slots["dead"].process
        assert dead is not None
        await dead.wait()

        after = Watched(folder)
        assert set(after.supervisor.leftovers()) == {"same", "changed", "gone"}
        await after.supervisor.clear({"same", "changed", "dead"})
        assert not before.supervisor.alive("gone")
        for each in (job(folder, name="same"), job(folder, name="changed", mark="2"), job(folder, name="dead")):
            await after.supervisor.run(each)
        assert after.supervisor.pid("same") == pids["same"]
        assert ("same", "adopted", None) in after.told
        assert after.supervisor.pid("changed") not in {None, pids["changed"]}
        assert after.supervisor.pid("dead") not in {None, pids["dead"]}
        assert marks(folder) == {name: after.supervisor.pid(name) for name in ("same", "changed", "dead")}
        # one that was taken over is kept like any other
        os.kill(pids["same"], signal.SIGKILL)
        await after.until("same", "started")
        await after.supervisor.end_all()
        for slot in before.supervisor._slots.values():
            assert slot.process is not None
            slot.process.bury()

    asyncio.run(run())


def test_the_end_of_everything_ends_what_was_not_taken_over_yet(folder: Path) -> None:
    """A Ctrl-C while a run takes over another one's processes once left them running."""

    async def run() -> None:
        before = Watched(folder)
        await before.supervisor.run(job(folder))
        slot = before.supervisor._slots["job"]
        assert slot.task is not None
        slot.task.cancel()
        after = Watched(folder)
        await after.supervisor.clear({"job"})
        await after.supervisor.end_all()
        assert slot.process is not None
        assert not slot.process.alive()
        assert marks(folder) == {}
        slot.process.bury()

    asyncio.run(run())


def test_an_end_that_is_cancelled_can_be_ended_again(folder: Path) -> None:
    """A stop that comes while a changed service is being ended once left its old process running, unknown to all."""

    async def run() -> None:
        watched = Watched(folder)
        await watched.supervisor.run(job(folder, sys.executable, "-c", DEAF))
        while not (folder / "o" / "job.txt").read_bytes():
            await asyncio.sleep(0.005)
        ending = asyncio.create_task(watched.supervisor.end("job"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)
        assert ending.cancelled()
        assert marks(folder).keys() == {"job"}
        module_seconds = module.STOP_SECONDS
        try:
            module.STOP_SECONDS = 0.05
            await watched.supervisor.end_all()
        finally:
            module.STOP_SECONDS = module_seconds

    asyncio.run(run())


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"a":{"pid":1,"born":"","fingerprint":""}}', b'{"a":{"pid":77}}', b"\xff", b"[" * 200_000],
)
def test_a_damaged_list_is_one_clear_error(folder: Path, content: bytes) -> None:
    """To take it for an empty one would start a second Envoy beside each that still runs."""
    file = folder / "processes.json"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(DamagedProcessesError) as raised:
        Watched(folder)
    assert str(file) in raised.value.message
    assert raised.value.hint


def test_a_list_that_cannot_be_written_stops_no_service(folder: Path) -> None:
    async def run() -> None:
        watched = Watched(folder)
        os.chmod(folder, 0o755)  # noqa: PTH101, S103 - no longer private: refused
        await watched.supervisor.run(job(folder))
        assert watched.supervisor.alive("job")
        assert watched.count("", "cannot write down what runs") == 1
        os.chmod(folder, 0o700)  # noqa: PTH101 - as above
        await watched.supervisor.end_all()

    asyncio.run(run())
