"""Signed notes: a text and the signatures of it, as C2SP `signed-note` describes them; Ed25519 only.

    <text, ends with a line feed>
    <empty line>
    — <name> <base64 of four bytes that name the key, and the signature>

Rules: a note is verified by keys that are trusted beforehand, and never by anything in it. Signatures by other keys are
left alone, so that witnesses can sign too; a false signature by a trusted key makes the whole note false.
"""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from inward.errors import InwardError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MAX_NOTE_BYTES = 1 << 20
MAX_SIGNATURES = 100
_DASH = "\N{EM DASH} "
_ED25519 = b"\x01"
_ID_BYTES, _KEY_BYTES = 4, 32


class NoteError(InwardError):
    """A note is malformed, or is not signed by a key that is trusted."""

    code = "note"


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key with its name, written as `<name>+<id>+<key>` (C2SP `vkey`)."""

    name: str
    public: bytes  # 32 bytes

    @classmethod
    def parse(cls, text: str) -> Verifier:
        """Parse a verifier's text, or raise `NoteError`."""
        name, plus, rest = text.strip().partition("+")
        shown, also, encoded = rest.partition("+")
        key = _decoded(encoded)
        if not (plus and also and _is_name(name) and len(key) == 1 + _KEY_BYTES and key[:1] == _ED25519):
            raise NoteError("the text is no public key of a log", hint="it is one line: `<name>+<id>+<key>`")
        verifier = cls(name, key[1:])
        if shown != verifier.id.hex():
            raise NoteError("the public key and its id do not belong together")
        return verifier

    @property
    def id(self) -> bytes:
        """The four bytes that say in a signature which key it is of."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(_ED25519 + self.public).decode()}"


class Signer:
    """A private key with its name. Raises `NoteError` for a name that cannot stand in a note."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        if not _is_name(name):
            raise NoteError("the name of a key has no spaces and no plus", hint="such as `shop.internal/record`")
        self._key = key
        self.verifier = Verifier(name, key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, text: str) -> str:
        """Return a text as a signed note. It ends with a line feed and has no control characters, or it raises."""
        if not _is_text(text):
            raise NoteError("the text of a note is printable, and ends with a line feed")
        signature = b64encode(self.verifier.id + self._key.sign(text.encode())).decode()
        return f"{text}\n{_DASH}{self.verifier.name} {signature}\n"


def verify_note(note: str, trusted: Iterable[Verifier]) -> str:
    """Return the text of a note that at least one of the trusted keys signed, or raise `NoteError`.

    1. Split the note at its last empty line. 2. Read each signature; none is malformed. 3. Verify those by trusted
    keys: each is right, and there is one.
    """
    # 1. Split.
    text, empty, signatures = note.rpartition("\n\n")
    text += "\n"
    lines = signatures.split("\n")
    if len(note.encode("utf-8", "surrogatepass")) > MAX_NOTE_BYTES or not empty or not _is_text(text):
        raise NoteError("the text is no signed note")
    if lines.pop() or not 0 < len(lines) <= MAX_SIGNATURES:
        raise NoteError("the note has no signature")
    by_key = {(verifier.name, verifier.id): verifier for verifier in trusted}
    verified = False
    for line in lines:
        # 2. Read.
        name, space, encoded = line.removeprefix(_DASH).partition(" ")
        signature = _decoded(encoded)
        if not (line.startswith(_DASH) and space and _is_name(name) and len(signature) > _ID_BYTES):
            raise NoteError("a signature of the note is malformed")
        # 3. Verify.
        verifier = by_key.get((name, signature[:_ID_BYTES]))
        if verifier is not None:
            _verify(verifier, signature[_ID_BYTES:], text)
            verified = True
    if not verified:
        raise NoteError("the note is signed by no key that is trusted")
    return text


def _verify(verifier: Verifier, signature: bytes, text: str) -> None:
    try:  # of any length: another one than 64 bytes is no signature either
        Ed25519PublicKey.from_public_bytes(verifier.public).verify(signature, text.encode())
    except (InvalidSignature, ValueError):
        raise NoteError(f"the signature of `{verifier.name}` is false") from None


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and name.isprintable() and not any(map(str.isspace, name))


def _is_text(text: str) -> bool:
    """Whether this can be the text of a note: it ends with a line feed, and has no other control character."""
    return text.endswith("\n") and all(line.isprintable() or not line for line in text[:-1].split("\n"))


def _decoded(text: str) -> bytes:
    """Return what stands there in base64, in the one way in which it can be written (RFC 4648 section 3.5)."""
    try:
        found = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return found if b64encode(found).decode() == text else b""
