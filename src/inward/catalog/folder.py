"""The system folder: reads each document once, stays inside, follows `$ref` from file to file.

Rules: names are relative to the folder, with POSIX slashes. A name that leaves the folder (an absolute one,
one with too many `..`, a symbolic link to the outside) is refused, and so is what is no regular file. Nothing
is fetched.
"""

from __future__ import annotations

import os
import posixpath
import re
import stat
from typing import TYPE_CHECKING
from urllib.parse import unquote

from inward.catalog.document import MAX_BYTES, Document, InvalidDocumentError, Value, parse_document, shown
from inward.errors import BadInputError, Mistake, Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_SUFFIXES = (".yaml", ".yml", ".json")


class InvalidFileError(BadInputError):
    """A file cannot be read, or must not be."""

    code = "invalid_file"


class SystemFolder:
    """A folder that is being read.

    `mistakes` and `files` (read, or looked for in vain) grow as documents are opened.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.mistakes: list[Mistake] = []
        self.files: set[str] = set()
        self._documents: dict[str, Document | None] = {}

    def open(self, name: str, asked_by: Value | None = None, *, hint: str = "") -> Value | None:
        """Return the document `name`, or None; the mistake is at `asked_by` where there is no such file."""
        name = posixpath.normpath(name)
        if name not in self._documents:
            try:
                content = self._read(name)
            except InvalidFileError as error:  # told to each who asks
                place = asked_by.place if asked_by else Place(name)
                self.mistakes.append(Mistake(place, error.message, error.hint or hint))
                return None
            self._documents[name] = self._parse(name, content)
        document = self._documents[name]
        return None if document is None else Value.root(document, self.mistakes)

    def _parse(self, name: str, content: bytes) -> Document | None:
        try:
            document = parse_document(name, content)
        except InvalidDocumentError as error:
            self.mistakes.append(error.mistake)
            return None
        self.mistakes.extend(document.mistakes)
        return document

    def _read(self, name: str) -> bytes:
        """Return the file's bytes, at most one more than `MAX_BYTES`; raise `InvalidFileError`."""
        shown_name = f"`{shown(name)}`"
        if not name.isprintable():
            raise InvalidFileError(f"{shown_name} is no file name")
        if name.startswith(("/", "../")) or name == "..":
            raise InvalidFileError(f"{shown_name} is outside the system folder", hint="move the file into it")
        if not name.endswith(_SUFFIXES):
            raise InvalidFileError(
                f"{shown_name} is not named like YAML or JSON",
                hint="let its name end with `.yaml` or `.json`",
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
            raise InvalidFileError(f"{shown_name} does not exist") from None
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
            current = None if reference is None else self._target(reference)

    def follow(self, value: Value) -> Value | None:
        """Return the end of the chain of `$ref` that begins at `value`; None where it leads nowhere."""
        *_, last = self.chain(value)
        return last if last.get("$ref") is None else None

    def _target(self, reference: Value) -> Value | None:
        """Return what a `$ref` names: a relative file, a JSON pointer (RFC 6901 section 6), or both."""
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
            target = self.open(posixpath.join(posixpath.dirname(reference.document.name), file), reference)
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
