"""Views: what a caller sees of a JSON document, without the data classes that are not disclosed to it.

A view is compiled once (`viewing.places`) from a shape and the classes that are withheld, and then applied to bytes.
Parts without a withheld class are copied as they stand, so numbers keep their digits and keys their order. Where many
values stand at one place, as in the column of a list, they are looked at together: calls cost more than what they do.

Rules, each of which prefers to withhold too much:

1. A value whose place has a withheld class is withheld whole, whatever its type. Where several classes are withheld,
   the strictest of what they say is done: drop, null, tokenise, mask.
2. Where the document is not as declared, it is read in every way in which the shape could be meant. A text, number or
   Boolean in the place of an object or array that could hold a withheld class is dropped.
3. Of a key that stands twice in one object only the last value is kept, where something is withheld in that object;
   how a key is escaped makes no difference.
4. What is not strict JSON in UTF-8 (RFC 8259), or nests too deep, has no view: `UnviewableError`. Nothing is guessed.

`null` takes the place of a dropped element of an array, so that the others keep theirs, and of a dropped document.
What is no text and no number cannot be masked or tokenised: `null` stays, all else is dropped.

It leaves out which classes are withheld (`guard.core`), and answers that are no JSON (`guard.bodies.answer`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from inward.guard.bodies.token import Tokens
from inward.viewing.places import Place, UnviewableError, compile_places

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from inward.catalog.model import Undisclosed
    from inward.catalog.shape import Shape

MAX_DEPTH = 64  # levels of a document that are looked into; each is scanned anew
LINE_FEED, RECORD_SEPARATOR = b"\n", b"\x1e"
_MASK = "****"
_SHORT = 8  # characters; of a shorter text the last four would be most of it
_MANY = 16  # values at one place that are looked at together: of fewer that takes longer than one by one
_SPACE = b" \t\r\n"
_NULL, _OBJECT, _ARRAY, _TEXT = b'n{["'  # how values begin
_NUMBER: Final = frozenset(b"-0123456789")
_SAID: Final = frozenset(("mask", "tokenise"))
_GONE: Final = object()  # what was dropped

_value_decoder = msgspec.json.Decoder(msgspec.Raw)
_object_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_objects_decoder = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_objects_or_null_decoder = msgspec.json.Decoder(list[dict[str, msgspec.Raw] | None])
_array_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_text_decoder = msgspec.json.Decoder(str)
_texts_decoder = msgspec.json.Decoder(list[str | None])
_encoder = msgspec.json.Encoder()


class View:
    """A compiled view. `withheld` says of each class that is not disclosed what becomes of it.

    `key` (32 random bytes) and `caller` make tokens: one caller gets the same token for the same value of a class,
    another caller another one. Without a key, what is to be tokenised is dropped. Raises `UnviewableError` for a shape
    that can be read in too many ways.
    """

    def __init__(
        self, shape: Shape, withheld: Mapping[str, Undisclosed], *, caller: str = "", key: bytes = b""
    ) -> None:
        self._tokens = Tokens(key, caller) if key else None
        self._whole, self._part = compile_places(shape, withheld)

    @property
    def place(self) -> Place | None:
        """The place of a whole document, for views of what is no JSON; None where nothing is withheld."""
        return self._whole

    def of(self, body: bytes) -> tuple[bytes, frozenset[str]]:
        """Return what is shown of one document, and the classes of what was withheld.

        Raises `UnviewableError`.
        """
        cut: set[Place] = set()
        return self._document(body, self._whole, cut), _classes(cut)

    def of_sequence(self, body: bytes, separator: bytes = LINE_FEED) -> tuple[bytes, frozenset[str]]:
        """Return what `of` does, of any number of documents with `separator` between them.

        It is `LINE_FEED` (JSON Lines), or the `RECORD_SEPARATOR` that stands before each document (RFC 7464).
        """
        cut: set[Place] = set()
        end = b"" if separator == LINE_FEED else LINE_FEED
        parts = [
            self._document(part, self._part, cut) + end if part.strip(_SPACE) else b"" for part in body.split(separator)
        ]
        return separator.join(parts), _classes(cut)

    def _document(self, body: bytes, place: Place | None, cut: set[Place]) -> bytes:
        try:
            if not body.isascii():
                body.decode()  # what is copied is not looked at otherwise
            # what is taken apart is read to its end by that; all else is read here
            value = msgspec.Raw(body) if _is_taken_apart(body, place) else _value_decoder.decode(body)
            if place is None:
                return body
            found = self._value(value, place, cut, 0)
            return _encoder.encode(None if found is _GONE else found)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            # without a word of the document, which is what must not get out
            raise UnviewableError("the document is no strict JSON in UTF-8") from None

    def _value(self, raw: msgspec.Raw, place: Place, cut: set[Place], depth: int) -> object:
        """Return what is put in the place of a value: something that can be encoded, or `_GONE`."""
        first = memoryview(raw)[0]
        if place.undisclosed is not None:
            cut.add(place)
            return self._instead(raw, first, place.undisclosed, place.classes)
        if first == _NULL:
            return raw
        if depth >= MAX_DEPTH:
            raise UnviewableError(f"the document nests deeper than {MAX_DEPTH} levels")
        if first == _OBJECT:
            found = _object_decoder.decode(raw)
            self._fields(found, place, cut, depth)
            return found
        if first == _ARRAY:
            return self._elements(raw, place.items, cut, depth + 1)
        cut.add(place)
        return _GONE

    def _elements(self, raw: msgspec.Raw, place: Place | None, cut: set[Place], depth: int) -> object:
        if place is None:
            return raw
        if place.undisclosed is None and depth < MAX_DEPTH:
            try:
                objects = _objects_decoder.decode(raw)  # what most arrays are, in one go
            except msgspec.ValidationError:
                pass
            else:
                self._table(objects, place, cut, depth)
                return objects
        values = self._values(_array_decoder.decode(raw), place, cut, depth)
        return [None if value is _GONE else value for value in values]

    def _values(self, raws: list[msgspec.Raw], place: Place, cut: set[Place], depth: int) -> Sequence[object]:
        """Return what `_value` does of each of several values at one place."""
        together = len(raws) >= _MANY
        if together and place.undisclosed in _SAID:
            try:
                texts = _texts_decoder.decode(_array(raws))
            except msgspec.ValidationError:
                pass  # they differ
            else:
                cut.add(place)
                return self._instead_of_texts(texts, place.undisclosed, place.classes)
        if together and place.undisclosed is None and depth < MAX_DEPTH:
            try:
                objects = _objects_or_null_decoder.decode(_array(raws))
            except msgspec.ValidationError:
                pass
            else:
                self._table([each for each in objects if each is not None], place, cut, depth)
                return objects
        return [self._value(raw, place, cut, depth) for raw in raws]

    def _table(self, objects: Sequence[dict[str, Any]], place: Place, cut: set[Place], depth: int) -> None:
        """Do what `_fields` does to each of several objects at one place."""
        if len(objects) < _MANY or place.rest is not None:
            for each in objects:
                self._fields(each, place, cut, depth)
            return
        for name, below in place.fields.items():
            holders = [each for each in objects if name in each]
            if below is not None and holders:
                self._column(holders, name, below, cut, depth + 1)

    def _column(self, holders: list[dict[str, Any]], name: str, place: Place, cut: set[Place], depth: int) -> None:
        """Put into objects what is shown of one field, which each of them has."""
        if place.undisclosed == "null":
            cut.add(place)
            for each in holders:
                each[name] = None
            return
        if place.undisclosed == "drop":
            cut.add(place)
            for each in holders:
                del each[name]
            return
        values = self._values([each[name] for each in holders], place, cut, depth)
        for each, value in zip(holders, values, strict=True):
            if value is _GONE:
                del each[name]
            else:
                each[name] = value

    def _fields(self, found: dict[str, Any], place: Place, cut: set[Place], depth: int) -> None:
        """Put into an object what is shown of its fields."""
        names: Iterable[str] = place.fields if place.rest is None else list(found)
        for name in names:
            if name not in found:
                continue
            below = place.fields.get(name, place.rest)
            if below is None:
                continue
            # what is withheld most often needs no look at the value
            if below.undisclosed == "drop":
                cut.add(below)
                del found[name]
                continue
            if below.undisclosed == "null":
                cut.add(below)
                found[name] = None
                continue
            value = self._value(found[name], below, cut, depth + 1)
            if value is _GONE:
                del found[name]
            else:
                found[name] = value

    def _instead(self, raw: msgspec.Raw, first: int, undisclosed: Undisclosed, classes: tuple[str, ...]) -> object:
        """Return what becomes of a value that is withheld."""
        if undisclosed in _SAID and first == _NULL:
            return raw
        if undisclosed == "null":
            return None
        text = _text_of(raw, first)
        said = self.said(text, undisclosed, classes, is_text=first == _TEXT) if text is not None else None
        return _GONE if said is None else said

    def _instead_of_texts(
        self, texts: Sequence[str | None], undisclosed: Undisclosed, classes: tuple[str, ...]
    ) -> Sequence[object]:
        """Return what becomes of texts that are masked or tokenised; None is `null`, which stays."""
        said: dict[str | None, object] = dict.fromkeys(texts)
        for text in said:
            if text is not None:
                now = _masked(text) if undisclosed == "mask" else self.said(text, undisclosed, classes)
                said[text] = _GONE if now is None else now
        return [said[text] for text in texts]

    def said(
        self, text: str, undisclosed: Undisclosed, classes: tuple[str, ...], *, is_text: bool = True
    ) -> str | None:
        """Return what is said in the place of a text, or of the digits of a number; None where it is dropped."""
        if undisclosed == "mask":
            return _masked(text)
        if undisclosed != "tokenise" or self._tokens is None:
            return None
        return self._tokens.of(text, classes, is_text=is_text)


def _masked(text: str) -> str:
    return _MASK + text[-4:] if len(text) >= _SHORT else _MASK


def _is_taken_apart(body: bytes, place: Place | None) -> bool:
    """Tell whether a decoder of `_value` will read a whole document that begins so."""
    if place is None or place.undisclosed is not None:
        return False
    return body[:1] == b"{" or (body[:1] == b"[" and place.items is not None)


def _array(raws: Iterable[msgspec.Raw]) -> bytes:
    """Return an array of values."""
    return b"[%b]" % b",".join(raws)


def _classes(cut: set[Place]) -> frozenset[str]:
    return frozenset(name for place in cut for name in place.classes)


def _text_of(raw: msgspec.Raw, first: int) -> str | None:
    """Return a text, or the digits of a number; None for any other value."""
    if first == _TEXT:
        return _text_decoder.decode(raw)
    return bytes(raw).decode("ascii") if first in _NUMBER else None
