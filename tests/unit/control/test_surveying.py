"""What was used, by rollups that are missing, behind, damaged or locked; and what the record says beside them."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.insight.surveyed import grant, on, system, to

from inward.control.layout import Layout
from inward.control.surveying import MOST_SINCE, surveyed
from inward.errors import BadInputError
from inward.identity.private_files import private_folder
from inward.insight.unused.history import Candidate
from inward.insight.unused.scopes import scopes_of
from inward.record.call import Act, Call, Gap, timestamp
from inward.record.recorder import Recorder
from inward.record.rollup.database import StateDamagedError, StateError, sqlite_url
from inward.record.rollup.query import Rollups
from inward.record.rollup.store import Edge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inward.control.bundle import Policy as System
    from inward.control.surveying import Survey
    from inward.record.call import Entry

NOW = datetime.now(UTC)


@pytest.fixture
def made(tmp_path: Path) -> System:
    return system(tmp_path, grant("web-lists", to("web"), on("listOrders")))


@pytest.fixture
def layout(tmp_path: Path, made: System) -> Iterator[Layout]:  # noqa: ARG001 - the folder holds a system
    layout = Layout.of(tmp_path)
    private_folder(layout.record)
    yield layout
    shutil.rmtree(layout.run, ignore_errors=True)


def call(ago: float, **fields: Any) -> Call:
    given: dict[str, Any] = {
        "time": timestamp(NOW - timedelta(days=ago)),
        "id": f"id-{ago}",
        "caller": "web",
        "callee": "orders",
        "operation": "orders:listOrders",
        "decision": "allow",
        "carried_out": "allow",
        "reason": "granted",
        "policies": ("web-lists",),
    }
    return Call(**{**given, **fields})


def record(layout: Layout, entries: list[Entry]) -> None:
    with Recorder(layout.record) as recorder:
        recorder.append(entries)


def survey(layout: Layout, made: System, *, days: int = 90, environment: dict[str, str] | None = None) -> Survey:
    with surveyed(layout, environment or {}, made, NOW - timedelta(days=days), NOW) as found:
        return found


def test_an_empty_record(layout: Layout, made: System) -> None:
    found = survey(layout, made)
    assert found.uses.edges == {}
    assert (found.coverage.begin, found.coverage.gaps) == (None, 0)


def test_without_rollups_they_are_made_and_those_that_are_behind_go_on(layout: Layout, made: System) -> None:
    record(layout, [call(2), call(1)])
    assert survey(layout, made).uses.granting == {"web-lists": 2}
    record(layout, [call(0)])
    assert survey(layout, made).uses.granting == {"web-lists": 3}
    assert survey(layout, made).uses.granting == {"web-lists": 3}


def test_days_are_whole_and_what_was_before_is_asked_for_separately(layout: Layout, made: System) -> None:
    record(layout, [call(30), call(9.9), call(3)])
    midnight = (NOW - timedelta(days=3)).replace(hour=0, minute=0, second=0, microsecond=0)
    with surveyed(layout, {}, made, NOW - timedelta(days=3), NOW) as found:
        assert found.coverage.since == midnight
        assert found.uses.granting == {"web-lists": 1}
        candidate = Candidate("grant", scopes_of(made.catalog, made.engine.index)[0])
        assert len(list(found.before([candidate]))) == 2
        assert list(found.before([])) == []
        assert set(found.last_before()) == {Edge("web", "orders", "orders:listOrders")}


def test_how_far_the_record_reaches(layout: Layout, made: System) -> None:
    refused = {"decision": "deny", "carried_out": "deny", "reason": "no_grant", "policies": ()}
    record(
        layout,
        [
            *(call(ago, **refused) for ago in range(300, 10, -1)),
            call(250),
            *(call(ago) for ago in range(10, -1, -1)),
            Gap(time=timestamp(NOW - timedelta(days=5)), why="lost"),
            Gap(time=timestamp(NOW - timedelta(days=200)), why="lost"),
        ],
    )
    coverage = survey(layout, made).coverage
    assert coverage.days == 10, "refused calls, kept for longer, do not count, nor does one of another time"
    assert coverage.with_calls == 11
    assert (coverage.gaps, coverage.first_gap) == (1, timestamp(NOW - timedelta(days=5))[:10])


def act(ago: float, what: str, about: str, detail: str | None = None) -> Act:
    return Act(time=timestamp(NOW - timedelta(days=ago)), what=what, about=about, detail=detail)


def moment(ago: float) -> datetime:
    return datetime.fromisoformat(timestamp(NOW - timedelta(days=ago)))


def test_ages_are_of_acts(layout: Layout, made: System) -> None:
    entries: list[Entry] = [call(ago) for ago in range(60, -1, -1)]
    entries += [
        act(50, "start", "v1"),
        act(40, "policy", "v2", "in the place of v1; added: a, b-1.x; removed: c; changed: d"),
        act(39, "stop", "v2"),
        act(38, "start", "v2"),
    ]
    record(layout, entries)
    ages = survey(layout, made).ages
    assert ages.changed == dict.fromkeys(["a", "b-1.x", "d"], moment(40))
    assert ages.since("c") == (moment(50), False), "what was before the first start is not known"
    record(layout, [act(30, "stop", "v2"), act(29, "start", "v3")])
    assert survey(layout, made).ages.anything == moment(29)
    record(layout, [act(28, "stop", "v3"), act(27, "start", "v3b", "2 services; in the place of v3; added: x")])
    ages = survey(layout, made).ages
    assert (ages.since("x"), ages.anything) == ((moment(27), True), moment(29)), "a start knows what was changed"
    record(layout, [act(26, "start", "v3c", "2 services; in the place of v2; added: y")])
    assert survey(layout, made).ages.anything == moment(26), "but not what another run did"
    record(layout, [act(20, "policy", "v4", "in the place of v3; changed: a, e and 7 more")])
    ages = survey(layout, made).ages
    assert ages.anything == moment(20)
    assert ages.since("a") == (moment(20), True)


def test_the_first_start_of_a_system_changes_nothing(layout: Layout, made: System) -> None:
    record(layout, [act(20, "start", "v1"), *(call(ago) for ago in range(19, -1, -1))])
    assert survey(layout, made).ages.anything is None


@pytest.mark.parametrize("days", [-1, MOST_SINCE.days + 1])
def test_a_time_that_cannot_be_asked_for(layout: Layout, made: System, days: int) -> None:
    with pytest.raises(BadInputError, match="too long"):
        survey(layout, made, days=days)


def test_a_damaged_database_says_how_to_make_it_anew(layout: Layout, made: System) -> None:
    layout.database.write_bytes(b"no database" * 100)
    with pytest.raises(StateDamagedError) as raised:
        survey(layout, made)
    assert "inward rollup rebuild" in raised.value.hint


def test_a_database_that_is_away(layout: Layout, made: System) -> None:
    with pytest.raises(StateError):
        survey(layout, made, environment={"INWARD_STATE_URL": "postgresql://u:p@127.0.0.1:1/none"})


def test_one_that_cannot_be_written_is_read_as_it_is(
    layout: Layout, made: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(layout, [call(2)])
    survey(layout, made)
    record(layout, [call(1)])

    def locked(*_: object) -> None:
        raise StateError("the state database is locked")

    monkeypatch.setattr("inward.control.surveying.Store", locked)
    found = survey(layout, made)
    assert found.uses.granting == {"web-lists": 1}
    assert found.coverage.notes == ("the state database is locked, so what was recorded last may be missing",)


def test_the_rollups_are_let_go(layout: Layout, made: System, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []
    close = Rollups.close

    def closing(rollups: Rollups) -> None:
        closed.append(rollups)
        close(rollups)

    monkeypatch.setattr(Rollups, "close", closing)
    survey(layout, made)
    assert len(closed) == 1
    assert Rollups(sqlite_url(layout.database)).place()
