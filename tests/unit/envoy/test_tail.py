"""Tailing numbered log files: every line once, whatever happens to the files."""

from __future__ import annotations

import asyncio
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inward.envoy.log_folder import LogError, LogFolder
from inward.envoy.tail import MAX_LINE_BYTES, Line, Tailer
from inward.record.call import Gap
from inward.record.position import Position

LOG = "orders/access"


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def noon() -> datetime:
    return datetime(2026, 8, 1, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> LogFolder:
    return LogFolder(tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tailer(folder: LogFolder, clock: Clock) -> Tailer:
    return Tailer(folder, "orders", clock=clock, now=noon)


def write(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def read_all(tailer: Tailer) -> list[Line | Gap]:
    found = []
    while more := tailer.read():
        found += more
    return found


def data(found: list[Line | Gap]) -> list[bytes]:
    return [each.data if isinstance(each, Line) else b"GAP" for each in found]


# --- the folder ---


def test_switching_leads_the_link_to_the_next_private_file(folder: LogFolder) -> None:
    assert folder.current() is None
    assert [folder.switch(), folder.switch()] == [1, 2]
    assert folder.symlink.readlink() == Path("access-00000002.log")
    assert folder.numbers() == [1, 2]
    assert folder.file(2).stat().st_mode & 0o777 == 0o600
    write(folder.symlink, b"x")
    assert (folder.size(1), folder.size(2), folder.size(3)) == (0, 1, 0)


def test_no_number_is_used_twice(folder: LogFolder) -> None:
    assert folder.switch(after=41) == 42
    folder.file(42).unlink()
    assert folder.switch() == 43
    folder.file(43).unlink()
    folder.symlink.unlink()
    assert folder.switch(after=43) == 44


def test_a_file_in_the_place_of_the_link_becomes_a_numbered_one(folder: LogFolder, tailer: Tailer) -> None:
    folder.switch()
    folder.symlink.unlink()
    write(folder.symlink, b"by Envoy\n")
    assert folder.switch() == 3
    write(folder.symlink, b"later\n")
    assert data(read_all(tailer)) == [b"by Envoy", b"later"]


def test_other_files_are_left_alone(folder: LogFolder) -> None:
    for name in ("access-1.log", "access-00000001.log.gz", "connections-00000009.log", ".access.log.new"):
        (folder.path / name).touch()
    assert folder.switch() == 1
    folder.switch()
    assert folder.delete_before(9) == [1]
    assert (folder.path / "connections-00000009.log").exists()
    assert LogFolder(folder.path, "connections").numbers() == [9]


def test_the_current_file_is_never_deleted(folder: LogFolder) -> None:
    for _ in range(3):
        folder.switch()
    assert folder.delete_before(3) == [1, 2]
    assert folder.delete_before(99) == []
    assert folder.numbers() == [3]


def test_a_folder_that_cannot_be_used_is_one_message(tmp_path: Path) -> None:
    folder = LogFolder(tmp_path / "nowhere")
    with pytest.raises(LogError, match="cannot be used"):
        folder.switch()
    tailer = Tailer(folder, "orders")
    assert tailer.ready()
    with pytest.raises(LogError, match="cannot be read"):
        tailer.read()


def test_rotation_is_due_by_size(folder: LogFolder) -> None:
    assert folder.due(10)
    folder.switch()
    assert not folder.due(10)
    write(folder.symlink, b"123456789")
    assert not folder.due(10)
    write(folder.symlink, b"0")
    assert folder.due(10)
    folder.file(1).unlink()
    assert folder.due(1000)


def test_rotation_is_due_by_time_once_there_is_something(folder: LogFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    folder.switch()
    assert not folder.due(10, 60)
    now = 100.0
    assert not folder.due(10, 60)
    write(folder.symlink, b"1")
    assert not folder.due(10, 60)
    now = 159.0
    assert not folder.due(10, 60)
    now = 160.0
    assert folder.due(10, 60)

    async def fail() -> None:
        raise ConnectionError

    async def reopen() -> None:
        pass

    with pytest.raises(ConnectionError):
        asyncio.run(folder.rotate(fail))
    assert folder.due(10, 60)
    asyncio.run(folder.rotate(reopen))
    assert folder.current() == 2
    assert not folder.due(10, 60)
    now = 1000.0
    assert not folder.due(10, 60)


def test_a_reopening_that_fails_is_asked_for_again_with_the_same_file(folder: LogFolder) -> None:
    asked = []

    async def reopen() -> None:
        asked.append(folder.current())
        if len(asked) < 3:
            raise ConnectionError

    folder.switch()
    write(folder.symlink, b"0123456789")
    for _ in range(2):
        assert folder.due(10)
        with pytest.raises(ConnectionError):
            asyncio.run(folder.rotate(reopen))
        assert LogFolder(folder.path).due(10)
    assert folder.due(10)
    assert asyncio.run(folder.rotate(reopen)) == 2
    assert asked == [2, 2, 2]
    assert not folder.due(10)
    write(folder.symlink, b"0123456789")
    assert folder.due(10)


# --- lines ---


def test_lines_come_in_order_with_their_ends(folder: LogFolder, tailer: Tailer) -> None:
    assert tailer.read() == []
    folder.switch()
    assert tailer.read() == []
    write(folder.symlink, b"one\n\ntwo\nthr")
    assert tailer.read() == [
        Line(b"one", "orders/access-00000001.log:4"),
        Line(b"", "orders/access-00000001.log:5"),
        Line(b"two", "orders/access-00000001.log:9"),
    ]
    assert tailer.position == Position(LOG, 1, 0, 9)
    assert tailer.read() == []
    write(folder.symlink, b"ee\n")
    assert tailer.read() == [Line(b"three", "orders/access-00000001.log:15")]


@pytest.mark.parametrize("max_bytes", [1, 2, 5, 1000])
def test_reading_goes_on_after_a_restart_anywhere(folder: LogFolder, max_bytes: int) -> None:
    lines = [f"line {number}".encode() for number in range(30)]
    for start in range(0, 30, 7):
        folder.switch()
        write(folder.symlink, b"".join(line + b"\n" for line in lines[start : start + 7]))
    found: list[Line | Gap] = []
    position = None
    while True:
        tailer = Tailer(folder, "orders", position)
        more = tailer.read(max_bytes)
        position = tailer.position
        tailer.close()
        if not more:
            break
        last = more[-1]
        assert last.src is not None
        assert Position.parse(last.src) == position
        found += more
        folder.delete_before(position.number)
    assert data(found) == lines
    assert len({each.src for each in found}) == 30


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["write", "switch", "read", "restart"]), st.binary(max_size=12)), max_size=40),
    st.integers(1, 20),
)
def test_whatever_is_written_and_however_it_is_cut_comes_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, bytes]], max_bytes: int
) -> None:
    folder = LogFolder(tmp_path_factory.mktemp("log"))
    folder.switch()
    tailer = Tailer(folder, "orders")
    written: list[bytes] = [b""]
    found: list[Line | Gap] = []
    for step, some in steps:
        if step == "write":
            write(folder.symlink, some)
            written[-1] += some
        elif step == "switch":
            folder.switch()
            written.append(b"")
        elif step == "read":
            found += tailer.read(max_bytes)
        else:
            tailer.close()
            tailer = Tailer(folder, "orders", tailer.position)
            folder.delete_before(tailer.position.number)
    folder.switch()
    write(folder.symlink, b"end\n")
    found += read_all(tailer)
    tailer.close()
    expected = []
    for content in [*written, b"end\n"]:
        *lines, torn = content.split(b"\n")
        expected += lines + ([torn] if torn else [])
    assert data(found) == expected
    assert len({each.src for each in found}) == len(found)


