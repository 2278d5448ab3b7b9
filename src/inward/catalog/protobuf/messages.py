"""The message types of a descriptor set: their fields, what these are marked with, and where all of it stands.

A field is named as in its type; an extension as `[its.full.name]`, and belongs to the type that it extends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from inward.catalog.protobuf.descriptors import classes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.catalog.protobuf.descriptors import File, FileSet

_REPEATED = 3  # FieldDescriptorProto.Label
_MESSAGES = frozenset({10, 11})  # FieldDescriptorProto.Type: TYPE_GROUP and TYPE_MESSAGE
_MESSAGE_TYPE, _EXTENSION, _NESTED_TYPE, _NESTED_EXTENSION, _FIELD = 4, 7, 3, 6, 2  # fields of descriptors
_METHOD_OF_SERVICE = 2
_SERVICE = 6
# Messages that can hold anything: what is in them is in no description.
OPAQUE = frozenset(f"google.protobuf.{name}" for name in ("Any", "Struct", "Value", "ListValue"))

SourcePath = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something stands: in a file of the set, by its path in the descriptor."""

    file: File
    path: SourcePath


@dataclass(frozen=True, slots=True)
class Field:
    """A field. `message` is the full name of its type, empty for plain values; `classes` are its marks as given."""

    name: str
    full_name: str
    message: str
    repeated: bool
    classes: tuple[str, ...]
    spot: Spot


@dataclass(frozen=True, slots=True)
class Message:
    """A message type. `is_entry`: it is what a map has for each key, with the fields `key` and `value`."""

    full_name: str
    is_entry: bool
    fields: dict[str, Field] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a service, by its descriptor."""

    service: str  # its full name
    descriptor: Any
    spot: Spot


class Messages:
    """What a parsed and complete descriptor set describes."""

    def __init__(self, files: FileSet) -> None:
        self._files = files
        self._lines: dict[str, dict[SourcePath, int]] = {}

    @cached_property
    def types(self) -> dict[str, Message]:
        """The message types by full name, extensions among their fields."""
        found: dict[str, Message] = {}
        extensions: list[tuple[str, Field]] = []
        for file in self._files.file:
            scope = f"{file.package}." if file.package else ""
            for number, each in enumerate(file.extension):
                extensions.append(_extension(each, scope, Spot(file, (_EXTENSION, number))))
            waiting: list[tuple[Any, str, SourcePath]] = [
                (each, scope, (_MESSAGE_TYPE, number)) for number, each in enumerate(file.message_type)
            ]
            while waiting:
                each, scope, path = waiting.pop()
                name = f"{scope}{each.name}"
                message = found[name] = Message(name, each.options.map_entry)
                for number, described in enumerate(each.field):
                    made = _field(described, described.name, name + ".", Spot(file, (*path, _FIELD, number)))
                    message.fields[made.name] = made
                for number, described in enumerate(each.extension):
                    extensions.append(_extension(described, name + ".", Spot(file, (*path, _NESTED_EXTENSION, number))))
                waiting += (
                    (inner, name + ".", (*path, _NESTED_TYPE, number)) for number, inner in enumerate(each.nested_type)
                )
        for extended, made in extensions:
            found[extended].fields[made.name] = made  # it is there: the set has been checked
        return found

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """Every field by its full name."""
        return {each.full_name: each for message in self.types.values() for each in message.fields.values()}

    def methods(self, only: str | None) -> Iterator[Method]:
        """Yield the methods of the services of all files, or of the one named `only`."""
        for file in self._files.file:
            if only is None or file.name == only:
                for number, service in enumerate(file.service):
                    name = f"{file.package}.{service.name}" if file.package else service.name
                    for index, method in enumerate(service.method):
                        yield Method(name, method, Spot(file, (_SERVICE, number, _METHOD_OF_SERVICE, index)))

    def line(self, spot: Spot) -> int:
        """Return the line of a spot, 0 where the set does not say it."""
        lines = self._lines.get(spot.file.name)
        if lines is None:
            located = spot.file.source_code_info.location
            lines = self._lines[spot.file.name] = {
                tuple(each.path): each.span[0] + 1 for each in located if len(each.span) > 0
            }
        return lines.get(spot.path, 0)


def _field(described: Any, name: str, scope: str, spot: Spot) -> Field:  # noqa: ANN401 - a descriptor
    message = described.type_name.removeprefix(".") if described.type in _MESSAGES else ""
    repeated = described.label == _REPEATED
    return Field(name, f"{scope}{described.name}", message, repeated, classes_of(described), spot)


def _extension(described: Any, scope: str, spot: Spot) -> tuple[str, Field]:  # noqa: ANN401 - a descriptor
    name = f"[{scope}{described.name}]"
    return described.extendee.removeprefix("."), _field(described, name, scope, spot)
