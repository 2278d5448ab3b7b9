"""Alerts under kills, power failures and refusing disks: each finding once, and what is to be told of it once."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.unit.alerting.keeping.test_tracking import drain, opened, record, tracker

from inward.alerting.keeping.database import FILE

if TYPE_CHECKING:
    from pathlib import Path

    from inward.alerting.keeping.store import AlertStore

CALLS = 60


def outcome(store: AlertStore) -> tuple[list[tuple[str, int, int]], list[tuple[str, str]]]:
    """Every alert, and everything that is to be told, in order."""
    alerts = [(kept.alert.why, kept.alert.count, kept.fired) for kept in store.find()]
    with store._database.reading() as connection:
        told = connection.execute("SELECT about, what FROM tellings ORDER BY number").fetchall()
    return alerts, told


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, object]:
    """What comes of the calls where nothing goes wrong."""
    folder = tmp_path_factory.mktemp("whole")
    record(folder, *range(CALLS))
    with opened(folder) as store:
        drain(tracker(folder, store), limit=7)
        alerts, told = outcome(store)
    assert len(alerts) > 5
    return alerts, told


@pytest.mark.parametrize("seed", range(14))
def test_a_power_failure_at_any_byte_changes_nothing_in_the_end(
    tmp_path: Path, seed: int, expected: tuple[object, object]
) -> None:
    """The machine comes back with a log of the database that ends anywhere in what was written last."""
    rng = random.Random(seed)  # noqa: S311 - faults, not secrets
    record(tmp_path, *range(CALLS))
    for _ in range(3):
        with opened(tmp_path) as store:
            found = tracker(tmp_path, store)
            before = 0
            for _ in range(rng.randrange(1, 12)):
                before = _size(tmp_path)
                found.step(rng.randrange(1, 9))
            if rng.random() < 0.3:
                found.end()
            after = _size(tmp_path)
            crashed = tmp_path / "crashed"
            crashed.mkdir()
            for name in (FILE, f"{FILE}-wal"):
                shutil.copy(tmp_path / name, crashed / name)
        for name in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        with (crashed / f"{FILE}-wal").open("r+b") as wal:
            wal.truncate(rng.randint(min(before, after), after))
        for name in (FILE, f"{FILE}-wal"):
            (crashed / name).rename(tmp_path / name)
        crashed.rmdir()
    with opened(tmp_path) as store:
        drain(tracker(tmp_path, store), limit=7)
        assert outcome(store) == expected


def _size(folder: Path) -> int:
    return (folder / f"{FILE}-wal").stat().st_size


# Kills itself at the given tick: each VM step of SQLite, and each moment before and after a commit, is one.
_WATCH = """
import os, random, resource, signal, sys
from pathlib import Path
from tests.unit.alerting.keeping.test_tracking import opened, tracker
from inward.alerting.keeping.database import AlertStoreError

folder, kill_at, most, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
rng = random.Random(seed)
ticks = 0
def tick():
    global ticks
    ticks += 1
    if ticks == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return 0
if most:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
try:
    with opened(folder) as store:
        store._database._connection.set_progress_handler(tick, 25)
        found = tracker(folder, store)
        while True:
            step = found.step(rng.randrange(1, 9))
            tick()
            if not step.entries and not step.tellings:
                break
except AlertStoreError:
    sys.exit(7)
"""


def run(folder: Path, kill_at: int, most: int, seed: int) -> int:
    arguments = [str(folder), str(kill_at), str(most), str(seed)]
    done = subprocess.run([sys.executable, "-c", _WATCH, *arguments], check=False, timeout=60)
    return done.returncode


def test_killed_again_and_again_and_on_a_disk_that_refuses(tmp_path: Path, expected: tuple[object, object]) -> None:
    rng = random.Random(5)  # noqa: S311 - faults, not secrets
    record(tmp_path, *range(CALLS))
    statuses = []
    for number in range(7):
        refusing = rng.randrange(20_000, 40_000) if number % 3 == 1 else 0
        statuses.append(run(tmp_path, 0 if refusing else rng.randrange(4, 25), refusing, number))
    assert set(statuses) <= {0, 7, -signal.SIGKILL}
    assert statuses.count(-signal.SIGKILL) > 2
    assert 7 in statuses
    assert run(tmp_path, 0, 0, 99) == 0
    with opened(tmp_path) as store:
        assert outcome(store) == expected
