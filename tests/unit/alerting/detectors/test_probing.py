from __future__ import annotations

import pytest
from tests.unit.alerting.conftest import DAY, HOUR, MINUTE, call, fired

SLUG = "probing"


def test_many_different_refused_operations_are_told_of() -> None:
    calls = [call(second, "checkout", f"orders:op{second}", reason="no_grant") for second in range(4)]
    [alert] = fired([*calls], SLUG)
    assert alert.why == (
        "checkout was refused 4 different operations and paths within 10 minutes; it is usually refused none"
    )
    assert (alert.severity, alert.count, alert.calls) == ("medium", 4, tuple(each.id for each in calls))


def test_one_operation_that_is_refused_all_day_is_a_broken_client() -> None:
    assert fired([call(MINUTE * at, reason="no_grant") for at in range(1000)], SLUG) == []


def test_ids_in_unknown_paths_are_not_different_things() -> None:
    calls = [call(at, operation=None, reason="unknown_operation", method="GET", path=f"/x/{at}") for at in range(100)]
    assert fired([*calls], SLUG) == []


def test_one_thing_an_hour_is_found_by_the_day() -> None:
    [alert] = fired([call(HOUR * at, "checkout", f"orders:op{at}", reason="no_grant") for at in range(8)], SLUG)
    assert "within a day" in alert.why


def test_refusals_of_the_service_itself_count() -> None:
    assert fired([call(at, "checkout", f"orders:op{at}", status=403) for at in range(6)], SLUG)


@pytest.mark.parametrize("reason", ["quarantined", "slow_path_down", "unreachable", "unviewable", "bad_credential"])
def test_what_is_not_the_callers_doing_does_not_count(reason: str) -> None:
    assert fired([call(at, "checkout", f"orders:op{at}", reason=reason) for at in range(50)], SLUG) == []


def test_who_has_no_verified_name_is_told_by_its_address() -> None:
    calls = [
        call(at, None, None, reason="unknown_operation", method="GET", path=f"/{'abcdefgh'[at]}", address="10.0.0.9")
        for at in range(8)
    ]
    alerts = fired([*calls], SLUG)
    assert alerts[0].why.startswith("address 10.0.0.9 was refused")
    assert alerts[0].caller is None


def test_who_is_nobody_even_to_its_own_envoy_is_told_by_whose_egress_it_used() -> None:
    calls = [
        call(
            at, None, f"orders:op{at}", reason="bad_request", enforcer="egress", src=f"{name}/access-00000002.log:{at}"
        )
        for name in ("till", "office")
        for at in range(8)
    ]
    told = {each.why.partition(" was refused")[0] for each in fired([*calls], SLUG)}
    assert told == {"a process at the egress of till", "a process at the egress of office"}


def test_an_attack_that_goes_on_is_one_alert() -> None:
    calls = [call(at * 40, "checkout", f"orders:op{at}", reason="no_grant") for at in range(1000)]
    alerts = fired([*calls], SLUG)
    assert len({each.id for each in alerts}) == 1
    assert len(alerts) <= 10
    assert alerts[-1].severity == "high"


def test_another_day_is_another_alert_until_it_is_usual() -> None:
    calls = [
        call(day * DAY + at, "checkout", f"orders:{day}-{at}", reason="no_grant")
        for day in range(6)
        for at in range(30)
    ]
    assert len({each.id for each in fired([*calls], SLUG)}) == 5  # of six days
