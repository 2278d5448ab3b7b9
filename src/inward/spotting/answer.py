"""An answer as it came over HTTP: its coding undone, its documents looked at one by one.

Looked at are JSON (RFC 8259) and its sequences, JSON Lines and JSON text sequences (RFC 7464), plain or as `gzip` or
`deflate`. What else there is, is told by why it was not looked at. Nothing of an answer is in what is returned, nor in
an error.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from inward.spotting.spot import MAX_BYTES, Looked, UnreadableAnswerError, look
from inward.spotting.tally import NotLooked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.catalog.shape import Shape
    from inward.spotting.kinds import Spotted

MAX_DOCUMENTS = 100  # of a sequence
_SEQUENCES: Final = ("ndjson", "jsonl", "jsonlines", "json-lines", "json-seq")
_RECORD_SEPARATOR = b"\x1e"
# window bits of zlib: with the header of gzip (RFC 1952), or with that of zlib (RFC 1950), which HTTP calls `deflate`
_WINDOWS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}


def look_at(body: bytes, content_type: str, encoding: str, shape: Shape, *, truncated: bool) -> Looked | NotLooked:
    """Return what stands undeclared in an answer, or why it was not looked at.

    `encoding` is the `content-encoding`, empty where there is none; `truncated`: there is more of the body. Of a
    sequence that is too large its beginning is looked at.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    sequence = media_type.endswith(_SEQUENCES)
    if encoding not in {"", "identity", *_WINDOWS}:
        return NotLooked.ENCODED
    try:
        plain, whole = _decoded(body, encoding)
        whole &= not truncated
        if not whole and not sequence:
            return NotLooked.TOO_LARGE
        documents = _documents(plain, whole=whole) if sequence else [plain]
        return _together(look(document, shape) for document in documents)
    except (UnreadableAnswerError, zlib.error):
        return NotLooked.UNREADABLE


def _decoded(body: bytes, encoding: str) -> tuple[bytes, bool]:
    """Return a body without its coding, at most `MAX_BYTES` of it, and whether that is all; raise `zlib.error`."""
    if encoding not in _WINDOWS:
        return body[:MAX_BYTES], len(body) <= MAX_BYTES
    decoder = zlib.decompressobj(_WINDOWS[encoding])
    plain = decoder.decompress(body, MAX_BYTES)
    return plain, decoder.eof


def _documents(plain: bytes, *, whole: bool) -> list[bytes]:
    lines = plain.replace(_RECORD_SEPARATOR, b"\n").split(b"\n")
    if not whole:
        lines.pop()
    return [line for line in lines if line.strip()][:MAX_DOCUMENTS]


def _together(found: Iterable[Looked]) -> Looked:
    spotted: dict[Spotted, None] = {}
    resembling: dict[Spotted, None] = {}
    for looked in found:
        spotted |= dict.fromkeys(looked.spotted)
        resembling |= dict.fromkeys(looked.resembling)
    return Looked(list(spotted), [each for each in resembling if each not in spotted])
