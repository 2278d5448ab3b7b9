"""Comparing rollups with the record, and making them anew from it."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from sqlalchemy import text
from tests.unit.record.audit.log import Log
from tests.unit.record.rollup.rows import all_rows

from inward.catalog.retention import Keep
from inward.record.call import Call, timestamp
from inward.record.follow import Follower
from inward.record.recorder import Recorder
from inward.record.rollup import making
from inward.record.rollup import store as store_module
from inward.record.rollup.database import writing
from inward.record.rollup.making import MOST_DIFFERENCES, rebuild_rollups, verify_rollups
from inward.record.rollup.query import open_rollups
from inward.record.rollup.schema import UNITS
from inward.record.rollup.store import Edge, Store
from inward.record.sealed.files import list_local
from inward.record.sealed.retention import retire
from inward.record.segment import list_segments

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inward.record.call import Entry
    from inward.record.rollup.making import Verified

    MakeCall = Callable[..., Call]
    MakeEntries = Callable[..., list[Entry]]

TODAY = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


@pytest.fixture
def record(tmp_path: Path, make_entries: MakeEntries, store: Store) -> Path:
    """A record of some segments, of calls from four days ago, all of it in the store."""
    with Recorder(tmp_path / "record", segment_bytes=15_000) as recorder:
        for day in range(3):
            recorder.append(
                [
                    msgspec.structs.replace(each, src=None)
                    for each in make_entries(40, seed=day, begin=TODAY - timedelta(days=4 - day))
                ]
            )
    roll(store, tmp_path / "record")
    assert len(list_segments(tmp_path / "record")) > 2
    return tmp_path / "record"


def roll(store: Store, record: Path, size: int = 1000) -> None:
    follower = Follower(record, store.progress.place)
    while batch := follower.read(size):
        store.take(batch)


def compared(store: Store, record: Path) -> Verified:
    before = all_rows(store)
    engine = open_rollups(store.engine.url)
    try:
        found = verify_rollups(engine, record)
    finally:
        engine.dispose()
    assert all_rows(store) == before
    return found


def change(store: Store, statement: str) -> None:
    with writing(store.engine) as connection:
        assert connection.execute(text(statement)).rowcount > 0


def test_what_was_not_changed(store: Store, record: Path) -> None:
    found = compared(store, record)
    assert (found.differing, found.differences, found.since, found.ahead) == (0, [], None, False)
    assert found.rows == sum(len(rows) for rows in all_rows(store).values()) > 50


COLUMNS = (
    "calls=calls+1",
    "refused=refused+1",
    "stopped=stopped+1",
    "first=first-1",
    "last=last+1",
    "duration_us=duration_us+1",
    "bytes_in=bytes_in+1",
    "bytes_out=bytes_out-1",
    "reference='x'",
    "names=x'96808080808080'",
    "shape=x'94808080c400'",
    "names='text'",
)


def test_changed_columns_are_found_and_located(store: Store, record: Path) -> None:
    chosen = random.Random(6)  # noqa: S311 - not for secrets
    rows = all_rows(store)
    places = [(unit, *row) for unit in rows for row in chosen.sample(sorted(rows[unit]), len(COLUMNS) // 3)]
    for column, (unit, bucket, edge) in zip(COLUMNS, places, strict=True):
        named = f"caller='{edge.caller}' and operation='{edge.operation}'"
        row = f"bucket={bucket} and edge=(select id from rollup_edge where {named})"  # noqa: S608 - a case of this test
        change(store, f"update rollup_{unit} set {column} where {row}")  # noqa: S608 - likewise
    found = compared(store, record)
    for column, (unit, bucket, edge) in zip(COLUMNS, places, strict=True):
        begin = datetime.fromtimestamp(bucket * UNITS[unit] / 1000, UTC)
        (difference,) = [
            each for each in found.differences if (each.unit, each.begin, each.edge) == (unit, begin, edge)
        ]
        assert difference.what == "changed"
        assert column.partition("=")[0] in difference.columns
    assert found.differing == len(places) == len(COLUMNS)
    rebuild_rollups(store, record)
    assert compared(store, record).differing == 0


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("delete from rollup_minute where edge=1", {"missing"}),
        ("update rollup_day set bucket=bucket-1 where edge=2", {"missing", "invented"}),
        ("update rollup_edge set caller='innocent' where id=3", {"missing", "invented"}),
        ("update rollup_progress set entry=entry-3", {"changed"}),
        ("update rollup_progress set hash_key=x'00'", {"changed"}),
    ],
)
def test_rows_that_were_moved_or_taken_out(store: Store, record: Path, statement: str, what: set[str]) -> None:
    change(store, statement)
    found = compared(store, record)
    assert found.differing >= len(found.differences) > 0
    assert {difference.what for difference in found.differences} >= what


def test_rows_of_nobody(store: Store, record: Path) -> None:
    change(store, "delete from rollup_edge where id=3")
    engine = open_rollups(store.engine.url)
    found = verify_rollups(engine, record)
    engine.dispose()
    assert Edge("", "", "#3") in {difference.edge for difference in found.differences if difference.what == "invented"}


def test_few_differences_are_told_and_all_are_counted(store: Store, record: Path) -> None:
    change(store, "update rollup_minute set calls=calls+1")
    found = compared(store, record)
    assert len(found.differences) == min(MOST_DIFFERENCES, found.differing) == MOST_DIFFERENCES
    assert found.differing == len(all_rows(store)["minute"])


def test_a_record_that_is_shorter_than_the_rollups(store: Store, record: Path) -> None:
    last = list_segments(record)[-1].path
    last.write_bytes(b"".join(last.read_bytes().splitlines(keepends=True)[:-4]))
    found = compared(store, record)
    assert found.ahead
    assert {difference.unit for difference in found.differences} == {"minute", "hour", "day"}


def test_what_was_deleted_is_kept_and_not_compared(store: Store, record: Path) -> None:
    before = all_rows(store)
    first, *rest = list_segments(record)
    lines = first.path.read_bytes().splitlines()
    first.path.unlink()
    found = compared(store, record)
    latest = max(line.decode().split('"time":"')[1][:24] for line in lines if b'"id":' in line)
    assert found.since is not None
    assert (found.differing, timestamp(found.since)) == (0, latest)
    assert 0 < found.rows < sum(len(rows) for rows in before.values())
    told: list[tuple[int, int]] = []
    rebuilt = rebuild_rollups(store, record, lambda *how: told.append(how))
    assert all_rows(store) == before
    assert rebuilt.kept_until == found.since
    assert rebuilt.entries == sum(segment.path.read_bytes().count(b"\n") for segment in rest)
    assert told[-1][0] == told[-1][1] == sum(segment.path.stat().st_size for segment in rest)
    assert compared(store, record).differing == 0


def test_what_goes_on_meanwhile_is_not_compared(
    store: Store, record: Path, make_call: MakeCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_until = making._read_until

    def slowly(*arguments: object) -> bool:
        with Recorder(record) as recorder:
            recorder.append([make_call(None, time=timestamp(TODAY))] * 5)
        roll(store, record)
        return read_until(*arguments)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(making, "_read_until", slowly)
    engine = open_rollups(store.engine.url)
    found = verify_rollups(engine, record)
    engine.dispose()
    assert (found.differing, found.ahead) == (0, False)


def test_a_rebuilding_that_was_ended_goes_on(store: Store, record: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = all_rows(store)
    list_segments(record)[0].path.unlink()
    monkeypatch.setattr(making, "ENTRIES_AT_ONCE", 10)

    def ended(done: int, _: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild_rollups(store, record, ended)
    again = Store(store.engine.url)
    assert all_rows(again) != before
    assert compared(again, record).differing == 0
    roll(again, record, 7)
    assert all_rows(again) == before
    again.close()


def test_too_many_names_and_edges_compare_all_the_same(
    tmp_path: Path, store: Store, make_call: MakeCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "MOST_TARGETS", {"minute": 4, "hour": 5, "day": 6})
    chosen = random.Random(3)  # noqa: S311 - not for secrets
    with Recorder(tmp_path / "record") as recorder:
        recorder.append(
            [
                make_call(
                    n,
                    time=timestamp(TODAY - timedelta(seconds=chosen.randrange(7200))),
                    operation=f"orders:{chosen.randrange(9)}",
                    policies=(f"p{chosen.randrange(300)}",),
                )
                for n in range(1, 400)
            ]
        )
    roll(store, tmp_path / "record", 67)
    assert compared(store, tmp_path / "record").differing == 0


def test_what_retention_dropped_is_kept_and_not_compared(tmp_path: Path, store: Store) -> None:
    log = Log.make(tmp_path, 1000)
    assert log.seal()
    roll(store, log.folder)
    before = all_rows(store)
    assert compared(store, log.folder).since is None
    first, *_ = list_local(log.folder)
    dropped = retire(first, log.folder, Keep(allowed=timedelta(days=1)), datetime(2030, 1, 1, tzinfo=UTC), log.note)
    assert dropped is not None
    found = compared(store, log.folder)
    assert (found.differing, found.ahead) == (0, False)
    assert found.since is not None
    rebuild_rollups(store, log.folder)
    roll(store, log.folder)
    assert all_rows(store) == before
