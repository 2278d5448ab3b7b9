"""Which policies were in force last: so that a start can tell what was changed while nothing ran.

Hashes in the state folder, no text. A file that is missing, damaged or somebody else's keeps nothing from starting:
then it is not known what was changed.
"""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING

import msgspec

from inward.control.acts import BEFORE, texts_of, told_changes
from inward.identity.private_files import PrivateFileError, read_private, write_private

if TYPE_CHECKING:
    from pathlib import Path

    from inward.control.bundle import Policy

_MAX_BYTES = 16 << 20


class _Remembered(msgspec.Struct, frozen=True):
    version: str
    policies: dict[str, str]  # hashes


def changed_meanwhile(path: Path, policy: Policy) -> str:
    """Return, for the act of a start, which version was in force last and which policies were changed since.

    Empty where nothing was, or where that is not known.
    """
    try:
        before = msgspec.json.decode(read_private(path, limit=_MAX_BYTES) or b"", type=_Remembered)
    except (PrivateFileError, OSError, msgspec.MsgspecError, ValueError):
        return ""
    if before.version == policy.version:
        return ""
    return f"; {BEFORE}{before.version}{told_changes(before.policies, _hashes(policy))}"


def remember(path: Path, policy: Policy) -> None:
    """Remember what is in force from now on, if that is possible."""
    try:
        write_private(path, msgspec.json.encode(_Remembered(policy.version, _hashes(policy))))
    except (PrivateFileError, OSError):
        with contextlib.suppress(OSError):
            path.unlink()  # better nothing than what was before


def _hashes(policy: Policy) -> dict[str, str]:
    return {name: hashlib.sha256(text.encode()).hexdigest()[:32] for name, text in texts_of(policy).items()}