# --- the end of a file ---


def test_a_torn_line_is_waited_for_while_the_older_file_may_grow(
    folder: LogFolder, tailer: Tailer, clock: Clock
) -> None:
    folder.switch()
    write(folder.file(1), b"one\ntw")
    assert data(tailer.read()) == [b"one"]
    folder.switch()  # a rotation: Envoy has not come to it yet
    clock.time += 3600
    assert not tailer.ready()
    assert tailer.read() == []
    write(folder.file(1), b"o\nthree\n")
    assert data(tailer.read()) == [b"two", b"three"]
    write(folder.file(1), b"four\nfi")
    write(folder.file(2), b"six\n")
    assert read_all(tailer) == [
        Line(b"four", "orders/access-00000001.log:19"),
        Line(b"fi", "orders/access-00000001.log:21", torn=True),
        Line(b"six", "orders/access-00000002.log:4"),
    ]


def test_a_torn_line_comes_when_envoy_has_ended_for_a_while(folder: LogFolder, tailer: Tailer, clock: Clock) -> None:
    folder.switch()
    write(folder.symlink, b"one\ntw")
    assert data(read_all(tailer)) == [b"one"]
    tailer.writer_ended()
    assert not tailer.ready()
    assert tailer.read() == []
    clock.time += 1
    assert tailer.ready()
    assert tailer.read() == [Line(b"tw", "orders/access-00000001.log:6", torn=True)]
    assert not tailer.ready()
    assert tailer.read() == []
    assert tailer.position == Position(LOG, 1, 0, 6)
    folder.switch()
    assert tailer.ready()
    assert tailer.read() == []
    assert tailer.position == Position(LOG, 2, 0, 0)
    assert not tailer.ready()
    write(folder.symlink, b"of the next Envoy")
    clock.time += 3600
    assert tailer.read() == []  # it is running


