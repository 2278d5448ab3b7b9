from __future__ import annotations

import pytest

from inward.alerting.stream.clock import DAY, JUMP, LATENESS, STREAK, Clock, TimeReader

NOW = 1_767_571_200.0


def test_entries_a_little_out_of_order_keep_their_own_time() -> None:
    clock = Clock()
    assert [clock.see(NOW + at) for at in (0, 30, 10)] == [(NOW, False), (NOW + 30, False), (NOW + 10, False)]
    assert clock.at == NOW + 30


def test_an_entry_of_long_ago_is_late_and_moves_nothing() -> None:
    clock = Clock()
    clock.see(NOW)
    assert clock.see(NOW - LATENESS - 1) == (NOW - LATENESS, True)
    assert (clock.at, clock.late) == (NOW, 1)


def test_one_wrong_clock_does_not_carry_the_stream_into_another_year() -> None:
    clock = Clock()
    clock.see(NOW)
    assert clock.see(NOW + 365 * DAY) == (NOW, False)
    for second in range(1, 50):
        assert clock.see(NOW + second) == (NOW + second, False)
    assert clock.at == NOW + 49


def test_a_quiet_weekend_ends_with_a_call_and_a_quiet_month_with_two() -> None:
    clock = Clock()
    clock.see(NOW)
    assert clock.see(NOW + JUMP) == (NOW + JUMP, False)
    assert clock.see(NOW + 30 * DAY) == (NOW + JUMP, False)
    assert clock.see(NOW + 30 * DAY + 5) == (NOW + 30 * DAY + 5, False)


def test_most_hosts_are_right_about_the_time() -> None:
    clock = Clock()
    for number in range(3 * STREAK):
        clock.see(NOW + 20 * number + (DAY if number % 4 == 0 else 0))
    assert clock.late < 2.5 * STREAK  # that one of four is a day ahead does not make the others late for good


def test_a_stream_that_went_ahead_by_mistake_comes_back() -> None:
    clock = Clock()
    clock.see(NOW)
    clock.see(NOW + 365 * DAY)
    clock.see(NOW + 365 * DAY + 1)
    assert clock.at > NOW + 364 * DAY
    moments = [clock.see(NOW + 20 * number) for number in range(STREAK + 1)]
    assert moments[-1] == (NOW + 20 * STREAK, False)
    assert clock.at == NOW + 20 * STREAK


def test_a_backlog_of_some_minutes_does_not_set_the_stream_back() -> None:
    clock = Clock()
    clock.see(NOW)
    for number in range(10 * STREAK):
        clock.see(NOW - 2 * LATENESS + number / 10)
    assert clock.at == NOW


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-05T00:00:00.000Z", NOW),
        ("2026-01-05T00:00:01.250Z", NOW + 1.25),
        ("2026-01-05T01:00:00+01:00", NOW),
        ("2026-01-05T00:00:xx.250Z", None),
        ("1969-01-05T00:00:00.000Z", None),
        ("", None),
        ("yesterday", None),
    ],
)
def test_times_are_read_or_refused(text: str, seconds: float | None) -> None:
    reader = TimeReader()
    for _ in range(2):  # the second is read by what the first left behind
        assert reader.seconds(text) == seconds
