"""The record's key: made once, and never another one in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inward.authority.keys import KeyStoreError
from inward.authority.signing import load_verifier, open_signer
from inward.tlog.note import verify_note

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("passphrase", [None, b"tea"])
def test_it_is_the_same_key_every_time(tmp_path: Path, passphrase: bytes | None) -> None:
    first = open_signer(tmp_path, "shop.internal", passphrase)
    again = open_signer(tmp_path, "shop.internal", passphrase)
    assert str(first.verifier) == str(again.verifier)
    assert first.verifier.name == "shop.internal/record"
    assert verify_note(again.sign("a\n"), [load_verifier(tmp_path / "record.pub")]) == "a\n"
    assert (tmp_path / "record.key").stat().st_mode & 0o777 == 0o600
    assert (b"ENCRYPTED" in (tmp_path / "record.key").read_bytes()) == (passphrase is not None)


def test_a_sealed_key_needs_its_passphrase(tmp_path: Path) -> None:
    open_signer(tmp_path, "shop.internal", b"tea")
    before = (tmp_path / "record.key").read_bytes()
    for passphrase in (None, b"coffee"):
        with pytest.raises(KeyStoreError, match="cannot be opened"):
            open_signer(tmp_path, "shop.internal", passphrase)
    assert (tmp_path / "record.key").read_bytes() == before


def test_what_is_no_key_is_told(tmp_path: Path) -> None:
    (tmp_path / "record.key").write_bytes(b"nothing")
    (tmp_path / "record.key").chmod(0o600)
    with pytest.raises(KeyStoreError, match="cannot be opened"):
        open_signer(tmp_path, "shop.internal", None)


def test_what_is_no_public_key_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeyStoreError, match="there is no"):
        load_verifier(tmp_path / "record.pub")
    for content in (b"", b"a+b+c", b"\xff"):
        (tmp_path / "record.pub").write_bytes(content)
        with pytest.raises(KeyStoreError, match="has no public key"):
            load_verifier(tmp_path / "record.pub")