def test_empty_files_of_a_crash_loop_are_passed(folder: LogFolder, tailer: Tailer) -> None:
    folder.switch()
    write(folder.symlink, b"one\n")
    for _ in range(5):
        folder.switch()
    assert data(read_all(tailer)) == [b"one"]
    assert tailer.position.number == 1
    write(folder.symlink, b"two\n")
    assert data(read_all(tailer)) == [b"two"]
    assert tailer.position.number == 6


def test_lines_written_just_before_the_newer_file_are_not_left_behind(tmp_path: Path) -> None:
    class Racing(LogFolder):
        """While the tailer looks whether it may leave the first file, Envoy writes its last lines there."""

        def size(self, number: int) -> int:
            if not super().size(2):
                write(self.file(1), b"two\nthr")
                write(self.file(2), b"four\n")
            return super().size(number)

    folder = Racing(tmp_path)
    folder.switch()
    folder.switch()
    write(folder.file(1), b"one\n")
    tailer = Tailer(folder, "orders")
    found = read_all(tailer)
    tailer.close()
    assert data(found) == [b"one", b"two", b"thr", b"four"]
    assert tailer.late() == []


# --- what should not happen ---


def test_a_line_that_is_too_long_is_a_gap(folder: LogFolder, tailer: Tailer) -> None:
    folder.switch()
    most = b"y" * MAX_LINE_BYTES
    long = b'{"a":"secret@host","id":"6f9a","p":"/people/ada",' + b"x" * 3 * MAX_LINE_BYTES
    write(folder.symlink, long + b"\n" + most + b"\nz" + most + b"\nok\n")
    first, longest, second, last = read_all(tailer)
    assert isinstance(first, Gap)
    assert isinstance(second, Gap)
    assert first.detail == "reference 6f9a"
    assert (first.lost_bytes, first.lost_lines, first.service) == (len(long), 1, "orders")
    assert first.src == f"orders/access-00000001.log:{len(long) + 1}"
    assert first.time == "2026-08-01T12:00:00.000Z"
    assert second.lost_bytes == MAX_LINE_BYTES + 1
    assert data([longest, last]) == [most, b"ok"]


def test_a_line_without_end_takes_bounded_memory(folder: LogFolder, tailer: Tailer) -> None:
    folder.switch()
    for _ in range(5):
        write(folder.symlink, b"x" * MAX_LINE_BYTES)
        assert tailer.read() == []
        assert len(tailer._held) <= MAX_LINE_BYTES
    folder.switch()
    write(folder.symlink, b"ok\n")
    gap, line = read_all(tailer)
    assert isinstance(gap, Gap)
    assert gap.lost_bytes == 5 * MAX_LINE_BYTES
    assert data([line]) == [b"ok"]


def test_truncation_is_a_gap_and_reading_goes_on(folder: LogFolder, tailer: Tailer) -> None:
    folder.switch()
    write(folder.symlink, b'one\ntwo\n{"m":"GET","p":"/people/ada')
    read_all(tailer)
    os.truncate(folder.symlink, 0)
    write(folder.symlink, b"new\n")
    gap, line = read_all(tailer)
    assert isinstance(gap, Gap)
    assert gap.why == "`access-00000001.log` was truncated"
    assert gap.detail == "method GET"
    assert gap.src == "orders/access-00000001.log~1:0"
    assert line == Line(b"new", "orders/access-00000001.log~1:4")
    tailer.close()
    again = Tailer(folder, "orders", tailer.position)
    write(folder.symlink, b"newer\n")
    assert again.read() == [Line(b"newer", "orders/access-00000001.log~1:10")]
    again.close()


def test_a_file_that_is_shorter_after_a_restart_is_not_read_twice(folder: LogFolder) -> None:
    folder.switch()
    write(folder.symlink, b"one\ntwo\n")
    tailer = Tailer(folder, "orders", Position(LOG, 1, 0, 100))
    (gap,) = read_all(tailer)
    assert isinstance(gap, Gap)
    assert "shorter" in gap.why
    assert gap.src == "orders/access-00000001.log~1:8"
    write(folder.symlink, b"three\n")
    assert tailer.read() == [Line(b"three", "orders/access-00000001.log~1:14")]
    tailer.close()


