"""Tampering with the record: it is found, and found where it was done."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.record.audit.log import Log

from inward.record.audit import verify
from inward.record.audit.fsck import look_through
from inward.record.audit.hashes import leaves_file, level_file
from inward.record.audit.notary import LogChangedError, Notary
from inward.record.audit.parts import list_parts
from inward.record.audit.told import REMOVED, RETENTION
from inward.record.audit.verify import verify_record
from inward.record.call import Act
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.record.audit.parts import Part

SIZES = (7, 256, 700, 1500, 2100)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    log = Log.make(tmp_path, *SIZES)
    assert len(log.segments()) > 3
    return log


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def test_a_record_is_as_it_was_signed(log: Log) -> None:
    found = log.verified()
    assert (found.damages, found.gone, found.size, found.unsigned) == ([], [], 2100, 0)
    assert found.checkpoints == len(SIZES)


def test_it_may_grow_and_be_signed_later(log: Log) -> None:
    log.grow(2101, 2400)
    assert (log.verified().damages, log.verified().size) == ([], 2400)


def test_an_empty_record_is_whole(tmp_path: Path) -> None:
    found = Log.make(tmp_path, 0).verified()
    assert (found.size, found.checkpoints, found.damages) == (0, 0, [])


def flip(content: list[bytes], at: int) -> None:
    content[at] = content[at].replace(b"checkout", b"reporter", 1)


def drop(content: list[bytes], at: int) -> None:
    del content[at]


def insert(content: list[bytes], at: int) -> None:
    content.insert(at, content[0].replace(b"call-", b"call-9"))


def swap(content: list[bytes], at: int) -> None:
    content[at], content[at - 1] = content[at - 1], content[at]


def truncate(content: list[bytes], at: int) -> None:
    del content[at:]


@pytest.mark.parametrize("how", [flip, drop, insert, swap, truncate])
@pytest.mark.parametrize("seed", range(6))
def test_what_was_done_to_a_segment_is_found_there(
    log: Log, how: Callable[[list[bytes], int], None], seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    path = chance.choice(log.segments())
    content = lines(path)
    at = chance.randrange(1, len(content))
    before = sum(len(lines(each)) for each in log.segments() if each.name < path.name)
    how(content, at)
    path.write_bytes(b"".join(content))
    found = log.verified()
    assert found.damages
    assert {damage.file for damage in found.damages} == {path.name}
    assert any(
        damage.begin <= before + at < damage.end for damage in found.damages if damage.begin is not None and damage.end
    )
    if how is flip:
        assert [(damage.begin, damage.end) for damage in found.damages] == [(before + at, before + at + 1)]


@pytest.mark.parametrize("level", [0, 8])
@pytest.mark.parametrize("seed", range(4))
def test_hashes_that_were_changed_are_told_from_entries_that_were(log: Log, level: int, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    path = level_file(log.folder, level) if level else leaves_file(log.folder, chance.choice(log.segments()).name)
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    found = log.verified()
    # the hashes of entries are only asked where something differs, so that one of them alone is for `fsck`
    assert bool(found.damages) == bool(level)
    assert all("the entries are as they were signed" in damage.why for damage in found.damages)


def test_who_changes_the_hashes_too_is_found_by_the_signature(log: Log, tmp_path: Path) -> None:
    forged = Log.make(tmp_path / "forged", *SIZES)
    shutil.rmtree(forged.folder / "checkpoints")
    path = forged.segments()[0]
    path.write_bytes(path.read_bytes().replace(b"checkout", b"reporter", 1))
    # the forger makes the whole log anew, and has no key
    for name in ("tree", *(each.name for each in forged.segments())):
        target = log.folder / name
        shutil.rmtree(target) if target.is_dir() else target.unlink()
        source = forged.folder / name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    found = log.verified()
    assert found.damages
    assert all(damage.begin is not None and damage.begin < SIZES[0] for damage in found.damages)


def test_a_segment_that_is_gone_is_told_and_the_rest_verifies(log: Log) -> None:
    first, second, *_ = log.segments()
    second.unlink()
    found = log.verified()
    assert (found.damages, [part.path for part in found.gone]) == ([], [second])
    first.write_bytes(first.read_bytes().replace(b"checkout", b"reporter", 1))
    assert [(damage.begin, damage.file) for damage in log.verified().damages] == [(0, first.name)]


def test_a_record_that_was_put_back_is_found(log: Log, tmp_path: Path) -> None:
    shutil.copytree(log.folder, tmp_path / "old")
    log.grow(2500)
    shutil.rmtree(log.folder)
    shutil.copytree(tmp_path / "old", log.folder)
    found = log.verified()
    assert "it was put back" in found.damages[0].why
    assert (found.damages[-1].begin, found.damages[-1].end) == (2100, 2500)
    assert verify_record(log.folder, log.signer.verifier).damages == []  # what only the copy outside of it can show


def test_a_copy_that_was_taken_away_is_told(log: Log) -> None:
    log.head.unlink()
    assert [damage.file for damage in log.verified().damages] == ["head"]


def test_checkpoints_by_another_key_or_under_another_name_are_told(log: Log, tmp_path: Path) -> None:
    other = Log.make(tmp_path / "other", 700)
    checkpoints = log.folder / "checkpoints"
    shutil.copy(other.folder / "checkpoints" / f"{700:020d}", checkpoints / f"{700:020d}")
    shutil.copy(checkpoints / f"{256:020d}", checkpoints / f"{300:020d}")
    (checkpoints / f"{301:020d}").write_bytes(b"\xff")
    found = [(damage.file, damage.why) for damage in log.verified().damages]
    assert [file for file, _ in found] == [f"{size:020d}" for size in (300, 301, 700)]
    assert "another size" in found[0][1]
    assert "false" in found[2][1] or "no key that is trusted" in found[2][1]


def test_how_far_it_is_can_be_watched(log: Log) -> None:
    seen: list[tuple[int, int]] = []
    verify_record(log.folder, log.signer.verifier, watch=lambda done, of: seen.append((done, of)))
    assert seen[-1] == (2048, 2100)


@pytest.mark.parametrize("name", ["calls-2020-01-01-00000000.ndjson", "calls-2020-01-01-00000001.ndjson"])
def test_a_file_that_was_put_among_the_others_is_found_and_not_signed(log: Log, name: str) -> None:
    (log.folder / name).write_bytes(lines(log.segments()[0])[0].replace(b"call-0", b"call-x"))
    assert [damage.file for damage in log.verified().damages] == [name]
    assert [damage.file for damage in look_through(log.folder)] == [name]
    with pytest.raises(LogChangedError, match="was put into the record"):
        log.grow(2200)


def test_a_sealed_file_that_was_put_among_the_others_is_found(log: Log) -> None:
    first, *_ = log.seal()
    other = log.folder / "day=2020-01-01" / Path(first.url).name
    other.parent.mkdir()
    shutil.copy(first.url, other)
    name = other.relative_to(log.folder).as_posix()
    assert [damage.file for damage in log.verified().damages] == [name]
    assert [damage.file for damage in look_through(log.folder)] == [name]


def test_only_a_signed_act_explains_that_a_file_is_gone(log: Log) -> None:
    first, *_ = log.seal()
    Path(first.url).unlink()
    with Recorder(log.folder, segment_bytes=100_000) as recorder:
        notary = Notary(log.folder, log.signer, log.head)
        recorder.append([Act(time="2026-11-26T12:00:00.000Z", what=RETENTION, about=first.name, detail=REMOVED)])
        notary.advance(*recorder.durable())
    found = log.verified()
    assert ([part.name for part in found.gone], found.retired, found.unsigned) == ([first.segment], [], 1)


def test_a_record_that_is_sealed_meanwhile_is_whole(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    right = list_parts

    def listed_and_sealed(folder: Path) -> list[Part]:
        found = right(folder)
        log.seal()
        return found

    monkeypatch.setattr(verify, "list_parts", listed_and_sealed)
    found = log.verified()
    assert (found.damages, found.gone) == ([], [])
    assert all(part.sealed for part in right(log.folder)[:-1])
