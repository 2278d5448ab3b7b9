"""The record and the tailer under kills, power failures, refusing disks and rotation: every line exactly once."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from inward.envoy.log_folder import LogFolder
from inward.envoy.tail import Line, Tailer
from inward.record.call import Call, Gap, parse_entry
from inward.record.disk import Disk, RecordError
from inward.record.position import Position
from inward.record.reader import read_entries
from inward.record.recorder import Recorder, RecordWriteError

if TYPE_CHECKING:
    from pathlib import Path

LOG = "orders/access"


def call(line: Line) -> Call:
    return Call(
        time="2026-08-01T12:00:00.000Z",
        id=line.data.decode(),
        decision="allow",
        carried_out="allow",
        reason="granted",
        src=line.src,
    )


def stored(folder: Path) -> list[str]:
    """The ids in every line of every segment, as they stand there."""
    paths = sorted(folder.glob("calls-*.ndjson"), key=lambda path: path.name[-15:])
    entries = [parse_entry(line) for path in paths for line in path.read_bytes().splitlines()]
    return [entry.id for entry in entries if isinstance(entry, Call)]


# --- a disk that loses what was not fsynced ---


class PowerFailure(BaseException):
    """The process ends here."""


class Volume(Disk):
    """A folder on a disk that may fail once, end the process at an operation, and then forget what was not fsynced.

    After an fsync that failed, the pages are clean though they were not written, as Linux has it: a later fsync
    succeeds and does not write them.
    """

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder = folder
        self.rng = rng
        self.countdown = -1  # operations until the fault
        self.fault = ""
        self._names: dict[str, int] = {}
        self._durable: dict[int, bytes] = {}
        self._dropped: dict[int, tuple[int, int]] = {}
        self._held: dict[int, int] = {}  # a descriptor for each inode, so that no number is used again

    def _fails(self) -> bool:
        self.countdown -= 1
        if self.countdown != 0:
            return False
        if self.fault == "end":
            raise PowerFailure
        return True

    @staticmethod
    def _error(code: int) -> OSError:
        return OSError(code, os.strerror(code))

    def _content(self, inode: int) -> bytes:
        return os.pread(self._held[inode], 1 << 24, 0)

    def create(self, path: Path) -> int:
        if self._fails():
            raise self._error(errno.ENOSPC)
        descriptor = super().create(path)
        inode = os.fstat(descriptor).st_ino
        self._held[inode] = os.open(path, os.O_RDONLY)
        self._durable[inode] = b""
        return descriptor

    def write(self, descriptor: int, data: memoryview) -> int:
        try:
            failed = self._fails()
        except PowerFailure:
            super().write(descriptor, data[: self.rng.randrange(len(data) + 1)])
            raise
        if failed:
            super().write(descriptor, data[: self.rng.randrange(len(data) + 1)])
            raise self._error(errno.ENOSPC)
        return super().write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        failed = self._fails()
        inode = os.fstat(descriptor).st_ino
        if inode not in self._held:
            if failed:
                raise self._error(errno.EIO)
            self._names = {path.name: path.stat().st_ino for path in self.folder.iterdir()}
            return
        content = self._content(inode)
        if failed:
            reached = self.rng.randint(min(len(self._durable[inode]), len(content)), len(content))
            self._durable[inode] = content[:reached]
            self._dropped[inode] = (reached, len(content))
            raise self._error(errno.EIO)
        start, end = self._dropped.get(inode, (0, 0))
        self._durable[inode] = content[:start] + b"\0" * len(content[start:end]) + content[max(start, end) :]

    def overwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        if self._fails():
            raise self._error(errno.EIO)
        written = super().overwrite(descriptor, data, offset)
        inode = os.fstat(descriptor).st_ino
        start, end = self._dropped.get(inode, (0, 0))
        if offset <= start and end <= offset + written:
            self._dropped[inode] = (0, 0)
        return written

    def truncate(self, descriptor: int, size: int) -> None:
        if self._fails():
            raise self._error(errno.EIO)
        super().truncate(descriptor, size)
        inode = os.fstat(descriptor).st_ino
        start, end = self._dropped.get(inode, (0, 0))
        self._dropped[inode] = (min(start, size), min(end, size))

    def replace(self, source: Path, target: Path) -> None:
        if self._fails():
            raise self._error(errno.ENOSPC)
        super().replace(source, target)

    def lose_power(self) -> None:
        """Make the folder what may be found when the machine comes back."""
        now = {path.name: path.stat().st_ino for path in self.folder.iterdir() if path.name != "lock"}
        found: dict[str, bytes] = {}
        for name in sorted(now.keys() | self._names.keys()):
            inode = self.rng.choice([now, self._names]).get(name)
            if inode in self._held:
                found[name] = self._survivor(self._durable[inode], self._content(inode))
        for name in now:
            (self.folder / name).unlink()
        self._names, self._dropped = {}, {}
        for name, content in found.items():
            (self.folder / name).write_bytes(content)
            inode = (self.folder / name).stat().st_ino
            self._held[inode] = os.open(self.folder / name, os.O_RDONLY)
            self._durable[inode] = content
            self._names[name] = inode

    def _survivor(self, durable: bytes, cached: bytes) -> bytes:
        if not cached.startswith(durable):
            return self.rng.choice([durable, cached]) if durable.startswith(cached) else durable
        rest = cached[len(durable) :]
        cut = self.rng.randrange(len(rest) + 1)
        return durable + self.rng.choice([b"", rest[:cut], b"\0" * cut, b"\0" * cut + rest[cut:], rest])

    def close(self) -> None:
        for descriptor in self._held.values():
            os.close(descriptor)


class Source:
    """A log whose lines can be read again from any position, as long as no checkpoint has passed them."""

    def __init__(self, count: int) -> None:
        self.lines = [Line(f"call {number}".encode(), str(Position(LOG, 1, 0, number + 1))) for number in range(count)]
        self.kept_from = 0

    def batch(self, recorder: Recorder, size: int) -> list[Line]:
        start = offset(recorder.position(LOG))
        # INVARIANT under test: what is read again is still there.
        assert start >= self.kept_from
        self.kept_from = max(self.kept_from, offset(recorder.checkpointed(LOG)))
        return self.lines[start : start + size]


def offset(position: Position | None) -> int:
    return position.offset if position else 0


@pytest.mark.parametrize("seed", range(150))
def test_faults_and_power_failures_lose_and_double_nothing(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - faults, not secrets
    folder = tmp_path / "record"
    folder.mkdir()
    volume = Volume(folder, rng)
    source = Source(60)
    acknowledged = 0
    ended = refused = 0
    while acknowledged < len(source.lines):
        volume.fault = rng.choice(["end", "fail"])
        volume.countdown = rng.choice([-1, *range(1, 30)]) if ended + refused < 30 else -1
        recorder = None
        try:
            recorder = Recorder(folder, disk=volume, segment_bytes=1500, batches_per_checkpoint=3)
            assert offset(recorder.position(LOG)) >= acknowledged
            for _ in range(rng.randrange(1, 12)):
                batch = source.batch(recorder, rng.randrange(1, 7))
                try:
                    recorder.append([call(line) for line in batch])
                except RecordWriteError:
                    refused += 1
                    continue
                acknowledged = offset(recorder.position(LOG))
            if rng.random() < 0.5:
                recorder.close()
        except PowerFailure:
            ended += 1
            if rng.random() < 0.7:
                if recorder is not None:
                    recorder._release()
                volume.lose_power()
        except RecordError:  # it cannot be opened now, says so, and can be opened later
            refused += 1
        finally:
            if recorder is not None:
                recorder._release()  # as the kernel does for a process that has ended
    volume.countdown = -1
    Recorder(folder, disk=volume).close()
    volume.close()
    assert stored(folder) == [line.data.decode() for line in source.lines]
    assert not [entry for entry in read_entries(folder) if isinstance(entry, Gap)]


# --- real processes ---

_RECORD = """
import os, random, signal, sys
from pathlib import Path
from inward.envoy.tail import LogFolder, Tailer
from inward.record.call import Call
from inward.record.disk import Disk, RecordError
from inward.record.recorder import Recorder

