"""Schemas as a graph: which data classes each is marked with (`x-inward-data`), and where its parts lead.

A schema of OpenAPI 3.0 to 3.2, Swagger 2.0 or JSON Schema 2020-12 becomes a `Piece`; a `$ref` is followed into other
files too. Whatever may describe a value counts: a mark too many hides a field, a mark too few gives it away.

- `allOf`, `oneOf`, `anyOf`, `if`, `then`, `else` and `dependentSchemas` all describe the same value, and so does what
  stands beside a `$ref`, in OpenAPI 3.0 too. `not` describes what a value is not: it is not read.
- A `discriminator` names what a value may really be: the schemas in its mapping, and those of the document that extend
  the schema by `allOf`.
- `propertyNames` that are marked, or a `contentSchema` in which something is, mark the whole value: neither a key nor a
  part of a text can be taken out alone.

What it leaves out: anchors (`$dynamicRef`, `$id`) are mistakes, since what they mean is not known here.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inward.catalog.document import Value, did_you_mean, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from inward.catalog.folder import SystemFolder
    from inward.catalog.syntax import Data

KEY = "x-inward-data"
NO_DATA = "none"  # the mark of what looks like data and is none
NO_DATA = "none"  # the mark of what looks like data and is none
_REFERENCES = ("$ref", "$dynamicRef")
_ALTERNATIVES = ("allOf", "oneOf", "anyOf")
_CONDITIONAL = ("if", "then", "else")
_ITEMS = ("items", "prefixItems", "additionalItems", "unevaluatedItems", "contains")
_REST = ("additionalProperties", "unevaluatedProperties")
_LITERAL_BEGINNING = re.compile(r"\^([A-Za-z0-9_-]+)(?![?*+{])")


@dataclass(slots=True)
class Piece:
    """One schema. The numbers are those of other pieces.

    `same` describe the same value; `each` describes the same value as a whole and each item of it; `keys` the names of
    the fields; `content` what a text holds. `patterns` are fields whose names begin so, or may be any. `no_data`: it is
    marked as no data.
    """

    classes: set[str] = field(default_factory=set)
    no_data: bool = False
    same: list[int] = field(default_factory=list)
    each: list[int] = field(default_factory=list)
    fields: dict[str, int] = field(default_factory=dict)
    patterns: list[tuple[str, int]] = field(default_factory=list)
    rest: list[int] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    content: list[int] = field(default_factory=list)

    @property
    def says_something(self) -> bool:
        """Whether it says anything of the value by itself, other than that others do."""
        parts = (self.fields, self.patterns, self.rest, self.items, self.keys, self.content)
        return bool(self.classes) or any(parts)

    @property
    def edges(self) -> Iterator[int]:
        """Every piece that it leads to."""
        for numbers in (self.same, self.each, self.rest, self.items, self.keys, self.content):
            yield from numbers
        yield from self.fields.values()
        yield from (number for _, number in self.patterns)


def holds_marks(data: Data) -> bool:
    """Tell whether anything in a document is marked."""
    waiting = [data]
    for value in waiting:  # it grows meanwhile
        if isinstance(value, dict):
            if KEY in value:
                return True
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return False


def classes_below(pieces: Sequence[Piece], numbers: Iterable[int]) -> set[str]:
    """Return the classes that stand somewhere in what some of the pieces describe."""
    seen = set(numbers)
    waiting = list(seen)
    found: set[str] = set()
    while waiting:
        piece = pieces[waiting.pop()]
        found |= piece.classes
        new = set(piece.edges) - seen
        seen |= new
        waiting += new
    return found


class SchemaReader:
    """Reads schemas, each once, with all that they lead to. `classes` are those that the system declares."""

    def __init__(self, folder: SystemFolder, classes: Collection[str]) -> None:
        self.pieces: list[Piece] = []
        self._folder = folder
        self._classes = classes
        self._numbers: dict[int, int] = {}  # by the identity of a schema's data
        self._waiting: list[tuple[Value, Piece]] = []
        self._extensions: dict[str, dict[int, list[Value]]] = {}

    def read(self, schema: Value) -> int:
        """Return the number of a schema's piece, when all that it leads to is read."""
        number = self._number(schema)
        while self._waiting:
            self._read(*self._waiting.pop())
        return number

    def add(self, piece: Piece) -> int:
        """Return the number of a piece that is no schema of a document."""
        self.pieces.append(piece)
        return len(self.pieces) - 1

    def marked(self, value: Value) -> int:
        """Return the number of a piece that has no more than the marks of `value`, which may be no schema."""
        return self.add(Piece(classes=set(self._marks(value)), no_data=_says_no_data(value)))

    def _number(self, schema: Value) -> int:
        number = self._numbers.get(id(schema.data))
        if isinstance(schema.data, dict) and number is not None:
            return number
        piece = Piece()
        number = self.add(piece)
        if isinstance(schema.data, dict):
            self._numbers[id(schema.data)] = number
            self._waiting.append((schema, piece))
        elif not isinstance(schema.data, bool):
            schema.is_a(dict)
        return number

    def _read(self, schema: Value, piece: Piece) -> None:
        keys = schema.data.keys() if isinstance(schema.data, dict) else ()
        if KEY in keys:
            piece.classes.update(self._marks(schema))
            piece.no_data = _says_no_data(schema)
        for key in _REFERENCES:
            target = self._folder.target(schema.child(key)) if key in keys else None
            if target is not None:
                piece.same.append(self._number(target))
        piece.same += self._all(schema, keys, _CONDITIONAL)
        piece.same += self._all(schema, keys, _ALTERNATIVES)
        piece.items += self._all(schema, keys, _ITEMS)
        piece.rest += self._all(schema, keys, _REST)
        piece.keys += self._all(schema, keys, ("propertyNames",))
        piece.content += self._all(schema, keys, ("contentSchema",))
        for name, value in self._named(schema, "properties"):
            piece.fields[name] = self._number(value)
        for pattern, value in self._named(schema, "patternProperties"):
            piece.patterns.append((_beginning(pattern), self._number(value)))
        for _, value in (*self._named(schema, "dependentSchemas"), *self._named(schema, "dependencies")):
            if not isinstance(value.data, list):  # names of fields, in an older form
                piece.same.append(self._number(value))
        if "discriminator" in keys:
            piece.same += map(self._number, self._variants(schema))

    @staticmethod
    def _named(schema: Value, key: str) -> Iterable[tuple[str, Value]]:
        value = schema.get(key)
        return value.entries() if value is not None else ()

    def _all(self, schema: Value, keys: Collection[str], wanted: Iterable[str]) -> Iterator[int]:
        """Yield the schemas that stand at some keys: one, or a list of them."""
        for key in wanted:
            if key in keys:
                value = schema.child(key)
                listed = value.items() if isinstance(value.data, list) else (value,)
                yield from map(self._number, listed)

    def _marks(self, value: Value) -> Iterator[str]:
        """Yield the classes with which a value is marked."""
        mark = value.get(KEY)
        if mark is None or mark.data == NO_DATA:
            return
        if mark.data == []:
            mark.mistake(f"`{KEY}` names no data class")
        for named in mark.items() if isinstance(mark.data, list) else (mark,):
            name = named.text()
            if name is None:
                continue
            if name in self._classes:
                yield name
            elif name == NO_DATA:
                named.mistake(f"`{NO_DATA}` stands in a list", f"write `{KEY}: {NO_DATA}`, or the classes")
            else:
                hint = did_you_mean(name, self._classes) if self._classes else "declare it in `data` of inward.yaml"
                named.mistake(f"there is no data class `{shown(name)}`", hint)

    def _variants(self, schema: Value) -> Iterator[Value]:
        """Yield what a schema with a `discriminator` may really be."""
        discriminator = schema.child("discriminator")
        mapping = discriminator.get("mapping")
        named = _named_schemas(schema)
        for _, value in mapping.entries() if mapping else ():
            name = value.text()
            target = named.get(name or "")
            if name is not None and target is None:
                target = self._folder.target(value)
            if target is not None:
                yield target
        document = schema.document.name
        if document not in self._extensions:
            self._extensions[document] = self._extended(named.values())
        yield from self._extensions[document].get(id(schema.data), ())

    def _extended(self, schemas: Iterable[Value]) -> dict[int, list[Value]]:
        """Return by the identity of a schema's data those that extend it."""
        found: dict[int, list[Value]] = {}
        for schema in schemas:
            parts = schema.get("allOf")
            for part in parts.items() if parts and isinstance(parts.data, list) else ():
                reference = part.get("$ref")
                target = self._folder.target(reference) if reference else None
                if target is not None:
                    found.setdefault(id(target.data), []).append(schema)
        return found


def _says_no_data(value: Value) -> bool:
    mark = value.get(KEY)
    return mark is not None and mark.data == NO_DATA


def marked_as_no_data(pieces: Sequence[Piece]) -> list[Piece] | None:
    """Return the same pieces with the one mark `none`, where they have it; None where none has."""
    if not any(piece.no_data for piece in pieces):
        return None
    return [dataclasses.replace(piece, classes={NO_DATA} if piece.no_data else set()) for piece in pieces]


def _named_schemas(value: Value) -> dict[str, Value]:
    """Return the schemas that the document of `value` has names for."""
    root = Value.root(value.document, value.mistakes)
    components = root.get("components")
    listed = components.get("schemas") if components else root.get("definitions")
    return dict(listed.entries()) if listed and isinstance(listed.data, dict) else {}


def _beginning(pattern: str) -> str:
    """Return how every text begins that a pattern finds; empty where that cannot be told easily."""
    found = _LITERAL_BEGINNING.match(pattern)
    return found[1] if found and "|" not in pattern else ""
