from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.alerting.conftest import act, call, fired, moment

if TYPE_CHECKING:
    from inward.record.call import Entry

SLUG = "after-quarantine"


def test_calls_after_a_quarantine_are_one_alert_that_counts() -> None:
    calls = [call(100 + at, reason="quarantined") for at in range(20)]
    alerts = fired([act(0, "quarantine", "checkout"), *calls], SLUG)
    assert [each.count for each in alerts] == [1, 2, 4, 8, 16]
    assert len({each.id for each in alerts}) == 1
    assert alerts[-1].why == f"checkout made 16 calls after its quarantine at {moment(0)}; all were refused"
    assert alerts[-1].severity == "high"


def test_a_call_that_was_let_through_is_critical() -> None:
    alerts = fired([act(0, "quarantine", "checkout"), call(50, reason="quarantined"), call(60)], SLUG)
    assert [each.severity for each in alerts] == ["high", "critical"]


def test_calls_that_were_on_their_way_and_those_after_a_release_are_not_meant() -> None:
    entries: list[Entry] = [
        act(0, "quarantine", "checkout"),
        call(-1),
        call(5),
        act(60, "release", "checkout"),
        call(100),
    ]
    assert fired(entries, SLUG) == []


def test_who_calls_a_service_in_quarantine_is_not_in_quarantine() -> None:
    assert fired([act(0, "quarantine", "orders"), call(100, reason="quarantined")], SLUG) == []


def test_a_quarantine_from_before_the_record_is_seen_by_the_refusals_of_two_callees() -> None:
    assert fired([call(100, reason="quarantined"), call(101, "checkout", "billing:pay", reason="quarantined")], SLUG)


def test_who_calls_a_service_that_was_cut_off_before_the_record_is_not_blamed() -> None:
    entries: list[Entry] = [call(100 + at, name, reason="quarantined") for at in range(20) for name in ("a", "b")]
    assert fired(entries, SLUG) == []
    # one that is let through elsewhere is in no quarantine, whatever two others say one after another
    through = [
        call(200, reason="quarantined"),
        call(201, "checkout", "old:v1"),
        call(202, "checkout", "billing:pay", reason="quarantined"),
    ]
    assert fired([*through], SLUG) == []


def test_another_quarantine_is_another_alert() -> None:
    entries: list[Entry] = [
        act(0, "quarantine", "checkout"),
        call(100, reason="quarantined"),
        act(200, "release", "checkout"),
        act(300, "quarantine", "checkout"),
        call(400, reason="quarantined"),
    ]
    assert len({each.id for each in fired(entries, SLUG)}) == 2
