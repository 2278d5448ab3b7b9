from __future__ import annotations

from inward.alerting.stream.clock import DAY, HOUR
from inward.alerting.stream.rates import REPEATED, OutOfSeason, RateLimits, Rates

MONDAY = 1_767_571_200
LIMITS = RateLimits(bucket_seconds=600, score=4.0, factor=3.0, floor=60.0, learn_seconds=7 * DAY)
KEY = ("billing", "orders")


def run(rates: Rates, begin: int, end: int, each_bucket: int, job: dict[int, int] | None = None) -> list[OutOfSeason]:
    """`job`: further calls by second of the day."""
    found: list[OutOfSeason] = []
    for start in range(begin, end, 600):
        found += rates.close(start) if rates.passed(start) else []
        for number in range(each_bucket + (job or {}).get(start % DAY, 0)):
            rates.see(KEY, 1.0, ("t", f"c{number}"))
    return found


def test_two_of_three_buckets_are_needed_or_one_that_is_clear() -> None:
    rates = Rates(LIMITS, 10)
    assert run(rates, MONDAY, MONDAY + 8 * DAY, 5) == []
    at = MONDAY + 8 * DAY
    assert run(rates, at, at + HOUR, 5, {0: 100}) == []
    [found] = run(rates, at + HOUR, at + 2 * HOUR, 5, {HOUR: 100, HOUR + 1200: 100})
    assert (found.count, found.minutes, found.events) == (210, 30, 210)
    [clear] = run(rates, at + 2 * HOUR, at + 3 * HOUR, 5, {2 * HOUR: 5000})
    assert clear.count >= 5000


def test_nothing_is_told_of_while_a_key_is_learned() -> None:
    rates = Rates(LIMITS, 10)
    assert run(rates, MONDAY, MONDAY + 6 * DAY, 1, {HOUR: 4000}) == []


def test_a_job_that_is_new_is_told_of_for_some_days_and_then_known() -> None:
    rates = Rates(LIMITS, 10)
    run(rates, MONDAY, MONDAY + 9 * DAY, 2)
    found = run(rates, MONDAY + 9 * DAY, MONDAY + 24 * DAY, 2, {HOUR: 300, HOUR + 600: 300})
    assert REPEATED <= len({each.day for each in found}) <= REPEATED + 4
    assert found[-1].day < MONDAY // DAY + 18


def test_a_bounded_number_of_keys_is_counted_in_a_bucket() -> None:
    rates = Rates(LIMITS, 10)
    for number in range(1000):
        rates.see((str(number), "orders"), 1.0, ("t", "c"))
    rates.close(MONDAY)
    assert rates.evicted == 990


def test_a_stream_that_is_set_back_goes_on_learning() -> None:
    rates = Rates(LIMITS, 10)
    run(rates, MONDAY + 400 * DAY, MONDAY + 408 * DAY, 5)
    assert not rates.passed(MONDAY + 408 * DAY - 900)
    assert run(rates, MONDAY, MONDAY + 10 * DAY, 5) == []
    [found] = run(rates, MONDAY + 10 * DAY, MONDAY + 10 * DAY + HOUR, 5, {0: 5000})
    assert found.usual < 10
