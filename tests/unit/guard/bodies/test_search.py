"""Searches: what a service may not receive is found in whatever way it is written, and nothing else is."""

from __future__ import annotations

import contextlib
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.guard.bodies.test_view import (
    CUSTOMER,
    DEEP_LISTED,
    DEEP_MAPPED,
    EMAIL,
    KEYS,
    LISTED,
    MAPPED,
    SECRET,
    TREE,
    declared,
    view,
)

from inward.catalog.shape import Node, Shape
from inward.guard.bodies.search import Search, UnreadableError, fields_of
from inward.guard.bodies.view import LINE_FEED, MAX_DEPTH, RECORD_SEPARATOR

FOUND, NOTHING = frozenset({EMAIL}), frozenset[str]()
BOTH = Shape((Node(fields={"email": 1, "phone": 2}), Node(classes=(EMAIL,)), Node(classes=("pii.phone",))))


def search(shape: Shape) -> Search:
    return Search(shape, shape.classes)


@pytest.mark.parametrize(
    ("shape", "document"),
    [
        (CUSTOMER, '{"id": 1, "email": "a@b"}'),
        (CUSTOMER, '{"email": ""}'),
        (CUSTOMER, '{"email": false}'),
        (CUSTOMER, '{"email": []}'),
        (CUSTOMER, '{"email": {"deep": null}}'),
        (CUSTOMER, '{"contact": {"fax": 1, "email": 0}}'),
        # one key, however it is written, and however often
        (CUSTOMER, r'{"\u0065\u006d\u0061\u0069\u006C": 1}'),
        (CUSTOMER, '{"email": 1, "id": 1, "email": null}'),
        (CUSTOMER, '{"email": null, "id": 1, "email": 1}'),
        (CUSTOMER, r'{"em\u0061il": null, "email": 1}'),
        (CUSTOMER, '{"contact": {"email": 1}, "contact": {}}'),
        (CUSTOMER, r'{"a\u003ab\u003ac": 1, "email": 1, "email": null}'),
        (CUSTOMER, r'{"a:b": ":", "email": 1, "email": null}'),
        (LISTED, '[{}, {"email": 1, "email": null}, {"id": ":"}]'),
        (LISTED, r'[{"x\u003a": 1}, {"email": 1, "email": null}]'),
        (CUSTOMER, '{"contact": {}, "contact": {"email": 1}}'),
        # not as declared
        (CUSTOMER, '[{"id": 1}, [{"email": "a@b"}]]'),
        (CUSTOMER, '"a@b"'),
        (CUSTOMER, "0"),
        (CUSTOMER, '{"contact": "a@b"}'),
        (CUSTOMER, '{"contact": [["a@b"]]}'),
        (LISTED, '{"email": "a@b"}'),
        (LISTED, '{"0": {"email": "a@b"}}'),
        (DEEP_LISTED, '{"contact": {"contact": {"email": "a@b"}}}'),
        (DEEP_MAPPED, '[{"contact": {"email": "a@b"}}]'),
        (MAPPED, '{"a": {"email": "a@b"}}'),
        (TREE, '{"children": [{"children": [{"email": "a@b"}]}]}'),
    ],
)
def test_what_may_not_be_sent_is_found(shape: Shape, document: str) -> None:
    assert search(shape).of(document.encode()) == FOUND


@pytest.mark.parametrize(
    ("shape", "document"),
    [
        (CUSTOMER, "{}"),
        (CUSTOMER, "null"),
        (CUSTOMER, "[]"),
        (CUSTOMER, '{"email": null, "contact": null}'),
        (CUSTOMER, '{"email": null, "email": null}'),
        (CUSTOMER, '{"id": {"email": 1}, "Email": 1, "email ": 1, "contact": {"fax": 1e999}}'),
        (CUSTOMER, ' [null , [ ] , {"contact": [{}]} ] '),
        (MAPPED, '{"email": {"fax": 1}}'),
        (TREE, '{"children": [{"children": null}]}'),
    ],
)
def test_nothing_else_is_found(shape: Shape, document: str) -> None:
    assert search(shape).of(document.encode()) == NOTHING


