"""Searches: which data classes a request holds that the service it was sent to may not receive.

A search is compiled once (`viewing.places`) from a shape and those classes, and applied to bytes, which it only reads.

Rules, each of which prefers to find too much:

1. A value whose place has such a class is found, whatever its type, unless it is `null`: that is no data.
2. Where the document is not as declared, it is read in every way in which the shape could be meant. A text, number or
   Boolean in the place of an object or array that could hold such a class is found.
3. Of a key that stands twice in one object each value counts, since programs differ in which they take; how a key is
   escaped makes no difference.
4. What is not strict JSON in UTF-8 (RFC 8259), or nests too deep, cannot be read: `UnreadableError`.
5. A form, or a query, is an object of texts. Pairs end at `&` and at `;`; `+` is a space, and what is percent-encoded
   is UTF-8. A pair is the field of its whole name and the one of what stands before the first `[` or `.` in it, since
   frameworks spell nesting so; anything below that field counts. A pair without a value is no data: browsers send all
   fields of a form. A body with a pair without `=`, or in which `"`, `{`, `<` or NUL stands as it is, is no form: some
   programs read JSON and XML whatever the content type says.

What a caller writes where nothing is declared is not known, and not searched. It leaves out which classes the service
may not receive (`guard.core`), and requests that cannot be read by their head (`guard.bodies.sent`).
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

import msgspec

from inward.errors import InwardError
from inward.guard.bodies.view import LINE_FEED, MAX_DEPTH
from inward.viewing.places import UnviewableError, compile_places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.catalog.shape import Shape
    from inward.viewing.places import Place

_MALFORMED, _UNREADABLE = 400, 415
_SPACE = b" \t\r\n"
_NULL, _OBJECT, _ARRAY = b"n{["  # how values begin
_NO_FORM: Final = re.compile(rb'["{<\x00]')
_PAIR: Final = re.compile(rb"[&;]")
_NESTING: Final = re.compile(r"[\[.]")


class _Key:
    """A key of an object. Each is a value of its own, so that a `dict` keeps both of two keys that are alike."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


_value_decoder = msgspec.json.Decoder(msgspec.Raw)
_object_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_objects_decoder = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_keys_decoder = msgspec.json.Decoder(dict[_Key, msgspec.Raw], dec_hook=lambda _, name: _Key(name))
_array_decoder = msgspec.json.Decoder(list[msgspec.Raw])


class UnreadableError(InwardError):
    """A request may hold a class that its service may not receive, and it cannot be said whether.

    `status` is that of the refusal: 400 for what is malformed, 413 for what is too long, 415 for what cannot be read.
    """

    code = "unreadable"

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Search:
    """A compiled search for `classes`, which stand somewhere in `shape`."""

    def __init__(self, shape: Shape, classes: frozenset[str]) -> None:
        self.classes = classes
        self._places: tuple[Place | None, Place | None] | None
        try:
            self._places = compile_places(shape, dict.fromkeys(sorted(classes), "drop"))
        except UnviewableError:
            self._places = None

    def of(self, body: bytes) -> frozenset[str]:
        """Return the classes that one JSON document holds, or raise `UnreadableError`."""
        found: set[str] = set()
        self._document(body, self._compiled()[0], found)
        return frozenset(found)

    def of_sequence(self, body: bytes, separator: bytes = LINE_FEED) -> frozenset[str]:
        """Return what `of` does, of any number of documents: see `guard.bodies.view.View.of_sequence`."""
        found: set[str] = set()
        for part in body.split(separator):
            if part.strip(_SPACE):
                self._document(part, self._compiled()[1], found)
        return frozenset(found)

    def of_form(self, body: bytes) -> frozenset[str]:
        """Return what `of` does, of a form (`application/x-www-form-urlencoded`); raises `UnreadableError` too."""
        whole = self._compiled()[0]
        found: set[str] = set()
        if _NO_FORM.search(body) or any(pair and b"=" not in pair for pair in _PAIR.split(body)):
            raise UnreadableError("the body is no form", _MALFORMED)
        for name in fields_of(body):
            if whole is not None:
                below = whole if whole.undisclosed is not None else whole.fields.get(name, whole.rest)
                found.update(below.classes if below is not None else ())
        return frozenset(found)

    def _compiled(self) -> tuple[Place | None, Place | None]:
        if self._places is None:
            raise UnreadableError("what the operation takes can be read in too many ways", _UNREADABLE)
        return self._places

    def _document(self, body: bytes, place: Place | None, found: set[str]) -> None:
        try:
            if not body.isascii():
                body.decode()  # what is not looked into must be UTF-8 too
            value = _value_decoder.decode(body)
            if place is not None:
                _look(value, place, found, 0)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise UnreadableError("the document is no strict JSON in UTF-8", _MALFORMED) from None


def fields_of(form: bytes) -> Iterator[str]:
    """Yield the fields of which a form, or a query, has a value: each by its whole name and by how the name begins."""
    for pair in _PAIR.split(form):
        name, _, value = pair.partition(b"=")
        if value:
            if b"+" in name or b"%" in name:
                name = unquote_to_bytes(name.replace(b"+", b" "))
            whole = name.decode(errors="replace")
            yield whole
            if (nested := _NESTING.search(whole)) is not None:
                yield whole[: nested.start()]


def _look(raw: msgspec.Raw, place: Place, found: set[str], depth: int) -> None:
    """Add to `found` what a value holds."""
    first = memoryview(raw)[0]
    if first == _NULL:
        return
    if place.undisclosed is not None or first not in {_OBJECT, _ARRAY}:
        found.update(place.classes)
    elif depth >= MAX_DEPTH:
        raise UnreadableError(f"the document nests deeper than {MAX_DEPTH} levels", _MALFORMED)
    elif first == _OBJECT:
        members = _object_decoder.decode(raw)
        if _holds_all(raw, [members]):
            _look_at_fields(members, place, found, depth)
        else:
            for key, value in _keys_decoder.decode(raw).items():
                below = place.fields.get(key.name, place.rest)
                if below is not None:
                    _look(value, below, found, depth + 1)
    elif place.items is not None:
        _look_at_elements(raw, place.items, found, depth + 1)


def _look_at_elements(raw: msgspec.Raw, place: Place, found: set[str], depth: int) -> None:
    if place.undisclosed is None and depth < MAX_DEPTH:
        try:
            objects = _objects_decoder.decode(raw)  # what most arrays are, in one go
        except msgspec.ValidationError:
            pass
        else:
            if _holds_all(raw, objects):
                for each in objects:
                    _look_at_fields(each, place, found, depth)
                return
    for element in _array_decoder.decode(raw):
        _look(element, place, found, depth)


def _look_at_fields(members: dict[str, msgspec.Raw], place: Place, found: set[str], depth: int) -> None:
    for name in place.fields if place.rest is None else members:
        if name in members:
            below = place.fields.get(name, place.rest)
            if below is not None:
                _look(members[name], below, found, depth + 1)


def _holds_all(raw: msgspec.Raw, objects: list[dict[str, msgspec.Raw]]) -> bool:
    """Tell whether objects hold every member that their text has: none was lost because its key stands twice.

    Each member has a colon after its key, and a lost one's is counted in the text alone. What a key has of them is not
    known by its name, since they can be escaped.
    """
    values = b"".join(chain.from_iterable(map(dict.values, objects)))
    colons = sum(map(len, objects)) + values.count(b":")
    return bytes(raw).count(b":") == colons and ":" not in "".join(chain.from_iterable(objects))
