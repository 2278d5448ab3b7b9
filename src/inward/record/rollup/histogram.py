"""Distributions of durations and sizes: counts in buckets that are the same everywhere, so they add up exactly.

Sixteen buckets for each power of two: a value that is read back is off by a thirty-second of it at most, and below 32
it is exact. Counts and buckets are whole numbers, and two distributions are equal where what went into them is, in
whatever order and portions it came: that lets rollups be compared with the record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    Histogram = dict[int, int]  # bucket → count

_BITS = 4
_PARTS = 1 << _BITS
_MOST = (1 << 48) - 1  # eight years in microseconds, 256 TiB


def bucket_of(value: int) -> int:
    """Return the bucket of `value`; below zero counts as zero, above 2^48 as that."""
    if value < _PARTS:
        return max(0, value)
    value = min(value, _MOST)
    shift = value.bit_length() - _BITS - 1
    return (shift << _BITS) + (value >> shift)


def value_of(bucket: int) -> float:
    """Return the middle of a bucket."""
    if bucket < _PARTS:
        return bucket
    shift = (bucket >> _BITS) - 1
    low = ((bucket & (_PARTS - 1)) + _PARTS) << shift
    return low + ((1 << shift) - 1) / 2


def add_counts(total: Histogram, more: Mapping[int, int]) -> None:
    """Add what is in `more` to `total`."""
    for bucket, count in more.items():
        total[bucket] = total.get(bucket, 0) + count


def quantile(histogram: Mapping[int, int], share: float) -> float | None:
    """Return a value that `share` (0 to 1) of all values do not go above, None where there are none."""
    left = share * sum(histogram.values())
    value = None
    for bucket, count in sorted(histogram.items()):
        value = value_of(bucket)
        left -= count
        if left <= 0:
            break
    return value
