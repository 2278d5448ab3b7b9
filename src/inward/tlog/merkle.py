"""Merkle trees of a growing list: the hashes, and a tree that is appended to in memory of a fixed size.

The hashes are those of RFC 9162 section 2.1.1, with SHA-256. A tree of `size` leaves is a row of perfect subtrees, one
for each bit of its size, the largest first. A perfect subtree is named by its level (0: a leaf) and its index among
those of its level, so that `(level, index)` holds the leaves from `index << level` to before `(index + 1) << level`.
Once it is full it never changes, which is what makes a tree cheap to keep.

It leaves out where hashes are kept, and proofs: see `tlog.proof`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()  # of a tree without leaves
_LEAF, _NODE = b"\x00", b"\x01"  # so that no leaf can be taken for a node


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(_LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node over two others."""
    return hashlib.sha256(_NODE + left + right).digest()


def perfect_subtrees(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the level and index of the fewest perfect subtrees that hold the leaves from `begin` to before `end`.

    They come from left to right.
    """
    while begin < end:
        most = (end - begin).bit_length() - 1
        level = min(most, (begin & -begin).bit_length() - 1) if begin else most
        yield level, begin >> level
        begin += 1 << level


def joined(hashes: list[bytes]) -> bytes:
    """Return the root over perfect subtrees of falling size, the largest first; `EMPTY_ROOT` for none."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


class GrowingTree:
    """A tree that leaves are appended to. It keeps a hash for each bit of its size, and forgets all others.

    `size` and `edge` (the hashes of its perfect subtrees, the largest first) are all that is needed to go on later.
    Raises `ValueError` where the two do not fit.
    """

    def __init__(self, size: int = 0, edge: tuple[bytes, ...] = ()) -> None:
        if size < 0 or size.bit_count() != len(edge) or any(len(each) != HASH_BYTES for each in edge):
            raise ValueError("a tree of that size has another edge")
        self.size = size
        self._edge = list(edge)

    @property
    def edge(self) -> tuple[bytes, ...]:
        """The hashes of the perfect subtrees, the largest first."""
        return tuple(self._edge)

    def append(self, leaf: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Append the hash of a leaf; return what is full now: level, index and hash of each perfect subtree.

        The leaf itself comes first. It is appended whether or not anybody looks at what is returned.
        """
        full = [(0, self.size, leaf)]
        level, index, found = 0, self.size, leaf
        while index & 1:
            found = node_hash(self._edge.pop(), found)
            level, index = level + 1, index >> 1
            full.append((level, index, found))
        self._edge.append(found)
        self.size += 1
        return iter(full)

    def root(self) -> bytes:
        """Return the root hash of what was appended until now."""
        return joined(self._edge)
