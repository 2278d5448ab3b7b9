"""Rollups under kills: whatever moment the process ends at, each call is counted once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from inward.record.call import Call, timestamp
from inward.record.recorder import Recorder
from inward.record.rollup.database import sqlite_url
from inward.record.rollup.making import verify_rollups
from inward.record.rollup.query import Rollups, open_rollups

if TYPE_CHECKING:
    from pathlib import Path

CALLS = 3_000
KILLS = 4
ROLLS = """
import sys
from pathlib import Path
from inward.control.recording import rolling
from inward.record.follow import checkpointed
from inward.record.rollup.database import sqlite_url

rolling.ENTRIES_AT_ONCE = 40
record = Path(sys.argv[1])
rolls = rolling.Rolling(record, sqlite_url(record.parent / "state.db"), checkpointed(record), print)
while True:
    print("before", flush=True)
    count = rolls.roll()
    print("after" if count else "done", flush=True)
    if not count:
        rolls.finish()
        break
"""


def test_killed_at_any_moment(tmp_path: Path) -> None:
    record = tmp_path / "record"
    today = datetime.now(UTC)
    with Recorder(record) as recorder:
        recorder.append(
            [
                Call(
                    time=timestamp(today - timedelta(seconds=number)),
                    id=str(number),
                    caller=f"s{number % 9}",
                    path=f"/{number % 40}",
                    decision="allow",
                    carried_out="allow",
                    reason="granted",
                )
                for number in range(CALLS)
            ]
        )
    chosen = random.Random(11)  # noqa: S311 - not for secrets
    for kill in range(KILLS + 1):
        lines_left = chosen.randrange(1, 16) if kill < KILLS else CALLS
        with subprocess.Popen([sys.executable, "-c", ROLLS, str(record)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                assert line in {"before\n", "after\n", "done\n"}, line
                lines_left -= 1
                if not lines_left:  # after `before`: somewhere within a transaction, or beside it
                    process.send_signal(signal.SIGKILL)
                    break
        assert process.returncode == (-signal.SIGKILL if kill < KILLS else 0)
    engine = open_rollups(sqlite_url(tmp_path / "state.db"))
    found = verify_rollups(engine, record)
    engine.dispose()
    assert (found.differing, found.ahead) == (0, False)
    rollups = Rollups(sqlite_url(tmp_path / "state.db"))
    assert sum(totals.calls for totals in rollups.totals()) == CALLS
    rollups.close()
