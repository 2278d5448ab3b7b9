"""Following the record from a place: each entry once, whatever becomes of the segments meanwhile."""

from __future__ import annotations

import errno
import os
import random
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.unit.record.audit.log import Log

from inward.catalog.retention import Keep
from inward.record import follow, recovery
from inward.record.audit.notary import Notary, load_state
from inward.record.call import Call, Gap, encode_entry
from inward.record.disk import Disk, RecordError
from inward.record.follow import START, Follower, Place, checkpointed
from inward.record.recorder import Recorder, RecordWriteError
from inward.record.sealed.files import list_local
from inward.record.sealed.retention import retire
from inward.tlog.note import Signer

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeCall = Callable[..., Call]


def ids(follower: Follower, limit: int = 1000) -> list[str]:
    return [entry.id for _, entry in follower.read(limit) if isinstance(entry, Call)]


def all_ids(follower: Follower, limit: int) -> list[str]:
    found: list[str] = []
    while more := ids(follower, limit):
        assert len(more) <= limit
        found += more
    return found


def paths(folder: Path) -> list[Path]:
    return sorted(folder.glob("calls-*.ndjson"))


def expected(first: int, end: int) -> list[str]:
    return [f"id-{offset}" for offset in range(first, end)]


def test_no_record_yet(tmp_path: Path, make_call: MakeCall) -> None:
    follower = Follower(tmp_path / "record")
    assert (follower.read(10), follower.lag(), follower.missing(), follower.place) == ([], 0, [], START)
    with Recorder(tmp_path / "record") as recorder:
        assert Follower(tmp_path / "record", durable=recorder.durable).read(10) == []
        recorder.append([make_call(1)])
    assert ids(follower) == ["id-1"]


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_each_entry_once_over_segments_and_from_every_place(tmp_path: Path, make_call: MakeCall, limit: int) -> None:
    with Recorder(tmp_path, segment_bytes=2000) as recorder:
        follower = Follower(tmp_path, durable=recorder.durable)
        found: list[str] = []
        for first in range(1, 60, 3):
            recorder.append([make_call(offset) for offset in range(first, first + 3)])
            found += all_ids(follower, limit)
        assert len(paths(tmp_path)) > 3
        assert found == expected(1, 61)
        assert follower.lag() == 0
    everything = Follower(tmp_path).read(1000)
    for number, (place, _) in enumerate(everything, 1):
        assert all_ids(Follower(tmp_path, place), limit) == expected(number + 1, 61)
    assert everything[-1][0] == follower.place
    assert follower.missing() == []


def test_how_far_behind(tmp_path: Path, make_call: MakeCall) -> None:
    with Recorder(tmp_path, segment_bytes=2000) as recorder:
        recorder.append([make_call(offset) for offset in range(1, 30)])
        recorder.append([make_call(offset) for offset in range(30, 40)])
    follower = Follower(tmp_path)
    size = sum(path.stat().st_size for path in paths(tmp_path))
    assert follower.lag() == size
    read = follower.read(31)
    assert follower.lag() == size - sum(len(encode_entry(entry)) for _, entry in read)
    follower.read(100)
    assert follower.lag() == 0


def test_nothing_is_read_before_it_is_durable(tmp_path: Path, make_call: MakeCall) -> None:
    with Recorder(tmp_path) as recorder:
        recorder.append([make_call(1)])
        durable = recorder.durable()
        recorder.append([make_call(2)])
        follower = Follower(tmp_path, durable=lambda: durable)
        assert ids(follower) == ["id-1"]
        durable = recorder.durable()
        assert ids(follower) == ["id-2"]


def test_another_process_reads_up_to_the_checkpoint(tmp_path: Path, make_call: MakeCall) -> None:
    with Recorder(tmp_path, segment_bytes=500) as recorder:
        follower = Follower(tmp_path, durable=checkpointed(tmp_path))
        assert ids(follower) == []
        recorder.append([make_call(1)])
        recorder.append([make_call(2)])
        assert ids(follower) == []
        recorder.checkpoint()
        assert ids(follower) == ["id-1", "id-2"]
        ahead = Follower(tmp_path, durable=recorder.durable)
        recorder.append([make_call(3)])
        assert ids(ahead) == ["id-1", "id-2", "id-3"]
        behind = Follower(
            tmp_path, ahead.place, durable=checkpointed(tmp_path)
        )  # the place of a process that knew more
        assert ids(behind) == []
        recorder.append([make_call(4)])
        recorder.checkpoint()
        assert (ids(behind), behind.missing()) == (["id-4"], [])


