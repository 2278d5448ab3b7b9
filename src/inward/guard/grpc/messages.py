"""Messages of protocol buffers, viewed and searched as bytes: no class of the application is needed or trusted.

A view is compiled once, from the places of a shape (`viewing.places`) and the descriptors that the catalog read, and
then applied to bytes: they are parsed as the message that the catalog declares, cut, and serialised again.

Rules, each of which prefers to withhold too much:

1. What the catalog does not declare is not there: unknown fields and what is in a `google.protobuf.Any` are dropped
   from every message that is viewed, at every level. Nobody could say what class they are of.
2. A field of an undisclosed class is cleared, whatever its class says, but for `mask` and `tokenise` of texts and bytes
   and of lists of them. `null` clears too: no field of a message can be null. A withheld map is cleared with its keys.
3. A required field (proto2) cannot be absent: it gets the empty value of its type.
4. Bytes that are no such message, of more than 100 levels, or with texts that are no UTF-8 where that is demanded, have
   no view: `UnviewableError`. So has a method without descriptors.
5. Everything else stays as it was: values, presence, which field of a `oneof` is set. The order of fields and of the
   entries of a map may differ, which means nothing.

A search looks at a request in the same way, and changes nothing: what is set and would be cleared is found. What a
caller sends where nothing is declared is not known, and not searched, as in `guard.bodies.search`.

It leaves out which classes are withheld (`guard.core`), and all of a call but its messages (`guard.grpc.exchange`).
"""

from __future__ import annotations

from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, EncodeError
from google.protobuf.message_factory import GetMessageClass

from inward.viewing.places import Place, UnviewableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message

    from inward.catalog.model import Undisclosed

    Cutter = Callable[[Message, set[Place]], None]
    # how a field is read, written, cleared, and found to be set
    _Access = tuple[
        Callable[[Message], Any],
        Callable[[Message, object], None],
        Callable[[Message], None],
        Callable[[Message], bool],
    ]
    Said = Callable[[str, Undisclosed, tuple[str, ...]], str | None]

MAX_POOLS = 32  # of descriptors, one for each API description of a service and version of it
_ANY = ("google.protobuf", "Any")
_WRAPPERS = frozenset({"google.protobuf.StringValue", "google.protobuf.BytesValue"})
_FLOATS = frozenset({FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE})
_TEXTS = frozenset({FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES})
_EMPTY: Final = {FieldDescriptor.TYPE_STRING: "", FieldDescriptor.TYPE_BYTES: b""}
_SAID_AS_TEXT = frozenset({"mask", "tokenise"})


@lru_cache(maxsize=MAX_POOLS)
def _pool(descriptors: bytes) -> DescriptorPool:
    """Return the messages that a serialised `FileDescriptorSet` describes; raise `UnviewableError` for a bad one.

    An Any has no fields there, so that what is in one is unknown to the parser.
    """
    pool = DescriptorPool()
    try:
        for file in FileDescriptorSet.FromString(descriptors).file:
            for message in file.message_type:
                if (file.package, message.name) == _ANY:
                    message.ClearField("field")
            pool.AddSerializedFile(file.SerializeToString())
    except (DecodeError, TypeError, ValueError) as error:
        raise UnviewableError("the description of the messages cannot be read") from error
    return pool


def message_type(descriptors: bytes, name: str) -> type[Message]:
    """Return the class of the message of that full name, or raise `UnviewableError` where it is not described."""
    try:
        found: type[Message] = GetMessageClass(_pool(descriptors).FindMessageTypeByName(name))
    except KeyError:
        raise UnviewableError("the message is not described") from None
    return found


