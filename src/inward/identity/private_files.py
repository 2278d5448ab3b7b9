"""Private folders and files: those that only their owner can read, where keys and certificates lie.

Nothing is read from, or written to, a folder or file that another account could have made, changed or read.
Checks are made on what was opened, never on a name that could mean something else a moment later; a symbolic
link is refused. Writes are atomic: after a crash there is the old content or the new one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inward.errors import InwardError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MAX_FILE_BYTES = 16 * 1024 * 1024
_MEMORY_FILE_SYSTEMS = frozenset({"tmpfs", "ramfs"})
_MOUNTS = Path("/proc/self/mountinfo")
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a private folder is made in there, and checked


class PrivateFileError(InwardError):
    """A folder or file is not private, or cannot be used."""

    code = "private_file"


@dataclass(frozen=True, slots=True)
class RuntimeFolder:
    """A private folder for one run. `in_memory` is whether it is on a memory file system."""

    path: Path
    in_memory: bool


def private_folder(path: Path) -> Path:
    """Return `path`, made absolute, as a private folder: made with mode 0700 where missing, parents too.

    A folder that is there is never changed: one that is a link, somebody else's or open to others is refused.
    """
    path = path.absolute()
    missing = [folder for folder in (path, *path.parents) if not os.path.lexists(folder)]
    for folder in reversed(missing):
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:  # made by another process in between; checked below like any other
            continue
        except OSError as error:
            raise PrivateFileError(f"cannot make the folder `{folder}`: {_said(error)}") from error
    with _opened(path):
        return path


def runtime_folder(name: str, environment: Mapping[str, str] = os.environ) -> RuntimeFolder:
    """Return the private folder `name` for the files of one run, on a memory file system where there is one.

    It is in `XDG_RUNTIME_DIR` if that is in memory, else in `/dev/shm` if that is, else in the folder for
    temporary files; there inside a private folder named after the account, since others can write beside it.
    """
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/") and is_in_memory(Path(runtime)):
        base = Path(runtime)
    elif os.access(_SHARED_MEMORY, os.W_OK) and is_in_memory(_SHARED_MEMORY):
        base = _SHARED_MEMORY
    else:
        base = Path(tempfile.gettempdir()).resolve()
    account = private_folder(base / f"inward-{os.geteuid()}")
    return RuntimeFolder(private_folder(account / name), is_in_memory(base))


def is_in_memory(path: Path) -> bool:
    """Return whether `path` is on a memory file system; False where the system does not say (macOS)."""
    try:
        device = path.stat().st_dev
        mounts = _MOUNTS.read_text("utf-8", "replace")
    except OSError:
        return False
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():  # proc(5): id, parent, major:minor, …, a lone dash, the type, …
        head, _, tail = line.partition(" - ")
        if head.split(" ")[2:3] == [number]:
            return tail.split(" ")[0] in _MEMORY_FILE_SYSTEMS
    return False


def read_private(path: Path, *, limit: int = MAX_FILE_BYTES) -> bytes | None:
    """Return the content of the private file `path` in its private folder; None where there is none."""
    with _opened(path.parent) as folder:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            file = os.open(path.name, flags, dir_fd=folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _refusal(path, error) from error
        try:
            _check_private(os.fstat(file), path, stat.S_ISREG)
            with os.fdopen(file, "rb", closefd=False) as opened:
                content = opened.read(limit + 1)
        finally:
            os.close(file)
    if len(content) > limit:
        raise PrivateFileError(f"`{path}` is larger than {limit} bytes")
    return content


@contextlib.contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, made where it is missing: one holder of all processes, and the next one waits.

    Raises `OSError`.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_private(path: Path, content: bytes) -> None:
    """Put `content` into the file `path` of an existing private folder: whole and synced, or not at all."""
    temporary = f".{path.name}.new"
    with _opened(path.parent) as folder:
        try:
            # One writer a folder at a time: what has the temporary name is left over from a crash.
            fcntl.flock(folder, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(temporary, flags, 0o600, dir_fd=folder), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
        except OSError as error:
            raise PrivateFileError(f"cannot write `{path}`: {_said(error)}") from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open a folder that is private, for the `dir_fd` of what is done in it."""
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise _refusal(path, error) from error
    try:
        _check_private(os.fstat(folder), path, stat.S_ISDIR)
        yield folder
    finally:
        os.close(folder)


def _check_private(status: os.stat_result, path: Path, is_kind: Callable[[int], bool]) -> None:
    if not is_kind(status.st_mode):
        raise PrivateFileError(f"`{path}` is not of the kind it should be")
    if status.st_uid != os.geteuid():
        raise PrivateFileError(
            f"`{path}` belongs to the account {status.st_uid}, not to {os.geteuid()}",
            hint="remove it, or run as its owner",
        )
    if status.st_mode & 0o077:
        raise PrivateFileError(
            f"`{path}` is open to other accounts: its mode is {stat.S_IMODE(status.st_mode):04o}",
            hint="if nobody can have touched it, `chmod go= ` it; else remove it",
        )


def _refusal(path: Path, error: OSError) -> PrivateFileError:
    if path.is_symlink():
        return PrivateFileError(f"`{path}` is a symbolic link", hint="give the place that it points to")
    return PrivateFileError(f"cannot open `{path}`: {_said(error)}")


def _said(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
