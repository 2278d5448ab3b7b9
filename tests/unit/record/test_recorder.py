"""Appending durably and once, with disks that refuse."""

from __future__ import annotations

import errno
import os
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from inward.record.call import Call, Gap, parse_entry
from inward.record.disk import Disk, RecordError
from inward.record.lock import FolderLockedError
from inward.record.position import InvalidPositionError, Position
from inward.record.reader import read_calls, read_entries
from inward.record.recorder import Recorder, RecordWriteError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    MakeCall = Callable[..., Call]

LOG = "orders/access"


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 8, 1, 23, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class RefusingDisk(Disk):
    """Fails the operations in `refuse` (with that errno), after writing `taken` bytes of what it is given."""

    def __init__(self) -> None:
        self.refuse: dict[str, int] = {}
        self.taken = 0
        self.fsyncs = 0

    def _check(self, operation: str) -> None:
        if code := self.refuse.get(operation):
            raise OSError(code, os.strerror(code))

    def create(self, path: Path) -> int:
        self._check("create")
        return super().create(path)

    def write(self, descriptor: int, data: memoryview) -> int:
        if "write" in self.refuse:
            super().write(descriptor, data[: self.taken])
        self._check("write")
        return super().write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        self._check("fsync")
        self.fsyncs += 1
        super().fsync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        self._check("truncate")
        super().truncate(descriptor, size)

    def replace(self, source: Path, target: Path) -> None:
        self._check("replace")
        super().replace(source, target)


def ids(folder: Path) -> list[str]:
    return [call.id for call in read_calls(folder)]


def segments(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("calls-*.ndjson"))


def raw_ids(folder: Path) -> list[Any]:
    """Every line of every segment, without what the reader knows of lines that do not count."""
    lines = [line for name in segments(folder) for line in (folder / name).read_bytes().splitlines()]
    return [getattr(parse_entry(line), "id", None) for line in lines]


def test_what_is_appended_is_there_and_private(tmp_path: Path, make_call: MakeCall) -> None:
    clock = Clock()
    with Recorder(tmp_path / "record", now=clock) as recorder:
        assert recorder.notes == ()
        assert recorder.position(LOG) is None
        assert recorder.append([make_call(10), make_call(20)]) == 2
        assert recorder.position(LOG) == Position(LOG, 1, 0, 20)
        assert list(read_calls(tmp_path / "record")) == [make_call(10), make_call(20)]
    assert segments(tmp_path / "record") == ["calls-2026-08-01-00000001.ndjson"]
    assert (tmp_path / "record").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "record").iterdir()} == {0o600}


def test_a_batch_is_one_write_and_one_fsync(tmp_path: Path, make_call: MakeCall) -> None:
    disk = RefusingDisk()
    with Recorder(tmp_path, disk=disk) as recorder:
        recorder.append([make_call(1)])
        before = disk.fsyncs
        recorder.append([make_call(offset) for offset in range(2, 1000)])
        assert disk.fsyncs == before + 1
        recorder.append([])
        assert disk.fsyncs == before + 1


def test_each_src_counts_once(tmp_path: Path, make_call: MakeCall) -> None:
    with Recorder(tmp_path) as recorder:
        assert recorder.append([make_call(10), make_call(20), make_call(20)]) == 2
        assert recorder.append([make_call(10), make_call(20), make_call(30)]) == 1
        other = make_call(10, id="other", src="checkout/access-00000001.log:10")
        assert recorder.append([other, make_call(None), make_call(None)]) == 3
    with Recorder(tmp_path) as recorder:
        assert recorder.append([make_call(30), other]) == 0
    assert ids(tmp_path) == ["id-10", "id-20", "id-30", "other", "id-None", "id-None"]


def test_a_bad_src_is_refused_before_anything_is_written(tmp_path: Path, make_call: MakeCall) -> None:
    with Recorder(tmp_path) as recorder:
        with pytest.raises(InvalidPositionError):
            recorder.append([make_call(10), make_call(20, src="nonsense")])
        assert recorder.position(LOG) is None
        assert recorder.append([make_call(10)]) == 1
    assert ids(tmp_path) == ["id-10"]


def test_a_call_that_cannot_be_stored_does_not_stop_the_others(tmp_path: Path, make_call: MakeCall) -> None:
    with Recorder(tmp_path) as recorder:
        assert recorder.append([make_call(10), make_call(20, path="/\ud800"), make_call(30)]) == 3
        assert recorder.position(LOG) == Position(LOG, 1, 0, 30)
    entries = list(read_entries(tmp_path))
    assert [entry.src for entry in entries] == [make_call(offset).src for offset in (10, 20, 30)]
    assert isinstance(entries[1], Gap)


