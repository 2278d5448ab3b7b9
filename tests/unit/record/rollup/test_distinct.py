"""Distinct objects: how exact, and that portions and their order make no difference."""

from __future__ import annotations

import random
import statistics

import pytest

from inward.record.rollup.distinct import KEPT, estimate, hash_of, pack_hashes, smallest, unpack_hashes

KEY = b"k" * 32


def hashes(count: int, key: bytes = KEY) -> list[int]:
    return [hash_of(f"order-{number}", key) for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, KEPT - 1])
def test_few_are_counted(count: int) -> None:
    assert estimate(smallest(set(hashes(count)))) == count


@pytest.mark.parametrize("count", [KEPT, 1_000, 8_000])
def test_many_are_estimated(count: int) -> None:
    errors = [estimate(smallest(set(hashes(count, bytes([seed]) * 32)))) / count - 1 for seed in range(1, 21)]
    assert abs(statistics.fmean(errors)) < 0.07
    assert statistics.pstdev(errors) < 0.14


def test_portions_and_order_make_no_difference() -> None:
    found = hashes(2_000)
    once = smallest(set(found))
    random.Random(3).shuffle(found)  # noqa: S311 - not for secrets
    portions: set[int] = set()
    for first in range(0, 2_000, 77):
        portions = smallest(portions | smallest(set(found[first : first + 100])))
    assert pack_hashes(portions) == pack_hashes(once)
    assert unpack_hashes(pack_hashes(once)) == once
    assert len(pack_hashes(once)) == 4 * KEPT


def test_who_does_not_know_the_key_cannot_choose_hashes() -> None:
    assert hash_of("order-1", KEY) != hash_of("order-1", b"x" * 32)


def test_no_whole_hashes() -> None:
    with pytest.raises(ValueError, match="no whole hashes"):
        unpack_hashes(b"12345")
