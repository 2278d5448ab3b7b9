"""Proofs about a Merkle log: that it holds an entry, and that it only grew (RFC 9162 section 2.1).

Making a proof asks for hashes of perfect subtrees (`tlog.merkle`), of which a log keeps some and works out the others.
Verifying one needs nothing but the proof, and is written as the numbered steps of the RFC, so that the two can be held
beside each other. Rules for the caller of `verify_*`: the roots must come from checkpoints whose signature is verified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.errors import InwardError
from inward.tlog.merkle import HASH_BYTES, joined, node_hash, perfect_subtrees

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


MAX_SIZE = 1 << 62  # of a log: far beyond any, and small enough for every reader


class ProofError(InwardError):
    """A proof does not show what it ought to."""

    code = "proof"


def root_of(size: int, nodes: Callable[[int, int], bytes]) -> bytes:
    """Return the root hash of the first `size` leaves."""
    return joined([nodes(level, index) for level, index in perfect_subtrees(0, size)])


def prove_inclusion(index: int, size: int, nodes: Callable[[int, int], bytes]) -> list[bytes]:
    """Return the path from leaf `index` to the root of the first `size` leaves (RFC 9162 section 2.1.3.1).

    Raises `ValueError` where there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError("the tree has no such leaf")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(_range_hash(middle, end, nodes))
            end = middle
        else:
            path.append(_range_hash(begin, middle, nodes))
            begin = middle
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Verify that a leaf with that hash stands at `index` under `root` (RFC 9162 section 2.1.3.2).

    Raises `ProofError`.
    """
    _require_hashes([leaf, root, *path])
    # 1. Compare leaf_index from the inclusion proof with tree_size.
    if not 0 <= index < size <= MAX_SIZE:
        raise ProofError("the proof is of no leaf of the tree")
    # 2. Set fn to leaf_index and sn to tree_size - 1. 3. Set r to hash.
    first, last, found = index, size - 1, leaf
    # 4. For each value p in the inclusion_path array:
    for each in path:
        if last == 0:  # a.
            raise ProofError("the proof is too long")
        if first & 1 or first == last:  # b.
            found = node_hash(each, found)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            found = node_hash(found, each)
        first, last = first >> 1, last >> 1  # c.
    # 5. Compare sn to 0, and r against root_hash.
    if last != 0:
        raise ProofError("the proof is too short")
    if found != root:
        raise ProofError("the log does not hold that entry at that place")


def prove_consistency(old: int, new: int, nodes: Callable[[int, int], bytes]) -> list[bytes]:
    """Return what shows that the first `old` leaves begin the first `new` ones (RFC 9162 section 2.1.4.1).

    Empty where one size is the other, or `old` is 0. Raises `ValueError` where `old` is more than `new`.
    """
    if not 0 <= old <= new:
        raise ValueError("a log that grew has more leaves than before")
    if old in {0, new}:
        return []
    path: list[bytes] = []
    begin, end, whole = 0, new, True  # whole: what is left of the old tree is all of it
    while old != end:
        middle = begin + _split(end - begin)
        if old <= middle:
            path.append(_range_hash(middle, end, nodes))
            end = middle
        else:
            path.append(_range_hash(begin, middle, nodes))
            begin, whole = middle, False
    if not whole:
        path.append(_range_hash(begin, end, nodes))
    return path[::-1]


def verify_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Verify that a log of `new` leaves began as the one of `old` leaves (RFC 9162 section 2.1.4.2).

    A log begins with every empty one. Raises `ProofError`.
    """
    _require_hashes([old_root, new_root, *path])
    if not 0 <= old <= new <= MAX_SIZE:
        raise ProofError("the log has fewer entries than before")
    if old in {0, new}:
        if path or (old == new and old_root != new_root):
            raise ProofError("the log is not what it was")
        return
    _verify_growth(old, new, path, old_root, new_root)


def _verify_growth(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Carry out the steps, for sizes with 0 < `old` < `new`."""
    # 1. An empty path is a failure. 2. Where first is a power of two, prepend first_hash.
    left = list(path) if old & (old - 1) else [old_root, *path]
    if not left:
        raise ProofError("the proof is too short")
    # 3. Set fn to first - 1 and sn to second - 1. 4. Shift both right until the last bit of fn is not set.
    first, last = old - 1, new - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    # 5. Set both fr and sr to the first value. 6. For each subsequent value c:
    before = after = left[0]
    for each in left[1:]:
        if last == 0:  # a.
            raise ProofError("the proof is too long")
        if first & 1 or first == last:  # b.
            before, after = node_hash(each, before), node_hash(each, after)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            after = node_hash(after, each)
        first, last = first >> 1, last >> 1  # c.
    # 7. Compare both, and sn to 0.
    if last != 0:
        raise ProofError("the proof is too short")
    if before != old_root or after != new_root:
        raise ProofError("the log is not what it was")


def _split(size: int) -> int:
    """Return the largest power of two that is smaller than `size`, which is 2 or more."""
    return 1 << ((size - 1).bit_length() - 1)


def _range_hash(begin: int, end: int, nodes: Callable[[int, int], bytes]) -> bytes:
    """Return the hash over the leaves from `begin` to before `end`, which a split has left."""
    return joined([nodes(level, index) for level, index in perfect_subtrees(begin, end)])


def _require_hashes(hashes: Sequence[bytes]) -> None:
    if any(len(each) != HASH_BYTES for each in hashes):
        raise ProofError("the proof has something in it that is no hash")
