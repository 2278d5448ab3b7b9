"""What files were parsed as, kept by the hash of their bytes: parsing is most of the work of loading a system.

Only what depends on nothing else is kept: the step from bytes to data, and the operations of an API description that
leads to no other file. What else the data means is worked out each time. A document with a mistake is never kept, so
that it is told again. One with a number that JSON cannot hold is parsed each time too. What an alias stands for is kept
in each place where it stands, with the lines of its anchor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from inward.catalog.document import Document, InvalidDocumentError
from inward.catalog.model import Parameter  # noqa: TC001 - msgspec reads the annotations
from inward.catalog.syntax import Parsed, parse_checked_json

if TYPE_CHECKING:
    from inward.catalog.syntax import Data, DataPath

_NONE = msgspec.Raw(b"null")
_TOO_LARGE = 1 << 63  # an integer from here on is no number that every reader of JSON takes


class Described(msgspec.Struct, frozen=True, array_like=True):
    """An operation as a document describes it; whose it is, and in which mode, is not the document's to say."""

    name: str
    method: str
    path: str
    parameters: tuple[Parameter, ...]
    deprecated: bool
    line: int


class KeptOperations(msgspec.Struct, frozen=True, array_like=True):
    """The operations that a document describes by itself, and the hash of its bytes."""

    digest: str
    operations: list[Described]


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """A document: the hash of its bytes, the line of its root, its data and the lines in it.

    `lines` has an item for each key or item of the root, in their order: its line, or where its value is a container,
    its line and the lines in that. Where `lines` are null the bytes are JSON, which are the data, and hold the lines.
    Both are read only when they are asked for.
    """

    digest: str
    line: int = 1
    data: msgspec.Raw = _NONE
    lines: msgspec.Raw = _NONE

    @classmethod
    def of(cls, document: Document, digest: str) -> Kept | None:
        """Return what is kept of a document; None where it is not to be kept."""
        parsed = document.parsed
        if document.mistakes:
            return None
        if parsed.lines_in is None:
            return cls(digest)
        lines = _lines(parsed, parsed.data)
        if lines is None:
            return None
        data, encoded = msgspec.json.encode(parsed.data), msgspec.json.encode(lines)
        return cls(digest, parsed.line_of(()), msgspec.Raw(data), msgspec.Raw(encoded))

    def document(self, name: str, content: bytes) -> Document:
        """Return the document again, from bytes whose hash has been compared."""
        if self.lines == _NONE:
            return Document(name, parse_checked_json(content.decode("utf-8-sig")), ())
        data: Data = msgspec.json.decode(self.data)
        return Document(name, Parsed(data, _Lines(data, self.line, self.lines).line_of, ()), ())


def _lines(parsed: Parsed, value: Data) -> list[Any] | None:
    """Return the lines in a value, which has none unless it is a container; None where JSON cannot hold it."""
    if isinstance(value, float):
        return [] if math.isfinite(value) else None
    if isinstance(value, int):
        return [] if -_TOO_LARGE <= value < _TOO_LARGE else None
    if not isinstance(value, dict | list) or parsed.lines_in is None:
        return []
    lines: list[Any] = []
    children = value.items() if isinstance(value, dict) else enumerate(value)
    at = parsed.lines_in(value)
    for key, child in children:
        if isinstance(child, str) or child is None:
            lines.append(at[key])
            continue
        below = _lines(parsed, child)
        if below is None:
            return None
        lines.append([at[key], below] if isinstance(child, dict | list) else at[key])
    return lines


class _Lines:
    """Finds lines in kept ones."""

    def __init__(self, data: Data, line: int, lines: msgspec.Raw) -> None:
        self._data = data
        self._line = line
        self._lines = lines
        self._positions = cache(self._find_positions)

    def line_of(self, path: DataPath) -> int:
        entry: Any = self._root
        value: Any = self._data
        for number, key in enumerate(path):
            entry = entry[1][key if isinstance(key, int) else self._positions(path[:number])[key]]
            value = value[key]
        line: int = entry[0] if isinstance(entry, list) else entry
        return line

    @cached_property
    def _root(self) -> list[Any]:
        return [self._line, msgspec.json.decode(self._lines)]

    def _find_positions(self, path: DataPath) -> dict[str, int]:
        """Return the position of each key of a mapping."""
        value: Any = self._data
        for key in path:
            value = value[key]
        return {key: position for position, key in enumerate(value)}


@dataclass
class DocumentMemo:
    """What the files of a system were parsed as, and found to describe.

    `kept` and `operations` are by name and hold what the last load used; they are brought up to date only where it
    `keeps`. `compiled` has what the last load compiled or found compiled, by the hash of all that it was made of. The
    rest is of the load that is under way, which may have to begin again: `read` has the hash of each file as it was
    read last, `documents` and what is `described` in some are by name and hash, `referred` are the names of those that
    others refer to, `compiling` is what is to be `compiled`.
    """

    kept: dict[str, Kept] = field(default_factory=dict)
    operations: dict[str, KeptOperations] = field(default_factory=dict)
    keeps: bool = False
    compiled: dict[str, bytes] = field(default_factory=dict)
    compiling: dict[str, bytes] = field(default_factory=dict)
    read: dict[str, str] = field(default_factory=dict)
    documents: dict[tuple[str, str], Document | InvalidDocumentError] = field(default_factory=dict)
    described: dict[tuple[str, str], KeptOperations] = field(default_factory=dict)
    referred: set[str] = field(default_factory=set)

    @property
    def names(self) -> frozenset[str]:
        """The names of all files that the last load used."""
        return frozenset({*self.kept, *self.operations})

    def find(self, name: str, digest: str, content: bytes) -> Document | InvalidDocumentError | None:
        """Return what a file was parsed as; None where it was not, or is not the same any more."""
        found = self.documents.get((name, digest))
        kept = self.kept.get(name)
        if found is None and kept is not None and kept.digest == digest:
            found = self.documents[name, digest] = kept.document(name, content)
        return found

    def find_operations(self, name: str, digest: str) -> list[Described] | None:
        """Return the operations that a file describes by itself; None where that is not known of it as it is now."""
        found = self.described.get((name, digest)) or self.operations.get(name)
        if found is None or found.digest != digest:
            return None
        self.described[name, digest] = found
        return found.operations

    def end_load(self) -> None:
        """Forget the documents, which are large, and keep what is to be kept of them.

        The data of a document whose operations are kept is not wanted again, unless another document refers to it.
        """
        if self.keeps:
            read = self.read.items()
            self.operations = {name: self.described[name, at] for name, at in read if (name, at) in self.described}
            wanted = ((name, at) for name, at in read if name not in self.operations or name in self.referred)
            found = ((name, self._kept(name, digest)) for name, digest in wanted)
            self.kept = {name: kept for name, kept in found if kept is not None}
        self.compiled = dict(self.compiling)
        for each in (self.read, self.documents, self.described, self.referred, self.compiling):
            each.clear()

    def _kept(self, name: str, digest: str) -> Kept | None:
        before = self.kept.get(name)
        if before is not None and before.digest == digest:
            return before
        document = self.documents.get((name, digest))
        return Kept.of(document, digest) if isinstance(document, Document) else None
