"""The state database: its address, its file, and what is said when it cannot be used."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from inward.errors import BadInputError
from inward.record.rollup.database import (
    StateDamagedError,
    StateError,
    move_aside,
    open_engine,
    parse_state_url,
    reading,
    sqlite_url,
    writing,
)

if TYPE_CHECKING:
    from sqlalchemy import URL


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("postgresql://u:p@db.internal:5432/inward", "postgresql+pg8000"),
        ("postgres://u@db.internal/inward", "postgresql+pg8000"),
        ("postgresql+pg8000://u@/inward?unix_sock=/run/s", "postgresql+pg8000"),
        ("sqlite:////var/lib/inward/state.db", "sqlite"),
    ],
)
def test_addresses(given: str, driver: str) -> None:
    assert parse_state_url(given).drivername == driver


@pytest.mark.parametrize(
    "given",
    ["secret", "mysql://u:secret@h/x", "postgresql://u:secret@h", "sqlite://", "sqlite:///:memory:", "://secret"],
)
def test_what_is_no_address_is_not_shown(given: str) -> None:
    with pytest.raises(BadInputError) as caught:
        parse_state_url(given)
    assert "secret" not in caught.value.advice


def test_a_password_is_not_told() -> None:
    engine = open_engine(parse_state_url("postgresql://u:secret@127.0.0.1:1/x"))
    with pytest.raises(StateError, match=r"u:\*\*\*@127.0.0.1:1/x` cannot be used: ") as caught, reading(engine):
        pytest.fail("there is no such server")
    assert "secret" not in caught.value.advice
    engine.dispose()


def test_the_file_is_private_and_stays_it(url: URL) -> None:
    path = Path(url.database or "")
    engine = open_engine(url)
    with writing(engine) as connection:
        connection.execute(text("create table t (x integer)"))
    assert {each.stat().st_mode & 0o777 for each in path.parent.glob("state.db*")} == {0o600}
    engine.dispose()
    path.chmod(0o644)
    open_engine(url).dispose()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_was_replaced_is_noticed(url: URL) -> None:
    path = Path(url.database or "")
    engine = open_engine(url)
    with writing(engine) as connection:
        connection.execute(text("create table t (x integer)"))
    path.unlink()
    with writing(engine) as connection:
        connection.execute(text("create table t (x integer)"))  # as it is another file, there is none yet
    assert path.exists()
    engine.dispose()


def test_a_link_is_not_followed(url: URL, tmp_path: Path) -> None:
    (tmp_path / "state.db").symlink_to(tmp_path / "other")
    with pytest.raises(StateError, match="cannot be opened"):
        open_engine(url)


def test_damage_is_told_apart_from_a_lock(url: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inward.record.rollup.database._BUSY_MS", 10)
    engine = open_engine(url)
    with writing(engine) as connection:
        connection.execute(text("create table t (x integer)"))
    other = sqlite3.connect(url.database or "", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateError, match="locked") as caught, writing(engine):
        pytest.fail("it is locked")
    assert not isinstance(caught.value, StateDamagedError)
    with reading(engine) as connection:
        assert connection.execute(text("select count(*) from t")).scalar() == 0
    other.close()
    engine.dispose()
    path = Path(url.database or "")
    path.write_bytes(os.urandom(8192))
    engine = open_engine(url)
    with pytest.raises(StateDamagedError), reading(engine):
        pytest.fail("it is no database")
    engine.dispose()


def test_moved_aside_under_a_name_of_its_own(url: URL, tmp_path: Path) -> None:
    assert move_aside(url) is None
    for number in (1, 2):
        (tmp_path / "state.db").write_text(f"damaged {number}")
        (tmp_path / "state.db-wal").write_text("wal")
        assert move_aside(url) == tmp_path / f"state.db.damaged-{number}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state.db.damaged-1", "state.db.damaged-2"]
    assert move_aside(parse_state_url("postgresql://u@h/x")) is None


def test_sqlite_by_its_path(tmp_path: Path) -> None:
    engine = open_engine(sqlite_url(tmp_path / "a?b%20.db"))
    with writing(engine) as connection:
        connection.execute(text("create table t (x integer)"))
    engine.dispose()
    assert (tmp_path / "a?b%20.db").exists()
