"""Reads a log file, plain or compressed (gzip, RFC 1952), line by line: bounded in memory, with progress.

A broken line is counted and left out; one that is longer than `MAX_LINE` is broken, whatever it holds.
"""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from inward.catalog.document import shown
from inward.discovery.logs.formats import MAX_LINE, READERS, Format, format_of
from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from inward.discovery.found import Discovery
    from inward.discovery.paths.observed import Observed

BROKEN = "a broken line of a log"
_GZIP = b"\x1f\x8b"
_LOOKED_AT = 50  # lines that tell the format
_TOLD_EVERY = 1 << 22  # bytes


class UnreadableLogError(BadInputError):
    """A file is no access log that can be read."""

    code = "unreadable_log"


def read_log(
    path: Path,
    observed: Observed,
    discovery: Discovery,
    form: Format | None = None,
    watch: Callable[[str, int, int], None] | None = None,
) -> int:
    """Hand every call in a log to `observed`; return how many lines were read. Raises `UnreadableLogError`.

    `form` is the log's format, None: it is told by looking. `watch` is told bytes of the file, done and of all.
    """
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableLogError(f"`{shown(str(path))}` is no regular file")
            begins = file.read(2)
            file.seek(0)
            source = gzip.GzipFile(fileobj=file) if begins == _GZIP else file
            watched = _watched(lines_of(source), file, status.st_size, path.name, watch)  # type: ignore[arg-type]  # it reads bytes
            return _take(watched, path, observed, discovery, form)
    except (OSError, EOFError, zlib.error) as error:
        what = (isinstance(error, OSError) and error.strerror) or str(error) or "it ends too early"
        raise UnreadableLogError(f"`{shown(str(path))}` cannot be read: {what.lower()}") from None


def _take(lines: Iterator[bytes], path: Path, observed: Observed, discovery: Discovery, form: Format | None) -> int:
    first = [line for line in islice(lines, _LOOKED_AT) if line]
    form = form or format_of(first)
    if form is None:
        if not first:
            discovery.note(str(path), "is empty")
            return 0
        raise UnreadableLogError(
            f"`{shown(str(path))}` is no access log that is known",
            hint="Envoy's default format, the common or combined format, or JSON; `--log-format` says which",
        )
    read, take, broken, number = READERS[form], observed.take, 0, 0
    for part in (first, lines):
        for line in part:
            if not line:
                continue
            number += 1
            seen = read(line) if len(line) <= MAX_LINE else None
            if seen is None:
                broken += 1
            else:
                take(*seen)
    if broken:
        discovery.left_out.add(BROKEN, calls=broken)
        discovery.note(str(path), f"{broken:,} of {number:,} lines are broken, and were left out")
    return number


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield lines without their ends; of one that is too long a piece that is still too long."""
    while line := file.readline(MAX_LINE + 2):
        if len(line) > MAX_LINE and not line.endswith(b"\n"):
            while (more := file.readline(MAX_LINE)) and not more.endswith(b"\n"):
                pass
        yield line.rstrip(b"\r\n")


def _watched(
    lines: Iterator[bytes], file: BinaryIO, size: int, name: str, watch: Callable[[str, int, int], None] | None
) -> Iterator[bytes]:
    if watch is None:
        yield from lines
        return
    told = 0
    for number, line in enumerate(lines):
        if number % 4096 == 0 and (at := file.tell()) - told >= _TOLD_EVERY:
            told = at
            watch(shown(name), at >> 20, size >> 20)
        yield line


def _open_without_waiting(path: str, flags: int) -> int:
    """Open as `open` does, but without waiting for somebody to write where it is a named pipe."""
    return os.open(path, flags | os.O_NONBLOCK)
