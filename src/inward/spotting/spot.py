"""Spots data that nobody declared: where in an answer there is a value that looks like personal data or a secret.

Rules:

1. Values never leave: what is returned is paths and kinds. A key that does not look like a field's name, and every key
   of an object with more than `MAX_FIELDS`, is a part of the data: `*` stands for it in paths.
2. What the shape marks with a class is not looked at, nor what is below it.
3. Work is bounded, whatever the document: by its bytes, its depth, its values, their length, and how many candidates
   are checked. What is beyond is not looked at: this is for samples of many answers, and not a filter.

It leaves out what an answer of HTTP is made of (`spotting.answer`), and what is counted (`spotting.tally`). A text that
holds a document of its own (JSON in JSON, base64) is looked at as a text. Of a key that stands twice in an object the
last value counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec
import re2

from inward.catalog.json_path import Path, Wild
from inward.errors import InwardError
from inward.spotting.kinds import Spotted
from inward.spotting.recognisers.contact import EMAIL, PHONE
from inward.spotting.recognisers.national import NATIONAL_ID
from inward.spotting.recognisers.payment import CARD, IBAN
from inward.spotting.recognisers.secret import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inward.catalog.shape import Node, Shape
    from inward.spotting.kinds import Recogniser

MAX_BYTES = 256 * 1024  # of a document
MAX_DEPTH = 64  # levels that are looked into
MAX_FIELDS = 128  # of an object; one with more is a map
MAX_VALUES = 20_000  # of a document
MAX_TEXT = 4096  # characters of one text that are looked at
MAX_CANDIDATES = 8  # of one kind at one place that are checked
MAX_CHECKS = 100  # candidates of a document that are checked
_ENOUGH = 2  # that pass, where some do by chance
_LEAST_NUMBER, _LEAST_TOO_LARGE = 10**6, 10**20  # of numbers that are looked at
_SILENT: Final = frozenset((bool, float, type(None)))  # types of which no value is looked at
_NONE: Final[frozenset[Recogniser]] = frozenset()
_RECOGNISERS: Final = (EMAIL, PHONE, CARD, IBAN, NATIONAL_ID, SECRET)
_MEMORY = 64 * 1024 * 1024  # bytes that RE2 may use at most
# an `@` only in front (JSON-LD); few digits; no spaces and full stops, as in the names of people and users
_FIELD = re.compile(r"(?=.{1,48}\Z)[A-Za-z_@$][A-Za-z_:-]*(?:\d{1,3}(?:[A-Za-z_:-]+|\Z)){0,2}", re.ASCII)
# short, without a digit and an `@`: no recogniser says yes to it without a hint, and most texts are such
_WORD = re.compile(r"[^0-9@]{0,13}", re.ASCII)
_LEAST_TOKEN = 16  # characters of a key that could be a secret
_MAX_KNOWN_FIELDS = 4096
_known_fields: set[str] = set()  # names of fields, which are no data; what is no name is not kept
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


class UnreadableAnswerError(InwardError):
    """A document cannot be looked at: it is no JSON, or too large."""

    code = "unreadable_answer"


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found in a document, each sorted and once: what is of a kind, and what only has the form of one."""

    spotted: list[Spotted]
    resembling: list[Spotted]


def spot(document: bytes, shape: Shape) -> list[Spotted]:
    """Return what stands undeclared in a JSON document, each path and kind once, sorted.

    `shape` says what is declared. Raises `UnreadableAnswerError`, whose text says nothing of the document.
    """
    return look(document, shape).spotted


def look(document: bytes, shape: Shape) -> Looked:
    """Return what `spot` does, and with it where something has the form of a kind and is not of it."""
    if len(document) > MAX_BYTES:
        raise UnreadableAnswerError(f"the document is larger than {MAX_BYTES // 1024} KiB")
    try:
        data = msgspec.json.decode(document)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise UnreadableAnswerError("the document is no JSON in UTF-8") from None
    places = _Walk(shape).places(data)
    joined = ["\n".join(place.texts) for place in places]
    anywhere = _triggered("\n".join(joined))
    checks = _Checks()
    spotted: list[Spotted] = []
    resembling: list[Spotted] = []
    for place, text in zip(places, joined, strict=True):
        hinted = _hinted(place.name)
        triggered = _triggered(text) if anywhere and not _WORD.fullmatch(text) else _NONE
        if not hinted and not triggered:
            continue
        for recogniser in _RECOGNISERS:
            if recogniser in hinted:
                outcomes = _in_each(recogniser, place.texts)
            elif recogniser in triggered:
                outcomes = recogniser.candidates(text, hinted=False)
            else:
                continue
            passed = checks.pass_(outcomes, by_chance=recogniser.by_chance)
            if passed is not None:
                (spotted if passed else resembling).append(Spotted(place.path, recogniser.kind))
    return Looked(_sorted(spotted), _sorted(resembling))


def _sorted(spotted: list[Spotted]) -> list[Spotted]:
    return sorted(spotted, key=lambda each: (each.place, each.kind)) if len(spotted) > 1 else spotted


def _in_each(recogniser: Recogniser, texts: Iterable[str]) -> Iterator[bool]:
    for text in texts:
        yield from recogniser.candidates(text, hinted=True)


