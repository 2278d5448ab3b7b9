"""Looking through the files: the very line that is damaged is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.record.audit.log import Log

from inward.record.audit.fsck import look_through
from inward.record.audit.hashes import leaves_file, level_file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log.make(tmp_path, 66_000)


def told(log: Log) -> list[tuple[int | None, str | None, str]]:
    return [(each.begin, each.file, each.why) for each in look_through(log.folder)]


def test_what_is_damaged_is_named(log: Log) -> None:
    assert told(log) == []
    first, second, *_ = log.segments()
    content = first.read_bytes().splitlines(keepends=True)
    content[3] = content[3].replace(b"checkout", b"reporter")
    content[5] = b'{"time": \xff}\n'
    first.write_bytes(b"".join(content))
    assert told(log) == [(3, first.name, "line 4 is not what it was"), (5, first.name, "line 6 is no entry")]
    second.write_bytes(second.read_bytes()[:-7])
    name, *_ = (each[2] for each in told(log)[2:])
    assert name == "1 entries of it are missing"
    assert "are no whole line" in told(log)[3][2]


def test_hashes_that_are_damaged_are_named(log: Log) -> None:
    name = log.segments()[0].name
    leaves_file(log.folder, name).unlink()
    path = level_file(log.folder, 16)
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)
    assert told(log) == [
        (0, f"{name}.leaves", "hashes of the entries are missing"),
        (0, "level-16.hashes", "a hash in it is another one"),
    ]


def test_what_the_notary_has_not_seen_is_looked_at_too(log: Log) -> None:
    last = log.segments()[-1]
    last.write_bytes(last.read_bytes() + b"nothing\n")
    assert [(begin is not None, file, why.rpartition(" is ")[2]) for begin, file, why in told(log)] == [
        (True, last.name, "no entry")
    ]
