from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.alerting.conftest import DAY, HOUR, call, fired, week

if TYPE_CHECKING:
    from inward.record.call import Call

SLUG = "undocumented-operation"


def unknown(at: float, path: str, **more: Any) -> Call:
    fields = {"reason": "unknown_operation", "carried_out": "allow", "mode": "observe", "status": 200, "path": path}
    return call(at, "checkout", None, **{**fields, "method": "GET", **more})


def test_a_path_that_no_description_has_is_told_of() -> None:
    [alert] = fired([*week(), unknown(9 * DAY, "/internal/debug"), unknown(9 * DAY + 5, "/internal/debug")], SLUG)
    assert alert.why == (
        "checkout called GET /internal/debug of orders, which no description has and it never called before"
    )


def test_what_was_called_while_the_stream_was_learned_is_known() -> None:
    known = [unknown(hour * HOUR + 60, f"/legacy/{hour}") for hour in range(24 * 8)]
    entries = sorted([*week(), *known], key=lambda each: each.time)
    assert fired([*entries, unknown(9 * DAY, "/legacy/999")], SLUG) == []


@pytest.mark.parametrize("more", [{"status": 404}, {"carried_out": "deny"}, {"enforcer": "egress"}])
def test_what_did_not_reach_an_operation_is_not_told_of(more: dict[str, Any]) -> None:
    assert fired([*week(), unknown(9 * DAY, "/internal/debug", **more)], SLUG) == []


def test_many_paths_are_one_alert() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    paths = [unknown(9 * DAY + at, f"/{letters[at % 26]}{letters[at // 26]}") for at in range(600)]
    alerts = fired([*week(), *paths], SLUG)
    assert len({each.id for each in alerts}) == 1
    assert len(alerts) <= 10
    assert "and 511 more of orders" in alerts[-1].why
