"""The log over sealed segments: it verifies as before, proves as before, and tampering is found where it was done."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from tests.unit.record.audit.log import Log

from inward.record.audit.fsck import look_through
from inward.record.audit.hashes import edges_file, leaves_file
from inward.record.audit.prove import prove_call
from inward.record.reader import find_calls, read_calls
from inward.record.sealed.files import list_local
from inward.tlog.evidence import verify_evidence

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (7, 256, 700, 1500, 2100)


@pytest.fixture(scope="module")
def sealed_log(tmp_path_factory: pytest.TempPathFactory) -> Log:
    log = Log.make(tmp_path_factory.mktemp("log"), *SIZES)
    assert len(log.seal()) > 2
    return log


@pytest.fixture
def log(sealed_log: Log, tmp_path: Path) -> Log:
    shutil.copytree(sealed_log.folder, tmp_path / "record")
    shutil.copy(sealed_log.head, tmp_path / "head")
    return Log(tmp_path / "record", sealed_log.signer, tmp_path / "head", sealed_log.count)


def files(log: Log) -> list[Path]:
    return [Path(each.url) for each in list_local(log.folder)]


def test_a_sealed_record_is_as_it_was_signed(log: Log) -> None:
    found = log.verified()
    assert (found.damages, found.gone, found.size, found.unsigned) == ([], [], log.count, 0)
    assert look_through(log.folder) == []
    assert [call.id for call in read_calls(log.folder)] == [f"call-{number}" for number in range(2100)]


def test_only_hashes_at_the_ends_are_kept(log: Log) -> None:
    for each in list_local(log.folder):
        assert not leaves_file(log.folder, each.segment).exists()
        assert edges_file(log.folder, each.segment).stat().st_size < 2 * 256 * 32


def test_calls_in_it_are_found_and_proven(log: Log) -> None:
    for number in (0, 255, 256, 900, 2099):
        [(call, text)] = prove_call(log.folder, f"call-{number}", log.signer.verifier)
        assert call.id == f"call-{number}"
        assert verify_evidence(text, log.signer.verifier.name, [log.signer.verifier]).index == number
        assert [found.id for found in find_calls(log.folder, call.id)] == [call.id]


def test_it_grows_and_is_sealed_again(log: Log) -> None:
    log.grow(log.count + 900)
    assert log.seal()
    assert (log.verified().damages, log.verified().size) == ([], log.count)


@pytest.mark.parametrize("seed", range(12))
def test_a_flipped_bit_of_a_file_is_found_there(log: Log, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    path = chance.choice(files(log))
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    found = log.verified()
    assert {damage.file for damage in found.damages} == {f"{path.parent.name}/{path.name}"}


def rewrite(path: Path, what: str, at: int) -> None:
    """Write the file anew, `what` being done to the entry `at`."""
    new = path.with_name("new")
    with duckdb.connect() as connection:
        [(metadata,)] = connection.execute("SELECT value FROM parquet_kv_metadata(?)", [str(path)]).fetchall()
        rows = what.replace("ROWS", f"read_parquet('{path}')").replace("AT", str(at))
        options = f"FORMAT parquet, KV_METADATA {{inward: '{metadata.decode()}'}}"
        connection.execute(f"COPY ({rows}) TO '{new}' ({options})")
    new.replace(path)


CHANGE = "SELECT * REPLACE (if(entry = AT, 'reporter', caller) AS caller) FROM ROWS"
DROP = "SELECT * FROM ROWS WHERE entry <> AT"
HIDE = "SELECT * REPLACE (if(entry = AT, 'dropped', kind) AS kind, if(entry = AT, '01'::BLOB, leaf) AS leaf) FROM ROWS"
SWAP = "SELECT * REPLACE (if(entry = AT, AT + 1, if(entry = AT + 1, AT, entry)) AS entry) FROM ROWS"


@pytest.mark.parametrize("what", [CHANGE, DROP, HIDE, SWAP], ids=["change", "drop", "hide", "swap"])
@pytest.mark.parametrize("seed", range(3))
def test_what_was_done_to_rows_is_found_there(log: Log, what: str, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    path = chance.choice(files(log))
    with duckdb.connect() as connection:
        extent = connection.execute("SELECT min(entry), max(entry) FROM read_parquet(?)", [str(path)]).fetchall()
    at = chance.randrange(extent[0][0], extent[0][1] - 1)
    rewrite(path, what, at)
    found = log.verified()
    assert {damage.file for damage in found.damages} == {f"{path.parent.name}/{path.name}"}
    assert any((damage.begin or 0) <= at < (damage.end or 0) for damage in found.damages)
    if what is CHANGE:
        for damages in (found.damages, look_through(log.folder)):
            assert (at, at + 1) in {(damage.begin, damage.end) for damage in damages}


def test_a_file_that_is_gone_is_told_and_the_rest_verifies(log: Log) -> None:
    first, second, *_ = files(log)
    second.unlink()
    found = log.verified()
    assert (found.damages, [part.name[-15:-7] for part in found.gone]) == ([], [second.stem[-8:]])
    rewrite(first, CHANGE, 3)
    assert (3, 4) in {(damage.begin, damage.end) for damage in log.verified().damages}


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def other(path: Path) -> None:
    path.write_bytes(path.with_name(max(each.name for each in path.parent.iterdir())).read_bytes())


@pytest.mark.parametrize("how", [torn, empty, other])
def test_a_file_that_is_none_is_told_and_keeps_nobody_from_reading_the_others(
    log: Log, how: Callable[[Path], None]
) -> None:
    path = files(log)[0]
    how(path)
    found = log.verified()
    assert {damage.file for damage in found.damages} == {f"{path.parent.name}/{path.name}"}
    assert look_through(log.folder)
    assert [call.id for call in read_calls(log.folder)][-1] == "call-2099"
