"""How many different objects: a sample of hashes, the smallest ones, that two portions can be joined by.

Below `KEPT` objects the count is exact. From there it is estimated from the largest hash that is kept (Bar-Yossef et
al. 2002, "Counting distinct elements in a data stream"), with a standard error of about 9 %, up to a hundred million.
What is kept depends on the objects alone, not on their order or portions, which sketches of libraries do not promise.

Rule: the hash has a key that callers do not know. With a known one somebody could choose objects that do not count.
"""

from __future__ import annotations

import struct
from hashlib import blake2b

KEPT = 128
KEY_BYTES = 32
_HASH_BYTES = 4
_SPACE = 1 << (8 * _HASH_BYTES)


def hash_of(text: str, key: bytes) -> int:
    """Return the hash of an object's name."""
    return int.from_bytes(blake2b(text.encode(), digest_size=_HASH_BYTES, key=key).digest(), "little")


def smallest(hashes: set[int]) -> set[int]:
    """Return those that are kept."""
    return hashes if len(hashes) <= KEPT else set(sorted(hashes)[:KEPT])


def estimate(hashes: set[int]) -> int:
    """Return about how many different objects there were."""
    if len(hashes) < KEPT:
        return len(hashes)
    return max(KEPT, round((KEPT - 1) * _SPACE / (max(hashes) + 1)))


def pack_hashes(hashes: set[int]) -> bytes:
    """Return what is kept as bytes: 4 each, the smallest first."""
    kept = sorted(hashes)[:KEPT]
    return struct.pack(f"<{len(kept)}I", *kept)


def unpack_hashes(packed: bytes) -> set[int]:
    """Return what `pack_hashes` packed. Raises `ValueError`."""
    if len(packed) % _HASH_BYTES:
        raise ValueError("no whole hashes")
    return set(struct.unpack(f"<{len(packed) // _HASH_BYTES}I", packed))
