"""The notary: what is durable is in the log, once, whatever went wrong in between."""

from __future__ import annotations

import errno
import os
import random
import shutil
from typing import TYPE_CHECKING

import pytest
from tests.unit.record.audit.log import NOW, Log, call

from inward.record.audit import notary
from inward.record.audit.hashes import leaves_file
from inward.record.audit.notary import LogChangedError, Notary, load_state
from inward.record.disk import Disk, RecordError
from inward.record.recorder import Recorder
from inward.tlog.merkle import GrowingTree, leaf_hash

if TYPE_CHECKING:
    from pathlib import Path


class FailingDisk(Disk):
    """A disk whose operation number `at` fails, or ends the process there."""

    def __init__(self, at: int, error: BaseException) -> None:
        self.left = at
        self._error = error

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise self._error

    def create(self, path: Path) -> int:
        self._count()
        return super().create(path)

    def write(self, descriptor: int, data: memoryview) -> int:
        if self.left == 1:
            super().write(descriptor, data[: len(data) // 2])  # torn
        self._count()
        return super().write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        self._count()
        super().fsync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        self._count()
        super().truncate(descriptor, size)

    def replace(self, source: Path, target: Path) -> None:
        self._count()
        super().replace(source, target)


class EndError(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "no space"), OSError(errno.EIO, "broken"), EndError()])
def test_after_any_failure_it_goes_on_to_the_same_log(tmp_path: Path, error: BaseException) -> None:
    first = Log.make(tmp_path / "first", 100, 300)
    at, failed = 1, True
    while failed:
        folder = tmp_path / str(at)
        shutil.copytree(first.folder.parent, folder)
        log = Log(folder / "record", first.signer, folder / "head", first.count)
        try:
            log.grow(700, 900, disk=FailingDisk(at, error))
            failed = False
        except (RecordError, EndError):
            pass
        log.grow(1000)
        found = log.verified()
        assert (found.damages, found.gone, found.unsigned, found.size) == ([], [], 0, 1000), at
        at += 1
    assert at > 20


def test_only_what_is_durable_is_read(tmp_path: Path) -> None:
    log = Log.make(tmp_path, 100)
    (segment,) = log.segments()
    whole = segment.read_bytes()
    segment.write_bytes(whole + b'{"not": "yet')
    notary = Notary(log.folder, log.signer, log.head)
    assert notary.advance(segment.name, len(whole)) == 0
    assert notary.sign(NOW) is None


def test_a_record_that_got_shorter_is_not_signed_any_more(tmp_path: Path) -> None:
    log = Log.make(tmp_path, 100)
    (segment,) = log.segments()
    content = segment.read_bytes().splitlines(keepends=True)
    notary = Notary(log.folder, log.signer, log.head)
    with pytest.raises(LogChangedError, match="shorter than it was"):
        notary.advance(segment.name, sum(map(len, content[:-1])))


def test_what_it_signs_is_the_tree_of_the_lines(tmp_path: Path) -> None:
    log = Log.make(tmp_path, 777)
    tree = GrowingTree()
    for segment in log.segments():
        for line in segment.read_bytes().splitlines():
            tree.append(leaf_hash(line))
    found = log.verified().last
    assert found is not None
    assert (found.size, found.root, found.origin) == (777, tree.root(), "shop.internal/record")
    assert found.more == ("time 2026-11-26T12:00:00.000Z",)
    assert len(log.head.read_text().splitlines()) == 6


def test_an_order_of_segments_that_a_failed_disk_left_is_the_recorders(tmp_path: Path) -> None:
    """A batch that was given up after a failed fsync does not count, though its bytes may be there."""

    class Once(Disk):
        failed = False

        def fsync(self, descriptor: int) -> None:
            if not self.failed and armed:
                self.failed = True
                raise OSError(errno.EIO, "broken")
            super().fsync(descriptor)

    armed = False
    log = Log.make(tmp_path, 10)
    with Recorder(log.folder, disk=Once()) as recorder:
        notary = Notary(log.folder, log.signer, log.head)
        armed = True
        with pytest.raises(RecordError):
            recorder.append([call(10)])
        recorder.append([call(11)])
        assert notary.advance(*recorder.durable()) == 1
        notary.sign(NOW)
    assert (log.verified().damages, log.verified().size) == ([], 11)


def test_a_state_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    log = Log.make(tmp_path, 10)
    state = log.folder / "tree" / "state.json"
    for content in (b"{", b"[]", b'{"size": 3}', b'{"version": 2}', b'{"size": 1, "edge": ["zz"]}'):
        state.write_bytes(content)
        with pytest.raises(RecordError, match="state of the log"):
            load_state(log.folder)


def test_hashes_that_are_missing_are_told(tmp_path: Path) -> None:
    log = Log.make(tmp_path, 10)
    leaves_file(log.folder, log.segments()[0].name).unlink()
    with pytest.raises(RecordError, match="ends too early"):
        log.grow(20)


def test_random_rounds(tmp_path: Path) -> None:
    chance = random.Random(5)  # noqa: S311 - no secret
    log = Log.make(tmp_path, 1)
    for _ in range(12):
        log.grow(log.count + chance.choice([0, 1, 3, 255, 256, 257]))
        assert log.verified().damages == []


def test_old_checkpoints_are_thinned_to_one_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notary, "KEPT_ALL", 4)
    log = Log.make(tmp_path, *range(10, 210, 10))
    folder = log.folder / notary.CHECKPOINTS
    for number, path in enumerate(sorted(folder.iterdir())):
        os.utime(path, (number * 1000, number * 1000))  # seconds: three or four an hour
    log.grow(*range(210, 260, 10))
    kept = [int(path.name) for path in sorted(folder.iterdir())]
    assert kept[-4:] == [220, 230, 240, 250]
    hours = [int(path.stat().st_mtime // 3600) for path in sorted(folder.iterdir())[:-8]]
    assert len(hours) == len(set(hours))
    found = log.verified()
    assert (found.damages, found.size) == ([], 250)
