"""Retention drops what is old enough and nothing else, and what remains is as it was signed."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import duckdb
import pytest
from tests.unit.record.audit.log import Log

from inward.catalog.retention import Keep
from inward.record.audit.fsck import look_through
from inward.record.audit.prove import prove_call
from inward.record.call import Act, Call, Gap
from inward.record.reader import read_entries
from inward.record.sealed.columns import LEAF
from inward.record.sealed.files import list_local
from inward.record.sealed.reading import SealError, extent_of
from inward.record.sealed.retention import retire
from inward.record.sealed.seal import write_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inward.record.call import Entry

DAY = timedelta(days=1)
LATER = datetime(2027, 11, 26, tzinfo=UTC)


def entry(number: int) -> Entry:
    time = "2026-11-26T12:00:00.000Z"
    if number % 400 == 3:
        return Act(time=time, what="policy", about=f"version-{number}")
    if number % 400 == 5:
        return Gap(time=time, why="lost")
    decision: Literal["allow", "deny"] = "deny" if number % 300 == 7 else "allow"
    return Call(time=time, id=f"call-{number}", caller="checkout", decision=decision, carried_out=decision, reason="x")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Log:
    log = Log.make(tmp_path_factory.mktemp("log"), 7, 1300, 2700, entry=entry)
    log.seal()
    log.grow(2900)
    return log


@pytest.fixture
def log(made: Log, tmp_path: Path) -> Log:
    shutil.copytree(made.folder, tmp_path / "record")
    shutil.copy(made.head, tmp_path / "head")
    return Log(tmp_path / "record", made.signer, tmp_path / "head", made.count, entry)


def keep(log: Log, keep: Keep, now: datetime = LATER) -> list[tuple[int, int]]:
    def tell(entries: Sequence[Entry]) -> None:
        log.note(entries)

    found = [retire(sealed, log.folder, keep, now, tell) for sealed in list_local(log.folder)]
    return [(each.count, each.left) for each in found if each is not None]


def left(log: Log) -> tuple[int, int, int, int]:
    """Allowed calls, refused ones, acts that are not about files, gaps."""
    entries = list(read_entries(log.folder))
    calls = [each.decision for each in entries if isinstance(each, Call)]
    acts = [each for each in entries if isinstance(each, Act) and each.what == "policy"]
    return calls.count("allow"), calls.count("deny"), len(acts), sum(isinstance(each, Gap) for each in entries)


def assert_whole(log: Log) -> None:
    found = log.verified()
    assert (found.damages, found.gone, found.unsigned) == ([], [], 0)
    assert look_through(log.folder) == []


def test_what_is_young_stays(log: Log) -> None:
    before = left(log)
    files = [Path(each.url).read_bytes() for each in list_local(log.folder)]
    assert keep(log, Keep(allowed=400 * DAY, refused=400 * DAY, acts=400 * DAY)) == []
    assert keep(log, Keep()) == []
    assert left(log) == before
    assert [Path(each.url).read_bytes() for each in list_local(log.folder)] == files


def test_allowed_calls_go_and_all_else_stays(log: Log) -> None:
    allowed, *others = left(log)
    sealed_before = sum(count for count, _ in keep(log, Keep(allowed=30 * DAY)))
    now_allowed, *now_others = left(log)
    assert (allowed - now_allowed, now_others) == (sealed_before, others)
    assert sealed_before > 1000
    assert_whole(log)
    assert log.verified().dropped == sealed_before
    assert keep(log, Keep(allowed=30 * DAY)) == []  # once


def test_what_is_left_is_still_proven(log: Log) -> None:
    keep(log, Keep(allowed=30 * DAY))
    [(call, _)] = prove_call(log.folder, "call-307", log.signer.verifier)
    assert call.decision == "deny"


def test_files_become_small(log: Log) -> None:
    before = sum(Path(each.url).stat().st_size for each in list_local(log.folder))
    keep(log, Keep(allowed=30 * DAY, acts=30 * DAY))
    keep(log, Keep(refused=30 * DAY))
    assert sum(Path(each.url).stat().st_size for each in list_local(log.folder)) < before / 2


def test_a_segment_of_which_nothing_is_left_is_deleted(log: Log) -> None:
    count = len(list_local(log.folder))
    keep(log, Keep(allowed=30 * DAY))
    everything = Keep(allowed=30 * DAY, refused=30 * DAY, acts=30 * DAY)
    assert keep(log, everything)[0][1] == 0
    assert len(list_local(log.folder)) < count
    assert_whole(log)
    assert log.verified().retired
    log.grow(log.count + 1500)
    log.seal()
    assert_whole(log)


def test_what_was_dropped_without_an_act_is_found(log: Log) -> None:
    [*_] = (retire(sealed, log.folder, Keep(allowed=DAY), LATER, lambda _: None) for sealed in list_local(log.folder))
    assert {damage.file for damage in log.verified().damages} == {each.name for each in list_local(log.folder)}


def test_a_crash_before_the_file_is_replaced_is_made_good(log: Log) -> None:
    class CrashError(Exception):
        pass

    def tell_and_end(entries: Sequence[Entry]) -> None:
        log.note(entries)
        raise CrashError

    first = list_local(log.folder)[0]
    with pytest.raises(CrashError):
        retire(first, log.folder, Keep(allowed=DAY), LATER, tell_and_end)
    assert left(log)[0] > 1000
    keep(log, Keep(allowed=DAY))
    assert_whole(log)


def test_what_was_done_to_a_file_is_not_dropped_from_sight(log: Log) -> None:
    sealed = list_local(log.folder)[0]
    forged = Path(sealed.url).with_name("forged")
    columns = f"read_parquet('{sealed.url}', hive_partitioning = false)"
    changed = f"SELECT * REPLACE (if(id = 'call-7', 'nobody', caller) AS caller, {LEAF} AS leaf) FROM {columns}"  # noqa: S608 - ours
    write_rows(changed, extent_of(sealed), forged)
    forged.replace(sealed.url)
    with pytest.raises(SealError, match="is not what was sealed"):
        keep(log, Keep(allowed=30 * DAY))
    assert Act not in {type(each) for each in list(read_entries(log.folder))[log.count :]}
    assert {damage.begin for damage in log.verified().damages if damage.end == 8} == {7}


def test_a_folder_above_says_nothing_of_what_is_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "kind=call" / "path=x").mkdir(parents=True)
    log = Log.make(tmp_path / "kind=call" / "path=x", 1300, entry=entry)
    assert log.seal()
    keep(log, Keep(allowed=30 * DAY))
    assert_whole(log)
    first = duckdb.read_parquet(list_local(log.folder)[0].url, hive_partitioning=False)
    assert "day" not in first.columns