base, kill_at, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
rng = random.Random(seed)

class Deadly(Disk):
    count = 0
    def _tick(self):
        self.count += 1
        return self.count == kill_at
    def write(self, descriptor, data):
        if self._tick():
            os.write(descriptor, data[:rng.randrange(len(data) + 1)])
            os.kill(os.getpid(), signal.SIGKILL)
        return super().write(descriptor, data)
    def fsync(self, descriptor):
        if self._tick():
            os.kill(os.getpid(), signal.SIGKILL)
        super().fsync(descriptor)
    def replace(self, source, target):
        if self._tick():
            os.kill(os.getpid(), signal.SIGKILL)
        super().replace(source, target)

folder = LogFolder(base / "log")
with Recorder(base / "record", disk=Deadly(), segment_bytes=40_000, batches_per_checkpoint=4) as recorder:
    tailer = Tailer(folder, "orders", recorder.position("orders/access"))
    while lines := tailer.read(rng.randrange(200, 3000)):
        recorder.append([
            Call(time="2026-08-01T12:00:00.000Z", id=line.data.decode(), decision="allow", carried_out="allow",
                 reason="granted", src=line.src)
            for line in lines
        ], [tailer.position])
        if done := recorder.checkpointed("orders/access"):
            folder.delete_before(done.number)
