"""Keeping the rollups beside a running system: nothing that befalls the database stops it, or makes a number wrong."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from inward.control.layout import Layout
from inward.control.recording import rolling as module
from inward.control.recording.rolling import Rolling, state_database
from inward.errors import BadInputError
from inward.record.call import Call
from inward.record.follow import Place
from inward.record.recorder import Recorder
from inward.record.rollup import database
from inward.record.rollup.database import StateError, sqlite_url, writing
from inward.record.rollup.making import rebuild_rollups, verify_rollups
from inward.record.rollup.query import Rollups, open_rollups
from inward.record.rollup.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import URL


def call(number: int) -> Call:
    return Call(
        time="2026-08-01T12:00:00.000Z",
        id=f"id-{number}",
        caller="web",
        callee="orders",
        operation="orders:getOrder",
        path=f"/orders/{number}",
        decision="allow",
        carried_out="allow",
        reason="granted",
        src=f"orders/access-00000001.log:{number}",
    )


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    with Recorder(tmp_path / "record") as recorder:
        yield recorder


@pytest.fixture
def url(tmp_path: Path) -> URL:
    return sqlite_url(tmp_path / "state.db")


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def rolling(recorder: Recorder, url: URL, told: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Rolling]:
    monkeypatch.setattr(module, "SECONDS", 0.01)
    monkeypatch.setattr(database, "_BUSY_MS", 10)
    rolling = Rolling(recorder.folder, url, recorder.durable, told.append)
    yield rolling
    rolling.finish()


def rolled(rolling: Rolling) -> None:
    while rolling.roll():
        pass


def calls(url: URL) -> int:
    rollups = Rollups(url)
    found = sum(totals.calls for totals in rollups.totals())
    rollups.close()
    return found


def right(url: URL, record: Path) -> bool:
    engine = open_rollups(url)
    found = verify_rollups(engine, record)
    engine.dispose()
    return not (found.differing or found.ahead)


def test_what_is_durable_is_rolled(rolling: Rolling, recorder: Recorder, url: URL, told: list[str]) -> None:
    recorder.append([call(number) for number in range(1, 11)])
    rolled(rolling)
    assert calls(url) == 10
    recorder.append([call(number) for number in range(11, 14)])
    rolling.finish()
    assert (calls(url), told) == (13, [])
    assert right(url, recorder.folder)


def test_the_next_run_goes_on(rolling: Rolling, recorder: Recorder, url: URL, told: list[str]) -> None:
    recorder.append([call(1), call(2)])
    rolling.finish()
    recorder.append([call(3)])
    again = Rolling(recorder.folder, url, recorder.durable, told.append)
    assert (again.roll(), again.roll()) == (1, 0)
    again.finish()
    assert calls(url) == 3


def test_a_database_that_is_locked_is_told_once_and_goes_on(
    rolling: Rolling, recorder: Recorder, url: URL, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLOWEST_SECONDS", 0.02)
    recorder.append([call(1)])
    rolled(rolling)
    recorder.append([call(2)])
    other = sqlite3.connect(url.database or "", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    tried = 0
    roll = rolling.roll

    def counting() -> int:
        nonlocal tried
        tried += 1
        return roll()

    monkeypatch.setattr(rolling, "roll", counting)

    async def keep() -> None:
        keeping = asyncio.create_task(rolling.keep())
        while tried < 4:
            await asyncio.sleep(0.01)
        assert len(told) == 1
        other.execute("COMMIT")
        while len(told) < 2:
            await asyncio.sleep(0.01)
        keeping.cancel()

    asyncio.run(asyncio.wait_for(keep(), 60))
    other.close()
    assert "database is locked; the rollups wait for it, and nothing else does" in told[0]
    assert told[1] == "the state database is back: the rollups go on"
    assert calls(url) == 2


def test_a_damaged_file_is_moved_aside(
    rolling: Rolling, recorder: Recorder, url: URL, told: list[str], tmp_path: Path
) -> None:
    recorder.append([call(1), call(2)])
    rolled(rolling)
    rolling.finish()
    (tmp_path / "state.db").write_bytes(b"no database" * 1000)
    rolled(rolling)
    assert calls(url) == 2
    (line,) = told
    assert "it was moved to `state.db.damaged-1`, and the rollups are made anew" in line


def test_a_file_that_is_deleted_is_made_anew(
    rolling: Rolling, recorder: Recorder, url: URL, told: list[str], tmp_path: Path
) -> None:
    recorder.append([call(1), call(2)])
    rolled(rolling)
    for path in tmp_path.glob("state.db*"):
        path.unlink()
    recorder.append([call(3)])
    with pytest.raises(StateError, match="no such table"):
        rolling.roll()
    rolled(rolling)
    assert (calls(url), told) == (3, [])


def test_a_row_that_was_changed_is_made_anew_once_it_is_met(
    rolling: Rolling, recorder: Recorder, url: URL, told: list[str]
) -> None:
    recorder.append([call(1)])
    rolled(rolling)
    store = Store(url)
    with writing(store.engine) as connection:
        connection.execute(text("update rollup_day set names=x'00'"))
    store.close()
    recorder.append([call(2)])
    rolled(rolling)
    assert right(url, recorder.folder)
    assert "a row of the rollups was changed" in told[0]


def test_a_rebuilding_by_somebody_else_is_taken_part_in(
    rolling: Rolling, recorder: Recorder, url: URL, told: list[str]
) -> None:
    recorder.append([call(number) for number in range(1, 11)])
    rolled(rolling)
    store = Store(url)
    store.restart({1})
    recorder.append([call(11)])
    rolled(rolling)
    assert (calls(url), told) == (11, [])
    rebuild_rollups(store, recorder.folder)
    rolled(rolling)
    store.close()
    assert (calls(url), told) == (11, [])


def test_another_record_is_rolled_from_its_start(tmp_path: Path, url: URL, told: list[str]) -> None:
    with Recorder(tmp_path / "record") as recorder:
        recorder.append([call(number) for number in range(1, 11)])
        before = Rolling(recorder.folder, url, recorder.durable, told.append)
        before.finish()
    store = Store(url)
    with writing(store.engine) as connection:
        connection.execute(text("update rollup_progress set segment=7"))
    assert store.load_progress().place == Place(7, 10)
    store.close()
    after = Rolling(recorder.folder, url, recorder.durable, told.append)
    rolled(after)
    after.finish()
    assert told == [
        "the record is not the one that was read: it is read from its start: the rollups are made anew from the record"
    ]
    assert calls(url) == 10
    assert right(url, recorder.folder)


def test_segments_that_are_gone_are_told(tmp_path: Path, url: URL, told: list[str]) -> None:
    with Recorder(tmp_path / "record", segment_bytes=500) as recorder:
        recorder.append([call(1)])
        recorder.append([call(2)])
        rolling = Rolling(recorder.folder, url, recorder.durable, told.append)
        rolled(rolling)
        for number in range(3, 9):
            recorder.append([call(number)])
        paths = sorted(recorder.folder.glob("calls-*"))
        for path in paths[:3]:
            path.unlink()
        rolled(rolling)
        rolling.finish()
        left = sum(path.read_bytes().count(b"\n") for path in paths[3:])
    assert calls(url) == 2 + left
    assert told == ["segments were deleted before they were read: entries are not in the rollups"]


def test_which_database(tmp_path: Path) -> None:
    (tmp_path / "inward.yaml").touch()
    layout = Layout.of(tmp_path)
    assert state_database(layout, None).database == str(tmp_path / ".inward" / "state.db")
    assert state_database(layout, "postgresql://u@h/x").drivername == "postgresql+pg8000"
    with pytest.raises(BadInputError):
        state_database(layout, "mysql://u@h/x")