class MessageView:
    """A compiled view of the messages of one type.

    `place` is that of a whole message, None where nothing is withheld. `said` is `guard.bodies.view.View.said`: what is
    said in the place of a text.
    """

    def __init__(self, kind: type[Message], place: Place | None, said: Said) -> None:
        self._kind = kind
        self._place = place
        self._said_of = said
        self._cutters: dict[tuple[str, Place], list[Cutter]] = {}
        self._pending: list[tuple[Descriptor, Place]] = []
        looked_into = place is not None and place.undisclosed is None
        self._cut = _each(self._cutter(kind.DESCRIPTOR, place)) if place is not None and looked_into else _nothing
        while self._pending:
            self._compile(*self._pending.pop())

    def of(self, message: bytes) -> tuple[bytes, frozenset[str]]:
        """Return what is shown of one message, and the classes of what was withheld, or raise `UnviewableError`."""
        if self._place is None:
            return message, frozenset()
        if self._place.undisclosed is not None:
            return b"", frozenset(self._place.classes if message else ())
        parsed = self._parsed(message)
        cut: set[Place] = set()
        try:
            self._cut(parsed, cut)
            self._kind.DiscardUnknownFields(parsed)
            shown: bytes = self._kind.SerializePartialToString(parsed)
        except (EncodeError, ValueError, RecursionError):
            raise UnviewableError("the message cannot be viewed") from None
        return shown, _classes(cut)

    def found_in(self, message: bytes) -> frozenset[str]:
        """Return the classes that stand in one message and that `of` would withhold, or raise `UnviewableError`."""
        if self._place is None:
            return frozenset()
        if self._place.undisclosed is not None:
            return frozenset(self._place.classes if message else ())
        parsed = self._parsed(message)
        cut: set[Place] = set()
        try:
            self._cut(parsed, cut)
        except (ValueError, RecursionError):
            raise UnviewableError("the message cannot be searched") from None
        return _classes(cut)

    def _parsed(self, message: bytes) -> Message:
        try:
            return self._kind.FromString(message)
        except (DecodeError, ValueError, RecursionError):
            # without a word of the message, which is what must not get out
            raise UnviewableError("the message is not of the declared type") from None

    def _cutter(self, descriptor: Descriptor, place: Place) -> list[Cutter]:
        """Return what cuts messages of a type at a place. It is compiled once, and later: messages hold their like."""
        key = (descriptor.full_name, place)
        if key not in self._cutters:
            self._cutters[key] = []
            self._pending.append((descriptor, place))
        return self._cutters[key]

    def _compile(self, descriptor: Descriptor, place: Place) -> None:
        cutters = self._cutters[descriptor.full_name, place]
        for field in descriptor.fields:
            below = place.fields.get(field.name, place.rest)
            if below is not None:
                cutters.append(self._field_cutter(_Plain(field), below))
        if descriptor.is_extendable:
            for extension in descriptor.file.pool.FindAllExtensions(descriptor):
                below = place.fields.get(f"[{extension.full_name}]", place.rest)
                if below is not None:
                    cutters.append(self._field_cutter(_Extension(extension), below))

    def _field_cutter(self, field: _Plain, place: Place) -> Cutter:
        if field.is_map:
            return self._map_cutter(field, place)
        if field.is_list:
            return self._list_cutter(field, place)
        if place.undisclosed in _SAID_AS_TEXT and field.is_text:
            return self._text_cutter(field, place)
        if place.undisclosed in _SAID_AS_TEXT and field.message_type and field.message_type.full_name in _WRAPPERS:
            return _within(field, self._text_cutter(_Plain(field.message_type.fields[0]), place))
        if place.undisclosed is not None or field.message_type is None:
            return _clearing(field, place)
        return _within(field, _each(self._cutter(field.message_type, place)))

    def _map_cutter(self, field: _Plain, place: Place) -> Cutter:
        value, below = field.message_type.fields_by_name["value"], place.rest
        if place.undisclosed is not None:
            return _clearing(field, place)
        if below is None:
            return _nothing
        if below.undisclosed is not None or value.message_type is None:
            return _clearing(field, below)
        cutters, entries = self._cutter(value.message_type, below), field.value

        def cut_values(message: Message, cut: set[Place]) -> None:
            for each in entries(message).values():
                for cut_field in cutters:
                    cut_field(each, cut)

        return cut_values

    def _list_cutter(self, field: _Plain, place: Place) -> Cutter:
        element = place if place.undisclosed is not None else place.items
        if element is None:
            return _nothing
        if element.undisclosed in _SAID_AS_TEXT and field.is_text:
            return self._texts_cutter(field, element)
        if element.undisclosed is not None or field.message_type is None:
            return _clearing(field, element)
        cutters, elements = self._cutter(field.message_type, element), field.value

        def cut_elements(message: Message, cut: set[Place]) -> None:
            for each in elements(message):
                for cut_field in cutters:
                    cut_field(each, cut)

        return cut_elements

    def _text_cutter(self, field: _Plain, place: Place) -> Cutter:
        clear = _clearing(field, place)

        def say_instead(message: Message, cut: set[Place]) -> None:
            if not field.is_set(message):
                return
            said = self._said(field.value(message), place)
            if said is None:
                clear(message, cut)
            else:
                cut.add(place)
                field.put(message, said)

        return say_instead

    def _texts_cutter(self, field: _Plain, place: Place) -> Cutter:
        clear = _clearing(field, place)

        def say_instead(message: Message, cut: set[Place]) -> None:
            values = field.value(message)
            said = [self._said(value, place) for value in values]
            if None in said:
                clear(message, cut)
            elif said:
                cut.add(place)
                values[:] = said

        return say_instead

    def _said(self, value: str | bytes, place: Place) -> str | bytes | None:
        """Return what is said in the place of a text; of bytes, each is a character."""
        undisclosed = place.undisclosed or "drop"
        if isinstance(value, str):
            return self._said_of(value, undisclosed, place.classes)
        said = self._said_of(value.decode("latin-1"), undisclosed, place.classes)
        return said.encode("latin-1") if said is not None else None


