"""Rollups in a real PostgreSQL: the same numbers as in SQLite, and what is told when it is away."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from inward.control.recording import rolling as rolling_module
from inward.control.recording.rolling import Rolling
from inward.record.call import Call, timestamp
from inward.record.follow import Follower, Place
from inward.record.recorder import Recorder
from inward.record.rollup import store as store_module
from inward.record.rollup.database import parse_state_url, sqlite_url, writing
from inward.record.rollup.making import rebuild_rollups, verify_rollups
from inward.record.rollup.query import Asked, Rollups, open_rollups
from inward.record.rollup.schema import UNITS
from inward.record.rollup.store import MovedError, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import URL
    from tests.contract.rollup.conftest import Server

TODAY = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def url(server: Server) -> Iterator[URL]:
    url = parse_state_url(server.address)
    yield url
    store = Store(url)
    with writing(store.engine) as connection:
        connection.execute(text("drop schema public cascade"))
        connection.execute(text("create schema public"))
    store.close()


def call(number: int) -> Call:
    return Call(
        time=timestamp(TODAY - timedelta(days=2) + timedelta(seconds=7 * number)),
        id=f"id-{number}",
        caller=["web", "checkout", "a\0b", None][number % 4],
        callee="orders",
        operation=f"orders:{number % 5}",
        path=f"/orders/{number % 50}",
        decision="deny" if number % 7 == 0 else "allow",
        carried_out="allow",
        reason="\0 hostile \u202e" if number % 11 == 0 else "granted",
        policies=("a", "b"),
        duration_us=number,
        bytes_out=2**40,
    )


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    with Recorder(tmp_path / "record") as recorder:
        recorder.append([call(number) for number in range(1, 601)])
        recorder.checkpoint()
        yield recorder


def roll(store: Store, record: Path, size: int) -> None:
    follower = Follower(record, store.progress.place)
    while batch := follower.read(size):
        store.take(batch)


def test_the_same_numbers_as_in_sqlite(url: URL, recorder: Recorder, tmp_path: Path) -> None:
    other = sqlite_url(tmp_path / "state.db")
    for each, size in ((url, 130), (other, 1000)):
        store = Store(each)
        roll(store, recorder.folder, size)
        assert store.load_progress().place == Place(1, 600)
        store.close()
    postgres, sqlite = Rollups(url), Rollups(other)
    since = TODAY - timedelta(days=2) + timedelta(minutes=13)
    for asked in (Asked(), Asked(since=since), Asked(caller="web"), Asked(since=since, operation="orders:1")):
        assert postgres.totals(asked) == sqlite.totals(asked) != []
        assert {edge: found.names() for edge, found in postgres.figures(asked).items()} == {
            edge: found.names() for edge, found in sqlite.figures(asked).items()
        }
        for unit in UNITS:
            assert postgres.series(unit, asked) == sqlite.series(unit, asked)
    assert (postgres.begin(), postgres.place()) == (sqlite.begin(), sqlite.place())
    postgres.close()
    sqlite.close()


def test_changes_are_found_and_rebuilt(url: URL, recorder: Recorder) -> None:
    store = Store(url)
    roll(store, recorder.folder, 250)
    engine = open_rollups(url)
    assert verify_rollups(engine, recorder.folder).differing == 0
    with writing(store.engine) as connection:
        connection.execute(text("update rollup_hour set calls=calls+1 where edge=2"))
        connection.execute(text("delete from rollup_day where edge=3"))
    found = verify_rollups(engine, recorder.folder)
    assert {(each.unit, each.what) for each in found.differences} == {("hour", "changed"), ("day", "missing")}
    rebuild_rollups(store, recorder.folder)
    assert verify_rollups(engine, recorder.folder).differing == 0
    store.prune(int(TODAY.timestamp() * 1000))
    engine.dispose()
    store.close()


def test_two_who_add_take_turns(url: URL, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MOST_TARGETS", {"minute": 2, "hour": 3, "day": 4})
    one, two = Store(url), Store(url)
    pairs = Follower(recorder.folder).read(600)
    one.take(pairs[:100])
    with pytest.raises(MovedError):
        two.take(pairs[:200])
    assert two.progress.place == one.progress.place
    two.take(pairs[100:])
    engine = open_rollups(url)
    assert verify_rollups(engine, recorder.folder).differing == 0
    engine.dispose()
    one.close()
    two.close()


def test_a_server_that_is_away_is_told_once_and_goes_on(
    url: URL, server: Server, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolling_module, "SECONDS", 0.02)
    monkeypatch.setattr(rolling_module, "SLOWEST_SECONDS", 0.05)
    told: list[str] = []
    rolling = Rolling(recorder.folder, url, recorder.durable, told.append)
    while rolling.roll():
        pass
    server.stop()
    recorder.append([call(number) for number in range(601, 651)])

    async def keep() -> None:
        keeping = asyncio.create_task(rolling.keep())
        while not told:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(server.start)
        while len(told) < 2:
            await asyncio.sleep(0.01)
        keeping.cancel()

    asyncio.run(asyncio.wait_for(keep(), 120))
    rolling.finish()
    assert "the rollups wait for it, and nothing else does" in told[0]
    assert told[1:] == ["the state database is back: the rollups go on"]
    engine = open_rollups(url)
    found = verify_rollups(engine, recorder.folder)
    assert (found.differing, found.ahead) == (0, False)
    engine.dispose()
    rollups = Rollups(url)
    assert sum(totals.calls for totals in rollups.totals()) == 650
    rollups.close()