def test_segments_end_by_size_and_by_day(tmp_path: Path, make_call: MakeCall) -> None:
    clock = Clock()
    with Recorder(tmp_path, now=clock, segment_bytes=500) as recorder:
        for offset in range(1, 7):
            recorder.append([make_call(offset)])
        clock.now = datetime(2026, 8, 2, 0, 0, tzinfo=UTC)
        recorder.append([make_call(7)])
        clock.now = datetime(2026, 8, 1, 23, 59, tzinfo=UTC)  # set back
        recorder.append([make_call(8)])
        recorder.append([make_call(offset) for offset in range(9, 30)])  # larger than a segment
    names = segments(tmp_path)
    assert [name[6:25] for name in names if name.startswith("calls-2026-08-02")] == ["2026-08-02-00000004"]
    assert len(names) == 6
    assert ids(tmp_path) == [f"id-{offset}" for offset in range(1, 30)]
    assert all((tmp_path / name).stat().st_size <= 500 for name in names[:4])


def test_positions_survive_without_an_entry(tmp_path: Path, make_call: MakeCall) -> None:
    with Recorder(tmp_path) as recorder:
        recorder.append([make_call(10)], [Position(LOG, 1, 0, 15), Position("x/access", 4)])
        assert recorder.position(LOG) == Position(LOG, 1, 0, 15)
        recorder.append([], [Position(LOG, 1, 0, 12)])
        assert recorder.position(LOG) == Position(LOG, 1, 0, 15)
        assert recorder.checkpointed("x/access") is None
        recorder.checkpoint()
        assert recorder.checkpointed("x/access") == Position("x/access", 4)
        recorder.append([], [Position("x/access", 5)])
        assert recorder.checkpointed("x/access") == Position("x/access", 4)
    with Recorder(tmp_path) as recorder:
        assert recorder.position("x/access") == recorder.checkpointed("x/access") == Position("x/access", 5)
        assert recorder.position(LOG) == Position(LOG, 1, 0, 15)


def test_a_checkpoint_comes_by_itself(tmp_path: Path, make_call: MakeCall) -> None:
    with Recorder(tmp_path, batches_per_checkpoint=3) as recorder:
        for offset in (1, 2):
            recorder.append([make_call(offset)])
        assert recorder.checkpointed(LOG) is None
        recorder.append([make_call(3)])
        assert recorder.checkpointed(LOG) == Position(LOG, 1, 0, 3)


def test_two_recorders_on_one_folder(tmp_path: Path, make_call: MakeCall) -> None:
    with Recorder(tmp_path) as recorder:
        with pytest.raises(FolderLockedError, match=f"process {os.getpid()} since"):
            Recorder(tmp_path)
        assert recorder.append([make_call(10)]) == 1
    with pytest.raises(RecordError, match="closed"):
        recorder.append([make_call(20)])
    recorder.close()
    Recorder(tmp_path).close()


