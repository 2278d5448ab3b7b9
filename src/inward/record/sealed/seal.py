"""Sealing: a finished segment becomes a Parquet file in the folder of its day.

1. The lines are those that were signed, by their hashes: damage stays where it can be looked into.
2. They are read as text, and turned into rows by DuckDB (`columns`): nothing else reads what they say.
3. The file is read back, and gives every line as it was; else it is thrown away.
4. It is made durable under its name. Only then may the segment be deleted, which is not done here.

Memory is bounded, whatever the segment's size.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from inward.record.audit.hashes import HashesError, leaves_file, read_hashes
from inward.record.disk import Disk, make_private_folder
from inward.record.sealed.columns import lines_of, quoted, rows_of
from inward.record.sealed.files import Sealed, is_bucket
from inward.record.sealed.reading import METADATA, Extent, SealError, connected, rows_at
from inward.record.segment import BLOCK_BYTES, read_lines
from inward.tlog.merkle import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inward.record.segment import Segment

ROWS_IN_GROUP = 16_384  # small enough that a few hundred rows out of the middle are read within milliseconds
_LINES_AT_ONCE = 4096
_HINT = "see `inward audit fsck`"
_OPTIONS = f"FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, ROW_GROUP_SIZE {ROWS_IN_GROUP}"


def seal(segment: Segment, size: int, extent: Extent, disk: Disk | None = None) -> Sealed:
    """Seal the first `size` bytes of a segment, which hold the log's entries of `extent`; return what it is now.

    It lies in the folder of the segment. Raises `SealError`, and then nothing has changed.
    """
    sealed = Sealed.make(str(segment.path.parent), segment)
    with new_file(sealed, segment.path.parent, disk or Disk()) as building:
        there = _digest_of(_as_signed(segment, size, extent.count))
        with _exactly(segment.path, size, building) as source:
            write_rows(rows_of(lines_of(str(source)), extent.first), extent, building)
        if _digest_of(row.line or b"" for row in rows_at(str(building))) != there:
            raise SealError(f"`{segment.path.name}` cannot be sealed: its lines would not come back as they are")
    return sealed


@contextmanager
def new_file(sealed: Sealed, folder: Path, disk: Disk) -> Iterator[Path]:
    """Give a path to build a sealed segment's file at, and put it in its place, durably, where nothing fails.

    `folder` is that of the record. Raises `SealError` where the disk or the bucket refuses.
    """
    # Of this process alone: one that was left over by a crash may still be busy.
    building = (folder / sealed.name).with_name(f".{Path(sealed.name).name}.{os.getpid()}.new")
    try:
        make_private_folder(building.parent)
        building.unlink(missing_ok=True)
        yield building
        building.chmod(0o600)
        if is_bucket(sealed.place):
            from inward.record.sealed import bucket  # noqa: PLC0415 - its libraries are needed for buckets only

            bucket.put(sealed.place, sealed.name, building)
        else:
            _put(building, Path(sealed.url), disk)
    except OSError as error:
        raise SealError(f"`{sealed.name}` cannot be written: {error.strerror}") from error
    finally:
        building.unlink(missing_ok=True)


def _put(building: Path, target: Path, disk: Disk) -> None:
    descriptor = disk.open(building)
    try:
        disk.fsync(descriptor)
    finally:
        os.close(descriptor)
    disk.replace(building, target)
    disk.fsync_folder(target.parent)
    disk.fsync_folder(target.parent.parent)


def write_rows(rows: str, extent: Extent, building: Path, *places: str) -> None:
    """Write what the SQL `rows` gives as a sealed segment. Raises `SealError`."""
    spill = building.with_name(f"{building.name}.spill")
    metadata = f"KV_METADATA {{{METADATA}: '{quoted(msgspec.json.encode(extent).decode())}'}}"
    try:
        with connected(building.name, *places) as connection:
            connection.execute(f"SET temp_directory = '{quoted(spill)}'")
            connection.execute(f"COPY ({rows}) TO '{quoted(building)}' ({_OPTIONS}, {metadata})")
    finally:
        shutil.rmtree(spill, ignore_errors=True)


@contextmanager
def _exactly(path: Path, size: int, beside: Path) -> Iterator[Path]:
    """Give a file with the first `size` bytes of `path`: itself, or a copy where there are more."""
    if path.stat().st_size == size:
        yield path
        return
    copy = beside.with_name(f"{beside.name}.ndjson")
    copy.unlink(missing_ok=True)
    try:
        with path.open("rb") as source, open(copy, "xb", opener=_private) as target:
            left = size
            while left and (block := source.read(min(left, BLOCK_BYTES))):
                target.write(block)
                left -= len(block)
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _as_signed(segment: Segment, size: int, count: int) -> Iterator[bytes]:
    """Yield the lines of a segment. Raises `SealError` where they are not those that were signed."""
    name = segment.path.name
    leaves = leaves_file(segment.path.parent, name)
    with segment.path.open("rb") as file:
        lines = (line for line, _ in read_lines(file, 0, size))
        for begin in range(0, count, _LINES_AT_ONCE):
            some = list(islice(lines, min(_LINES_AT_ONCE, count - begin)))
            try:
                kept = read_hashes(leaves, begin, begin + len(some))
            except HashesError as error:
                raise SealError(f"`{name}` cannot be sealed: {error.message}", hint=_HINT) from error
            if not some or b"".join(map(leaf_hash, some)) != kept:
                raise SealError(f"`{name}` is not what was signed: it is left as it is", hint=_HINT)
            yield from some
        if next(lines, None) is not None:
            raise SealError(f"`{name}` has more entries than were signed: it is left as it is", hint=_HINT)


def _digest_of(lines: Iterable[bytes]) -> bytes:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line + b"\n")
    return digest.digest()
