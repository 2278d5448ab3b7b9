"""Parses `policies/<service>.cedarschema`: the types of objects that a service declares, in Cedar's own words.

Of Cedar's schema language it takes declarations of entity types and nothing else: what is around them (actions, who is
in what) follows from the catalog. Cedar is asked about each declaration too, so that nothing is taken here that Cedar's
tools would refuse or a policy could not name; Cedar says no line, and takes an attribute that stands there twice.

Rules: every mistake is reported with its line; a declaration with a mistake declares nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn

import cedarpy

from inward.errors import InwardError, Mistake, Place
from inward.policy.loading.characters import hidden_in
from inward.policy.loading.rules import nearest, shown, shown_line
from inward.policy.resources.model import (
    OF_THE_CATALOG,
    Attribute,
    AttributeType,
    RecordOf,
    ResourceType,
    Scalar,
    ScalarName,
    SetOf,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FILE_BYTES = 256 * 1024
MAX_TYPES = 100  # of one service
MAX_ATTRIBUTES = 200  # of one type, with those of the records in it
MAX_DEPTH = 8  # of sets and records in one another
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_SCALARS: Final[dict[str, ScalarName]] = {
    "String": "String",
    "Long": "Long",
    "Bool": "Bool",
    "datetime": "datetime",
    "decimal": "decimal",
    "ipaddr": "ipaddr",
}
_TAKEN = OF_THE_CATALOG | _SCALARS.keys() | {"Set", "Record", "Entity", "Extension", "duration"}
_TOKEN = re.compile(
    r"""
      (?P<space>\s+|//[^\n]*)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<string>"(?:[^"\\]|\\[^\n])*+")
    | (?P<mark>::|.)
    """,
    re.VERBOSE,
)
_ONLY = "a file of types holds `entity Name { attribute: Type, … };` and nothing else"


class _DeclarationError(InwardError):
    """A declaration cannot be taken; the rest of the file is read all the same."""

    code = "declaration"

    def __init__(self, token: _Token, what: str, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.token = token


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    offset: int
    line: int


def parse_declarations(data: bytes, service: str, name: str) -> tuple[list[ResourceType], list[Mistake]]:
    """Return the types in the bytes of a file called `name`, and the mistakes in it."""
    if len(data) > MAX_FILE_BYTES:
        return [], [Mistake(Place(name), f"more than {MAX_FILE_BYTES // 1024} KiB of types")]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return [], [Mistake(Place(name, data.count(b"\n", 0, error.start) + 1), "the file is not UTF-8")]
    if hidden := hidden_in(text):
        offset, what, hint = hidden
        return [], [Mistake(Place(name, text.count("\n", 0, offset) + 1), what, hint.partition(";")[0])]
    types: list[ResourceType] = []
    mistakes: list[Mistake] = []
    for tokens in _declarations(_tokens(text)):
        place = Place(name, tokens[0].line)
        try:
            declared = _Declaration(tokens).types(service, place)
            _ask_cedar(text[tokens[0].offset : tokens[-1].offset + 1], tokens[0])
        except _DeclarationError as error:
            mistakes.append(Mistake(Place(name, error.token.line), error.message, error.hint))
        else:
            types += declared
    if len(types) > MAX_TYPES:
        return [], [*mistakes, Mistake(Place(name), f"more than {MAX_TYPES} types")]
    return types, mistakes


def _tokens(text: str) -> Iterator[_Token]:
    line, counted = 1, 0
    for found in _TOKEN.finditer(text):
        if found.lastgroup != "space":
            line, counted = line + text.count("\n", counted, found.start()), found.start()
            yield _Token(found.lastgroup or "", found[0], found.start(), line)


def _declarations(tokens: Iterator[_Token]) -> Iterator[list[_Token]]:
    """Yield the tokens of each declaration: those up to a `;`, and what is left at the end."""
    some: list[_Token] = []
    for token in tokens:
        some.append(token)
        if token.text == ";":
            yield some
            some = []
    if some:
        yield some


def _ask_cedar(text: str, first: _Token) -> None:
    try:
        cedarpy.Schema.from_str(text)
    except ValueError as error:
        what = shown_line(str(error).removeprefix("cedarpy: ").removeprefix("error parsing schema: "))
        raise _DeclarationError(first, f"Cedar does not take this declaration: {what}") from None


@dataclass(slots=True)
class _Declaration:
    """One declaration that is read, token by token."""

    tokens: list[_Token]
    at: int = 0
    count: int = 0
    seen: set[str] = field(default_factory=set)

    def types(self, service: str, place: Place) -> list[ResourceType]:
        """Return the types that it declares, which all have the same attributes."""
        if self.tokens[-1].text != ";":
            raise _DeclarationError(self.tokens[-1], "a declaration without its `;`", "end it with `;`")
        if self._next.text != "entity" or len(self.tokens) == 1:
            self._refuse(f"`{shown(self._next.text)}` is no declaration of a type", _ONLY)
        self.at += 1
        names = [self._type_name()]
        while self._take(","):
            names.append(self._type_name())
        if self._next.text in {"in", "enum", "tags"}:
            self._refuse(
                f"`{self._next.text}` cannot be declared here",
                "an object is in its service, has the attributes that are declared, and no others",
            )
        self._take("=")
        attributes = self._record(0).attributes if self._next.text == "{" else ()
        if self._next.text == "tags":
            self._refuse("`tags` cannot be declared here", "declare a set, such as `tags: Set<String>`")
        self._need(";")
        return [ResourceType(each, service, attributes, place) for each in names]

    @property
    def _next(self) -> _Token:
        return self.tokens[self.at]

    def _refuse(self, what: str, hint: str = "") -> NoReturn:
        raise _DeclarationError(self._next, what, hint)

    def _take(self, text: str) -> bool:
        taken = self._next.text == text
        if taken and self.at + 1 < len(self.tokens):
            self.at += 1
        return taken

    def _need(self, text: str) -> None:
        if not self._take(text):
            found = "the end" if self._next.text == ";" else f"`{shown(self._next.text)}`"
            self._refuse(f"`{text}` was expected, and here is {found}")

    def _type_name(self) -> str:
        name = self._next.text
        if self._next.kind != "word" or not _NAME.fullmatch(name):
            self._refuse(f"`{shown(name)}` cannot be the name of a type", "use a letter, then letters, digits and `_`")
        if name in _TAKEN:
            self._refuse(f"`{name}` is a type already", "choose another name")
        if name in self.seen:
            self._refuse(f"`{name}` is declared twice")
        self.seen.add(name)
        self.at += 1
        return name

    def _record(self, depth: int) -> RecordOf:
        self._need("{")
        attributes: dict[str, Attribute] = {}
        while self._next.text != "}":
            name = self._next.text
            if self._next.kind != "word" or not _NAME.fullmatch(name):
                self._refuse(
                    f"`{shown(name)}` cannot be the name of an attribute", "use a letter, then letters, digits and `_`"
                )
            if name in attributes:
                self._refuse(f"the attribute `{name}` stands here twice", "keep one")
            self.count += 1
            if self.count > MAX_ATTRIBUTES:
                self._refuse(f"more than {MAX_ATTRIBUTES} attributes of one type")
            self.at += 1
            required = not self._take("?")
            self._need(":")
            attributes[name] = Attribute(name, self._type(depth), required)
            if not self._take(",") and self._next.text != "}":
                self._refuse(f"`,` or `}}` was expected after the attribute `{name}`")
        self._need("}")
        return RecordOf(tuple(attributes.values()))

    def _type(self, depth: int) -> AttributeType:
        if depth > MAX_DEPTH:
            self._refuse(f"types nested more than {MAX_DEPTH} deep")
        if self._next.text == "{":
            return self._record(depth + 1)
        name = self._next.text
        if name == "Set":
            self.at += 1
            self._need("<")
            element = self._type(depth + 1)
            self._need(">")
            return SetOf(element)
        if name not in _SCALARS:
            known = (*_SCALARS, "Set<…>", "{…}")
            self._refuse(
                f"`{shown(name)}` is no type of an attribute",
                nearest(name, _SCALARS) or "the types are " + ", ".join(f"`{each}`" for each in known),
            )
        self.at += 1
        return Scalar(_SCALARS[name])