def test_threads_take_turns(tmp_path: Path, make_call: MakeCall) -> None:
    def append(service: str) -> None:
        for offset in range(1, 21):
            recorder.append([make_call(offset, id=f"{service}{offset}", src=f"{service}/access-00000001.log:{offset}")])

    with Recorder(tmp_path, segment_bytes=2000, batches_per_checkpoint=2) as recorder:
        threads = [threading.Thread(target=append, args=(service,)) for service in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = ids(tmp_path)
    assert len(found) == 80
    for service in "abcd":
        assert [each for each in found if each[0] == service] == [f"{service}{n}" for n in range(1, 21)]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("taken", [0, 1, 100, 10_000])
def test_a_write_that_fails_leaves_nothing_and_is_tried_again(
    tmp_path: Path, make_call: MakeCall, code: int, taken: int
) -> None:
    disk = RefusingDisk()
    with Recorder(tmp_path, disk=disk) as recorder:
        recorder.append([make_call(10)])
        disk.refuse, disk.taken = {"write": code}, taken
        for _ in range(3):
            with pytest.raises(RecordWriteError, match="cannot be written") as caught:
                recorder.append([make_call(20), make_call(30)])
            assert isinstance(caught.value.__cause__, OSError)
            assert recorder.position(LOG) == Position(LOG, 1, 0, 10)
        disk.refuse = {}
        assert recorder.append([make_call(20), make_call(30)]) == 2
        assert raw_ids(tmp_path) == ids(tmp_path) == ["id-10", "id-20", "id-30"]
    assert len(segments(tmp_path)) == 1


def test_a_tail_that_cannot_be_cut_off_is_not_written_behind(tmp_path: Path, make_call: MakeCall) -> None:
    disk = RefusingDisk()
    with Recorder(tmp_path, disk=disk) as recorder:
        recorder.append([make_call(10)])
        disk.refuse, disk.taken = {"write": errno.ENOSPC, "truncate": errno.EIO}, 50
        for refuse in (disk.refuse, {"truncate": errno.EIO}):
            disk.refuse = refuse
            with pytest.raises(RecordWriteError):
                recorder.append([make_call(20)])
        disk.refuse = {}
        recorder.append([make_call(20)])
    assert raw_ids(tmp_path) == ["id-10", "id-20"]


@pytest.mark.parametrize("truncates", [True, False])
def test_after_a_failed_fsync_the_batch_goes_to_a_new_segment(
    tmp_path: Path, make_call: MakeCall, *, truncates: bool
) -> None:
    disk = RefusingDisk()
    with Recorder(tmp_path, disk=disk) as recorder:
        recorder.append([make_call(10)])
        broken = {} if truncates else {"truncate": errno.EIO}
        disk.refuse = {"fsync": errno.EIO, **broken}
        with pytest.raises(RecordWriteError):
            recorder.append([make_call(20)])
        assert recorder.position(LOG) == Position(LOG, 1, 0, 10)
        with pytest.raises(RecordWriteError):  # a new segment cannot be made durable either
            recorder.append([make_call(20)])
        disk.refuse = broken
        assert recorder.append([make_call(20), make_call(30)]) == 2
        assert ids(tmp_path) == ["id-10", "id-20", "id-30"]
        assert len(segments(tmp_path)) == 2
        assert raw_ids(tmp_path).count("id-20") == (1 if truncates else 2)
        disk.refuse = {}
    with Recorder(tmp_path):
        assert raw_ids(tmp_path) == ["id-10", "id-20", "id-30"]


def test_what_is_given_up_is_not_durable_before_the_disk_knows_it(tmp_path: Path, make_call: MakeCall) -> None:
    disk = RefusingDisk()
    with Recorder(tmp_path, disk=disk) as recorder:
        recorder.append([make_call(10)])
        durable = recorder.durable()
        disk.refuse = {"fsync": errno.EIO, "truncate": errno.EIO, "replace": errno.EIO}
        for _ in range(2):
            with pytest.raises(RecordWriteError):
                recorder.append([make_call(20)])
            assert recorder.durable() == durable
        assert len(segments(tmp_path)) == 2
        disk.refuse = {}
        recorder.append([make_call(20)])
        assert recorder.durable()[0] == segments(tmp_path)[-1]


def test_a_batch_whose_fsync_failed_does_not_count_after_a_restart(tmp_path: Path, make_call: MakeCall) -> None:
    class FirstFsyncFails(Disk):
        failed = False

        def fsync(self, descriptor: int) -> None:
            if armed and not self.failed:
                self.failed = True
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            super().fsync(descriptor)

    armed = False
    recorder = Recorder(tmp_path, disk=FirstFsyncFails())
    recorder.append([make_call(10)])
    armed = True
    with pytest.raises(RecordWriteError):
        recorder.append([make_call(20)])
    recorder._release()  # as if killed
    with Recorder(tmp_path) as recorder:
        assert recorder.position(LOG) == Position(LOG, 1, 0, 10)
        assert raw_ids(tmp_path) == ["id-10"]


@pytest.mark.parametrize("operation", ["create", "replace", "fsync"])
def test_a_segment_that_cannot_be_begun_is_tried_again(tmp_path: Path, make_call: MakeCall, operation: str) -> None:
    disk = RefusingDisk()
    clock = Clock()
    with Recorder(tmp_path, disk=disk, now=clock) as recorder:
        recorder.append([make_call(10)])
        clock.now = datetime(2026, 8, 2, tzinfo=UTC)
        disk.refuse = {operation: errno.ENOSPC}
        for _ in range(5):
            with pytest.raises(RecordWriteError):
                recorder.append([make_call(20)])
        disk.refuse = {}
        recorder.append([make_call(20)])
    assert raw_ids(tmp_path) == ["id-10", "id-20"]
    assert len(segments(tmp_path)) == 2


def test_a_checkpoint_that_fails_does_not_undo_the_batch(tmp_path: Path, make_call: MakeCall) -> None:
    disk = RefusingDisk()
    with Recorder(tmp_path, disk=disk, batches_per_checkpoint=1) as recorder:
        recorder.append([make_call(10)])
        disk.refuse = {"replace": errno.ENOSPC}
        assert recorder.append([make_call(20)]) == 1
        assert recorder.checkpointed(LOG) == Position(LOG, 1, 0, 10)
        with pytest.raises(RecordWriteError):
            recorder.checkpoint()
        disk.refuse = {}
        recorder.append([make_call(30)])
        assert recorder.checkpointed(LOG) == Position(LOG, 1, 0, 30)


def test_a_part_of_the_record_that_is_gone_is_a_gap(tmp_path: Path, make_call: MakeCall) -> None:
    with Recorder(tmp_path) as recorder:
        recorder.append([make_call(10)])
    path = tmp_path / segments(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-20])
    for _ in range(2):
        with Recorder(tmp_path) as recorder:
            assert recorder.position(LOG) == Position(LOG, 1, 0, 10)
    gaps = [entry for entry in read_entries(tmp_path) if isinstance(entry, Gap) and entry.lost_bytes == 20]
    assert len(gaps) == 1


def test_a_record_that_cannot_be_opened_is_one_message_and_is_let_go(tmp_path: Path, make_call: MakeCall) -> None:
    with Recorder(tmp_path) as recorder:
        recorder.append([make_call(10)])
    disk = RefusingDisk()
    disk.refuse = {"fsync": errno.EIO}
    with pytest.raises(RecordError, match="cannot be opened: Input/output error"):
        Recorder(tmp_path, disk=disk)
    Recorder(tmp_path).close()
