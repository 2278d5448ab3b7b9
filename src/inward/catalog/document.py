"""Documents of a system folder: bytes to data with places, and a typed view that collects mistakes."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inward.catalog.syntax import Data, DataPath, InvalidSyntaxError, Parsed, parse_json, parse_yaml
from inward.errors import BadInputError, Mistake, Place

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MAX_BYTES = 64 * 1024 * 1024
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
# Line ends to YAML and to no editor: a line after one could hide in a comment.
_HIDDEN_LINE_END = re.compile("[\x85\u2028\u2029]|\r(?!\n)")
_KINDS = {
    dict: "a mapping",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
}


class InvalidDocumentError(BadInputError):
    """A file is no document that can be read; it carries the mistake."""

    code = "invalid_document"

    def __init__(self, mistake: Mistake) -> None:
        super().__init__(str(mistake))
        self.mistake = mistake


def parse_document(name: str, content: bytes) -> Document:
    """Parse the YAML or JSON file `name`: JSON where the name ends with `.json`, or where it reads as JSON.

    Raises `InvalidDocumentError`. Repeated keys do not end the reading: they are in `Document.mistakes`.
    """
    if len(content) > MAX_BYTES:
        raise _refusal(name, 0, f"is larger than {MAX_BYTES // 1024 // 1024} MiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        hint = "UTF-16?" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else ""
        line = content.count(b"\n", 0, error.start) + 1
        raise _refusal(name, line, "is not UTF-8 text", hint or "save it as UTF-8") from None
    if found := _CONTROL.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise _refusal(name, line, f"holds the control character U+{ord(found[0]):04X}", "take it out")
    try:
        parsed = _parse(name, text)
    except InvalidSyntaxError as error:
        raise _refusal(name, error.line, error.message, error.hint) from None
    mistakes = (
        Mistake(Place(name, line), f"the key `{shown(key)}` stands here a second time", "keep one")
        for key, line in parsed.repeated
    )
    return Document(name, parsed, tuple(mistakes))


def _parse(name: str, text: str) -> Parsed:
    if name.lower().endswith(".json"):
        return parse_json(text)
    if text.lstrip().startswith("{"):
        try:
            return parse_json(text)
        except InvalidSyntaxError:
            pass  # a mapping in YAML's own flow style
    if found := _HIDDEN_LINE_END.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise InvalidSyntaxError(f"holds the line end U+{ord(found[0]):04X}", line, hint="end lines with a line feed")
    return parse_yaml(text)


def _refusal(name: str, line: int, what: str, hint: str = "") -> InvalidDocumentError:
    return InvalidDocumentError(Mistake(Place(name, line), what, hint))


def shown(text: str, limit: int = 120) -> str:
    """Return a person's text as a message may show it: one line, no control characters, not endless."""
    printable = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text[:limit]
    )
    return printable + "…" if len(text) > limit else printable


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Return a hint: the nearest of the known words, or all of them where they are few."""
    nearest = difflib.get_close_matches(word[:200], known, n=1)
    if nearest:
        return f"did you mean `{nearest[0]}`?"
    few = 12
    return "known are " + ", ".join(f"`{name}`" for name in known) if 0 < len(known) <= few else ""


@dataclass(frozen=True, eq=False)
class Document:
    """A file's data; `name` is relative to the system folder, with POSIX slashes."""

    name: str
    parsed: Parsed
    mistakes: tuple[Mistake, ...]

    def place(self, path: DataPath) -> Place:
        """Return where the key or item at `path` stands."""
        return Place(self.name, self.parsed.line_of(path))


@dataclass(frozen=True, slots=True)
class Value:
    """A value in a document: where and what it is. What is not as asked for becomes one of `mistakes`."""

    document: Document
    path: DataPath
    data: Data
    mistakes: list[Mistake] = field(repr=False)

    @classmethod
    def root(cls, document: Document, mistakes: list[Mistake]) -> Value:
        """Return the whole of a document."""
        return cls(document, (), document.parsed.data, mistakes)

    @property
    def place(self) -> Place:
        """Where its key stands."""
        return self.document.place(self.path)

    @property
    def label(self) -> str:
        """What messages call it."""
        if not self.path:
            return "the document"
        last = self.path[-1]
        return f"`{shown(last)}`" if isinstance(last, str) else f"item {last + 1} of {self._parent_label}"

    @property
    def _parent_label(self) -> str:
        names = [shown(key) for key in self.path if isinstance(key, str)]
        return f"`{names[-1]}`" if names else "the list"

    def mistake(self, what: str, hint: str = "") -> None:
        """Note that something is wrong here."""
        self.mistakes.append(Mistake(self.place, what, hint))

    def child(self, key: str | int) -> Value:
        """Return a part that exists."""
        return Value(self.document, (*self.path, key), self.data[key], self.mistakes)  # type: ignore[index]  # it exists

    def get(self, key: str) -> Value | None:
        """Return the value of a key; None where there is none, or this is no mapping."""
        return self.child(key) if isinstance(self.data, dict) and key in self.data else None

    def entries(self) -> Iterator[tuple[str, Value]]:
        """Yield a mapping's keys and values; what is no mapping is a mistake and has none."""
        if self.is_a(dict) and isinstance(self.data, dict):
            yield from ((key, self.child(key)) for key in self.data)

    def items(self) -> Iterator[Value]:
        """Yield a list's items; what is no list is a mistake and has none."""
        if self.is_a(list) and isinstance(self.data, list):
            yield from (self.child(index) for index in range(len(self.data)))

    def text(self) -> str | None:
        """Return the text, or None and a mistake where it is empty or no text."""
        if not self.is_a(str) or not isinstance(self.data, str):
            return None
        if not self.data.strip():
            self.mistake(f"{self.label} is empty")
            return None
        return self.data

    def boolean(self) -> bool | None:
        """Return true or false, or None and a mistake."""
        return self.data if self.is_a(bool) and isinstance(self.data, bool) else None

    def share(self) -> float | None:
        """Return a number from 0 to 1, or None and a mistake."""
        if isinstance(self.data, int | float) and not isinstance(self.data, bool) and 0 <= self.data <= 1:
            return float(self.data)
        self.mistake(f"{self.label} must be a number from 0 to 1", "0 is none, 0.05 one of twenty, 1 all")
        return None

    def is_a(self, kind: type) -> bool:
        """Tell whether this is of that kind (dict, list, str or bool); if not, it is a mistake."""
        if type(self.data) is kind:
            return True
        given = _KINDS.get(type(self.data), "empty")
        hint = "put it in quotes" if kind is str and isinstance(self.data, int | float) else ""
        self.mistake(f"{self.label} must be {_KINDS[kind]} and is {given}", hint)
        return False

    def check_keys(self, known: Collection[str], *, extensions: bool = False) -> None:
        """Note each key that is not known; with `extensions`, keys that begin with `x-` are."""
        for key in self.data if isinstance(self.data, dict) else ():
            if key not in known and not (extensions and key.startswith("x-")):
                self.child(key).mistake(f"unknown key `{shown(key)}`", did_you_mean(key, known))

    def need(self, key: str, hint: str = "") -> Value | None:
        """Return the value of a key of a mapping; that there is none is a mistake."""
        found = self.get(key)
        if found is None and isinstance(self.data, dict):
            self.mistake(f"{self.label} has no `{key}`", hint)
        return found
