"""Checkpoints: what a log was at a moment, signed (C2SP `tlog-checkpoint`).

    <origin: the log's name>
    <number of entries>
    <base64 of the root hash>
    <more lines, which say what they like>

Rules: who trusts a checkpoint trusts that the log had exactly these entries; who has two of one log, and no proof that
the later one begins with the earlier one, has a log that was changed.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.tlog.merkle import HASH_BYTES
from inward.tlog.note import NoteError, verify_note
from inward.tlog.proof import MAX_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.tlog.note import Signer, Verifier

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_ROOT = re.compile(r"[A-Za-z0-9+/]{43}=")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of the log `origin`: its first `size` entries, under `root`; `more` are further lines."""

    origin: str
    size: int
    root: bytes
    more: tuple[str, ...] = ()

    def signed(self, signer: Signer) -> str:
        """Return the checkpoint as a signed note."""
        lines = [self.origin, str(self.size), b64encode(self.root).decode(), *self.more]
        return signer.sign("".join(f"{line}\n" for line in lines))


def verify_checkpoint(note: str, origin: str, trusted: Iterable[Verifier]) -> Checkpoint:
    """Return the checkpoint in a note that a trusted key signed, of the log `origin`; raise `NoteError` otherwise."""
    named, *rest = verify_note(note, trusted).removesuffix("\n").split("\n")
    size, root, *more = [*rest, "", ""][: max(2, len(rest))]
    if not (_SIZE.fullmatch(size) and int(size) <= MAX_SIZE and _ROOT.fullmatch(root) and all(more)):
        raise NoteError("the note is no checkpoint")
    if named != origin:
        raise NoteError("the checkpoint is of another log")
    decoded = b64decode(root)
    if len(decoded) != HASH_BYTES:
        raise NoteError("the note is no checkpoint")
    return Checkpoint(named, int(size), decoded, tuple(more))
