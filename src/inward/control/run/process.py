"""One supervised process: start it, or take over one that an earlier run left; notice its end; stop it.

Children are in sessions of their own, so neither a Ctrl-C in the terminal nor the death of the control process reaches
them: calls go on while nobody supervises. What was started is written down with each process's birth, which with the
pid names a process for good.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import psutil

from inward.record.format import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

POLL_SECONDS = 0.05
MAX_OUTPUT_BYTES = 16 * 1024 * 1024
LAST_BYTES = 4096
LAST_CHARACTERS = 200
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What to start: `argv` in `cwd` with `environment`, what it prints appended to `output`."""

    name: str
    argv: Sequence[str]
    cwd: Path
    environment: Mapping[str, str]
    output: Path

    def fingerprint(self, variables: Sequence[str]) -> str:
        """Return a hash of what makes the process what it is; of the environment only the named variables."""
        chosen = {name: self.environment.get(name) for name in sorted(variables)}
        return hashlib.sha256(msgspec.json.encode([list(self.argv), str(self.cwd), chosen])).hexdigest()


class ProcessMark(msgspec.Struct, frozen=True):
    """What names a started process for good, and what it was started as."""

    pid: Annotated[int, msgspec.Meta(gt=1)]  # 0 and 1 would name groups that nobody here may signal
    born: str
    fingerprint: str


@dataclass(eq=False)
class RunningProcess:
    """A process that runs, or ran. `child` is None for one that an earlier run started."""

    mark: ProcessMark
    child: subprocess.Popen[bytes] | None = None
    exit_code: int | None = field(default=None, init=False)

    @classmethod
    def start(cls, spec: ProcessSpec, fingerprint: str) -> RunningProcess:
        """Start a process in a session of its own. Raises `OSError` where that cannot be done."""
        spec.output.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if spec.output.exists() and spec.output.stat().st_size > MAX_OUTPUT_BYTES:
            spec.output.replace(spec.output.with_suffix(".1.txt"))
        descriptor = os.open(spec.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            child = subprocess.Popen(
                list(spec.argv),
                cwd=spec.cwd,
                env=dict(spec.environment),
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        return cls(ProcessMark(child.pid, _born(child.pid) or "", fingerprint), child)

    @classmethod
    def adopt(cls, mark: ProcessMark) -> RunningProcess | None:
        """Return the process that an earlier run started, or None where it is gone."""
        process = cls(mark)
        return process if process.alive() else None

    def alive(self) -> bool:
        """Tell whether the process still runs."""
        if self.exit_code is not None:
            return False
        if self.child is not None:
            # Not reaped here: as long as the zombie is there its pid, which names its group, is nobody else's.
            return os.waitid(os.P_PID, self.mark.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        if _born(self.mark.pid) != self.mark.born:
            self.exit_code = -1
            return False
        return True

    async def wait(self) -> None:
        """Return when the process has ended."""
        while self.alive():
            await asyncio.sleep(POLL_SECONDS)

    async def stop(self, seconds: float) -> None:
        """End the process and all that it started: asked first, killed after `seconds`."""
        if self.alive():
            self._signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.wait()
        self._signal(signal.SIGKILL)
        await self.wait()
        self.bury()

    def bury(self) -> None:
        """Clear away a process that has ended: kill what is left of its group, and note its exit code."""
        self._signal(signal.SIGKILL)  # workers that outlived their master
        if self.child is not None:
            self.exit_code = self.child.wait()

    def _signal(self, number: signal.Signals) -> None:
        # INVARIANT: the leader's pid is its group's id, and nobody else's while the group lives. Should both be gone
        # and the pid be another process's by now, nothing is signalled.
        if self.child is None and _born(self.mark.pid) not in {None, self.mark.born}:
            return
        if self.exit_code is not None and self.child is not None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.mark.pid, number)


def _born(pid: int) -> str | None:
    """Return when a process was started, which no clock that is set changes; None for one that is gone or a zombie."""
    try:
        # proc(5): pid, name in parentheses, which may hold any character, state, …; the 22nd is ticks since the boot.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        boot = _BOOT.read_text().strip()
    except OSError:
        return None if _BOOT.exists() else _born_elsewhere(pid)
    return None if fields[0] in {b"Z", b"X"} else f"{boot} {int(fields[19])}"


def _born_elsewhere(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else repr(process.create_time())
    except psutil.Error:
        return None


def last_line(output: Path) -> str:
    """Return the last line that a process printed, harmless to print and not longer than a line should be."""
    return next(iter(last_lines(output, 1)), "")


def last_lines(output: Path, count: int) -> list[str]:
    """Return the last lines that a process printed, `count` at most, each like `last_line`."""
    try:
        with output.open("rb") as file:
            file.seek(max(0, output.stat().st_size - LAST_BYTES))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return []
    spoken = [line.strip() for line in lines if line.strip()]
    return [printable(line)[:LAST_CHARACTERS] for line in spoken[-count:]]
