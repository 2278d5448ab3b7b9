"""Distributions: how exact they are, and that portions add up."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest

from inward.record.rollup.histogram import add_counts, bucket_of, quantile, value_of


def test_small_values_are_exact_and_all_others_nearly() -> None:
    assert [value_of(bucket_of(value)) for value in range(32)] == list(range(32))
    values = [2**power + offset for power in range(5, 48) for offset in (-1, 0, 1, 2 ** (power - 1), 2**power - 1)]
    assert max(abs(value_of(bucket_of(value)) - value) / value for value in values) <= 1 / 32


def test_buckets_rise_with_values_without_a_hole() -> None:
    assert [bucket_of(value) for value in range(100_000)] == sorted(bucket_of(value) for value in range(100_000))
    assert {bucket_of(value) for value in range(100_000)} == set(range(bucket_of(99_999) + 1))


def test_what_no_clock_and_no_body_has() -> None:
    assert bucket_of(-5) == bucket_of(0) == 0
    assert bucket_of(2**200) == bucket_of(2**48)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95, 0.99, 1.0])
def test_quantiles(share: float) -> None:
    chosen = random.Random(7)  # noqa: S311 - not for secrets
    values = sorted(int(chosen.lognormvariate(9, 2)) for _ in range(5_000))
    exact = values[max(0, math.ceil(share * len(values)) - 1)]
    found = quantile(Counter(map(bucket_of, values)), share)
    assert found is not None
    assert abs(found - exact) <= exact / 32
    assert quantile({}, share) is None


def test_portions_add_up() -> None:
    values = list(range(0, 9_000, 7))
    total: dict[int, int] = {}
    for first in range(0, len(values), 100):
        add_counts(total, Counter(map(bucket_of, values[first : first + 100])))
    assert total == Counter(map(bucket_of, values))
