from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from inward.authority import keys
from inward.authority.keys import FolderKeyStore, KeyStore, KeyStoreError, SealedKeyStore
from inward.identity.private_files import PrivateFileError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STATE = b'{"private":"key"}'
STORES: list[Callable[[Path], KeyStore]] = [
    FolderKeyStore,
    lambda folder: SealedKeyStore(folder, b"correct horse"),
]


@pytest.fixture(autouse=True)
def quick_scrypt(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "slow" not in request.node.name:
        monkeypatch.setattr(keys, "_SCRYPT_N", 2)


@pytest.mark.parametrize("open_store", STORES)
class TestEveryStore:
    """What a `KeyStore` promises; each implementation runs it."""

    def test_nothing_at_first(self, tmp_path: Path, open_store: Callable[[Path], KeyStore]) -> None:
        assert open_store(tmp_path / "keys").load() is None

    def test_what_was_saved_last(self, tmp_path: Path, open_store: Callable[[Path], KeyStore]) -> None:
        store = open_store(tmp_path / "keys")
        for state in (STATE, b"", STATE * 1000):
            store.save(state)
            assert store.load() == state
            assert open_store(tmp_path / "keys").load() == state

    def test_saving_before_loading(self, tmp_path: Path, open_store: Callable[[Path], KeyStore]) -> None:
        open_store(tmp_path / "keys").save(b"old")
        open_store(tmp_path / "keys").save(STATE)
        assert open_store(tmp_path / "keys").load() == STATE

    def test_only_the_owner_can_read(self, tmp_path: Path, open_store: Callable[[Path], KeyStore]) -> None:
        store = open_store(tmp_path / "keys")
        store.save(STATE)
        assert stat.S_IMODE(store.place.stat().st_mode) == 0o600
        assert stat.S_IMODE(store.place.parent.stat().st_mode) == 0o700
        store.place.chmod(0o644)
        with pytest.raises(PrivateFileError, match="open to other accounts"):
            store.load()

    def test_a_folder_that_others_can_enter(self, tmp_path: Path, open_store: Callable[[Path], KeyStore]) -> None:
        (tmp_path / "keys").mkdir(mode=0o755)
        with pytest.raises(PrivateFileError, match="open to other accounts"):
            open_store(tmp_path / "keys")

    def test_a_save_that_fails_keeps_the_old_state(
        self, tmp_path: Path, open_store: Callable[[Path], KeyStore], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = open_store(tmp_path / "keys")
        store.save(STATE)

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(PrivateFileError, match="no space left"):
                store.save(b"new")
        assert store.load() == STATE
        assert open_store(tmp_path / "keys").load() == STATE


class TestSealedKeyStore:
    def test_the_file_does_not_show_the_state(self, tmp_path: Path) -> None:
        store = SealedKeyStore(tmp_path, b"correct horse")
        store.save(STATE)
        first = store.place.read_bytes()
        assert STATE not in first
        assert b"correct horse" not in first
        store.save(STATE)
        assert store.place.read_bytes()[len(first) // 2 :] != first[len(first) // 2 :]  # another nonce

    def test_a_wrong_passphrase(self, tmp_path: Path) -> None:
        SealedKeyStore(tmp_path, b"correct horse").save(STATE)
        for passphrase in (b"correct horse ", b"x"):
            with pytest.raises(KeyStoreError, match="does not open") as caught:
                SealedKeyStore(tmp_path, passphrase).load()
            assert passphrase.decode() + "`" not in caught.value.message
        assert SealedKeyStore(tmp_path, b"correct horse").load() == STATE

    def test_every_changed_byte_is_noticed(self, tmp_path: Path) -> None:
        store = SealedKeyStore(tmp_path, b"correct horse")
        store.save(STATE)
        sealed = store.place.read_bytes()
        for at in range(len(sealed)):
            store.place.write_bytes(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :])
            with pytest.raises(KeyStoreError):
                SealedKeyStore(tmp_path, b"correct horse").load()

    def test_every_torn_file_is_noticed(self, tmp_path: Path) -> None:
        store = SealedKeyStore(tmp_path, b"correct horse")
        store.save(STATE)
        sealed = store.place.read_bytes()
        for length in range(len(sealed)):
            store.place.write_bytes(sealed[:length])
            with pytest.raises(KeyStoreError):
                SealedKeyStore(tmp_path, b"correct horse").load()

    def test_an_empty_passphrase(self, tmp_path: Path) -> None:
        with pytest.raises(KeyStoreError, match="an empty passphrase"):
            SealedKeyStore(tmp_path, b"")

    def test_one_kind_does_not_read_the_other(self, tmp_path: Path) -> None:
        SealedKeyStore(tmp_path, b"correct horse").save(STATE)
        with pytest.raises(KeyStoreError, match="is sealed with a passphrase"):
            FolderKeyStore(tmp_path).load()
        FolderKeyStore(tmp_path).save(STATE)
        with pytest.raises(KeyStoreError, match="is not sealed"):
            SealedKeyStore(tmp_path, b"correct horse").load()

    def test_the_real_parameters_slow(self, tmp_path: Path) -> None:
        SealedKeyStore(tmp_path, b"correct horse").save(STATE)
        assert SealedKeyStore(tmp_path, b"correct horse").load() == STATE
        with pytest.raises(KeyStoreError):
            SealedKeyStore(tmp_path, b"wrong horse").load()