def test_a_deleted_file_is_read_to_its_end_and_replaced(folder: LogFolder, tailer: Tailer) -> None:
    folder.switch()
    with folder.file(1).open("ab", buffering=0) as envoy:
        envoy.write(b"one\n")
        assert data(read_all(tailer)) == [b"one"]
        folder.file(1).unlink()
        envoy.write(b"two\nthr")
        assert data(read_all(tailer)) == [b"two"]
        assert folder.due(10**9)
        write(folder.symlink, b"of the new file\n")  # Envoy, told to reopen, creates it through the link
        envoy.write(b"ee\nfo")
        found = read_all(tailer)
    assert data(found) == [b"three", b"fo", b"GAP", b"of the new file"]
    assert found[-1].src == "orders/access-00000001.log~1:16"


def test_files_that_are_gone_are_a_gap_once(folder: LogFolder) -> None:
    for number in range(1, 6):
        folder.switch()
        write(folder.symlink, b"%d\n" % number)
    for number in (2, 3):
        folder.file(number).unlink()
    tailer = Tailer(folder, "orders")
    found = read_all(tailer)
    tailer.close()
    assert data(found) == [b"1", b"GAP", b"4", b"5"]
    gap = found[1]
    assert isinstance(gap, Gap)
    assert gap.why == "access-00000002.log to access-00000003.log gone before all of it was read"
    assert gap.src == "orders/access-00000004.log:0"
    assert gap.lost_bytes is None
    again = Tailer(folder, "orders", Position.parse(gap.src))
    assert data(read_all(again)) == [b"4", b"5"]
    again.close()


def test_where_all_files_are_gone_the_next_begin_with_a_gap(folder: LogFolder) -> None:
    tailer = Tailer(folder, "orders", Position(LOG, 7, 0, 100))
    assert not tailer.ready()
    assert tailer.read() == []
    folder.switch(after=7)
    assert tailer.ready()
    (gap,) = tailer.read()
    assert isinstance(gap, Gap)
    assert gap.src == "orders/access-00000008.log:0"
    tailer.close()


def test_growth_after_a_file_was_left_is_told(folder: LogFolder, tailer: Tailer) -> None:
    folder.switch()
    write(folder.file(1), b"one\n")
    folder.switch()
    write(folder.file(2), b"two\n")
    read_all(tailer)
    assert tailer.late() == []
    write(folder.file(1), b"late\n")
    (gap,) = tailer.late()
    assert (gap.lost_bytes, gap.src) == (5, None)
    assert tailer.late() == []
    folder.delete_before(2)
    assert tailer.late() == []


def test_a_link_in_the_place_of_a_file_is_not_followed(folder: LogFolder, tailer: Tailer) -> None:
    folder.file(1).symlink_to("/etc/passwd")
    with pytest.raises(LogError):
        tailer.read()


# --- waiting ---


def test_waiting_looks_often_after_growth_and_rarely_at_rest(folder: LogFolder, tailer: Tailer, clock: Clock) -> None:
    folder.switch()
    assert tailer.ready()
    assert tailer.read() == []
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock.time += seconds
        if clock.time > 1030:
            write(folder.symlink, b"one\n")

    asyncio.run(tailer.wait(sleep))
    assert pauses[0] == 0.01
    assert pauses == sorted(pauses)
    assert pauses[-1] == 0.2
    assert len(pauses) < 350
    assert data(tailer.read()) == [b"one"]
    pauses.clear()
    asyncio.run(tailer.wait(sleep))
    assert pauses == [0.01]


def test_a_waiting_reader_is_woken_by_a_writing_thread(folder: LogFolder) -> None:
    folder.switch()
    tailer = Tailer(folder, "orders")
    lines = [b"line %d" % number for number in range(2000)]

    def envoy() -> None:
        for start in range(0, len(lines), 100):
            if start % 500 == 0:
                folder.switch()
            content = b"".join(line + b"\n" for line in lines[start : start + 100])
            write(folder.symlink, content[:333])
            write(folder.symlink, content[333:])

    async def follow() -> list[Line | Gap]:
        found: list[Line | Gap] = []
        while len(found) < len(lines):
            await tailer.wait()
            found += tailer.read(500)
        return found

    thread = threading.Thread(target=envoy)
    thread.start()
    found = asyncio.run(asyncio.wait_for(follow(), 60))
    thread.join()
    tailer.close()
    assert data(found) == lines