def test_a_line_without_end_is_left_alone_and_a_damaged_one_is_a_gap(tmp_path: Path, make_call: MakeCall) -> None:
    with Recorder(tmp_path) as recorder:
        recorder.append([make_call(1)])
    (path,) = paths(tmp_path)
    line = encode_entry(make_call(2))
    with path.open("ab") as file:
        file.write(b"\xff{nonsense}\n" + line[:20])
    follower = Follower(tmp_path)
    (_, first), (place, gap) = follower.read(10)
    assert isinstance(first, Call)
    assert gap == Gap(time=first.time, why=f"a line of `{path.name}` is damaged", lost_lines=1, lost_bytes=11)
    assert follower.read(10) == []
    with path.open("ab") as file:
        file.write(line[20:])
    assert ids(follower) == ids(Follower(tmp_path, place)) == ["id-2"]


def test_what_a_failed_write_left_is_not_read(tmp_path: Path, make_call: MakeCall) -> None:
    class Refusing(Disk):
        refuses = False

        def fsync(self, descriptor: int) -> None:
            self.check()
            super().fsync(descriptor)

        def truncate(self, descriptor: int, size: int) -> None:
            self.check()
            super().truncate(descriptor, size)

        def check(self) -> None:
            if self.refuses:
                raise OSError(errno.EIO, os.strerror(errno.EIO))

    disk = Refusing()
    with Recorder(tmp_path, disk=disk) as recorder:
        follower = Follower(tmp_path, durable=recorder.durable)
        recorder.append([make_call(1)])
        disk.refuses = True
        with pytest.raises(RecordWriteError):
            recorder.append([make_call(2), make_call(3)])
        assert ids(follower) == ["id-1"]
        disk.refuses = False
        recorder.append([make_call(2), make_call(3)])
        recorder.append([make_call(4)])
        assert ids(follower) == ["id-2", "id-3", "id-4"]
        assert ids(Follower(tmp_path, durable=recorder.durable)) == expected(1, 5)


def test_what_was_taken_back_after_it_was_read(tmp_path: Path, make_call: MakeCall) -> None:
    with Recorder(tmp_path) as recorder:
        recorder.append([make_call(1)])
    (path,) = paths(tmp_path)
    good = path.stat().st_size
    with path.open("ab") as file:
        file.write(encode_entry(make_call(2, path="/a/much/longer/one")))
    follower = Follower(tmp_path)
    assert ids(follower) == ["id-1", "id-2"]
    os.truncate(path, good)
    with path.open("ab") as file:
        file.write(b"".join(encode_entry(make_call(offset)) for offset in (2, 3, 4)))
    assert ids(follower) == ["id-3", "id-4"]


def make_segments(folder: Path, make_call: MakeCall, *, notary: bool) -> None:
    with Recorder(folder / "record", segment_bytes=2000) as recorder:
        signer = Signer("test", Ed25519PrivateKey.generate())
        log = Notary(folder / "record", signer, folder / "head") if notary else None
        for offset in range(1, 31):
            recorder.append([make_call(offset)])
            if log is not None:
                log.advance(*recorder.durable())


@pytest.mark.parametrize("counted", [True, False])
def test_segments_that_were_deleted_are_told_once(tmp_path: Path, make_call: MakeCall, *, counted: bool) -> None:
    make_segments(tmp_path, make_call, notary=counted)
    record = tmp_path / "record"
    first, second, third, *_ = paths(record)
    in_first, in_second = (path.read_bytes().count(b"\n") for path in (first, second))
    whole, partly = Follower(record), Follower(record)
    assert len(ids(whole, in_first)) == in_first
    assert len(ids(partly, 2)) == 2
    partly = Follower(record, partly.place)
    first.unlink()
    second.unlink()
    rest = expected(in_first + in_second + 1, 31)
    assert ids(whole) == ids(partly) == rest
    (missing,) = whole.missing()
    assert (missing.entries, missing.changed) == (in_second if counted else None, False)
    (missing,) = partly.missing()
    assert missing.entries == (in_first - 2 + in_second if counted else None)
    assert partly.missing() == []
    assert (ids(fresh := Follower(record)), fresh.missing()) == (rest, [])  # who begins does not miss what was before
    done = Follower(record, Place(3, third.read_bytes().count(b"\n")))
    third.unlink()
    assert ids(done) == ids(Follower(record))
    assert bool(done.missing()) is not counted


def test_a_segment_that_is_shorter(tmp_path: Path, make_call: MakeCall) -> None:
    make_segments(tmp_path, make_call, notary=False)
    record = tmp_path / "record"
    path = paths(record)[1]
    before = paths(record)[0].read_bytes().count(b"\n")
    content = path.read_bytes()
    follower = Follower(record, Place(2, 6))
    path.write_bytes(b"".join(content.splitlines(keepends=True)[:3]) + b"torn")
    assert ids(follower) == expected(before + content.count(b"\n") + 1, 31)
    (missing,) = follower.missing()
    assert (missing.why, missing.place) == (f"`{path.name}` is shorter than it was", Place(2, 6))
    assert missing.changed


