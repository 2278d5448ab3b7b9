"""Evidence: the form that others write is read."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from inward.tlog.checkpoint import Checkpoint
from inward.tlog.evidence import verify_evidence, write_evidence
from inward.tlog.merkle import leaf_hash, node_hash
from inward.tlog.note import NoteError, Signer
from inward.tlog.proof import ProofError

SIGNER = Signer("shop.internal/record", Ed25519PrivateKey.generate())
LEFT, RIGHT = leaf_hash(b"left"), leaf_hash(b"right")
NOTE = Checkpoint("shop.internal/record", 2, node_hash(LEFT, RIGHT)).signed(SIGNER)


def test_the_form_is_that_of_the_standard() -> None:
    text = write_evidence(b"right", 1, [LEFT], NOTE)
    assert text.startswith("c2sp.org/tlog-proof@v1\nextra cmlnaHQ=\nindex 1\n")
    assert text.endswith("\n\n" + NOTE)
    evidence = verify_evidence(text, "shop.internal/record", [SIGNER.verifier])
    assert (evidence.entry, evidence.index, evidence.checkpoint.size) == (b"right", 1, 2)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("@v1", "@v2"),
        ("extra cmlnaHQ=\n", ""),
        ("cmlnaHQ=", "cmlnaHR="),
        ("cmlnaHQ=", "cmlnaHQ"),
        ("cmlnaHQ=", "!"),
        ("index 1", "index 01"),
        ("index 1", "index 0"),
        ("index 1", "index -1"),
        ("index 1", "index \N{FULLWIDTH DIGIT ONE}"),
        ("\n\n", "\n"),
        ("record\n2\n", "record\n3\n"),
    ],
)
def test_another_form_shows_nothing(old: str, new: str) -> None:
    text = write_evidence(b"right", 1, [LEFT], NOTE)
    assert old in text
    with pytest.raises((ProofError, NoteError)):
        verify_evidence(text.replace(old, new, 1), "shop.internal/record", [SIGNER.verifier])