class _Plain:
    """A field of a message: what it is, and how it is read and written.

    What is done to a message is asked of its class, since a field may be named as a method is, and then hides it.
    """

    def __init__(self, field: FieldDescriptor) -> None:
        self.message_type = field.message_type
        self.is_map = field.message_type is not None and bool(field.message_type.GetOptions().map_entry)
        self.is_list = bool(field.is_repeated)
        self.is_text = field.type in _TEXTS
        self.is_required = bool(field.is_required)
        self.empty: object = _EMPTY.get(field.type, 0)
        if field.enum_type is not None:
            self.empty = field.enum_type.values[0].number
        self.value, self.put, self.clear, self.is_set = self._access(field)

    def _access(self, field: FieldDescriptor) -> _Access:
        name, kind = field.name, GetMessageClass(field.containing_type)
        clear, has, value = kind.ClearField, kind.HasField, attrgetter(name)
        presence, is_float = field.has_presence, field.type in _FLOATS and not self.is_list

        def is_set(message: Message) -> bool:
            if presence:
                return bool(has(message, name))
            return bool(value(message)) or (is_float and str(value(message)) == "-0.0")  # which is not the default

        return value, lambda message, new: setattr(message, name, new), lambda message: clear(message, name), is_set


class _Extension(_Plain):
    """A field that another file has added to a message (proto2)."""

    def _access(self, field: FieldDescriptor) -> _Access:
        kind = GetMessageClass(field.containing_type)
        clear, has, extensions = kind.ClearExtension, kind.HasExtension, kind.Extensions.__get__

        def put(message: Message, new: object) -> None:
            extensions(message)[field] = new

        def value(message: Message) -> Any:  # noqa: ANN401 - of any type that a field may have
            return extensions(message)[field]

        def is_set(message: Message) -> bool:
            return bool(value(message) if self.is_list else has(message, field))

        return value, put, lambda message: clear(message, field), is_set


def _nothing(message: Message, cut: set[Place]) -> None:
    """Cut nothing."""


def _each(cutters: list[Cutter]) -> Cutter:
    def cut_fields(message: Message, cut: set[Place]) -> None:
        for cut_field in cutters:
            cut_field(message, cut)

    return cut_fields


def _within(field: _Plain, cut_message: Cutter) -> Cutter:
    is_set, value = field.is_set, field.value

    def cut_what_is_there(message: Message, cut: set[Place]) -> None:
        if is_set(message):
            cut_message(value(message), cut)

    return cut_what_is_there


def _clearing(field: _Plain, place: Place) -> Cutter:
    is_set, clear = field.is_set, field.clear

    def clear_field(message: Message, cut: set[Place]) -> None:
        if is_set(message):
            cut.add(place)
            clear(message)

    def empty_field(message: Message, cut: set[Place]) -> None:
        clear_field(message, cut)
        if field.message_type is None:
            field.put(message, field.empty)
        else:
            GetMessageClass(field.message_type).SetInParent(field.value(message))

    return empty_field if field.is_required else clear_field


def _classes(cut: set[Place]) -> frozenset[str]:
    return frozenset(name for place in cut for name in place.classes)
