"""Keeps processes running: restarts with back-off what has ended, and takes over what an earlier run left."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from inward.control.run.process import ProcessMark, ProcessSpec, RunningProcess
from inward.errors import InwardError
from inward.identity.private_files import read_private, write_private

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 10.0
STEADY_SECONDS = 20.0  # a process that ran this long starts again with the shortest pause
STOP_SECONDS = 8.0


class DamagedProcessesError(InwardError):
    """What an earlier run has left cannot be known."""

    code = "damaged_processes"


@dataclass(frozen=True)
class Job:
    """A process that is to run. `prepare` is awaited before each start; `variables` are part of its fingerprint."""

    spec: ProcessSpec
    variables: Sequence[str] = ()
    prepare: Callable[[], Awaitable[None]] | None = None

    @property
    def fingerprint(self) -> str:
        """What a process of this job was started as."""
        return self.spec.fingerprint(self.variables)


@dataclass(eq=False)
class _Slot:
    job: Job
    process: RunningProcess | None = None
    task: asyncio.Task[None] | None = None


class Supervisor:
    """Runs jobs by name. `file` keeps the marks of what runs, for the run after this one.

    `told(name, what)` is called when something happens to a process: what is `started`, `adopted`, `lost`
    (an earlier run started it, and it is gone) or `ended`, and the exit code.
    """

    def __init__(self, file: Path, told: Callable[[str, str, int | None], None]) -> None:
        self._file = file
        self._told = told
        self._slots: dict[str, _Slot] = {}
        self._left: dict[str, ProcessMark] = {}
        content = read_private(file)
        if content is not None:
            try:
                self._left = msgspec.json.decode(content, type=dict[str, ProcessMark])
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                # What runs there cannot be known; a second Envoy beside one of them would lose lines of the log.
                raise DamagedProcessesError(
                    f"`{file}` is damaged: {error}", hint="end what an earlier run has left, then remove the file"
                ) from error

    def leftovers(self) -> dict[str, RunningProcess]:
        """Return what an earlier run left and is still alive."""
        adopted = {name: RunningProcess.adopt(mark) for name, mark in self._left.items()}
        return {name: process for name, process in adopted.items() if process is not None}

    async def clear(self, keep: set[str]) -> None:
        """Stop what an earlier run left, but for the names in `keep`."""
        ended = {name: process for name, process in self.leftovers().items() if name not in keep}
        await asyncio.gather(*(process.stop(STOP_SECONDS) for process in ended.values()))
        self._left = {name: mark for name, mark in self._left.items() if name in keep}
        self._save()

    def runs(self, job: Job) -> bool:
        """Tell whether a job is being run already, as what it is now."""
        slot = self._slots.get(job.spec.name)
        return slot is not None and slot.task is not None and slot.job.fingerprint == job.fingerprint

    def alive(self, name: str) -> bool:
        """Tell whether the process of that name runs."""
        slot = self._slots.get(name)
        return slot is not None and slot.process is not None and slot.process.alive()

    def pid(self, name: str) -> int | None:
        """Return the pid of a process that runs."""
        slot = self._slots.get(name)
        return slot.process.mark.pid if slot and slot.process and slot.process.alive() else None

    async def run(self, job: Job) -> None:
        """Run a job from now on: take over its process if one is left that was started as this, else start it."""
        name = job.spec.name
        await self.end(name)
        slot = self._slots[name] = _Slot(job)
        mark = self._left.get(name)
        process = RunningProcess.adopt(mark) if mark else None
        if mark is not None and process is None:
            self._told(name, "lost", None)
        if process is not None and process.mark.fingerprint == job.fingerprint:
            slot.process = process
            self._told(name, "adopted", None)
        elif process is not None:
            await process.stop(STOP_SECONDS)
        self._left.pop(name, None)
        if slot.process is None:
            await self._start(slot)
        slot.task = asyncio.create_task(self._keep(slot), name=f"keep {name}")

    async def end(self, name: str) -> None:
        """Stop a job for good. What is cancelled meanwhile is still known, and can be ended again."""
        slot = self._slots.get(name)
        if slot is None:
            return
        if slot.task is not None:
            slot.task.cancel()
            await asyncio.gather(slot.task, return_exceptions=True)
        if slot.process is not None:
            await slot.process.stop(STOP_SECONDS)
        if self._slots.get(name) is slot:
            del self._slots[name]
        self._save()

    async def renew(self, name: str) -> None:
        """End the process of a job, which is then started again like one that has ended."""
        slot = self._slots.get(name)
        if slot is not None and slot.process is not None:
            await slot.process.stop(STOP_SECONDS)

    async def end_all(self) -> None:
        """Stop every job, and what an earlier run left and no job has taken over."""
        await asyncio.gather(self.clear(set()), *(self.end(name) for name in list(self._slots)))

    async def _start(self, slot: _Slot) -> None:
        """Start a job's process. Where that cannot be done it is told, and tried again like what has ended."""
        spec = slot.job.spec
        slot.process = None
        try:
            if slot.job.prepare is not None:
                await slot.job.prepare()
            slot.process = RunningProcess.start(spec, slot.job.fingerprint)
        except (OSError, ValueError, InwardError) as error:
            self._told(spec.name, f"cannot start: {_said(error)}", None)
            return
        self._save()
        self._told(spec.name, "started", None)

    async def _keep(self, slot: _Slot) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            since = time.monotonic()
            if slot.process is not None:
                await slot.process.wait()
                slot.process.bury()
                self._told(slot.job.spec.name, "ended", slot.process.exit_code)
            if time.monotonic() - since >= STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            await self._start(slot)

    def _save(self) -> None:
        marks = {name: slot.process.mark for name, slot in self._slots.items() if slot.process is not None}
        try:
            write_private(self._file, msgspec.json.encode({**self._left, **marks}))
        except InwardError as error:
            # Only a run after this one would need it: no reason to let a service go down.
            self._told("", f"cannot write down what runs: {error.message}", None)


def _said(error: OSError | ValueError | InwardError) -> str:
    if isinstance(error, InwardError):
        return error.message
    if isinstance(error, OSError):
        what = (error.strerror or str(error)).lower()
        return f"`{error.filename}`: {what}" if error.filename else what
    return str(error).lower()
