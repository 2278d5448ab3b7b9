"""`inward rollup`: what is printed of rollups that are right, changed, or not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from inward.control.layout import Layout
from inward.record.call import Call
from inward.record.recorder import Recorder
from inward.record.rollup.database import sqlite_url, writing
from inward.record.rollup.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Inward


@pytest.fixture
def layout(system: Path) -> Layout:
    layout = Layout.of(system)
    with Recorder(layout.record) as recorder:
        recorder.append(
            [
                Call(
                    time=f"2027-01-01T12:00:0{number}.000Z",
                    id=f"id-{number}",
                    caller="web" if number else None,
                    callee="hello",
                    operation="hello:\x1b[2J" if number else None,
                    decision="allow",
                    carried_out="allow",
                    reason="granted",
                )
                for number in range(4)
            ]
        )
    return layout


def test_no_rollups_yet(inward: Inward, layout: Layout) -> None:
    assert layout.record.exists()
    done = inward("rollup", "verify")
    assert (done.code, done.out) == (1, "")
    assert "there are no rollups in the state database (`inward up` makes them" in done.err


def test_made_and_compared(inward: Inward, layout: Layout) -> None:
    assert layout.record.exists()
    done = inward("rollup", "rebuild")
    assert (done.code, done.out) == (0, "4 calls of 4 entries were added\n")
    assert inward("rollup", "rebuild", "--json").json == {"entries": 4, "calls": 4, "kept_until": None}
    done = inward("rollup", "verify")
    assert (done.code, done.out) == (0, "6 rows by minute, hour and day: all are what the record comes to\n")
    assert inward("rollup", "verify", "--json").json == {
        "right": True,
        "rows": 6,
        "differing": 0,
        "ahead": False,
        "since": None,
        "differences": [],
    }


def test_what_was_changed_is_told_with_its_place_and_printed_harmless(inward: Inward, layout: Layout) -> None:
    assert inward("rollup", "rebuild").code == 0
    store = Store(sqlite_url(layout.database))
    with writing(store.engine) as connection:
        connection.execute(text("update rollup_hour set calls=7, refused=1 where calls=3"))
        connection.execute(text("delete from rollup_day where calls=1"))
        connection.execute(text("update rollup_minute set bucket=bucket-60 where calls=1"))
    store.close()
    done = inward("rollup", "verify")
    assert done.code == 2
    assert done.out.splitlines() == [
        "minute 2027-01-01T11:00, (nobody known) → hello: a row of calls that are not in the record",
        "minute 2027-01-01T12:00, (nobody known) → hello: the row is missing",
        "hour 2027-01-01T12:00, web → hello hello:\\x1b[2J: other calls, refused",
        "day 2027-01-01T00:00, (nobody known) → hello: the row is missing",
        "6 rows by minute, hour and day: 4 of them are not what the record comes to",
    ]
    done = inward("rollup", "verify", "--json")
    assert (done.code, done.json["right"], done.json["differing"]) == (2, False, 4)
    assert done.json["differences"][2] == {
        "unit": "hour",
        "begin": "2027-01-01T12:00:00.000Z",
        "caller": "web",
        "callee": "hello",
        "operation": "hello:\x1b[2J",
        "what": "changed",
        "columns": ["calls", "refused"],
    }
    assert inward("rollup", "rebuild").code == 0
    assert inward("rollup", "verify").code == 0


def test_a_damaged_database_is_moved_aside(inward: Inward, layout: Layout) -> None:
    layout.database.write_bytes(b"no database" * 1000)
    done = inward("rollup", "verify")
    assert (done.code, done.out) == (1, "")
    assert "`inward rollup rebuild`" in done.err
    done = inward("rollup", "rebuild")
    assert done.code == 0
    assert "it was moved to" in done.err
    assert layout.database.with_name("state.db.damaged-1").exists()


def test_an_address_that_is_none(inward: Inward, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    assert layout.record.exists()
    monkeypatch.setenv("INWARD_STATE_URL", "mysql://u:secret@h/x")
    for command in ("verify", "rebuild"):
        done = inward("rollup", command)
        assert done.code == 3
        assert "secret" not in done.err
