"""The rows of the surface, and what is wrong with each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.insight.surveyed import NOW, TODAY, coverage, day, grant, on, system, to

from inward.insight.surface.build import Used, build
from inward.insight.surface.row import Row, Wrong
from inward.insight.unused.coverage import Ages, day_of
from inward.insight.unused.uses import Uses

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from inward.insight.unused.coverage import Coverage
    from inward.record.rollup.query import Day

LIST = grant("web-lists", to("web"), on("listOrders"))


def rows(folder: Path, days: Iterable[Day], *policies: str, known: Coverage | None = None) -> dict[str, Row]:
    made = system(folder, *policies)
    known = known or coverage()
    first = day_of(known.since)
    all_days = list(days)
    before = {each.edge: each.last for each in all_days if each.day < first and each.calls > each.stopped}
    used = Used(Uses(each for each in all_days if each.day >= first), before, known, Ages({}))
    return {row.name: row for row in build(made.catalog, made.engine.index, used)}


def test_an_operation_with_its_callers(tmp_path: Path) -> None:
    days = [
        day(3, "web", "listOrders", calls=9, refused=2, stopped=2),
        day(1, "web", "listOrders", refused=1, stopped=1),
        day(2, "till", "listOrders", calls=20),
    ]
    row = rows(tmp_path, days, LIST)["orders:listOrders"]
    assert (row.calls, row.refused, row.callers) == (30, 3, {"till": 20, "web": 7})
    assert row.last is not None
    assert day_of(row.last) == TODAY - 2, "the last that was let through"
    assert (row.owner, row.mode, row.classes, row.open_to) == ("team-orders", "enforce", ("pii.email",), 1)
    assert row.problems == ()


def test_forgotten_is_what_nobody_was_let_through_to(tmp_path: Path) -> None:
    days = [day(3, "web", "listOrders", refused=1, stopped=1), day(200, "web", "listOrders")]
    row = rows(tmp_path, days, LIST)["orders:listOrders"]
    assert Wrong.FORGOTTEN in row.wrong
    assert row.last is not None
    assert day_of(row.last) == TODAY - 200
    for begin in (None, 89):
        assert rows(tmp_path, days, LIST, known=coverage(begin=begin))["orders:listOrders"].problems == ()


def test_what_is_not_told_apart_may_have_been_called(tmp_path: Path) -> None:
    folded = day(3, "web", "listOrders", calls=9)
    folded = folded._replace(edge=folded.edge._replace(callee="*", operation="*"))
    found = rows(tmp_path, [folded], LIST)
    assert found["orders:listOrders"].problems == ()
    assert found["orders:oldOrders"].wrong == (Wrong.FORGOTTEN,), "web may not call it"
    stopped = folded._replace(stopped=9)
    assert Wrong.FORGOTTEN in rows(tmp_path, [stopped], LIST)["orders:listOrders"].wrong


def test_deprecated_and_used(tmp_path: Path) -> None:
    found = rows(tmp_path, [day(3, "web", "oldOrders")])["orders:oldOrders"]
    assert [(each.kind, each.what) for each in found.problems] == [
        (Wrong.DEPRECATED, "it is deprecated, and called by web")
    ]
    assert rows(tmp_path, [])["orders:oldOrders"].wrong == (Wrong.FORGOTTEN,)


def test_a_service_in_observe_mode_that_nobody_owns(tmp_path: Path) -> None:
    row = rows(tmp_path, [day(3, "web", "stock:getStock", refused=1)])["stock:getStock"]
    assert row.wrong == (Wrong.OBSERVE_ONLY, Wrong.UNOWNED)
    assert row.open_to == 4, "every other service"


def test_calls_without_an_identity(tmp_path: Path) -> None:
    row = rows(tmp_path, [day(3, "", "listOrders")], LIST)["orders:listOrders"]
    assert (row.problems[0].kind, row.problems[0].stopped) == (Wrong.UNAUTHENTICATED, False)
    refused = [day(3, "", "orders:", refused=1, stopped=1, outcomes={"deny deny enforce bad_identity": 1})]
    beyond = rows(tmp_path, refused)["orders"]
    assert [(each.kind, each.stopped) for each in beyond.problems] == [(Wrong.UNAUTHENTICATED, True)]


def test_what_is_in_no_document_is_one_row_of_its_service(tmp_path: Path) -> None:
    outcomes = {"deny allow observe unknown_operation": 5, "deny deny enforce unknown_operation": 1}
    days = [
        day(ago, who, "stock:", calls=6, refused=6, stopped=1, outcomes=outcomes) for ago, who in ((3, "web"), (2, ""))
    ]
    row = rows(tmp_path, days)["stock"]
    assert (row.operation, row.callers, row.calls, row.refused) == (None, {"web": 5, "": 5}, 12, 12)
    assert row.wrong == (Wrong.UNDOCUMENTED, Wrong.OBSERVE_ONLY, Wrong.UNOWNED)
    assert row.last is not None
    stopped = [day(3, "web", "orders:", refused=1, stopped=1, outcomes={"deny deny enforce unknown_operation": 1})]
    assert [(each.kind, each.stopped) for each in rows(tmp_path, stopped)["orders"].problems] == [
        (Wrong.UNDOCUMENTED, True)
    ]


def test_other_calls_without_an_operation_are_no_row(tmp_path: Path) -> None:
    days = [day(3, "web", "orders:", refused=1, stopped=1, outcomes={"deny deny enforce unreachable": 1})]
    days += [day(3, "web", "elsewhere:", refused=1, stopped=1, outcomes={"deny deny enforce unknown_operation": 1})]
    assert set(rows(tmp_path, days)) == {
        "orders:listOrders",
        "orders:createOrder",
        "orders:oldOrders",
        "stock:getStock",
    }


def test_times_that_no_calendar_has(tmp_path: Path) -> None:
    row = rows(tmp_path, [day(0, "web", "listOrders")._replace(last=1 << 62)], LIST)["orders:listOrders"]
    assert row.last is not None
    assert row.last > NOW
