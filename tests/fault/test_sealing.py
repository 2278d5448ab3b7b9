"""Sealing and retention under a disk that refuses, a process that ends, a damaged record: nothing is lost."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.unit.record.audit.log import Log, call

from inward.catalog.retention import Keep
from inward.errors import InwardError
from inward.record.audit.fsck import look_through
from inward.record.audit.notary import load_state
from inward.record.call import Call, Entry
from inward.record.disk import Disk
from inward.record.reader import find_calls, read_calls
from inward.record.recorder import Recorder
from inward.record.sealed.files import list_local
from inward.record.sealed.retention import retire
from inward.record.segment import list_segments

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COUNT = 1100
# Each operation fails in one way; in all ways where there is time.
FAULTS = [
    ("end", 1, 3),
    ("EIO", 2, 3),
    ("ENOSPC", 3, 3),
    *(pytest.param(fault, 1, 1, marks=pytest.mark.long) for fault in ("end", "EIO", "ENOSPC")),
]


class PowerFailure(BaseException):
    """The process ends here."""


class FaultyDisk(Disk):
    """A disk of which one operation fails, or ends the process; `write` is torn then."""

    def __init__(self, at: int = -1, fault: str = "") -> None:
        self.count = 0
        self.at = at
        self.fault = fault

    def _step(self) -> None:
        self.count += 1
        if self.count == self.at:
            if self.fault == "end":
                raise PowerFailure
            raise OSError(getattr(errno, self.fault), os.strerror(getattr(errno, self.fault)))

    def create(self, path: Path) -> int:
        self._step()
        return super().create(path)

    def open(self, path: Path) -> int:
        self._step()
        return super().open(path)

    def write(self, descriptor: int, data: memoryview) -> int:
        try:
            self._step()
        except BaseException:
            super().write(descriptor, data[: len(data) // 2])
            raise
        return super().write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        self._step()
        super().fsync(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        self._step()
        super().replace(source, target)

    def unlink(self, path: Path) -> None:
        self._step()
        super().unlink(path)


def mixed(number: int) -> Entry:
    if number % 5:
        return call(number)
    return Call(time="2026-11-26T12:00:00.000Z", id=f"call-{number}", decision="deny", carried_out="deny", reason="x")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Log:
    log = Log.make(tmp_path_factory.mktemp("made"), COUNT, entry=mixed)
    assert len(log.segments()) > 1
    return log


@pytest.fixture(scope="module")
def sealed(made: Log, tmp_path_factory: pytest.TempPathFactory) -> Log:
    log = copy(made, tmp_path_factory.mktemp("sealed"))
    assert log.seal()
    return log


def copy(log: Log, folder: Path) -> Log:
    shutil.copytree(log.folder, folder / "record")
    shutil.copy(log.head, folder / "head")
    return Log(folder / "record", log.signer, folder / "head", log.count, log.entry)


def assert_whole(log: Log, ids: list[str] | None = None) -> None:
    found = log.verified()
    assert (found.damages, found.gone, found.unsigned) == ([], [], 0)
    assert look_through(log.folder) == []
    expected = [f"call-{number}" for number in range(COUNT)] if ids is None else ids
    assert [each.id for each in read_calls(log.folder)] == expected


def operations(what: Callable[[Disk], object]) -> int:
    disk = FaultyDisk()
    what(disk)
    return disk.count


@pytest.mark.parametrize(("fault", "first", "step"), FAULTS)
def test_sealing_that_fails_at_any_operation_is_done_again(
    made: Log, tmp_path: Path, fault: str, first: int, step: int
) -> None:
    (tmp_path / "count").mkdir()
    count = operations(copy(made, tmp_path / "count").seal)
    assert count > 10
    for at in range(first, count + 1, step):
        folder = tmp_path / f"{fault}-{at}"
        folder.mkdir()
        log = copy(made, folder)
        with contextlib.suppress(InwardError, PowerFailure):
            log.seal(FaultyDisk(at, fault))
        assert [each.id for each in read_calls(log.folder)] == [f"call-{number}" for number in range(COUNT)]
        log.seal()
        assert_whole(log)
        assert len(list_segments(log.folder)) == 1, at  # the one that is written
        assert not list(log.folder.glob("day=*/.*"))
        shutil.rmtree(folder)


@pytest.mark.parametrize(("fault", "first", "step"), FAULTS)
def test_retention_that_fails_at_any_operation_is_done_again(
    sealed: Log, tmp_path: Path, fault: str, first: int, step: int
) -> None:
    later, keep = datetime(2027, 11, 26, tzinfo=UTC), Keep(allowed=timedelta(days=1))

    def thin(log: Log, disk: Disk) -> None:
        for each in list_local(log.folder):
            retire(each, log.folder, keep, later, log.note, disk)

    (tmp_path / "count").mkdir()
    plain = copy(sealed, tmp_path / "count")
    count = operations(lambda disk: thin(plain, disk))
    left = [each.id for each in read_calls(plain.folder)]
    assert COUNT / 5 <= len(left) < COUNT
    for at in range(first, count + 1, step):
        folder = tmp_path / f"{fault}-{at}"
        folder.mkdir()
        log = copy(sealed, folder)
        with contextlib.suppress(InwardError, PowerFailure):
            thin(log, FaultyDisk(at, fault))
        thin(log, Disk())
        assert_whole(log, left)
        shutil.rmtree(folder)


def process(log: Log, **options: object) -> subprocess.Popen[bytes]:
    first = list_segments(log.folder)[0]
    taken = load_state(log.folder).segments[first.path.name]
    numbers = [str(number) for number in (taken.size, taken.first, taken.count)]
    command = [sys.executable, "-m", "inward.record.sealed", str(first.path), *numbers]
    return subprocess.Popen(command, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload,no-any-return]  # options of two kinds


def test_a_process_that_is_killed_at_any_moment_leaves_the_record_whole(made: Log, tmp_path: Path) -> None:
    log = copy(made, tmp_path)
    chance = random.Random(7)  # noqa: S311 - no secret
    for _ in range(6):
        with process(log) as running:
            try:
                running.wait(chance.uniform(0.2, 1.2))
            except subprocess.TimeoutExpired:
                running.send_signal(signal.SIGKILL)
        assert len(list(read_calls(log.folder))) == COUNT
    log.seal()
    assert_whole(log)


def test_a_disk_that_is_full_leaves_the_segment(made: Log, tmp_path: Path) -> None:
    log = copy(made, tmp_path)

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    with process(log, preexec_fn=limit) as running:
        assert running.stderr is not None
        said = running.stderr.read().decode()
    assert (running.returncode, len(said.splitlines())) == (1, 1), said
    assert list_local(log.folder) == []
    assert not list(log.folder.glob("day=*/*"))
    assert_whole(log)


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"\x01", b"\x00", b"\n"])
def test_a_segment_that_is_damaged_is_left_and_those_after_it_are_sealed(
    made: Log, tmp_path: Path, damage: bytes
) -> None:
    log = copy(made, tmp_path)
    first = log.segments()[0]
    content = first.read_bytes()
    at = content.index(b"checkout", len(content) // 2)
    first.write_bytes(content[:at] + damage + content[at + len(damage) :])
    before = len(log.segments())
    log.seal()
    assert first.exists()
    assert len(log.segments()) < before or before == 2
    assert {each.file for each in log.verified().damages} == {first.name}


def test_a_recorder_without_its_checkpoint_knows_what_is_sealed(tmp_path: Path) -> None:
    def logged(number: int) -> Entry:
        return Call(
            time="2026-11-26T12:00:00.000Z",
            id=f"call-{number}",
            decision="allow",
            carried_out="allow",
            reason="x",
            src=f"orders/access-00000001.log:{number + 1}",
        )

    log = Log.make(tmp_path, COUNT, entry=logged)
    log.seal()
    (log.folder / "positions.json").unlink()
    for each in list_segments(log.folder):
        each.path.unlink()
    with Recorder(log.folder) as recorder:
        position = recorder.position("orders/access")
        assert recorder.notes == ()
        assert position is not None
        assert recorder.append([*(logged(number) for number in range(100)), logged(COUNT)]) == 1  # the others again
    assert len(find_calls(log.folder, "call-7")) == 1
    assert min(each.number for each in list_segments(log.folder)) > max(each.number for each in list_local(log.folder))


def test_a_segment_that_is_older_than_a_sealed_one_is_not_continued(made: Log, tmp_path: Path) -> None:
    log = copy(made, tmp_path)
    first = log.segments()[0]
    kept = first.read_bytes()
    log.seal()
    for each in log.segments():
        each.unlink()
    first.write_bytes(kept)  # as if it could not be sealed
    (log.folder / "positions.json").unlink()
    with Recorder(log.folder) as recorder:
        recorder.append([call(COUNT)])
    assert first.read_bytes() == kept
    numbers = [each.number for each in list_segments(log.folder)]
    assert numbers[0] == 1
    assert numbers[-1] > max(each.number for each in list_local(log.folder))
