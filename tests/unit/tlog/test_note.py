"""Signed notes: those of others are read, and what was changed in one is found."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from inward.tlog.note import NoteError, Signer, Verifier, verify_note

# A note that the Go implementation signed: golang.org/x/mod/sumdb/note, its example.
KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNED = (
    TEXT
    + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
SIGNER = Signer("shop.internal/record", Ed25519PrivateKey.generate())
OTHER = Signer("shop.internal/record", Ed25519PrivateKey.generate())


def test_a_note_of_another_implementation_is_read() -> None:
    assert verify_note(SIGNED, [Verifier.parse(KEY)]) == TEXT
    assert str(Verifier.parse(KEY + "\n")) == KEY


def test_what_is_signed_is_verified() -> None:
    note = SIGNER.sign("one\n\ntwo\n")
    assert note.startswith("one\n\ntwo\n\n— shop.internal/record ")
    assert verify_note(note, [OTHER.verifier, Verifier.parse(str(SIGNER.verifier))]) == "one\n\ntwo\n"


def test_signatures_of_others_may_stand_beside_ours() -> None:
    witness = Signer("witness", Ed25519PrivateKey.generate())
    both = SIGNER.sign("a\n") + witness.sign("a\n").rpartition("\n\n")[2]
    assert verify_note(both, [SIGNER.verifier]) == verify_note(both, [witness.verifier]) == "a\n"


def test_a_false_signature_by_a_key_that_is_trusted_is_never_passed_over() -> None:
    witness = Signer("witness", Ed25519PrivateKey.generate())
    both = SIGNER.sign("a\n") + witness.sign("b\n").rpartition("\n\n")[2]
    with pytest.raises(NoteError, match="of `witness` is false"):
        verify_note(both, [SIGNER.verifier, witness.verifier])


def test_nobody_that_the_note_names_is_trusted_for_that() -> None:
    with pytest.raises(NoteError, match="no key that is trusted"):
        verify_note(OTHER.sign("a\n"), [SIGNER.verifier])
    with pytest.raises(NoteError, match="no key that is trusted"):
        verify_note(SIGNER.sign("a\n"), [])


@given(st.integers(0, 200), st.sampled_from("aZ\n \t+=\x00—"))
def test_a_note_with_another_character_in_it_is_refused(position: int, character: str) -> None:
    note = SIGNER.sign("tea\n12\ncups\n")
    position %= len(note)
    changed = note[:position] + character + note[position + 1 :]
    if changed != note:
        with pytest.raises(NoteError):
            verify_note(changed, [SIGNER.verifier])


@pytest.mark.parametrize(
    "note",
    [
        "",
        "a\n",
        "a\n\n",
        "\n\n",
        "a\n\n— x\n",
        "a\n\n— x AAAA\n",
        "a\n\n— x AAAAAAA=",
        "a\n\n- x AAAAAAAA\n",
        "a\x07\n\n— x AAAAAAAA\n",
        "\udc80\n\n— x AAAAAAAA\n",
        "a" * (1 << 20) + SIGNED,
        "a\n\n" + "— x AAAAAAAA\n" * 101,
    ],
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(NoteError):
        verify_note(note, [SIGNER.verifier])


def test_a_signature_of_another_length_is_false() -> None:
    text, _, line = SIGNER.sign("a\n").rpartition("\n\n")
    name, _, encoded = line.removeprefix("— ").strip().partition(" ")
    short = b64encode(b64decode(encoded)[:-1]).decode()
    with pytest.raises(NoteError, match="is false"):
        verify_note(f"{text}\n\n— {name} {short}\n", [SIGNER.verifier])


@pytest.mark.parametrize(
    "text", ["", "x", "x+y", KEY.replace("c74f20a3", "c74f20a4"), KEY[:-4], KEY.replace("+A", "+B"), "a b" + KEY[12:]]
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        Verifier.parse(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n", "a\u2028b"])
def test_a_name_that_cannot_stand_in_a_note_is_refused(name: str) -> None:
    with pytest.raises(NoteError):
        Signer(name, Ed25519PrivateKey.generate())


@pytest.mark.parametrize("text", ["", "a", "a\x1b[31m\n", "a\r\n"])
def test_a_text_that_cannot_be_signed_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        SIGNER.sign(text)
