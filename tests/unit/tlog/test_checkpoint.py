"""Checkpoints: what they say comes back, and what is none is refused."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from inward.tlog.checkpoint import Checkpoint, verify_checkpoint
from inward.tlog.merkle import EMPTY_ROOT
from inward.tlog.note import NoteError, Signer

SIGNER = Signer("shop.internal/record", Ed25519PrivateKey.generate())
ORIGIN = "shop.internal/record"
ROOT = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


@pytest.mark.parametrize("more", [(), ("time 2026-11-26T01:00:00Z", "x")])
def test_what_was_signed_comes_back(more: tuple[str, ...]) -> None:
    checkpoint = Checkpoint(ORIGIN, 20852163, EMPTY_ROOT, more)
    note = checkpoint.signed(SIGNER)
    assert note.startswith(f"{ORIGIN}\n20852163\n{ROOT}\n" + "".join(f"{line}\n" for line in more) + "\n")
    assert verify_checkpoint(note, ORIGIN, [SIGNER.verifier]) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n",
        f"{ORIGIN}\n1\n",
        f"{ORIGIN}\n01\n{ROOT}\n",
        f"{ORIGIN}\n-1\n{ROOT}\n",
        f"{ORIGIN}\n\N{FULLWIDTH DIGIT ONE}\n{ROOT}\n",
        f"{ORIGIN}\n{1 << 63}\n{ROOT}\n",
        f"{ORIGIN}\n1\n{ROOT[:-2]}\n",
        f"{ORIGIN}\n1\n{ROOT}\n\nx\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError, match="no checkpoint"):
        verify_checkpoint(SIGNER.sign(text), ORIGIN, [SIGNER.verifier])


def test_a_checkpoint_of_another_log_is_refused() -> None:
    note = Checkpoint("other.internal/record", 1, EMPTY_ROOT).signed(SIGNER)
    with pytest.raises(NoteError, match="of another log"):
        verify_checkpoint(note, ORIGIN, [SIGNER.verifier])
