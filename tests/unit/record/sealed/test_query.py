"""SQL over the whole record, and nothing but it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.unit.record.audit.log import Log

from inward.record.call import Act, Call, Gap
from inward.record.disk import Disk
from inward.record.recovery import Checkpoint, load_checkpoint, store_checkpoint
from inward.record.sealed.query import QueryError, asked

if TYPE_CHECKING:
    from pathlib import Path

    from inward.record.call import Entry


def entry(number: int) -> Entry:
    time = f"2026-11-26T12:{number // 60 % 60:02d}:{number % 60:02d}.000Z"
    if number % 500 == 3:
        return Act(time=time, what="policy", about="orders", by="ada")
    if number % 500 == 4:
        return Gap(time=time, why="lost", lost_lines=3)
    return Call(
        time=time,
        id=f"call-{number}",
        caller=f"caller-{number % 3}",
        parameters={"id": str(number % 10)},
        decision="allow",
        carried_out="allow",
        reason="granted",
        status=200,
    )


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    log = Log.make(tmp_path_factory.mktemp("log"), 1500, entry=entry)
    assert log.seal()
    return log


def rows(folder: Path, sql: str, **bounds: datetime) -> list[tuple[Any, ...]]:
    with asked(folder, sql, **bounds) as answer:
        return list(answer.rows())


def test_open_and_sealed_segments_are_one_table(log: Log) -> None:
    assert list(log.folder.glob("calls-*.ndjson"))
    assert rows(log.folder, "SELECT count(*), count(DISTINCT id), min(status) FROM calls") == [(1494, 1494, 200)]
    by_caller = "SELECT caller, count(*) FROM calls GROUP BY caller ORDER BY caller"
    assert rows(log.folder, by_caller) == [("caller-0", 498), ("caller-1", 498), ("caller-2", 498)]
    assert rows(log.folder, "SELECT count(*) FROM calls WHERE parameters['id'] = '7'") == [(150,)]
    assert rows(log.folder, "SELECT max(entry) - count(*) FROM entries") == [(-1,)]


def test_acts_and_gaps_are_tables(log: Log) -> None:
    assert (
        rows(log.folder, "SELECT what, about, account FROM acts WHERE what <> 'seal'")
        == [("policy", "orders", "ada")] * 3
    )
    assert rows(log.folder, "SELECT why, lost_lines FROM gaps") == [("lost", 3)] * 3


def test_a_range_of_time(log: Log) -> None:
    since, until = (datetime(2026, 11, 26, 12, minute, tzinfo=UTC) for minute in (10, 11))
    assert rows(log.folder, "SELECT count(*) FROM calls", since=since, until=until) == [(60,)]


def test_a_record_that_is_empty(tmp_path: Path) -> None:
    assert rows(tmp_path, "SELECT count(*) FROM calls") == [(0,)]
    assert rows(tmp_path, "SELECT * FROM calls") == []


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "no SQL",
        "SELECT 1; SELECT 2",
        "DROP VIEW calls",
        "COPY calls TO '{path}/stolen.csv'",
        "SET memory_limit = '1TB'",
        "ATTACH '{path}/other.db'",
        "INSTALL httpfs",
        "PRAGMA database_list",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM '{path}/../head'",
        "SELECT * FROM nothing",
        "SELECT getenv('HOME')",
    ],
)
def test_a_query_reads_the_record_and_nothing_else(log: Log, sql: str) -> None:
    before = sorted(log.folder.rglob("*"))
    with pytest.raises(QueryError) as caught:
        rows(log.folder, sql.format(path=log.folder))
    assert "\n" not in caught.value.message
    assert sorted(log.folder.rglob("*")) == before


def test_what_the_recorder_took_back_does_not_count(tmp_path: Path) -> None:
    log = Log.make(tmp_path, 100)
    (path,) = log.segments()
    lines = path.read_bytes().splitlines(keepends=True)
    checkpoint = load_checkpoint(log.folder) or Checkpoint()
    cut = msgspec.structs.replace(checkpoint, cut={path.name: len(b"".join(lines[:60]))})
    store_checkpoint(log.folder, cut, Disk())
    assert rows(log.folder, "SELECT count(*) FROM calls") == [(60,)]


def test_columns_of_one_name_and_what_goes_wrong_late(log: Log) -> None:
    with asked(log.folder, "SELECT 1 AS a, 2 AS a, 3 AS a") as answer:
        assert answer.names == ["a", "a_1", "a_2"]
    late = "SELECT (CASE WHEN id = 'call-1200' THEN 'x' ELSE '1' END)::INT FROM calls"
    with pytest.raises(QueryError, match="Could not convert"):
        rows(log.folder, late)