def test_each_class_that_is_there_is_told() -> None:
    assert search(BOTH).of(b'{"email": 1}') == FOUND
    assert search(BOTH).of(b'{"phone": 1, "email": 1}') == {EMAIL, "pii.phone"}
    assert search(BOTH).of(b"1") == {EMAIL, "pii.phone"}
    assert Search(BOTH, FOUND).of(b'{"phone": 1}') == NOTHING


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b'{"id": 1} x', b'{"id": 1}{"id": 2}', b'{"id": NaN}', b'\xef\xbb\xbf{"id": 1}',
        '{"id": 1}'.encode("utf-16"), b'{"id": "\xff"}', b'{"\xff": 1}', rb'{"id": "\ud800"}', rb'{"\udc00": 1}',
        b'{"id": 01}', b"{'id': 1}", b'{"id": "\x00"}', b"[" * 50_000 + b"]" * 50_000, b"[" * 80 + b"]" * 80,
        b'{"email": 1', b'{"email": 1, "id": \x00}',
    ],
)  # fmt: skip
def test_what_is_not_strict_json_cannot_be_read(body: bytes) -> None:
    with pytest.raises(UnreadableError) as raised:
        search(CUSTOMER).of(body)
    assert (raised.value.code, raised.value.status) == ("unreadable", 400)


def test_what_is_looked_into_is_bounded() -> None:
    def nested(levels: int) -> bytes:
        return b'{"children":[' * levels + b"{}" + b"]}" * levels

    deepest = (MAX_DEPTH - 1) // 2
    assert search(TREE).of(nested(deepest)) == NOTHING
    with pytest.raises(UnreadableError, match="deeper"):
        search(TREE).of(nested(deepest + 1))


def test_a_shape_that_can_be_read_in_too_many_ways_is_told_when_a_body_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inward.viewing.places.MAX_PLACES", 1)
    made = search(CUSTOMER)
    assert made.classes == FOUND
    for look in (made.of, made.of_sequence, made.of_form):
        with pytest.raises(UnreadableError) as raised:
            look(b"id=1")
        assert raised.value.status == 415


# --- sequences, forms


@pytest.mark.parametrize("shape", [CUSTOMER, LISTED])
def test_each_document_of_a_sequence_is_searched(shape: Shape) -> None:
    made = search(shape)
    for separator, before in ((LINE_FEED, b""), (RECORD_SEPARATOR, b"\x1e")):
        assert made.of_sequence(before + b'{"id": 1}\n' + before + b"[{}]\n" + before, separator) == NOTHING
        assert made.of_sequence(before + b'{"id": 1}\n' + before + b'{"email": 1}', separator) == FOUND
        with pytest.raises(UnreadableError):
            made.of_sequence(before + b'{"id": 1}\n' + before + b"{", separator)


def test_a_class_of_the_array_of_all_is_one_of_each_line() -> None:
    shape = Shape((Node(classes=(EMAIL,), items=1), Node(classes=("pii.phone",))))
    assert Search(shape, FOUND).of_sequence(b'{"id": 1}\n') == FOUND


@pytest.mark.parametrize(
    ("form", "found"),
    [
        (b"", NOTHING),
        (b"&&=&id=1&email=&x=email=1", NOTHING),
        (b"email=a", FOUND),
        (b"e%6Dail=a", FOUND),
        (b"id=1;email=a", FOUND),
        (b"email=&email=a", FOUND),
        (b"email[]=a", FOUND),
        (b"email%5B0%5D=a", FOUND),
        (b"contact[email]=a", FOUND),
        (b"contact.fax=a", FOUND),
        (b"Email=a&e+mail=a&%ff=a&em%zzail=a&\xff=1&%22%7B=1", NOTHING),
    ],
)
def test_a_form_is_an_object_of_texts(form: bytes, found: frozenset[str]) -> None:
    assert search(CUSTOMER).of_form(form) == found


@pytest.mark.parametrize(
    "body",
    [
        b'{"email": 1}', b' {"x":"=", "email": "a"}', b'["="]', b"[4111]", b"4111", b"id", b"id=1&x",
        b"<email>=a</email>", '{"email": "="}'.encode("utf-16"), '[4111, "="]'.encode("utf-32-le"), b"\xef\xbb\xbf[1]",
    ],
)  # fmt: skip
def test_what_another_program_could_read_otherwise_is_no_form(body: bytes) -> None:
    with pytest.raises(UnreadableError, match="no form"):
        search(CUSTOMER).of_form(body)


