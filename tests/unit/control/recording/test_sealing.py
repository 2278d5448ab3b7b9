"""Sealing beside a running system: what is finished and signed is sealed, and nothing waits for it."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.unit.record.audit.log import call

from inward.authority.signing import load_verifier
from inward.catalog.retention import Keep
from inward.control.layout import Layout
from inward.control.recording.sealing import Sealing
from inward.control.recording.signing import Signing
from inward.identity.private_files import private_folder
from inward.record.audit.verify import Verified, verify_record
from inward.record.reader import read_calls
from inward.record.recorder import Recorder
from inward.record.sealed.files import list_local
from inward.record.segment import list_segments

if TYPE_CHECKING:
    from collections.abc import Iterator


class System:
    """The record of a system folder, with segments of an earlier day."""

    def __init__(self, folder: Path) -> None:
        (folder / "inward.yaml").write_text("trust_domain: shop.internal\n")
        self.layout = Layout.of(folder)
        self.today = datetime.now(UTC) - timedelta(days=1)
        self.told: list[str] = []
        self.keep = Keep()
        self.recorder = Recorder(private_folder(self.layout.record), segment_bytes=50_000, now=lambda: self.today)
        old = "2020-11-26T12:00:00.000Z"
        self.recorder.append([msgspec.structs.replace(call(number), time=old) for number in range(100)])
        self.today = datetime.now(UTC)
        self.recorder.append([call(100)])
        self.signing = Signing(self.layout, self.recorder, "shop.internal", None, self.told.append)
        self.sealing = Sealing(self.recorder, self.signing, keep=lambda: self.keep, bucket=None, told=self.told.append)

    def verified(self) -> Verified:
        return verify_record(self.layout.record, load_verifier(self.layout.public_key), self.layout.signed)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[System]:
    run = System(tmp_path)
    yield run
    run.sealing.end()
    run.recorder.close()


def test_a_finished_segment_is_sealed_once_it_is_signed(run: System) -> None:
    run.sealing.round()
    assert list_local(run.layout.record) == []
    run.signing.sign()
    run.sealing.round()
    assert [each.number for each in list_local(run.layout.record)] == [1]
    assert [each.number for each in list_segments(run.layout.record)] == [2]
    assert [each.id for each in read_calls(run.layout.record)] == [f"call-{number}" for number in range(101)]
    found = run.verified()
    assert (found.damages, found.gone, found.unsigned, run.told) == ([], [], 0, [])


def test_what_is_too_old_is_dropped_and_a_new_setting_counts_at_once(run: System) -> None:
    run.signing.sign()
    run.sealing.round()
    run.keep = Keep(allowed=timedelta(days=3650))
    run.sealing.round()
    assert len(list(read_calls(run.layout.record))) == 101
    run.keep = Keep(refused=timedelta(days=1), acts=timedelta(days=1))
    run.sealing.round()
    assert len(list(read_calls(run.layout.record))) == 101
    run.keep = Keep(allowed=timedelta(days=1))
    run.sealing.round()
    assert len(list(read_calls(run.layout.record))) == 1
    assert (run.verified().damages, run.verified().gone, run.told) == ([], [], [])


def test_what_cannot_be_sealed_is_told_once_and_left(run: System) -> None:
    run.signing.sign()
    first = list_segments(run.layout.record)[0]
    first.path.write_bytes(first.path.read_bytes().replace(b"checkout", b"reporter", 1))
    for _ in range(3):
        run.sealing.round()
    [told] = run.told
    assert f"`{first.path.name}` is not what was signed" in told
    assert "\n" not in told
    assert first.path.exists()


def test_a_run_that_ends_does_not_wait_for_it(run: System) -> None:
    run.signing.sign()
    working = threading.Thread(target=run.sealing.round)
    working.start()
    run.sealing.end()
    working.join(30)
    assert not working.is_alive()
    assert run.told == []
    assert [each.id for each in read_calls(run.layout.record)] == [f"call-{number}" for number in range(101)]


def test_it_goes_on_by_itself(run: System) -> None:
    run.signing.sign()

    async def sealed() -> None:
        keeping = asyncio.create_task(run.sealing.keep_on())
        while not list_local(run.layout.record):
            await asyncio.sleep(0.01)
        keeping.cancel()

    asyncio.run(asyncio.wait_for(sealed(), 60))


def test_one_file_that_was_changed_keeps_no_other_longer(run: System) -> None:
    old = "2020-11-27T12:00:00.000Z"
    run.recorder.append([msgspec.structs.replace(call(number), time=old) for number in range(101, 600)])
    run.signing.sign()
    run.sealing.round()
    first, second, *_ = list_local(run.layout.record)
    with Path(first.url).open("ab") as file:
        file.write(b" ")
    run.keep = Keep(allowed=timedelta(days=-2))  # whatever there is
    for _ in range(3):
        run.sealing.round()
    assert "old entries are still there" in run.told[0]
    assert len(run.told) == 1
    assert second not in list_local(run.layout.record)
