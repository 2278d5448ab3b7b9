"""Shapes of messages: where in a message, as a document with the names of its fields, which data class stands.

A mark on a field is one on all that the field holds: every item of a repeated field, every entry of a map. A message
type leads to itself where it is recursive. What no mark stands in is left out.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from inward.catalog.protobuf.messages import OPAQUE
from inward.catalog.shape import NOTHING, Node, Shape
from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inward.catalog.protobuf.messages import Field, Message

MAX_NODES = 20_000  # of one shape

_Classes = tuple[str, ...]
_Key = tuple[str, str, _Classes]  # what the value is (`one`, `list` or `map`), its message type, its own classes


class TooLargeShapeError(BadInputError):
    """The shape of a message has too many nodes."""

    code = "too_large_message_shape"


class MessageShapes:
    """Makes the shapes of message types; `marks` has the classes of each marked field, by its full name."""

    def __init__(self, types: Mapping[str, Message], marks: Mapping[str, _Classes]) -> None:
        self._types = types
        self._marks = marks
        self._leading = _leading_to(types, {name for name, each in types.items() if self._is_marked(each)})
        self._opaque = _leading_to(types, OPAQUE & types.keys())
        self._made: dict[str, Shape] = {}

    def shape(self, message: str) -> Shape:
        """Return the shape of a message type, or raise `TooLargeShapeError`."""
        if message not in self._leading:
            return NOTHING
        made = self._made.get(message)
        if made is None:
            made = self._made[message] = self._make(("one", message, ()))
        return made

    def is_opaque(self, message: str) -> bool:
        """Tell whether a message of that type can hold what nothing describes."""
        return message in self._opaque

    def _is_marked(self, message: Message) -> bool:
        return any(each.full_name in self._marks for each in message.fields.values())

    def _make(self, first: _Key) -> Shape:
        numbers = {first: 0}
        waiting = [first]
        nodes: list[Node] = []

        def number(key: _Key) -> int:
            found = numbers.get(key)
            if found is None:
                if len(waiting) >= MAX_NODES:
                    raise TooLargeShapeError(f"it has more than {MAX_NODES:,} parts with data of their own")
                found = numbers[key] = len(waiting)
                waiting.append(key)
            return found

        for kind, message, classes in waiting:  # it grows meanwhile
            if kind == "list":
                nodes.append(Node(classes, items=number(("one", message, ()))))
            elif kind == "map":
                nodes.append(Node(classes, rest=number(self._key(self._types[message].fields["value"]))))
            else:
                fields = self._types[message].fields.values() if message else ()
                led = {each.name: number(key) for each in fields if self._matters(key := self._key(each))}
                nodes.append(Node(classes, MappingProxyType(led)))
        return Shape(tuple(nodes))

    def _key(self, field: Field) -> _Key:
        """Return what stands in a field; what leads to no mark is told as a plain value."""
        message = field.message if field.message in self._leading else ""
        classes = self._marks.get(field.full_name, ())
        if message and self._types[message].is_entry:
            return "map", message, classes
        return ("list" if field.repeated and message else "one"), message, classes

    @staticmethod
    def _matters(key: _Key) -> bool:
        _, message, classes = key
        return bool(message or classes)


def _leading_to(types: Mapping[str, Message], ends: set[str] | frozenset[str]) -> set[str]:
    """Return the message types `ends`, and those that lead to one."""
    back: dict[str, list[str]] = {}
    for name, message in types.items():
        for field in message.fields.values():
            if field.message:
                back.setdefault(field.message, []).append(name)
    found, waiting = set(ends), list(ends)
    while waiting:
        new = set(back.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return found
