"""The disk, as the record needs it: few operations, and one seam where tests make each of them fail.

Rules: nothing is durable before `fsync` has returned; after an `fsync` that failed the same bytes are not
trusted, whatever a second one says (the kernel drops dirty pages that it could not write). A name is durable
once its folder has been fsynced.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from inward.errors import InwardError

if TYPE_CHECKING:
    from pathlib import Path


_BLOCK_BYTES = 1 << 20


class RecordError(InwardError):
    """The record cannot be opened, written or read."""

    code = "record"


class Disk:
    """What the operating system does; a test's disk overrides what shall fail. All raise `OSError`."""

    def create(self, path: Path) -> int:
        """Create a file that only its owner may read, for appending. Return its descriptor."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(path, flags, 0o600)

    def open(self, path: Path) -> int:
        """Open an existing file for appending and reading. Return its descriptor."""
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)

    def write(self, descriptor: int, data: memoryview) -> int:
        """Append some of `data`; return how many bytes."""
        return os.write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        """Return when the file's content and size are durable."""
        os.fsync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut the file down to `size` bytes."""
        os.ftruncate(descriptor, size)

    def overwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        """Write some of `data` over what is at `offset`, in a file not opened for appending; return how many bytes."""
        return os.pwrite(descriptor, data, offset)

    def replace(self, source: Path, target: Path) -> None:
        """Rename `source` to `target`, atomically."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Delete a file; it may be gone already."""
        path.unlink(missing_ok=True)

    def write_all(self, descriptor: int, data: bytes) -> None:
        """Append all of `data`; after an error any part of it may have been written."""
        rest = memoryview(data)
        while rest:
            rest = rest[self.write(descriptor, rest) :]

    def write_again(self, path: Path, start: int) -> None:
        """Write what `path` holds from `start` on over itself, and return when it is durable.

        For bytes that another process wrote: an fsync of its own may have failed, and then one of ours alone
        would succeed without writing them.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            while block := os.pread(descriptor, _BLOCK_BYTES, start):
                start += self.overwrite(descriptor, block, start)
            self.fsync(descriptor)
        finally:
            os.close(descriptor)

    def fsync_folder(self, folder: Path) -> None:
        """Return when the names in `folder` are durable."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.fsync(descriptor)
        finally:
            os.close(descriptor)

    def store(self, path: Path, content: bytes) -> None:
        """Make `content` the whole content of `path`; after a crash it is the old or the new one."""
        new = path.with_name(f".{path.name}.new")
        new.unlink(missing_ok=True)
        descriptor = self.create(new)
        try:
            self.write_all(descriptor, content)
            self.fsync(descriptor)
        finally:
            os.close(descriptor)
        self.replace(new, path)
        self.fsync_folder(path.parent)


def make_private_folder(folder: Path) -> None:
    """Make `folder` with its parents; only its owner, this user, may enter it. Raises `RecordError`."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
        if status.st_uid != os.geteuid():
            raise RecordError(
                f"the folder `{folder}` belongs to another user", hint="give it to the user who runs Inward"
            )
        if stat.S_IMODE(status.st_mode) & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise RecordError(f"the folder `{folder}` cannot be made: {error.strerror}") from error
