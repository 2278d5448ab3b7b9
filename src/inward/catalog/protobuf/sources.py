"""The `.proto` files that one of them leads to: found by their imports, read through the system folder, bounded.

An import is looked for in the folder of the first file, and then in each folder above it, up to the system folder.
`google/protobuf/…` comes with the compiler, `inward/data.proto` with Inward; neither is read from the system folder.
The compiler is then given these files and no others, so nothing outside the folder can be read.

What it leaves out: whether a file is right. That is for the compiler to say; what is taken for an import here and is
none there is read in vain.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.catalog.document import shown
from inward.catalog.folder import InvalidFileError, MissingFileError
from inward.errors import Mistake, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.catalog.document import Value
    from inward.catalog.folder import SystemFolder

SUFFIX = ".proto"
MARKS = "inward/data.proto"
WELL_KNOWN = "google/protobuf/"
MAX_FILE_BYTES = 2 * 1024 * 1024
MAX_FILES = 1_000
MAX_BYTES = 32 * 1024 * 1024  # of all files together
_ODD_SEGMENTS = frozenset({"", ".", ".."})
_STRING = r'"(?:[^"\\\n]|\\[^\n])*"' + r"|'(?:[^'\\\n]|\\[^\n])*'"
_TOKEN = re.compile(rf"//[^\n]*|/\*|{_STRING}|\w+|[^\s\w]", re.ASCII)
_QUOTES = frozenset({'"', "'"})
_IMPORT = frozenset({"import"})
_KINDS = frozenset({"weak", "public", "option"})


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its name in the system folder, and its bytes."""

    name: str
    content: bytes


def imports_of(text: str) -> Iterator[tuple[str, int]]:
    """Yield what a `.proto` file imports, each with its line; in linear time, whatever the text is."""
    position, after = 0, False
    line, counted = 1, 0
    parts: list[str] = []
    while found := _TOKEN.search(text, position):
        word, position = found[0], found.end()
        if word in _QUOTES:
            return  # a text that does not end, which does not compile
        if word == "/*":
            position = text.find("*/", position) + 2
            if position < 2:  # noqa: PLR2004 - the comment has no end
                return
        elif word.startswith("//"):
            pass
        elif word[0] in _QUOTES and after:
            parts.append(word[1:-1])
        else:
            if word == ";" and parts:
                line, counted = line + text.count("\n", counted, found.start()), found.start()
                yield "".join(parts), line
            after = word in _IMPORT or (after and not parts and word in _KINDS)
            parts = []


class Sources:
    """All that the `.proto` file `first` needs, by the names under which the files import each other.

    What cannot be read is a mistake of the folder.
    """

    def __init__(self, folder: SystemFolder, first: str, asked_by: Value) -> None:
        self._folder = folder
        self._above = list(_folders_above(first))
        self._asked_by = asked_by
        self.first = first
        self.files: dict[str, Source] = {}
        self.whole = True
        self._read()

    def place(self, imported: str, line: int = 0) -> Place:
        """Return where a line of a file stands that is named as others import it."""
        source = self.files.get(imported)
        return Place(source.name if source else self.first, line if source else 0)

    def _read(self) -> None:
        try:
            content = self._folder.read(self.first, (SUFFIX,), MAX_FILE_BYTES)
        except InvalidFileError as error:
            self._mistake(self._asked_by.place, error.message, error.hint)
            return
        waiting = [(self.first, Source(self.first, content))]
        seen = {self.first}
        size = len(content)
        while waiting:
            imported, source = waiting.pop()
            self.files[imported] = source
            try:
                text = source.content.decode()
            except UnicodeDecodeError as error:
                line = source.content.count(b"\n", 0, error.start) + 1
                self._mistake(Place(source.name, line), "is not UTF-8 text", "save it as UTF-8")
                continue
            for name, line in imports_of(text):
                if name in seen:
                    continue
                seen.add(name)
                found = self._find(name, Place(source.name, line)) if len(seen) <= MAX_FILES else None
                size += len(found.content) if found else 0
                if len(seen) > MAX_FILES or size > MAX_BYTES:
                    what = f"`{shown(self.first)}` leads to more than {MAX_FILES:,} files or {MAX_BYTES >> 20} MiB"
                    self._mistake(self._asked_by.place, what)
                    return
                waiting += [(name, found)] if found else []

    def _find(self, imported: str, place: Place) -> Source | None:
        if imported.startswith(WELL_KNOWN) or imported == MARKS:
            return None
        if not imported.isascii() or "\\" in imported or not _ODD_SEGMENTS.isdisjoint(imported.split("/")):
            self._mistake(place, f"`{shown(imported)}` cannot be imported", "name the file from a folder above it")
            return None
        for above in self._above:
            name = posixpath.join(above, imported)
            try:
                return Source(name, self._folder.read(name, (SUFFIX,), MAX_FILE_BYTES))
            except MissingFileError:
                continue
            except InvalidFileError as error:
                self._mistake(place, error.message, error.hint)
                return None
        looked = ", ".join(f"`{shown(above or '.')}`" for above in self._above)
        self._mistake(
            place, f"`{shown(imported)}` is in none of the folders {looked}", "copy the file into one of them"
        )
        return None

    def _mistake(self, place: Place, what: str, hint: str = "") -> None:
        self.whole = False
        self._folder.mistakes.append(Mistake(place, what, hint))


def _folders_above(name: str) -> Iterator[str]:
    """Yield the folders above a relative name, the nearest first; the last is the empty name."""
    while name:
        name = posixpath.dirname(name).rstrip("/")
        yield name