"""


def test_a_recorder_that_is_killed_again_and_again_records_each_line_once(tmp_path: Path) -> None:
    rng = random.Random(7)  # noqa: S311 - faults, not secrets
    (tmp_path / "log").mkdir()
    folder = LogFolder(tmp_path / "log")
    expected = []
    kills = 0
    for round_number in range(12):
        folder.switch(after=round_number)
        names = [f"call {round_number}-{number}" for number in range(300)]
        expected += names
        with folder.symlink.open("a") as log:
            log.write("".join(name + "\n" for name in names))
        arguments = [str(tmp_path), str(rng.randrange(1, 60)), str(round_number)]
        status = subprocess.run([sys.executable, "-c", _RECORD, *arguments], check=False, timeout=60).returncode
        assert status in {0, -signal.SIGKILL}
        kills += status != 0
    subprocess.run([sys.executable, "-c", _RECORD, str(tmp_path), "0", "0"], check=True, timeout=60)
    assert kills > 3
    assert stored(tmp_path / "record") == expected
    assert len(folder.numbers()) < 3


def test_a_second_recorder_process_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    LogFolder(tmp_path / "log").switch()
    with Recorder(tmp_path / "record") as recorder:
        recorder.append([call(Line(b"mine", "orders/access-00000001.log:5"))])
        other = subprocess.run(
            [sys.executable, "-c", _RECORD, str(tmp_path), "0", "0"], check=False, capture_output=True, timeout=60
        )
        assert other.returncode == 1
        assert f"is held by process {os.getpid()} since" in other.stderr.decode()
    assert stored(tmp_path / "record") == ["mine"]


# Writes as Envoy does: one descriptor, whole lines at a time, and opens the link again when told to.
_ENVOY = """
import os, sys
link, prefix = sys.argv[1:]
log = os.open(link, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
number = 0
for order in sys.stdin:
    if order == "reopen\\n":
        os.close(log)
        log = os.open(link, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    elif order == "tear\\n":
        os.write(log, b"torn " + prefix.encode())
    else:
        for _ in range(int(order)):
            os.write(log, f"{prefix}-{number}\\n".encode())
            number += 1
    print(order.strip(), flush=True)
"""


class Envoy:
    def __init__(self, folder: LogFolder, prefix: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", _ENVOY, str(folder.symlink), prefix],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def order(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")

    def obeyed(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline()

    def kill(self) -> None:
        with self.process:
            self.process.kill()


def test_rotation_kills_and_restarts_under_a_writing_process_lose_and_double_nothing(tmp_path: Path) -> None:
    asyncio.run(asyncio.wait_for(_rotate_kill_restart(tmp_path), 120))


class Reader:
    """Reads, records and deletes as the control plane does, and is restarted now and then."""

    def __init__(self, recorder: Recorder, folder: LogFolder, rng: random.Random) -> None:
        self.recorder = recorder
        self.folder = folder
        self.rng = rng
        self.tailer = Tailer(folder, "orders")
        self.found: list[Line | Gap] = []

    def read(self) -> None:
        lines = self.tailer.read(self.rng.choice([50, 500, 5000]))
        self.found.extend(lines)
        self.recorder.append([call(line) for line in lines if isinstance(line, Line)], [self.tailer.position])
        if (done := self.recorder.checkpointed(LOG)) is not None:
            assert self.tailer.late() == []
            self.folder.delete_before(done.number)

    def restart(self) -> None:
        self.tailer.close()
        self.tailer = Tailer(self.folder, "orders", self.recorder.position(LOG))

    async def read_until(self, last: bytes) -> None:
        while not self.found or not isinstance(self.found[-1], Line) or self.found[-1].data != last:
            await self.tailer.wait()
            self.read()


async def _write_and_rotate(envoy: Envoy, reader: Reader, count: int) -> None:
    """Read and rotate while Envoy writes `count` lines."""
    envoy.order(str(count))
    for _ in range(reader.rng.randrange(4)):
        reader.read()
    if reader.rng.random() < 0.5:

        async def reopen() -> None:
            envoy.order("reopen")  # it comes to that when it has written the lines

        await reader.folder.rotate(reopen)
        for _ in range(2):
            reader.read()
        envoy.obeyed()
    envoy.obeyed()
    if reader.rng.random() < 0.3:
        reader.restart()


async def _rotate_kill_restart(tmp_path: Path) -> None:
    rng = random.Random(11)  # noqa: S311 - faults, not secrets
    (tmp_path / "log").mkdir()
    folder = LogFolder(tmp_path / "log")
    expected: list[str] = []
    with Recorder(tmp_path / "record", batches_per_checkpoint=2) as recorder:
        reader = Reader(recorder, folder, rng)
        for life in range(4):
            folder.switch()
            envoy = Envoy(folder, f"life{life}")
            counts = [rng.randrange(1, 200) for _ in range(12)]
            for count in counts:
                await _write_and_rotate(envoy, reader, count)
            envoy.order("tear")
            envoy.obeyed()
            envoy.kill()
            reader.tailer.writer_ended()
            expected += [*(f"life{life}-{number}" for number in range(sum(counts))), f"torn life{life}"]
            await reader.read_until(f"torn life{life}".encode())
        reader.tailer.close()
    assert [line.data.decode() for line in reader.found if isinstance(line, Line)] == expected
    assert len(reader.found) == len(expected)
    assert stored(tmp_path / "record") == expected
