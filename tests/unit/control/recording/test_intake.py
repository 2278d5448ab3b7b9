"""From the logs to the record: every line once, whatever fails on the way."""

from __future__ import annotations

import asyncio
import shutil
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.unit.envoy import shop

from inward.control.recording import intake as module
from inward.control.recording.intake import Intake
from inward.control.run.services import prepare_folders
from inward.envoy.log_folder import LogFolder
from inward.envoy.tail import GRACE_SECONDS
from inward.guard.serve.log import KIND as GUARD_LOG
from inward.guard.serve.log import Asked, CallLog
from inward.record.call import Call, Gap
from inward.record.disk import Disk
from inward.record.reader import read_entries
from inward.record.recorder import Recorder, RecordWriteError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inward.control.layout import Layout
    from inward.record.call import Entry

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
CATALOG = shop.catalog(shop.service(shop.operation("/orders/{id}")), shop.service(name="checkout"))


class FullDisk(Disk):
    """Refuses to write while it is told to."""

    full = False

    def write(self, descriptor: int, data: memoryview) -> int:
        if self.full:
            raise OSError(28, "no space left on device")
        return super().write(descriptor, data)


class Rig:
    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.disk = FullDisk()
        self.told: list[str] = []
        self.open()

    def open(self) -> None:
        self.recorder = Recorder(self.layout.record, disk=self.disk)
        self.intake = Intake(self.layout, self.recorder, lambda: CATALOG, self.told.append)

    def reopen(self) -> None:
        """Go on like a run after a SIGKILL: nothing of the one before is left but its files."""
        self.recorder._release()
        self.open()

    def begin(self, service: str) -> None:
        prepare_folders(service, self.layout)
        self.intake.next_log(service)

    def log(self, service: str, *ids: str, raw: bytes = b"") -> None:
        """Write lines as the Envoy of a service does."""
        lines = [
            msgspec.json.encode({"e": "i", "t": "2026-08-01T12:00:00.000Z", "id": each, "en": "granted"})
            for each in ids
        ]
        with (self.layout.log(service) / "access.log").open("ab") as file:
            file.write(b"".join(line + b"\n" for line in lines) + raw)

    def entries(self) -> list[Entry]:
        return list(read_entries(self.layout.record))

    def ids(self) -> list[str]:
        return [entry.id for entry in self.entries() if isinstance(entry, Call)]


@pytest.fixture
def rig(layout: Layout) -> Iterator[Rig]:
    found = Rig(layout)
    yield found
    found.recorder.close()
    for tailer in found.intake._tailers.values():
        tailer.close()


def test_every_line_of_every_service_is_recorded_once(rig: Rig) -> None:
    for service in ("orders", "checkout"):
        rig.begin(service)
        rig.log(service, f"{service}-1", f"{service}-2")
    assert rig.intake.take() == 4
    rig.log("orders", "orders-3")
    assert rig.intake.take() == 1
    assert rig.intake.take() == 0
    assert sorted(rig.ids()) == ["checkout-1", "checkout-2", "orders-1", "orders-2", "orders-3"]
    assert {(entry.callee, entry.id.partition("-")[0]) for entry in rig.entries() if isinstance(entry, Call)} == {
        ("orders", "orders"),
        ("checkout", "checkout"),
    }


def test_a_record_that_cannot_be_written_loses_nothing(rig: Rig) -> None:
    rig.begin("orders")
    rig.log("orders", "1", "2")
    rig.disk.full = True
    for _ in range(3):
        with pytest.raises(RecordWriteError):
            rig.intake.take()
        rig.log("orders", f"more-{_}")
    rig.disk.full = False
    rig.intake.drain()
    assert rig.ids() == ["1", "2", "more-0", "more-1", "more-2"]


def test_a_run_after_a_sigkill_goes_on_where_the_record_ends(rig: Rig) -> None:
    rig.begin("orders")
    rig.log("orders", "1", "2")
    rig.intake.take()
    rig.log("orders", "3")  # Envoy goes on while nobody reads
    rig.reopen()
    rig.intake.follow("orders")
    rig.log("orders", "4")
    rig.intake.drain()
    rig.reopen()
    rig.intake.follow("orders")
    rig.intake.drain()
    assert rig.ids() == ["1", "2", "3", "4"]