class _Checks:
    """Counts the candidates of a document that are checked."""

    def __init__(self) -> None:
        self._left = MAX_CHECKS

    def pass_(self, outcomes: Iterator[bool], *, by_chance: bool) -> bool | None:
        """Tell whether the candidates at one place are of the kind: one of them, or half where some pass by chance.

        None where there is no candidate.
        """
        passed = failed = 0
        enough = _ENOUGH if by_chance else 1
        for outcome in islice(outcomes, min(MAX_CANDIDATES, self._left)):
            self._left -= 1
            passed += outcome
            failed += not outcome
            if passed == enough and (passed >= failed or not by_chance):
                return True
        if not passed and not failed:
            return None
        return passed > 0 and (passed >= failed or not by_chance)


def _triggered(text: str) -> frozenset[Recogniser]:
    """Return the recognisers that could find something in a text without a hint."""
    found = _TRIGGERS.Match(text)  # None where there is nothing
    return frozenset([_BY_TRIGGER[number] for number in found]) if found else _NONE


@lru_cache(maxsize=_MAX_KNOWN_FIELDS)  # of names of fields, which are no data
def _hinted(name: str) -> frozenset[Recogniser]:
    """Return the recognisers to which the name of a field is a hint."""
    words = _WORDS.sub("_", name)
    return frozenset(each for each in _RECOGNISERS if each.hints is not None and each.hints.search(words))


class _Place:
    """One place of a document, whichever items and fields of maps lead to it; `name` is that of the field around."""

    __slots__ = ("above", "depth", "fields", "items", "name", "rest", "step", "texts")

    def __init__(self, above: _Place | None, step: str | Wild, name: str) -> None:
        self.above = above
        self.step = step
        self.name = name
        self.depth: int = 0 if above is None else above.depth + 1
        self.texts: list[str] = []
        self.fields: dict[str, _Place] = {}
        self.items: _Place | None = None
        self.rest: _Place | None = None

    @property
    def path(self) -> Path:
        """The steps to it; made where something was found, which is seldom."""
        return () if self.above is None else (*self.above.path, self.step)


class _Walk:
    """Collects the texts and long numbers of a document that stand where nothing is declared."""

    def __init__(self, shape: Shape) -> None:
        self._nodes = shape.nodes
        self._left = MAX_VALUES
        self._places: list[_Place] = []
        self._waiting: list[tuple[dict[str, Any] | list[Any], Node | None, _Place]] = []

    def places(self, data: Any) -> list[_Place]:  # noqa: ANN401 - what JSON decodes to
        """Return the places of a document that have texts."""
        self._add(data, self._nodes[0] if self._nodes else None, self._place(None, "", ""))
        while self._waiting:
            value, node, place = self._waiting.pop()
            if isinstance(value, dict):
                self._fields(value, node, place)
            else:
                self._items(value, node, place)
        return [place for place in self._places if place.texts]

    def _place(self, above: _Place | None, step: str | Wild, name: str) -> _Place:
        place = _Place(above, step, name)
        self._places.append(place)
        return place

    def _add(self, value: Any, node: Node | None, place: _Place) -> None:  # noqa: ANN401 - what JSON decodes to
        """Take a value: texts and numbers at once, others later."""
        self._left -= 1
        if self._left < 0 or (node is not None and node.classes):
            return
        kind = type(value)  # exactly one of those of JSON
        if kind is str:
            place.texts.append(value[:MAX_TEXT])
        elif kind is dict or kind is list:
            if place.depth < MAX_DEPTH:
                self._waiting.append((value, node, place))
        elif kind is int and _LEAST_NUMBER <= value < _LEAST_TOO_LARGE:
            place.texts.append(str(value))

    def _fields(self, value: dict[str, Any], node: Node | None, place: _Place) -> None:
        names, fields = len(value) <= MAX_FIELDS, place.fields
        for key, part in value.items():
            known = fields.get(key) if names else None
            is_field = known is not None or (names and _is_field(key))
            if is_field and type(part) in _SILENT:
                self._left -= 1
                continue
            number = None if node is None else node.fields.get(key, node.rest)
            below = None if number is None else self._nodes[number]
            if is_field:
                if known is None:
                    known = fields[key] = self._place(place, key, key)
                self._add(part, below, known)
                continue
            if place.rest is None:
                place.rest = self._place(place, Wild.REST, "")
            self._add(key, below, place.rest)  # it is a part of the data
            self._add(part, below, place.rest)

    def _items(self, value: list[Any], node: Node | None, place: _Place) -> None:
        below = None if node is None or node.items is None else self._nodes[node.items]
        if place.items is None:
            place.items = self._place(place, Wild.ITEM, place.name)
        for part in value:
            self._add(part, below, place.items)


def _is_field(key: str) -> bool:
    """Tell whether a key is the name of a field and not data: by its characters, since nothing else says so."""
    if key in _known_fields:
        return True
    found = bool(_FIELD.fullmatch(key)) and (len(key) < _LEAST_TOKEN or not _TRIGGERS.Match(key))
    if found:
        if len(_known_fields) >= _MAX_KNOWN_FIELDS:
            _known_fields.clear()
        _known_fields.add(key)
    return found


def _compiled(recognisers: Iterable[Recogniser]) -> tuple[re2.Set, list[Recogniser]]:
    """Return a set of all triggers, and the recogniser of each."""
    options = re2.Options()
    options.max_mem = _MEMORY  # with too little, RE2 finds nothing
    triggers = re2.Set.SearchSet(options)
    owners = []
    for recogniser in recognisers:
        for trigger in recogniser.triggers:
            triggers.Add(trigger)
            owners.append(recogniser)
    triggers.Compile()
    return triggers, owners


_TRIGGERS, _BY_TRIGGER = _compiled(_RECOGNISERS)
