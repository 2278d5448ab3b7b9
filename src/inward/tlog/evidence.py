"""Evidence: a file that shows, to anybody with the log's public key, that the log holds an entry (C2SP `tlog-proof`).

    c2sp.org/tlog-proof@v1
    extra <base64 of the entry>
    index <its place in the log>
    <base64 of a hash>
    …
    <empty line>
    <a signed checkpoint>

It says of itself nothing that is not verified: the entry that it carries is the one whose hash is proven.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.tlog.checkpoint import verify_checkpoint
from inward.tlog.merkle import leaf_hash
from inward.tlog.proof import ProofError, verify_inclusion

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inward.tlog.checkpoint import Checkpoint
    from inward.tlog.note import Verifier

SUFFIX = ".tlog-proof"
MAX_BYTES = 16 << 20
_MAGIC = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was verified: the entry, its index, and the checkpoint of the log that holds it."""

    entry: bytes
    index: int
    checkpoint: Checkpoint


def write_evidence(entry: bytes, index: int, path: Sequence[bytes], checkpoint: str) -> str:
    """Return the text of the file. `path` is the inclusion proof, and `checkpoint` the signed note of its tree."""
    hashes = "".join(f"{b64encode(each).decode()}\n" for each in path)
    return f"{_MAGIC}\nextra {b64encode(entry).decode()}\nindex {index}\n{hashes}\n{checkpoint}"


def verify_evidence(text: str, origin: str, trusted: Iterable[Verifier]) -> Evidence:
    """Return what a file shows of the log `origin`, or raise `ProofError` or `NoteError`.

    1. Take the file apart. 2. Verify the checkpoint. 3. Verify that the entry is in its tree.
    """
    # 1. Take the file apart.
    head, empty, note = text.partition("\n\n")
    magic, *lines = head.split("\n")
    if magic != _MAGIC or not empty or len(lines) < 2 or not lines[0].startswith("extra "):  # noqa: PLR2004 - named above
        raise ProofError("the file is no proof of an entry", hint=f"its first line is `{_MAGIC}`")
    entry = _decoded(lines[0].removeprefix("extra "))
    index = _INDEX.fullmatch(lines[1])
    if index is None:
        raise ProofError("the proof does not say which entry it is of")
    path = [_decoded(line) for line in lines[2:]]
    # 2. Verify the checkpoint.
    checkpoint = verify_checkpoint(note, origin, trusted)
    # 3. Verify that the entry is in its tree.
    verify_inclusion(leaf_hash(entry), int(index[1]), checkpoint.size, path, checkpoint.root)
    return Evidence(entry, int(index[1]), checkpoint)


def _decoded(text: str) -> bytes:
    try:
        found = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ProofError("the proof has something in it that is no base64") from None
    if b64encode(found).decode() != text:
        raise ProofError("the proof has something in it that is no base64")
    return found
