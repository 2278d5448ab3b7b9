"""The system folder: reads each document once, stays inside, follows `$ref` from file to file.

Rules: names are relative to the folder, with POSIX slashes. A name that leaves the folder (an absolute one,
one with too many `..`, a symbolic link to the outside) is refused, and so is what is no regular file. Nothing
is fetched.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import stat
from typing import TYPE_CHECKING
from urllib.parse import unquote

from inward.catalog.document import MAX_BYTES, Document, InvalidDocumentError, Value, parse_document, shown
from inward.catalog.kept import DocumentMemo, KeptOperations
from inward.errors import BadInputError, Mistake, Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inward.catalog.kept import Described

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_SUFFIXES = (".yaml", ".yml", ".json")


class InvalidFileError(BadInputError):
    """A file cannot be read, or must not be."""

    code = "invalid_file"


class MissingFileError(InvalidFileError):
    """There is no such file."""

    code = "missing_file"


class SystemFolder:
    """A folder that is being read.

    `mistakes` and `files` (read, or looked for in vain) grow as documents are opened; `crossings` is how often a `$ref`
    has led to a file. `memo` is what files were parsed as before, and is added to.
    """

    def __init__(self, root: Path, memo: DocumentMemo | None = None) -> None:
        self.root = root
        self.mistakes: list[Mistake] = []
        self.files: set[str] = set()
        self.crossings = 0
        self._memo = memo if memo is not None else DocumentMemo()
        self._plain: dict[str, Document | None] = {}
        self._documents: dict[str, Document | None] = {}
        self._overlays: dict[str, list[str]] = {}

    def add_overlay(self, name: str, overlay: str) -> None:
        """Let an overlay change the document `name`, after those that change it already, for whoever refers to it.

        All of them are to be told before a document is opened.
        """
        overlays = self._overlays.setdefault(posixpath.normpath(name), [])
        if (overlay := posixpath.normpath(overlay)) not in overlays:
            overlays.append(overlay)

    def open(self, name: str, asked_by: Value | None = None, *, hint: str = "", plain: bool = False) -> Value | None:
        """Return the document `name`, or None; the mistake is at `asked_by` where there is no such file.

        It is as its overlays change it, unless it is wanted `plain`.
        """
        name = posixpath.normpath(name)
        if name not in self._plain:
            try:
                content = self._read(name)
            except InvalidFileError as error:  # told to each who asks
                place = asked_by.place if asked_by else Place(name)
                self.mistakes.append(Mistake(place, error.message, error.hint or hint))
                return None
            self._plain[name] = self._parse(name, content)
        if not plain and name not in self._documents:
            self._documents[name] = self._overlaid(self._plain[name])
        document = self._plain[name] if plain else self._documents[name]
        return None if document is None else Value.root(document, self.mistakes)

    def read(self, name: str, suffixes: tuple[str, ...], limit: int) -> bytes:
        """Return the bytes of a file that is no document; raise `InvalidFileError`, also where there are too many."""
        name = posixpath.normpath(name)
        content = self._read(name, suffixes)
        if len(content) > limit:
            raise InvalidFileError(f"`{shown(name)}` is larger than {limit // 1024 // 1024} MiB")
        self._digest(name, content)
        return content

    def overlays(self, name: str) -> list[Value]:
        """Return the overlays of the file `name`, which is no document that they could be laid over here."""
        opened = (self.open(overlay, plain=True) for overlay in self._overlays.get(posixpath.normpath(name), ()))
        return [overlay for overlay in opened if overlay is not None]

    def compiled(self, digest: str) -> bytes | None:
        """Return what sources with that hash were compiled to; None where that is not known."""
        found = self._memo.compiled.get(digest) or self._memo.compiling.get(digest)
        if found is not None:
            self._memo.compiling[digest] = found
        return found

    def keep_compiled(self, digest: str, made: bytes) -> None:
        """Keep what sources with that hash were compiled to."""
        self._memo.compiling[digest] = made

    def kept_operations(self, name: str) -> list[Described] | None:
        """Return the operations that the document `name` describes by itself; None where it has to be opened."""
        name = posixpath.normpath(name)
        if name in self._overlays:
            return None
        try:
            content = self._read(name)
        except InvalidFileError:
            return None  # told to who opens it
        return self._memo.find_operations(name, self._digest(name, content))

    def keep_operations(self, name: str, operations: list[Described]) -> None:
        """Keep the operations that the document `name`, which is open, describes by itself."""
        if name not in self._overlays:
            digest = self._memo.read[name]
            self._memo.described[name, digest] = KeptOperations(digest, operations)

    def _digest(self, name: str, content: bytes) -> str:
        digest = self._memo.read[name] = hashlib.sha256(content).hexdigest()
        return digest

    def _overlaid(self, document: Document | None) -> Document | None:
        names = self._overlays.get(document.name, ()) if document else ()
        if document is None or not names:
            return document
        # here, and not above: its JSONPath takes a tenth of a second to import, and most systems have no overlays
        from inward.catalog.openapi.overlay import apply_overlays  # noqa: PLC0415 - see above

        overlays = (self.open(name, plain=True) for name in names)
        return apply_overlays(document, [overlay for overlay in overlays if overlay is not None])

    def _parse(self, name: str, content: bytes) -> Document | None:
        digest = self._digest(name, content)
        found = self._memo.find(name, digest, content)
        if found is None:
            try:
                found = parse_document(name, content)
            except InvalidDocumentError as error:
                found = error
            self._memo.documents[name, digest] = found
        if isinstance(found, InvalidDocumentError):
            self.mistakes.append(found.mistake)
            return None
        self.mistakes.extend(found.mistakes)
        return found

    def _read(self, name: str, suffixes: tuple[str, ...] = _SUFFIXES) -> bytes:
        """Return the file's bytes, at most one more than `MAX_BYTES`; raise `InvalidFileError`."""
        shown_name = f"`{shown(name)}`"
        if not name.isprintable():
            raise InvalidFileError(f"{shown_name} is no file name")
        if name.startswith(("/", "../")) or name == "..":
            raise InvalidFileError(f"{shown_name} is outside the system folder", hint="move the file into it")
        if not name.endswith(suffixes):
            kind = "YAML or JSON" if suffixes is _SUFFIXES else "what it should hold"
            raise InvalidFileError(
                f"{shown_name} is not named like {kind}",
                hint="let its name end with " + " or ".join(f"`{suffix}`" for suffix in suffixes if suffix != ".yml"),
            )
        self.files.add(name)
        try:
            real = (self.root / name).resolve(strict=True)
            if not real.is_relative_to(self.root.resolve(strict=True)):
                raise InvalidFileError(f"{shown_name} is a link out of the system folder", hint="move the file into it")
            with open(real, "rb", opener=_open_without_waiting) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise InvalidFileError(f"{shown_name} is no regular file")
                return file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            raise MissingFileError(f"{shown_name} does not exist") from None
        except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
            what = (isinstance(error, OSError) and error.strerror) or "a loop of links"
            raise InvalidFileError(f"{shown_name} cannot be read: {what.lower()}") from None

    def chain(self, value: Value) -> Iterator[Value]:
        """Yield `value`, what its `$ref` refers to, what that refers to, and so on.

        A `$ref` that leads nowhere, or back, is a mistake and ends it.
        """
        seen: set[tuple[str, tuple[str | int, ...]]] = set()
        current: Value | None = value
        while current is not None:
            if (current.document.name, current.path) in seen:
                value.mistake(f"the `$ref` of {value.label} leads back to itself")
                return
            seen.add((current.document.name, current.path))
            yield current
            reference = current.get("$ref")
            current = None if reference is None else self.target(reference)

    def follow(self, value: Value) -> Value | None:
        """Return the end of the chain of `$ref` that begins at `value`; None where it leads nowhere."""
        *_, last = self.chain(value)
        return last if last.get("$ref") is None else None

    def target(self, reference: Value) -> Value | None:
        """Return what a `$ref` names: a relative file, a JSON pointer (RFC 6901 section 6), or both.

        Where that is nothing, None, and a mistake.
        """
        text = reference.text()
        if text is None:
            return None
        if _URL.match(text):
            reference.mistake(f"`{shown(text)}` is not in the system folder", "copy the file into it and refer to that")
            return None
        file, _, fragment = text.partition("#")
        try:
            file, fragment = unquote(file, errors="strict"), unquote(fragment, errors="strict")
        except UnicodeDecodeError:
            reference.mistake(f"`{shown(text)}` is percent-encoded, but not from UTF-8")
            return None
        if fragment and not fragment.startswith("/"):
            reference.mistake(
                f"`{shown(text)}` names an anchor", "use a JSON pointer, such as `#/components/parameters/id`"
            )
            return None
        if file:
            file = posixpath.normpath(posixpath.join(posixpath.dirname(reference.document.name), file))
            self.crossings += 1
            self._memo.referred.add(file)
            target = self.open(file, reference)
        else:
            target = Value.root(reference.document, self.mistakes)
        for token in fragment.split("/")[1:]:
            if target is not None:
                target = _step(target, token.replace("~1", "/").replace("~0", "~"))
                if target is None:
                    reference.mistake(f"`{shown(text)}` leads to nothing")
        return target


def _open_without_waiting(path: str, flags: int) -> int:
    """Open as `open` does, but without waiting for somebody to write where it is a named pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _step(value: Value, token: str) -> Value | None:
    if isinstance(value.data, list):
        return value.child(int(token)) if _INDEX.fullmatch(token) and int(token) < len(value.data) else None
    return value.get(token)
