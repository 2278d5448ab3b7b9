from __future__ import annotations

from typing import Any

import pytest
from tests.unit.alerting.conftest import DAY, HOUR, call, fired

from inward.alerting.detectors.volume import DataVolumeSettings, VolumeSettings
from inward.record.call import Call, Entry


def usual() -> list[Entry]:
    return [
        call(hour * HOUR + minute * 300, bytes_out=1000)
        for hour in range(24 * 9)
        for minute in range(12)
        if hour % 24 > 6
    ]


def flood(count: int, **more: Any) -> list[Entry]:
    """Return calls within ten minutes of a night, and one that ends the bucket."""
    return [*(call(9 * DAY + HOUR + at * 600 / count, **more) for at in range(count)), call(9 * DAY + 2 * HOUR)]


def test_a_flood_is_told_of_with_what_is_usual_at_this_hour() -> None:
    [alert] = fired([*usual(), *flood(900)], "volume")
    assert alert.why.startswith("checkout called orders 900 times within 10 minutes; usual at this hour are 0.")
    assert (alert.severity, alert.count, alert.caller, alert.callee) == ("high", 900, "checkout", "orders")


def test_what_is_usual_is_not_told_of() -> None:
    assert fired([*usual(), *flood(20)], "volume") == []


def test_calls_that_come_too_late_for_their_bucket_are_not_counted() -> None:
    late = [call(8 * DAY + at / 10) for at in range(5000)]
    now: list[Entry] = [call(9 * DAY + 7200 + at) for at in range(1200)]
    assert [each for each in fired([*usual(), *now[:2], *late, *now[2:]], "volume") if each.count > 1000] == []


def test_data_in_bulk_is_told_of_by_class() -> None:
    [alert] = fired([*usual(), *flood(20, bytes_out=500_000)], "data-volume")
    assert alert.why.startswith(
        "checkout was given 10,000 kB of answers with pii.email within 10 minutes, by 20 calls; usual at this hour are"
    )
    assert (alert.data_class, alert.severity) == ("pii.email", "high")


@pytest.mark.parametrize(
    "more",
    [
        {"withheld": ("pii.email",)},
        {"status": 500},
        {"reason": "no_grant"},
        {"operation": "orders:listOrders"},
    ],
)
def test_data_that_was_not_given_is_not_counted(more: dict[str, Any]) -> None:
    assert fired([*usual(), *flood(20, bytes_out=500_000, **more)], "data-volume") == []


def test_in_observe_mode_nothing_is_withheld() -> None:
    calls = flood(20, bytes_out=500_000, withheld=("pii.email",), mode="observe")
    assert fired([*usual(), *calls], "data-volume")


@pytest.mark.parametrize("settings", [VolumeSettings, DataVolumeSettings])
def test_buckets_divide_an_hour(settings: type[VolumeSettings | DataVolumeSettings]) -> None:
    with pytest.raises(ValueError, match="must divide an hour"):
        settings(minutes=7)
    assert settings(minutes=12).limits.bucket_seconds == 720


def test_calls_are_named() -> None:
    calls = flood(900)
    [alert] = fired([*usual(), *calls], "volume")
    assert len(alert.calls) == 8
    assert set(alert.calls) <= {each.id for each in calls if isinstance(each, Call)}
