"""Reads a policy file that is to be changed, and replaces it in one step.

Knows nothing of what is in it. Rules: a file outside of the system folder is never written, not through a link either;
a file that somebody else has changed since it was read is left as it is, and so is one that cannot be written whole.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from inward.errors import BadInputError, InwardError
from inward.policy.loading.source import MAX_FILE_BYTES

if TYPE_CHECKING:
    from pathlib import Path


class EditRefusedError(InwardError):
    """A policy file is not changed, because a person has to decide what should become of it."""

    code = "edit_refused"


def read_file(folder: Path, file: str) -> bytes:
    """Return the bytes of a file of the system, one more than are allowed at most; none where there is no such file.

    Raises `EditRefusedError` for a link to the outside, and `BadInputError` for what cannot be read.
    """
    try:
        # non-blocking, so that a FIFO of that name does not stop us
        descriptor = os.open(_real(folder, file), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise BadInputError(f"{file} cannot be read: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise BadInputError(f"{file} cannot be read: it is no regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as source:
            return source.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise BadInputError(f"{file} cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)


def replace_file(folder: Path, file: str, before: bytes, after: bytes) -> None:
    """Replace a file in one step, keeping its mode; `EditRefusedError` if it is no longer what it was."""
    real = _real(folder, file)
    temporary = real.with_name(f".{real.name}.{secrets.token_hex(8)}")  # a name with a dot is no policy file
    try:
        real.parent.mkdir(exist_ok=True)
        mode = stat.S_IMODE(real.stat().st_mode) if real.exists() else None
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with os.fdopen(descriptor, "wb") as target:
            if mode is not None:
                os.fchmod(target.fileno(), mode)
            target.write(after)
            target.flush()
            os.fsync(target.fileno())
        if read_file(folder, file) != before:
            raise EditRefusedError(f"{file} has changed meanwhile", hint="try again")
        temporary.replace(real)
        parent = os.open(real.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)
    except OSError as error:
        raise BadInputError(f"{file} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _real(folder: Path, file: str) -> Path:
    """Return where a file of the system really is; refuses what lies outside of the folder."""
    try:
        root, real = folder.resolve(), (folder / file).resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        what = (isinstance(error, OSError) and error.strerror) or "a loop of links"
        raise BadInputError(f"{file} cannot be read: {what}") from error
    if not real.is_relative_to(root):
        raise EditRefusedError(f"{file} is a link to `{real}`, outside of the system", hint="edit it there")
    return real
