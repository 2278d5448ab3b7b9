"""Where the authority's state lies, with the CA's private keys in it: one file in a private folder.

Two stores: plain, for a folder that is in memory or that nothing else may read, and sealed with a passphrase,
for one on a disk. A store keeps bytes and knows nothing of what they mean; `ca.py` does.

A sealed file is `inward-sealed-1`, a line feed, a salt of 16 bytes, a nonce of 12 bytes, and the state under
AES-256-GCM (NIST SP 800-38D) with all that as associated data. The key is scrypt's (RFC 7914) of the
passphrase and the salt, with the parameters below: they are part of the format and never read from the file.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from inward.errors import InwardError
from inward.identity.private_files import private_folder, read_private, write_private

if TYPE_CHECKING:
    from pathlib import Path

STATE_FILE = "authority.state"
MAX_STATE_BYTES = 1024 * 1024

_MAGIC = b"inward-sealed-1\n"
_SALT_BYTES = 16
_NONCE_BYTES = 12
_HEADER_BYTES = len(_MAGIC) + _SALT_BYTES + _NONCE_BYTES
_SCRYPT_N = 2**16  # with r = 8: 64 MiB of memory and about a fifth of a second a guess
_SCRYPT_R = 8
_SCRYPT_P = 1


class KeyStoreError(InwardError):
    """The authority's state cannot be opened."""

    code = "key_store"


class KeyStore(Protocol):
    """Keeps the authority's state. Built in: `FolderKeyStore` and `SealedKeyStore`."""

    @property
    def place(self) -> Path:
        """The file, for messages."""

    def load(self) -> bytes | None:
        """Return what was saved last; None if nothing ever was."""

    def save(self, state: bytes) -> None:
        """Keep `state` instead. Where this returns it survives a crash; where it raises the old one does."""


class FolderKeyStore:
    """Keeps the state as it is, in a private folder, made where it is not there."""

    def __init__(self, folder: Path) -> None:
        self.place = private_folder(folder) / STATE_FILE

    def load(self) -> bytes | None:
        """Return what was saved last; None if nothing ever was."""
        state = read_private(self.place, limit=MAX_STATE_BYTES)
        if state is not None and state.startswith(_MAGIC):
            raise KeyStoreError(f"`{self.place}` is sealed with a passphrase", hint="give the passphrase")
        return state

    def save(self, state: bytes) -> None:
        """Keep `state` instead."""
        write_private(self.place, state)


class SealedKeyStore:
    """Keeps the state encrypted with a passphrase, in a private folder, made where it is not there."""

    def __init__(self, folder: Path, passphrase: bytes) -> None:
        if not passphrase:
            raise KeyStoreError("an empty passphrase", hint="give one, or none at all")
        self.place = private_folder(folder) / STATE_FILE
        self._passphrase = passphrase
        self._salt = os.urandom(_SALT_BYTES)
        self._cipher: AESGCM | None = None

    def load(self) -> bytes | None:
        """Return what was saved last; None if nothing ever was."""
        sealed = read_private(self.place, limit=MAX_STATE_BYTES)
        if sealed is None:
            return None
        if not sealed.startswith(_MAGIC) or len(sealed) < _HEADER_BYTES:
            raise KeyStoreError(
                f"`{self.place}` is not sealed with a passphrase",
                hint="give none, or move the file away to start with a new authority",
            )
        header, content = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES:]
        salt, nonce = header[len(_MAGIC) : -_NONCE_BYTES], header[-_NONCE_BYTES:]
        cipher = self._derived(salt)
        try:
            state = cipher.decrypt(nonce, content, header)
        except InvalidTag as error:
            raise KeyStoreError(
                f"the passphrase does not open `{self.place}`",
                hint="give the one it was sealed with; if it is that one, the file was damaged or changed",
            ) from error
        self._salt, self._cipher = salt, cipher
        return state

    def save(self, state: bytes) -> None:
        """Keep `state` instead."""
        if self._cipher is None:
            self._cipher = self._derived(self._salt)
        # Random nonces are good for 2**32 messages under one key (SP 800-38D section 8.3).
        header = _MAGIC + self._salt + os.urandom(_NONCE_BYTES)
        write_private(self.place, header + self._cipher.encrypt(header[-_NONCE_BYTES:], state, header))

    def _derived(self, salt: bytes) -> AESGCM:
        return AESGCM(Scrypt(salt, 32, _SCRYPT_N, _SCRYPT_R, _SCRYPT_P).derive(self._passphrase))
