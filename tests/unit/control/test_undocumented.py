"""Paths that no document has, from the newest calls in the record."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from inward.control import undocumented as module
from inward.control.undocumented import undocumented_of
from inward.insight.unused.coverage import day_of
from inward.insight.unused.uses import Unknown
from inward.record.call import Call, Gap, timestamp
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from inward.record.call import Entry

NOW = datetime.now(UTC)


def call(number: int, path: str, ago: float = 1, **fields: Any) -> Call:
    given: dict[str, Any] = {
        "time": timestamp(NOW - timedelta(days=ago)),
        "id": f"id-{number}",
        "caller": "web",
        "callee": "stock",
        "method": "GET",
        "path": path,
        "decision": "deny",
        "carried_out": "allow",
        "mode": "observe",
        "reason": "unknown_operation",
        "status": 200,
    }
    return Call(**{**given, **fields})


def found(folder: Path, entries: list[Entry], **days: int) -> dict[str, list[tuple[str, str, dict[str, int]]]]:
    """Return what is found where `days` ago there were so many calls of a service."""
    with Recorder(folder) as recorder:
        recorder.append(entries)
    unknown = {
        service: Unknown(Counter({"web": 1}), days=Counter({day_of(NOW - timedelta(days=ago)): 1}))
        for service, ago in days.items()
    }
    return {
        service: [(each.method, each.template, dict(each.callers)) for each in some]
        for service, some in undocumented_of(folder, unknown).items()
    }


def test_templates_with_their_callers(tmp_path: Path) -> None:
    entries: list[Entry] = [call(number, f"/debug/{number}") for number in range(9)]
    entries += [
        call(20, "/admin", caller=None),
        call(21, "/admin", caller="till"),
        Gap(time=timestamp(NOW), why="lost"),
    ]
    assert found(tmp_path, entries, stock=1) == {
        "stock": [("GET", "/debug/{debug_id}", {"web": 9}), ("GET", "/admin", {"": 1, "till": 1})]
    }


def test_only_what_was_let_through_and_answered(tmp_path: Path) -> None:
    entries: list[Entry] = [
        call(1, "/refused", carried_out="deny"),
        call(2, "/granted", reason="granted", decision="allow"),
        call(3, "/failed", status=500),
        call(4, "/elsewhere", callee="orders"),
        call(5, "/a//b"),
        call(6, "hash#0123456789abcdef0123456789abcdef"),
        call(7, "/x", ago=30),
        call(8, "/y\x1b[2J"),
    ]
    assert found(tmp_path, entries, stock=1) == {"stock": []}


def test_nothing_is_read_where_there_was_nothing(tmp_path: Path) -> None:
    assert found(tmp_path, [call(1, "/debug")]) == {}
    assert undocumented_of(tmp_path / "nothing", {"stock": Unknown()}) == {}


def test_only_so_many_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CALLS", 3)
    entries: list[Entry] = [call(number, f"/p{number}") for number in range(5)]
    assert [template for _, template, _ in found(tmp_path, entries, stock=1)["stock"]] == ["/p2", "/p3", "/p4"]