def test_a_form_where_all_of_it_may_not_be_sent() -> None:
    whole = search(Shape((Node(classes=(EMAIL,)),)))
    assert (whole.of_form(b"x=1"), whole.of_form(b"x="), whole.of_form(b"")) == (FOUND, NOTHING, NOTHING)
    assert search(MAPPED).of_form(b"x=1") == FOUND
    assert search(Shape((Node(fields={"a b.c": 1}), Node(classes=(EMAIL,))))).of_form(b"a+b.c=1") == FOUND


def test_the_fields_of_a_form() -> None:
    assert list(fields_of(b"a=1&b[c].d=2&=3&e=")) == ["a", "b[c].d", "b", ""]
    assert set(fields_of("é=1".encode())) == {"é"} == set(fields_of(b"%C3%A9=1"))


# --- any shape, any document


@settings(deadline=None)
@given(data=st.data())
def test_a_declared_document_is_let_through_iff_nothing_of_a_class_is_in_it(data: st.DataObject) -> None:
    nodes: list[Node] = []
    _, text, _ = data.draw(declared(nodes))
    shape = Shape(tuple(nodes))
    found = Search(shape, FOUND).of(text.encode()) if shape.classes else NOTHING
    assert bool(found) == (SECRET in text)
    assert Search(shape, FOUND).of(_without(text)) == NOTHING


def _without(text: str) -> bytes:
    """Return a document with null for what is of a class."""

    def null(value: Any) -> Any:
        if SECRET in json.dumps(value) and not _above(value):
            return None
        if isinstance(value, dict):
            return {key: null(each) for key, each in value.items()}
        return [null(each) for each in value] if isinstance(value, list) else value

    def _above(value: Any) -> bool:
        """Whether it only holds what is of a class, and is none of it: see `test_view.declared`."""
        of_class = (SECRET, [SECRET, 1], {SECRET: 1})
        return value not in of_class

    return json.dumps(null(json.loads(text, parse_float=str))).encode()


@settings(deadline=None)
@given(data=st.data())
def test_a_form_is_let_through_iff_no_field_of_a_class_has_a_value(data: st.DataObject) -> None:
    names = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
    pairs = data.draw(st.lists(st.tuples(names, st.sampled_from(["", "1", "&=;"])), max_size=6))
    marked = data.draw(names.filter(lambda name: not {"[", "."} & set(name)))
    shape = Shape((Node(fields={marked: 1}), Node(classes=(EMAIL,))))
    begins = {name.replace(".", "[").partition("[")[0] for name, value in pairs if value}
    assert bool(search(shape).of_form(urlencode(pairs).encode())) == (marked in begins)


def test_a_form_as_programs_write_it() -> None:
    assert search(CUSTOMER).of_form(urlencode({"id": '{"<\x00', "x y": "", "": "="}).encode()) == NOTHING


@settings(deadline=None)
@given(
    st.recursive(st.sampled_from([True, 1, SECRET]), lambda each: st.lists(each) | st.dictionaries(KEYS, each)),
    st.sampled_from([CUSTOMER, LISTED, MAPPED, TREE, DEEP_LISTED, DEEP_MAPPED, BOTH]),
)
def test_without_nulls_it_finds_what_a_view_would_cut(document: Any, shape: Shape) -> None:
    body = json.dumps(document).encode()
    assert search(shape).of(body) == view(shape).of(body)[1]
    assert search(shape).of_sequence(body) == view(shape).of_sequence(body)[1]


@settings(deadline=None)
@given(st.binary(max_size=60), st.sampled_from([CUSTOMER, LISTED, MAPPED, TREE]))
def test_whatever_is_sent_it_is_found_or_not_or_cannot_be_read(body: bytes, shape: Shape) -> None:
    made = search(shape)
    for look in (made.of, made.of_sequence, made.of_form):
        with contextlib.suppress(UnreadableError):
            assert look(body) <= FOUND
