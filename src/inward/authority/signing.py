"""The key by which the record is signed: one for a system, kept in its state; sealed where there is a passphrase.

It is not the CA's: the record must still verify when no identity of its time does any more. Whoever can read it can
sign another record, so its public half and some checkpoints belong where the system cannot write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from inward.authority.keys import KeyStoreError
from inward.identity.private_files import read_private, write_private
from inward.tlog.note import NoteError, Signer, Verifier

if TYPE_CHECKING:
    from pathlib import Path

KEY, PUBLIC = "record.key", "record.pub"
_MAX_BYTES = 16384


def open_signer(folder: Path, trust_domain: str, passphrase: bytes | None) -> Signer:
    """Return the signer of the record of a trust domain, whose key is in the private folder `folder`; make a first one.

    Raises `KeyStoreError` where the key cannot be opened: another one is never made in its place.
    """
    path = folder / KEY
    name = f"{trust_domain}/record"
    stored = read_private(path, limit=_MAX_BYTES)
    if stored is None:
        key = Ed25519PrivateKey.generate()
        protection = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        write_private(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection))
    else:
        key = _opened(path, stored, passphrase)
    signer = Signer(name, key)
    write_private(folder / PUBLIC, f"{signer.verifier}\n".encode())
    return signer


def load_verifier(path: Path) -> Verifier:
    """Return the public key in a file, or raise `KeyStoreError`."""
    try:
        return Verifier.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise KeyStoreError(f"there is no `{path}`", hint="the record is signed while `inward up` runs") from None
    except (OSError, ValueError, NoteError) as error:
        why = error.message if isinstance(error, NoteError) else "it cannot be read"
        raise KeyStoreError(f"`{path}` has no public key: {why}") from error


def _opened(path: Path, stored: bytes, passphrase: bytes | None) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(stored, passphrase or None)
    except (ValueError, TypeError):
        hint = "give the passphrase that it was sealed with" if passphrase else "give the passphrase, if it is sealed"
        raise KeyStoreError(f"the key `{path}` cannot be opened", hint=hint) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyStoreError(f"the key `{path}` is of another kind")
    return key
