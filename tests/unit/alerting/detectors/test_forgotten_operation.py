from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.alerting.conftest import DAY, HOUR, VIEW, call, engine, fired

from inward.alerting.view import View

if TYPE_CHECKING:
    from inward.record.call import Entry

SLUG = "forgotten-operation"


def steady(days: int) -> list[Entry]:
    return [call(day * DAY) for day in range(days)]


def test_an_operation_that_nobody_called_for_weeks_is_told_of() -> None:
    [alert] = fired([*steady(30), call(30 * DAY, "checkout", "old:v1")], SLUG)
    assert alert.why == "checkout called old:v1, which nobody had called for 30 days"
    assert alert.severity == "medium"


def test_one_that_is_called_now_and_then_is_not() -> None:
    monthly: list[Entry] = [call(day * DAY + HOUR, "checkout", "old:v1") for day in (0, 27, 54)]
    assert fired(sorted([*steady(60), *monthly], key=lambda each: each.time), SLUG) == []


def test_a_refused_call_is_no_use_of_it() -> None:
    assert fired([*steady(30), call(30 * DAY, "checkout", "old:v1", reason="no_grant")], SLUG) == []


def test_an_operation_that_was_documented_yesterday_was_not_forgotten() -> None:
    begun = engine()
    begun.feed(steady(40))
    changed = engine(view=View({**VIEW.classes, "orders:new": ()}))
    changed.restore(begun.snapshot())
    assert fired([call(40 * DAY), call(41 * DAY, "checkout", "orders:new")], SLUG, changed) == []
    assert fired([call(42 * DAY, "checkout", "old:v1")], SLUG, changed)
