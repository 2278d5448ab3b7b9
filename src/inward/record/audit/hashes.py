"""The hashes of the log that are kept: enough for any proof within milliseconds.

In `tree/` of the record's folder lie, as rows of 32 bytes:

- `<segment>.leaves`: of the entries of a segment. They are kept where the segment itself is deleted, too.
- `<segment>.edges`: of a sealed segment, which gives all others itself: those at its ends that are in a block of 256
  with entries of other segments.
- `level-8.hashes`, `level-16.hashes`, `level-24.hashes`: of every full subtree of those levels.

Rules: a file is only appended to, and made durable before the state says how long it is; what is behind that length
does not count. Whatever is missing or false here shows when the log is verified: all of it follows from the entries.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from inward.record.disk import RecordError
from inward.tlog.merkle import HASH_BYTES, node_hash

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inward.record.disk import Disk

LEVELS = (8, 16, 24)
BLOCK = 256  # entries: the subtrees of the lowest of these levels
FOLDER = "tree"


class HashesError(RecordError):
    """Hashes of the log that ought to be kept are not there, or cannot be read."""

    code = "hashes"


def level_file(folder: Path, level: int) -> Path:
    """Return where the hashes of a level are."""
    return folder / FOLDER / f"level-{level}.hashes"


def leaves_file(folder: Path, segment: str) -> Path:
    """Return where the hashes of the entries of a segment are."""
    return folder / FOLDER / f"{segment}.leaves"


def edges_file(folder: Path, segment: str) -> Path:
    """Return where the hashes at the ends of a sealed segment are."""
    return folder / FOLDER / f"{segment}.edges"


def edges(first: int, count: int) -> tuple[int, int]:
    """Return how many of `count` entries from index `first` on are in one block with what is before them, and after."""
    head = min(count, -first % BLOCK)
    return head, min(count - head, (first + count) % BLOCK)


def store_edges(folder: Path, segment: str, first: int, count: int, disk: Disk) -> None:
    """Keep the hashes at the ends of a segment apart, of those that are kept of it. Raises `OSError`, `HashesError`."""
    head, tail = edges(first, count)
    path = leaves_file(folder, segment)
    if not path.exists() and edges_file(folder, segment).exists():
        return  # it was done before a crash
    disk.store(edges_file(folder, segment), read_hashes(path, 0, head) + read_hashes(path, count - tail, count))


def read_hashes(path: Path, begin: int, end: int) -> bytes:
    """Return the hashes from number `begin` to before `end`, one after the other. Raises `HashesError`."""
    length = (end - begin) * HASH_BYTES
    try:
        with path.open("rb") as file:
            file.seek(begin * HASH_BYTES)
            found = file.read(length)
    except OSError as error:
        raise HashesError(f"`{path}` cannot be read: {error.strerror}") from error
    if len(found) != length:
        raise HashesError(f"`{path}` ends too early")
    return found


def append_hashes(path: Path, count: int, hashes: bytes, disk: Disk) -> None:
    """Append hashes behind the first `count` of a file, durably; what else was behind them is cut off.

    Raises `OSError`, and `HashesError` where the file has fewer.
    """
    try:
        descriptor = disk.open(path)
    except FileNotFoundError:
        descriptor = disk.create(path)
    try:
        if os.fstat(descriptor).st_size < count * HASH_BYTES:
            raise HashesError(f"`{path}` ends too early", hint="see `inward audit fsck`")
        disk.truncate(descriptor, count * HASH_BYTES)
        disk.write_all(descriptor, hashes)
        disk.fsync(descriptor)
    finally:
        os.close(descriptor)


class KeptNodes:
    """The hash of any full subtree of the log: kept ones as they are, others worked out of those below.

    `leaves` gives the hashes of the entries from one index to before another, as far as there are any; it is asked for
    the 256 of one block at a time, and not again for those of the one before.
    """

    def __init__(self, folder: Path, leaves: Callable[[int, int], bytes]) -> None:
        self._folder = folder
        self._leaves = leaves
        self._block, self._read = -1, b""  # the one that was asked for last

    def __call__(self, level: int, index: int) -> bytes:
        """Return the hash. Raises `HashesError`, and what `leaves` raises."""
        kept = max((each for each in LEVELS if each <= level), default=0)
        begin, end = index << (level - kept), (index + 1) << (level - kept)
        if kept:
            return joined_pairs(read_hashes(level_file(self._folder, kept), begin, end))
        block, at = divmod(begin, BLOCK)
        if self._block != block:
            self._read, self._block = self._leaves(block * BLOCK, (block + 1) * BLOCK), block
        row = self._read[at * HASH_BYTES : (at + end - begin) * HASH_BYTES]
        if len(row) != (end - begin) * HASH_BYTES:
            raise HashesError("the hashes of some entries are not kept")
        return joined_pairs(row)


def each_hash(hashes: bytes) -> list[bytes]:
    """Return the hashes of a row, one by one."""
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def joined_pairs(hashes: bytes) -> bytes:
    """Return the root over a full row of hashes: 1, 2, 4, 8, … of them."""
    row = each_hash(hashes)
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]
