"""A running system keeps its rollups; they are what the record comes to while it goes on, and after it was killed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.system.company import SMALL
from tests.system.guarded import eventually
from tests.system.load import Load

from inward.record.rollup.database import sqlite_url
from inward.record.rollup.query import Rollups

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.system.guarded import Guarded


def rolled(system: Guarded) -> int:
    """Return how many calls are in the rollups, which are right, of whatever they have come to."""
    done = system.inward("rollup", "verify", "--json")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["right"]
    rollups = Rollups(sqlite_url(system.layout.database))
    calls = sum(totals.calls for totals in rollups.totals())
    rollups.close()
    return calls


def test_rollups_are_kept_while_the_record_grows(guard: Callable[..., Guarded]) -> None:
    system = guard(SMALL, {}).start()
    eventually("there are rollups", system.layout.database.exists)
    with Load(system) as load:
        load.go_on(1)
        eventually("calls are rolled", lambda: rolled(system) > 0)
        system.kill()
        rolled(system)
        system.start()
        load.go_on(0.5)
    eventually("all calls are rolled", lambda: rolled(system) == len(system.calls()) > 50)
    assert system.inward("rollup", "rebuild").returncode == 0
    eventually("they are made anew", lambda: rolled(system) == len(system.calls()))
