"""Two implementations of views and of searches, the guard's in Python and Envoy's in Lua: the same documents, the same
bytes.
"""

from __future__ import annotations

import contextlib
import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from tests.differential import documents
from tests.differential.documents import CLASSES
from tests.differential.lua import LuaViews

from inward.catalog.shape import Node, Shape
from inward.envoy.views.program import compiled_set
from inward.guard.bodies.search import Search, UnreadableError
from inward.guard.bodies.view import RECORD_SEPARATOR, View
from inward.viewing.places import UnviewableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.catalog.model import Undisclosed

KEY = b"k" * 32
UNDISCLOSED: tuple[Undisclosed, ...] = ("drop", "null", "mask", "tokenise")
SHAPES, DOCUMENTS = 60, 6  # of a seed, and of each shape
SEEDS = range(6)
EMAIL = frozenset({"pii.email"})


@pytest.fixture(scope="module")
def lua(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LuaViews]:
    views = LuaViews(tmp_path_factory.mktemp("lua"))
    try:
        yield views
    finally:
        views.close()


Viewed = tuple[bytes, frozenset[str]] | None


def agree(
    lua: LuaViews, shape: Shape, withheld: dict[str, Undisclosed], document: bytes, separator: bytes = b""
) -> Viewed:
    """Return what both show of a document, the guard by columns and one by one."""
    view = View(shape, withheld, caller="till", key=KEY)
    expected = _shown(view, document, separator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("inward.guard.bodies.view._MANY", 1)
        assert _shown(view, document, separator) == expected, (shape, withheld, document)
    program, classes = _program(shape, withheld)
    assert lua.view({**program, "classes": classes}, document, separator, "till", KEY) == expected, (
        shape,
        withheld,
        document,
    )
    return expected


def _shown(view: View, document: bytes, separator: bytes) -> Viewed:
    with contextlib.suppress(UnviewableError):
        return view.of_sequence(document, separator) if separator else view.of(document)
    return None


def agree_on_search(
    lua: LuaViews, shape: Shape, classes: frozenset[str], document: bytes, separator: bytes = b""
) -> frozenset[str] | None:
    """Return what both find in a document; a form where the separator says so."""
    search = Search(shape, classes)
    expected: frozenset[str] | None = None
    with contextlib.suppress(UnreadableError):
        if separator == b"form":
            expected = search.of_form(document)
        else:
            expected = search.of_sequence(document, separator) if separator else search.of(document)
    program, names = _program(shape, dict.fromkeys(classes, "drop"))
    assert lua.search({**program, "classes": names}, document, separator) == expected, (shape, classes, document)
    return expected


def _program(shape: Shape, withheld: dict[str, Undisclosed]) -> tuple[dict[str, Any], list[str]]:
    classes = sorted(shape.classes)
    return compiled_set(shape, withheld, {name: number for number, name in enumerate(classes, 1)}), classes


def chance_of(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - nothing here is secret


def withheld_by(chance: random.Random) -> dict[str, Undisclosed]:
    return {name: chance.choice(UNDISCLOSED) for name in chance.sample(CLASSES, chance.randint(1, 4))}


# --- views


@pytest.mark.parametrize("seed", SEEDS)
def test_any_document_of_any_shape(lua: LuaViews, seed: int) -> None:
    chance, results = chance_of(seed), list[Viewed]()
    for _ in range(SHAPES):
        shape, withheld = documents.shape(chance), withheld_by(chance)
        results += [agree(lua, shape, withheld, documents.document(chance).encode()) for _ in range(DOCUMENTS)]
    assert sum(bool(result and result[1]) for result in results) > len(results) / 10  # something was cut in many


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("separator", [b"\n", RECORD_SEPARATOR])
def test_any_documents_in_a_sequence(lua: LuaViews, seed: int, separator: bytes) -> None:
    chance = chance_of(seed)
    for _ in range(SHAPES // 2):
        shape, withheld = documents.shape(chance), withheld_by(chance)
        for _ in range(DOCUMENTS // 2):
            agree(lua, shape, withheld, documents.sequence(chance, separator), separator)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_broken_somewhere(lua: LuaViews, seed: int) -> None:
    chance, results = chance_of(seed), list[Viewed]()
    for _ in range(SHAPES):
        shape, withheld = documents.shape(chance), withheld_by(chance)
        results += [agree(lua, shape, withheld, documents.broken(chance)) for _ in range(DOCUMENTS)]
    assert sum(result is None for result in results) > len(results) / 3


STRANGE = [
    *(f'"{text}"'.encode() for text in (r"\ud800", r"\ud800\u0041", r"\udc00", r"\ud83d\ude00", r"\x", r"\u12g4")),
    *(
        b'"%s"' % text
        for text in (b"\xc0\x80", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80")
    ),
    *(
        b'"%s"' % text
        for text in (b"\xc2", b"\xe2\x82", b"\x80", b"\xff", b"\x7f", b"\x1f", b"\n", b"\xf4\x8f\xbf\xbf")
    ),
    *(text.encode() for text in ("01", "-", "1.", "1e", "1e+", "-0", ".5", "+1", "NaN", "Infinity", "tru", "nul")),
    *(
        text.encode()
        for text in ("1 2", "", " ", "[1,]", "[,1]", '{"a":1,}', "{a:1}", '{"a" 1}', "[]]", "\0", "\ufeff1")
    ),
]


@pytest.mark.parametrize("body", STRANGE)
def test_what_is_strict_json_is_the_same(lua: LuaViews, body: bytes) -> None:
    secret, whole = Node(("pii.email",)), Node(fields={"email": 1, "a": 0}, items=0)
    for frame in (b"%s", b" %s\n", b'{"b": %s}', b'{"a": {"b": %s, "email": 1}}', b"[%s]", b'{"email": %s}'):
        agree(lua, Shape((whole, secret)), {"pii.email": "drop"}, frame % body)
        agree_on_search(lua, Shape((whole, secret)), EMAIL, frame % body)


def test_what_is_looked_into_is_bounded_alike(lua: LuaViews) -> None:
    shape = Shape((Node(fields={"email": 1, "a": 0}, items=0), Node(("pii.email",))))
    for levels in (62, 63, 64, 65, 200):
        for opened, closed in ((b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")):
            for inner in (b"1", b"null", b'{"email":1}', b'{"b":[[[[1]]]]}', b"{}", b"[]"):
                agree(lua, shape, {"pii.email": "drop"}, opened * levels + inner + closed * levels)
                agree_on_search(lua, shape, EMAIL, opened * levels + inner + closed * levels)
    # what is not looked into may nest deeper, and is bounded too
    assert agree(lua, shape, {"pii.email": "drop"}, b'{"b":' + b"[" * 500 + b"]" * 500 + b"}") is not None
    assert agree(lua, shape, {"pii.email": "drop"}, b'{"b":' + b"[" * 99_999 + b"]" * 99_999 + b"}") is None


@pytest.mark.parametrize("undisclosed", UNDISCLOSED)
def test_keys_that_stand_twice_and_what_stands_around_them(lua: LuaViews, undisclosed: Undisclosed) -> None:
    shape = Shape((Node(fields={"email": 1, "a": 0}, items=0), Node(("pii.email",))))
    twice = '{"email":"ada@example.com","a":%s,"b":1,"email":7,"a":%s,"\\u0062":[2, 3]}'
    for first, second in (("{}", "{}"), ("1", '{"email":1}'), ('{"email":1}', "null"), ("[{}]", "[[],1]")):
        inner = twice % (first, second)
        for document in (inner, f"[{inner},{inner}]", f'[{{"email":1,"c":2}},{inner}]', f'{{"b":{inner},"email":1}}'):
            assert agree(lua, shape, {"pii.email": undisclosed}, document.encode())
    document = "{}"
    for _ in range(60):  # in time that does not double with each level
        document = f'{{"a":{document},"b":1,"b":2}}'
    assert agree(lua, shape, {"pii.email": undisclosed}, document.encode())


@pytest.mark.parametrize("undisclosed", ["mask", "tokenise"])
@pytest.mark.parametrize("seed", SEEDS)
def test_masks_and_tokens_are_the_same(lua: LuaViews, undisclosed: Undisclosed, seed: int) -> None:
    chance = chance_of(seed)
    shape = Shape((Node(items=1), Node(("pii", "pii.email"))))
    texts = ["x" * length for length in range(140)] + [documents.text(chance) for _ in range(60)]
    document = json.dumps([*texts, 1.5, 10**30, None, True, "é" * 8, "\U0001f600" * 7], ensure_ascii=False).encode()
    shown = agree(lua, shape, {"pii": undisclosed, "pii.email": undisclosed}, document)
    assert shown is not None


# --- searches


@pytest.mark.parametrize("seed", SEEDS)
def test_any_request_is_searched_alike(lua: LuaViews, seed: int) -> None:
    chance, results = chance_of(seed), list[frozenset[str] | None]()
    for _ in range(SHAPES):
        shape, classes = documents.shape(chance), frozenset(withheld_by(chance))
        for separator in (b"\n", RECORD_SEPARATOR):
            results.append(agree_on_search(lua, shape, classes, documents.sequence(chance, separator), separator))
        results += [agree_on_search(lua, shape, classes, documents.document(chance).encode()) for _ in range(3)]
        results += [agree_on_search(lua, shape, classes, documents.broken(chance)) for _ in range(2)]
        results += [agree_on_search(lua, shape, classes, documents.form(chance), b"form") for _ in range(3)]
    assert sum(bool(result) for result in results) > len(results) / 10