def test_another_record_is_read_from_its_start(tmp_path: Path, make_call: MakeCall) -> None:
    with Recorder(tmp_path) as recorder:
        recorder.append([make_call(1)])
    follower = Follower(tmp_path, Place(7, 3))
    assert ids(follower) == ["id-1"]
    (missing,) = follower.missing()
    assert "not the one that was read" in missing.why
    begun = Follower(tmp_path, Place(2, 0))  # the next one, of which nothing was read
    assert (ids(begun), begun.missing()) == ([], [])


def test_a_folder_that_cannot_be_read_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "calls-2026-08-01-00000001.ndjson").mkdir()
    with pytest.raises(RecordError, match="cannot be read"):
        Follower(tmp_path).read(1)


@pytest.mark.parametrize("block", [1, 7, 64, 1 << 20])
def test_places_are_found_whatever_the_blocks_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(follow, "BLOCK_BYTES", block)
    chosen = random.Random(4)  # noqa: S311 - not for secrets
    lines = [b"x" * chosen.randrange(0, 40) + b"\n" for _ in range(30)]
    path = tmp_path / "lines"
    path.write_bytes(b"".join(lines) + b"torn")
    for wanted in (*range(31), 100):
        with path.open("rb") as file:
            there = min(wanted, 30)
            assert follow._skip(file, wanted, path.stat().st_size) == (there, sum(map(len, lines[:there])))


def test_large_entries_come_in_smaller_numbers(
    tmp_path: Path, make_call: MakeCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "MOST_BYTES", 3000)
    with Recorder(tmp_path) as recorder:
        recorder.append([make_call(offset, path="/" + "x" * 1000) for offset in range(1, 8)])
    follower = Follower(tmp_path)
    assert [len(follower.read(100)) for _ in range(4)] == [3, 3, 1, 0]


def test_memory_does_not_grow_with_the_record(
    tmp_path: Path, make_call: MakeCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "_MAX_BYTES", 1 << 16)  # a buffer of that size, of no matter here
    with Recorder(tmp_path) as recorder:
        recorder.append([make_call(offset) for offset in range(1, 20_001)])
    follower = Follower(tmp_path)
    tracemalloc.start()
    try:
        assert sum(len(follower.read(100)) for _ in range(201)) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 5 << 20  # bytes; all lines at once have more than that
    finally:
        tracemalloc.stop()


def sealed_log(folder: Path) -> Log:
    log = Log.make(folder, 1000)
    assert log.seal()
    return log


@pytest.mark.parametrize("limit", [7, 400, 10_000])
def test_sealed_segments_are_followed_as_open_ones_are(tmp_path: Path, limit: int) -> None:
    log = sealed_log(tmp_path)
    wanted = [f"call-{number}" for number in range(1000)]
    assert all_ids(Follower(log.folder), limit) == wanted
    everything = Follower(log.folder).read(2000)
    for number in (1, 2, 300, 640, 999):
        place, _ = everything[number - 1]
        follower = Follower(log.folder, place)
        assert all_ids(follower, limit) == wanted[number:]
        assert (follower.missing(), follower.lag()) == ([], 0)


def test_a_segment_may_be_sealed_while_it_is_followed(tmp_path: Path) -> None:
    log = Log.make(tmp_path, 1000)
    follower = Follower(log.folder)
    found = ids(follower, 123)
    before = follower.lag()
    log.seal()
    assert before * 0.9 < follower.lag() < before * 1.1
    found += all_ids(follower, 100)
    assert found == [f"call-{number}" for number in range(1000)]
    assert follower.missing() == []


def test_what_retention_dropped_is_passed(tmp_path: Path) -> None:
    log = sealed_log(tmp_path)
    first, *_ = list_local(log.folder)
    later = datetime(2028, 1, 1, tzinfo=UTC)
    dropped = retire(first, log.folder, Keep(allowed=timedelta(days=1)), later, log.note)
    assert dropped is not None
    follower = Follower(log.folder)
    assert all_ids(follower, 50) == [f"call-{number}" for number in range(dropped.count, 1000)]


def test_a_sealed_segment_that_is_damaged_is_passed_and_told_once(tmp_path: Path) -> None:
    log = sealed_log(tmp_path)
    first, *_ = list_local(log.folder)
    count = load_state(log.folder).segments[first.segment].count
    Path(first.url).write_bytes(b"no file of ours")
    follower = Follower(log.folder)
    assert all_ids(follower, 100) == [f"call-{number}" for number in range(count, 1000)]
    assert len(follower.missing()) == 1
    assert follower.read(10) == []
    assert follower.missing() == []
