"""The key that hashes: how long it is used, what takes its place, and whatever is wrong with its file."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from inward.control.recording import hash_key
from inward.control.recording.hash_key import HashKey
from inward.identity.private_files import PrivateFileError

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
DAYS = 30


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "hash.key"


def opened(path: Path, clock: Clock, told: list[str] | None = None) -> HashKey:
    return HashKey(path, pytest.fail if told is None else told.append, clock)


def test_a_key_is_made_once_and_is_private(path: Path, clock: Clock) -> None:
    key = opened(path, clock).current(DAYS)
    assert len(key) == 32
    assert opened(path, clock).current(DAYS) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert opened(path.with_name("other.key"), clock).current(DAYS) != key


def test_a_key_ends_after_its_days_and_nothing_of_it_is_left(path: Path, clock: Clock) -> None:
    held = opened(path, clock)
    first = held.current(DAYS)
    content = path.read_bytes()
    clock.now = NOON + DAYS * DAY - timedelta(seconds=1)
    assert held.current(DAYS) == first
    clock.now += timedelta(seconds=1)
    second = held.current(DAYS)
    assert second != first
    assert opened(path, clock).current(DAYS) == second
    assert json.loads(content)["key"] not in "".join(each.read_text() for each in path.parent.iterdir())
    assert held.current(DAYS // 2) == second
    clock.now += DAYS // 2 * DAY
    assert held.current(DAYS // 2) != second  # what the system says now is what counts


@pytest.mark.parametrize(
    ("back", "same"), [(timedelta(hours=1), True), (timedelta(hours=23), True), (2 * DAY, False), (9999 * DAY, False)]
)
def test_a_clock_that_jumps_back_brings_no_key_back(path: Path, clock: Clock, back: timedelta, same: bool) -> None:  # noqa: FBT001 - a parameter of the test
    held = opened(path, clock)
    first = held.current(DAYS)
    clock.now = NOON + 31 * DAY
    second = held.current(DAYS)
    clock.now -= back
    third = held.current(DAYS)
    assert (third == second) == same
    assert first not in {second, third}
    assert opened(path, clock).current(DAYS) == third


def test_a_clock_that_was_set_wrong_does_not_make_a_key_last(path: Path, clock: Clock) -> None:
    clock.now = datetime(9999, 12, 31, tzinfo=UTC)
    wrong = opened(path, clock).current(DAYS)
    clock.now = NOON
    assert opened(path, clock).current(DAYS) != wrong


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff" * 100,
        b"[" * 4000,
        b"x" * 10_000,
        b'{"since":"2027-01-01T12:00:00Z","key":""}',
        b'{"since":"2027-01-01T12:00:00Z","key":"a2V5"}',
        b'{"since":"2027-01-01T12:00:00","key":"' + b"QUFB" * 10 + b'QUE="}',
        b'{"since":7,"key":null}',
    ],
)
def test_a_damaged_file_is_told_and_replaced(path: Path, clock: Clock, content: bytes) -> None:
    opened(path, clock).current(DAYS)
    path.write_bytes(content)
    told: list[str] = []
    key = opened(path, clock, told).current(DAYS)
    assert len(told) == 1
    assert str(path) in told[0]
    assert opened(path, clock).current(DAYS) == key


def test_a_file_that_others_could_read_is_told_and_replaced(path: Path, clock: Clock) -> None:
    first = opened(path, clock).current(DAYS)
    path.chmod(0o644)
    told: list[str] = []
    assert opened(path, clock, told).current(DAYS) != first
    assert "open to other accounts" in told[0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_gone_is_made_anew_and_a_running_process_keeps_its_key(path: Path, clock: Clock) -> None:
    held = opened(path, clock)
    first = held.current(DAYS)
    path.unlink()
    assert held.current(DAYS) == first
    assert opened(path, clock).current(DAYS) != first


def test_without_a_disk_a_key_hashes_all_the_same(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    old = opened(path, clock).current(DAYS)
    clock.now += 31 * DAY

    def full(*_: object) -> None:
        raise PrivateFileError("cannot write it: no space left on device")

    monkeypatch.setattr(hash_key, "write_private", full)
    told: list[str] = []
    held = opened(path, clock, told)
    key = held.current(DAYS)
    assert key != old
    assert held.current(DAYS) == key
    assert len(told) == 1
    assert "no space left" in told[0]
    assert not path.exists()  # the key whose time is over


def test_processes_share_one_key(path: Path) -> None:
    code = f"""
from inward.control.recording.hash_key import HashKey
print(HashKey(Path({str(path)!r}), print).current(30).hex())
"""
    running = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(4)]
    assert len({each.communicate()[0] for each in running}) == 1