def test_calls_of_a_service_that_was_taken_out_are_recorded_too(rig: Rig) -> None:
    """It was killed with the run, and taken out of the system before the next one: its last calls are in its log."""
    rig.begin("orders")
    rig.begin("retired")
    rig.log("retired", "last")
    rig.reopen()
    rig.intake.follow_left()
    rig.intake.drain()
    assert rig.ids() == ["last"]


def test_what_is_no_line_is_a_gap_and_the_rest_is_recorded(rig: Rig) -> None:
    rig.begin("orders")
    rig.log("orders", "1", raw=b"\xff\xfe{\n" + b'{"zz":' + b"[" * 100_000 + b"\n")
    rig.log("orders", "2")
    assert rig.intake.take() == 4
    kinds = [type(entry) for entry in rig.entries()]
    assert kinds == [Call, Gap, Gap, Call]
    gaps = [entry for entry in rig.entries() if isinstance(entry, Gap)]
    assert all((gap.service, gap.lost_lines) == ("orders", 1) for gap in gaps)


def test_a_torn_line_is_told_when_its_envoy_has_ended(rig: Rig) -> None:
    rig.begin("orders")
    rig.log("orders", "1", raw=b'{"e":"i","id":"6f9a","m":"GET","p":"/people/ada')
    assert rig.intake.take() == 1
    rig.begin("orders")
    rig.log("orders", "2")
    tailer = rig.intake.follow("orders")
    tailer._ended_at -= GRACE_SECONDS
    rig.intake.drain()
    assert rig.ids() == ["1", "2"]
    (gap,) = [entry for entry in rig.entries() if isinstance(entry, Gap)]
    assert (gap.why, gap.detail) == ("the log ends in the middle of a line", "reference 6f9a, method GET")


def test_one_log_that_cannot_be_read_keeps_no_other_from_the_record(rig: Rig) -> None:
    for service in ("audit", "orders"):
        rig.begin(service)
    rig.log("audit", "1")
    rig.log("orders", "2")
    shutil.rmtree(rig.layout.log("audit"))
    for _ in range(3):
        rig.intake.take()
    assert rig.ids() == ["2"]
    assert len(rig.told) == 1  # once, not at every look
    assert str(rig.layout.log("audit")) in rig.told[0]
    rig.layout.log("audit").mkdir(mode=0o700)
    rig.begin("audit")
    rig.log("audit", "3")
    rig.intake.drain()
    assert rig.ids() == ["2", "3"]


def test_two_threads_take_turns(rig: Rig) -> None:
    """A cancelled keeper leaves its thread behind, which may still be reading when the last calls are recorded."""
    rig.begin("orders")
    slow, going = threading.Event(), threading.Event()
    append = rig.recorder.append

    def appending(entries: Sequence[Entry], passed: Any = ()) -> int:
        going.set()
        slow.wait(5)
        return append(entries, passed)

    rig.recorder.append = appending  # type: ignore[method-assign]  # what makes it slow
    rig.log("orders", *map(str, range(50)))
    first = threading.Thread(target=rig.intake.take)
    first.start()
    going.wait(5)
    rig.log("orders", *map(str, range(50, 100)))
    second = threading.Thread(target=rig.intake.drain)
    second.start()
    slow.set()
    first.join()
    second.join()
    assert rig.ids() == [str(number) for number in range(100)]


def test_a_log_is_deleted_only_when_the_record_has_it_for_good(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FASTEST_POLL_SECONDS", 0)
    monkeypatch.setattr(module, "SLOWEST_POLL_SECONDS", 0)
    looked: list[str] = []
    news: list[asyncio.Event] = []

    def rotate(service: str, folder: LogFolder) -> None:
        assert isinstance(folder, LogFolder)
        looked.append(service)
        if len(looked) == 3:
            news[-1].set()

    async def keep() -> None:
        looked.clear()
        enough = asyncio.Event()
        news.append(enough)
        keeper = asyncio.create_task(rig.intake.keep(rotate))
        async with asyncio.timeout(10):
            await enough.wait()
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)

    def full() -> None:
        raise RecordWriteError("no space left on device")

    rig.begin("orders")
    rig.log("orders", "1")
    rig.begin("orders")
    rig.log("orders", "2")
    rig.intake.follow("orders")._ended_at -= GRACE_SECONDS
    folder = LogFolder(rig.layout.log("orders"))
    with monkeypatch.context() as patched:
        patched.setattr(rig.recorder, "checkpoint", full)
        asyncio.run(keep())
        assert rig.ids() == ["1", "2"]
        assert folder.numbers() == [1, 2]  # recorded, and a power failure could still undo how far
    asyncio.run(keep())
    assert folder.numbers() == [2]
    assert rig.ids() == ["1", "2"]


