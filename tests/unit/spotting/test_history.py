"""The tallies of the last days: what is kept of them, for how long, and what a damaged file does."""

from __future__ import annotations

import stat
from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from inward.catalog.json_path import Wild
from inward.identity.private_files import private_folder
from inward.spotting import history as module
from inward.spotting.history import DAYS, DamagedHistoryError, History, add_to_history, load_history
from inward.spotting.kinds import Kind, Spotted
from inward.spotting.tally import NotLooked

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2026, 11, 26)
NOTE = Spotted(("lines", Wild.ITEM, "note", Wild.REST), Kind.EMAIL)
CARD = Spotted(("reference",), Kind.CARD)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return private_folder(tmp_path / "state") / "undeclared.json"


def seen(*days: date) -> History:
    history = History()
    for day in days:
        history.day(day).add("orders:getOrder", 200, [NOTE], [CARD])
        history.day(day).add_not_looked("orders:getOrder", 200, NotLooked.ENCODED)
    return history


def test_what_is_written_is_read_again(path: Path) -> None:
    add_to_history(path, seen(TODAY), TODAY)
    history = load_history(path)
    assert history.since == TODAY
    (finding,) = history.whole().findings()
    assert (finding.operation, finding.status, finding.path, finding.kind) == (
        "orders:getOrder",
        200,
        NOTE.path,
        NOTE.kind,
    )
    count = history.whole().counts["orders:getOrder", 200]
    assert (count.answers, count.resembling) == (1, Counter([CARD]))
    assert count.not_looked == Counter([NotLooked.ENCODED])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_runs_add_up(path: Path) -> None:
    for _ in range(3):
        add_to_history(path, seen(TODAY), TODAY)
    (finding,) = load_history(path).whole().findings()
    assert (finding.having, finding.answers) == (3, 3)


def test_a_day_is_forgotten_as_a_whole(path: Path) -> None:
    days = [TODAY - timedelta(days=number) for number in range(DAYS)]
    add_to_history(path, seen(*days), TODAY)
    assert load_history(path).since == days[-1]
    tomorrow = TODAY + timedelta(days=1)
    add_to_history(path, History(), tomorrow)
    history = load_history(path)
    assert history.since == days[-2]
    (finding,) = history.whole().findings()
    assert finding.answers == DAYS - 1
    assert history.last(finding) == TODAY
    add_to_history(path, History(), TODAY + timedelta(days=DAYS))
    assert load_history(path).since is None


def test_a_day_that_a_wrong_clock_has_made_does_not_stay(path: Path) -> None:
    add_to_history(path, seen(date(2090, 1, 1), TODAY), TODAY)
    assert load_history(path).whole().findings()[0].answers == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b'{"version":2,"days":{}}',
        b'{"version":1,"days":{"x":{"counts":[]}}}',
        b"[" * 100_000,
        b'{"version":1,"days":{"2026-11-26":{"counts":[{"operation":"a:b","status":200,"answers":1,"having":[[[2],"email",1]]}]}}}',
        b"\xff",
    ],
)
def test_a_damaged_file_is_told_and_begun_anew(path: Path, content: bytes) -> None:
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(DamagedHistoryError):
        load_history(path)
    add_to_history(path, seen(TODAY), TODAY)
    assert load_history(path).since == TODAY


def test_it_may_be_deleted_at_any_time(path: Path) -> None:
    assert load_history(path).since is None
    add_to_history(path, seen(TODAY), TODAY)
    path.unlink()
    add_to_history(path, seen(TODAY), TODAY)
    assert load_history(path).whole().findings()[0].answers == 1


def test_what_would_be_too_large_loses_its_first_days(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two = seen(TODAY, TODAY - timedelta(days=1))
    monkeypatch.setattr(module, "MAX_BYTES", len(two.encoded()) - 1)
    add_to_history(path, two, TODAY)
    assert load_history(path).since == TODAY


def test_histories_merge() -> None:
    first, yesterday = seen(TODAY), TODAY - timedelta(days=1)
    first.merge(seen(yesterday, TODAY))
    (finding,) = first.whole().findings()
    assert (finding.having, first.since, first.last(finding)) == (3, yesterday, TODAY)