def test_a_full_disk_is_told_and_waited_out(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.begin("orders")
    rig.log("orders", "1")
    rig.disk.full = True
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            rig.disk.full = False
        if len(pauses) == 4:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(rig.intake.keep(lambda *_: None))
    assert pauses[:2] == [module.RETRY_SECONDS] * 2
    assert rig.ids() == ["1"]
    assert len(rig.told) == 2
    assert all(told.startswith("calls cannot be recorded: ") for told in rig.told)


def test_an_envoy_that_ended_without_a_warning_is_a_gap_that_outlives_a_full_disk(rig: Rig) -> None:
    rig.begin("orders")
    rig.log("orders", "a")
    rig.disk.full = True
    rig.intake.interrupted("orders")
    with pytest.raises(RecordWriteError):
        rig.intake.take()
    rig.disk.full = False
    rig.intake.drain()
    assert rig.ids() == ["a"]
    (gap,) = [entry for entry in rig.entries() if isinstance(entry, Gap)]
    assert (gap.service, gap.src) == ("orders", None)
    assert "without a warning" in gap.why


def test_the_log_of_a_guard_is_recorded_beside_that_of_the_envoy(rig: Rig) -> None:
    """One service, two logs: neither takes the other's place, nor its position after a kill."""
    rig.begin("orders")
    rig.intake.next_log("orders", GUARD_LOG)
    rig.log("orders", "by-envoy")
    guard = CallLog(LogFolder(rig.layout.log("orders"), GUARD_LOG).symlink)
    guard.call(Asked(NOON, "by-guard"), NOON)
    assert rig.intake.take() == 2
    rig.recorder.checkpoint()
    rig.reopen()
    rig.intake.follow_left()
    guard.call(Asked(NOON, "later"), NOON)
    assert rig.intake.take() == 1
    guard.close()
    assert sorted(rig.ids()) == ["by-envoy", "by-guard", "later"]
    sources = {entry.src.partition("-")[0] for entry in rig.entries() if entry.src}
    assert sources == {"orders/access", "orders/guard"}


def test_what_is_durable_is_given_on_once_and_what_is_not_yet_is_not(rig: Rig) -> None:
    given: list[Entry] = []
    rig.intake = Intake(rig.layout, rig.recorder, lambda: CATALOG, rig.told.append, given.extend)
    rig.begin("orders")
    rig.log("orders", "1", "2")
    rig.disk.full = True
    with pytest.raises(RecordWriteError):
        rig.intake.take()
    assert given == []
    rig.disk.full = False
    rig.intake.take()
    rig.intake.take()
    assert given == rig.entries()
    assert len(given) == 2


def test_what_is_not_recorded_yet_is_known_in_bytes(rig: Rig) -> None:
    rig.begin("orders")
    assert rig.intake.unrecorded() == {"orders": 0}
    rig.log("orders", "1", "2")
    written = (rig.layout.log("orders") / "access.log").stat().st_size
    assert rig.intake.unrecorded() == {"orders": written}
    rig.disk.full = True
    with pytest.raises(RecordWriteError):
        rig.intake.take()
    assert rig.intake.unrecorded() == {"orders": written}  # read, and not recorded
    rig.disk.full = False
    rig.intake.take()
    assert rig.intake.unrecorded() == {"orders": 0}
    rig.log("orders", "3")
    rig.intake.next_log("orders")
    rig.log("orders", "4")
    assert rig.intake.unrecorded() == {"orders": written}
    shutil.rmtree(rig.layout.log("orders"))
    assert rig.intake.unrecorded() == {}
