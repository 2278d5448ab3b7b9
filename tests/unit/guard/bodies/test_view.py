"""Views: what is withheld never gets out, and what may be shown stays as it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inward.catalog.shape import Node, Shape
from inward.guard.bodies.view import MAX_DEPTH, RECORD_SEPARATOR, View
from inward.viewing.places import UnviewableError

if TYPE_CHECKING:
    from inward.catalog.model import Undisclosed

EMAIL = "pii.email"
CUSTOMER = Shape((Node(fields={"email": 1, "contact": 2}), Node(classes=(EMAIL,)), Node(fields={"email": 1})))
LISTED = Shape((Node(items=1), Node(fields={"email": 2}), Node(classes=(EMAIL,))))
MAPPED = Shape((Node(rest=1), Node(fields={"email": 2}), Node(classes=(EMAIL,))))
TREE = Shape((Node(fields={"email": 1, "children": 2}), Node(classes=(EMAIL,)), Node(items=0)))


DEEP = (Node(fields={"contact": 2}), Node(fields={"email": 3}), Node(classes=(EMAIL,)))
DEEP_LISTED, DEEP_MAPPED = Shape((Node(items=1), *DEEP)), Shape((Node(rest=1), *DEEP))


def view(shape: Shape, undisclosed: Undisclosed = "drop", **options: Any) -> View:
    return View(shape, dict.fromkeys(sorted(shape.classes), undisclosed), **options)


def shown(shape: Shape, body: str | bytes, undisclosed: Undisclosed = "drop", **options: Any) -> str:
    encoded = body.encode() if isinstance(body, str) else body
    return view(shape, undisclosed, **options).of(encoded)[0].decode()


# --- what is withheld


@pytest.mark.parametrize(
    ("shape", "document", "expected"),
    [
        (CUSTOMER, '{"id": 1, "email": "a@b", "name": "x"}', '{"id":1,"name":"x"}'),
        (CUSTOMER, '{"id": 1}', '{"id":1}'),
        (CUSTOMER, '{"email": {"deep": ["a@b"]}, "id": 1}', '{"id":1}'),
        (CUSTOMER, '{"contact": {"email": "a@b", "fax": 2}}', '{"contact":{"fax":2}}'),
        (CUSTOMER, '{"email": null, "contact": null}', '{"contact":null}'),
        # one key, however it is written, and however often
        (CUSTOMER, r'{"em\u0061il": "a@b", "id": 1}', '{"id":1}'),
        (CUSTOMER, r'{"\u0065\u006d\u0061\u0069\u006C": "a@b"}', "{}"),
        (CUSTOMER, '{"email": "a@b", "id": 1, "email": "c@d"}', '{"id":1}'),
        (CUSTOMER, r'{"email": null, "em\u0061il": "c@d"}', "{}"),
        (CUSTOMER, '{"contact": {"email": "a@b"}, "contact": {}}', '{"contact":{}}'),
        (CUSTOMER, '{"contact": {}, "contact": {"email": "a@b"}}', '{"contact":{}}'),
        # not as declared
        (CUSTOMER, '[{"email": "a@b", "id": 1}, [{"email": "a@b"}]]', '[{"id":1},[{}]]'),
        (CUSTOMER, '["a@b", 7, true, null, {"id": 1}]', '[null,null,null,null,{"id":1}]'),
        (CUSTOMER, '"a@b"', "null"),
        (CUSTOMER, '{"contact": "a@b"}', "{}"),
        (CUSTOMER, '{"contact": [["a@b"], {"email": "a@b"}]}', '{"contact":[[null],{}]}'),
        (LISTED, '{"email": "a@b", "id": {"x": 1}}', '{"id":{"x":1}}'),
        (LISTED, '{"0": {"email": "a@b", "id": 1}}', '{"0":{"id":1}}'),
        (LISTED, '[[{"email": "a@b"}]]', "[[{}]]"),
        (DEEP_LISTED, '{"contact": {"contact": {"email": "a@b", "id": {}}}}', '{"contact":{"contact":{"id":{}}}}'),
        (DEEP_MAPPED, '[{"contact": {"email": "a@b", "id": {}}}]', '[{"contact":{"id":{}}}]'),
        (MAPPED, '{"a": {"email": "a@b", "id": 1}}', '{"a":{"id":1}}'),
        (MAPPED, '[{"email": "a@b"}, {"x": {"email": "a@b"}}]', '[{},{"x":{}}]'),
        (TREE, '{"children": [{"children": [{"email": "a@b", "id": 2}]}]}', '{"children":[{"children":[{"id":2}]}]}'),
    ],
)  # fmt: skip
def test_nothing_that_is_withheld_gets_out(shape: Shape, document: str, expected: str) -> None:
    assert shown(shape, document) == expected


def test_a_class_on_the_whole_document_withholds_all_of_it() -> None:
    whole = Shape((Node(classes=(EMAIL,), items=0),))
    assert shown(whole, '["a@b"]') == "null"
    assert shown(whole, '"ada@example.com"', "mask") == '"****.com"'


def test_a_disclosed_class_is_shown_with_what_is_withheld_inside() -> None:
    shape = Shape((Node(classes=("pii",), fields={"email": 1}), Node(classes=(EMAIL,))))
    body, cut = View(shape, {EMAIL: "drop"}).of(b'{"email": 1, "name": 2}')
    assert (body, set(cut)) == (b'{"name":2}', {EMAIL})
    assert View(shape, {"pii": "drop"}).of(b'{"email": 1}') == (b"null", frozenset({"pii"}))


def test_a_field_of_its_own_is_not_one_of_the_rest() -> None:
    shape = Shape((Node(fields={"id": 1}, rest=2), Node(), Node(classes=(EMAIL,))))
    assert shown(shape, '{"id": 1, "any": 2, "other": [3]}') == '{"id":1}'


def test_only_what_was_withheld_is_told() -> None:
    shape = Shape((Node(fields={"email": 1, "phone": 2}), Node(classes=(EMAIL,)), Node(classes=("pii.phone",))))
    made = View(shape, {EMAIL: "drop", "pii.phone": "null"})
    assert made.of(b'{"email": 1}')[1] == {EMAIL}
    assert made.of(b'{"phone": null, "email": 1}')[1] == {EMAIL, "pii.phone"}
    assert made.of(b"{}")[1] == frozenset()
    assert made.of(b'"both"')[1] == {EMAIL, "pii.phone"}


def test_the_strictest_of_several_classes_counts() -> None:
    shape = Shape((Node(fields={"email": 1}), Node(classes=(EMAIL, "secret"))))
    assert View(shape, {EMAIL: "mask", "secret": "null"}).of(b'{"email": "ada@example.com"}')[0] == b'{"email":null}'
    assert View(shape, {EMAIL: "mask"}).of(b'{"email": "ada@example.com"}')[0] == b'{"email":"****.com"}'


# --- in other words


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ('"4111111111111111"', '"****1111"'),
        ("4111111111111111", '"****1111"'),
        ('"1234567"', '"****"'),
        ('""', '"****"'),
        ('"12345678"', '"****5678"'),
        (r'"na\u00efve caf\u00e9"', '"****café"'),
        ("null", "null"),
        ("1e400", '"****"'),
    ],
)
def test_a_masked_value_shows_its_last_four_and_not_its_length(value: str, masked: str) -> None:
    assert shown(CUSTOMER, f'{{"email":{value}}}', "mask") == f'{{"email":{masked}}}'


@pytest.mark.parametrize("undisclosed", ["mask", "tokenise"])
@pytest.mark.parametrize("value", ["true", "[1]", '{"a": "b"}'])
def test_what_is_no_text_and_no_number_is_dropped(undisclosed: Undisclosed, value: str) -> None:
    assert shown(CUSTOMER, f'{{"email":{value}}}', undisclosed, key=b"k") == "{}"


def test_a_token_is_the_same_for_one_caller_class_and_value() -> None:
    def token(value: str, caller: str = "checkout", key: bytes = b"k" * 32) -> str:
        return str(json.loads(shown(CUSTOMER, f'{{"email":{value}}}', "tokenise", caller=caller, key=key))["email"])

    first = token('"a@b"')
    assert first.startswith("tok_")
    assert len(first) == 26
    assert token(r'"\u0061@b"') == first
    others = [token('"a@c"'), token('"a@b"', "billing"), token('"a@b"', key=b"l" * 32), token("1"), token('"1"')]
    assert len({first, *others}) == 6


def test_without_a_key_nothing_is_tokenised() -> None:
    assert shown(CUSTOMER, '{"email": "a@b"}', "tokenise") == "{}"


# --- what may be shown stays as it is


@pytest.mark.parametrize(
    "kept",
    [
        "1.000000000000000000001e400", "-0.0", "123456789012345678901234567890", "1E5", r'"\u00e9\ud83d\ude00\/"',
        '{"b": 1, "a": 2, "b": 3}', "[ 1 , [ ] ]", "null", '"\u2028"',
    ],
)  # fmt: skip
def test_a_part_without_marks_is_copied(kept: str) -> None:
    assert shown(CUSTOMER, f'{{"z":{kept},"email":1,"a":{kept}}}') == f'{{"z":{kept},"a":{kept}}}'


def test_a_document_without_a_place_for_it_is_left_alone() -> None:
    body = b' {"email" : 1, "email": 2} '
    assert View(Shape(), {EMAIL: "drop"}).of(body) == (body, frozenset())
    assert View(CUSTOMER, {}).of(body) == (body, frozenset())


# --- what has no view


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b'{"email": 1', b'{"id": 1} x', b'{"id": 1}{"email": "a@b"}', b"[NaN]", b'{"id": [Infinity]}',
        b"[-Infinity]", b'\xef\xbb\xbf{"email": 1}', '{"email": 1}'.encode("utf-16"), b'{"id": "\xff"}', b'{"\xff": 1}',
        b'{"id": "\xed\xa0\x80"}', rb'{"id": "\ud800"}', rb'{"\udc00": 1}', b'{"id": 01}', b'{"id": 1,}', b"{'id': 1}",
        b'{"id": "\x00"}', b"+AHsAIgBlAG0AYQBpAGwAIgA6ADEAfQ-", b"{email: 1}", b'/**/{"email": 1}', b'{"id": .5}',
        b'\x00{"email":1}', b'{"id": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", b"[" * 50_000 + b"]" * 50_000,
    ],
)  # fmt: skip
def test_what_is_not_strict_json_is_not_shown(body: bytes) -> None:
    with pytest.raises(UnviewableError) as raised:
        view(CUSTOMER).of(body)
    assert raised.value.code == "unviewable"
    assert "a@b" not in str(raised.value)


def test_what_is_looked_into_is_bounded() -> None:
    def nested(levels: int) -> bytes:
        return b'{"children":[' * levels + b'{"email":1}' + b"]}" * levels

    deepest = (MAX_DEPTH - 1) // 2
    assert b"email" not in view(TREE).of(nested(deepest))[0]
    for levels in (deepest + 1, 100, 300):
        with pytest.raises(UnviewableError):
            view(TREE).of(nested(levels))
    with pytest.raises(UnviewableError, match="deeper"):
        view(CUSTOMER).of(b"[" * 100 + b"]" * 100)


# --- sequences


def test_json_lines_are_documents_of_their_own() -> None:
    body = b'{"email": 1, "id": 1}\r\n\n[{"email": 2}]\n"a@b"\n'
    assert view(CUSTOMER).of_sequence(body) == (b'{"id":1}\n\n[{}]\nnull\n', frozenset({EMAIL}))
    for wrong in (b'{"id": 1}\n{"email"', b'{"id": 1}\n\xef\xbb\xbf{"email": 1}\n', b'{"email":\n1}'):
        with pytest.raises(UnviewableError):
            view(CUSTOMER).of_sequence(wrong)


def test_json_lines_may_be_declared_as_the_array_of_all() -> None:
    assert view(LISTED).of_sequence(b'{"email": 1, "id": 1}\n[{"email": 1}]\n')[0] == b'{"id":1}\n[{}]\n'


def test_a_class_of_the_array_of_all_is_one_of_each_line() -> None:
    shape = Shape((Node(classes=("pii",), items=1), Node(fields={"email": 2}), Node(classes=(EMAIL,))))
    assert View(shape, {"pii": "drop"}).of_sequence(b'{"id": 1}\n[1]\n')[0] == b"null\nnull\n"
    assert View(shape, {EMAIL: "drop"}).of_sequence(b'{"email": 1, "id": 1}\n')[0] == b'{"id":1}\n'


def test_a_json_text_sequence_has_its_separators() -> None:
    body = b'\x1e{"email":\n 1}\n\x1e{"id": 2}\n'
    assert view(CUSTOMER).of_sequence(body, RECORD_SEPARATOR) == (b'\x1e{}\n\x1e{"id":2}\n', frozenset({EMAIL}))


# --- any shape, any document

SECRET = "sEcReT"
KEYS = st.sampled_from(["a", "b", "email", "é", "\u0000", 'q"uote', "__proto__"])
PLAIN = st.one_of(
    st.sampled_from(["1", "-0.0", "1e999", "0.10000000000000000000000001", '"x"', '"\\u00e9"', "true", "[]", "{}"]),
    st.integers().map(str),
    st.text().map(lambda text: json.dumps(text, ensure_ascii=False) if _encodable(text) else '"?"'),
)


def _encodable(text: str) -> bool:
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in text)


@st.composite
def declared(draw: st.DrawFn, nodes: list[Node], depth: int = 0) -> tuple[int, str, str | None]:
    """Make one place of a shape, a document for it, and what is shown of that; None where nothing is."""
    number = len(nodes)
    nodes.append(Node())
    kind = draw(st.sampled_from(["plain", "secret", "object", "map", "array"] if depth < 4 else ["plain", "secret"]))
    if kind == "plain":
        text = draw(PLAIN)
        return number, text, text
    if kind == "secret":
        nodes[number] = Node(classes=(EMAIL,))
        return number, draw(st.sampled_from([f'"{SECRET}"', f'["{SECRET}", 1]', f'{{"{SECRET}": 1}}'])), None
    if kind == "object":
        fields: dict[str, int] = {}
        parts, kept = [], []
        for key in draw(st.lists(KEYS, unique=True, max_size=4)):
            fields[key], text, left = draw(declared(nodes, depth + 1))
            parts.append(f"{_written(draw, key)}: {text}")
            kept += [f"{json.dumps(key)}:{left}"] if left is not None else []
        nodes[number] = Node(fields=fields)
        return number, "{" + " , ".join(parts) + "}", "{" + ",".join(kept) + "}"
    below, text, left = draw(declared(nodes, depth + 1))
    count = draw(st.integers(0, 3))
    if kind == "array":
        nodes[number] = Node(items=below)
        return number, "[" + ", ".join([text] * count) + "]", "[" + ",".join([left or "null"] * count) + "]"
    nodes[number] = Node(rest=below)
    keys = draw(st.lists(KEYS, unique=True, min_size=count, max_size=count))
    full = "{" + ",".join(f"{_written(draw, key)}:{text}" for key in keys) + "}"
    return number, full, "{" + ",".join(f"{json.dumps(key)}:{left}" for key in keys if left is not None) + "}"


def _written(draw: st.DrawFn, key: str) -> str:
    """Write a key in one of the ways in which JSON allows it."""
    if draw(st.booleans()):
        return json.dumps(key)
    return '"' + "".join(f"\\u{ord(character):04x}" for character in key) + '"'


def parsed(text: str) -> Any:
    """Parse a document so that digits, the order of keys and keys that stand twice count."""
    return json.loads(text, object_pairs_hook=lambda pairs: ("object", pairs), parse_float=str, parse_int=str)


@settings(deadline=None)
@given(data=st.data())
def test_a_declared_document_is_shown_but_for_what_is_withheld(data: st.DataObject) -> None:
    nodes: list[Node] = []
    _, text, left = data.draw(declared(nodes))
    found = shown(Shape(tuple(nodes)), text)
    assert SECRET not in found
    assert parsed(found) == parsed(left if left is not None else "null")


@settings(deadline=None)
@given(data=st.data())
def test_nothing_gets_out_of_a_document_that_is_not_as_declared(data: st.DataObject) -> None:
    nodes: list[Node] = []
    _, text, _ = data.draw(declared(nodes))

    def misshapen(value: Any) -> Any:
        if isinstance(value, dict):
            value = {key: misshapen(each) for key, each in value.items()}
            how = data.draw(st.sampled_from(["as it is", "in an array", "its values"]))
        elif isinstance(value, list):
            value = [misshapen(each) for each in value]
            how = data.draw(st.sampled_from(["as it is", "one", "a map", "in an array", "as text"]))
        else:
            return value
        if how == "in an array":
            return [value]
        if how == "one" and value:
            return value[0]
        if how == "a map":
            return {str(number): each for number, each in enumerate(value)}
        return json.dumps(value) if how == "as text" else value

    shape = Shape(tuple(nodes))
    document = misshapen(json.loads(text, parse_float=str))
    if SECRET in shown(shape, json.dumps(document)):
        assert SECRET in unplaced(shape, document)


def unplaced(shape: Shape, document: Any) -> str:  # noqa: C901 - one rule of the module after the other
    """Return what of a document no reading of the shape leads to: an oracle that tries them all, one by one."""
    nodes = shape.nodes

    def is_object(node: Node) -> bool:
        return bool(node.fields) or node.rest is not None

    def holds(number: int, seen: frozenset[int] = frozenset()) -> bool:
        edges = [edge for edge in nodes[number].edges if edge not in seen]
        return EMAIL in nodes[number].classes or any(holds(edge, seen | {edge}) for edge in edges)

    def of_field(number: int, key: str) -> set[int]:
        node = nodes[number]
        if node.items is not None and not is_object(node):
            return {node.items} | of_field(node.items, key)
        found = node.fields.get(key, node.rest)
        return set() if found is None else {found}

    def of_element(number: int) -> set[int]:
        node = nodes[number]
        if node.items is not None:
            return {node.items}
        return {number} if node.rest is None else {number, node.rest}

    def left(value: Any, meant: set[int]) -> Any:
        meant = {number for number in meant if holds(number)}
        if not meant:
            return value
        if any(EMAIL in nodes[number].classes for number in meant):
            return None
        if isinstance(value, dict):
            return {
                key: left(each, {edge for number in meant for edge in of_field(number, key)})
                for key, each in value.items()
            }
        if isinstance(value, list):
            return [left(each, {edge for number in meant for edge in of_element(number)}) for each in value]
        return None

    return json.dumps(left(document, {0}))


# --- many values at one place, which are looked at together

MANY = 40
COLUMNS = Shape(
    (Node(items=1), Node(fields={"email": 2, "contact": 3}), Node(classes=(EMAIL,)), Node(fields={"email": 2}))
)
HELD: list[Any] = [
    "ada@example.com",
    "x",
    "",
    12345678901,
    None,
    True,
    ["ada@example.com"],
    {"email": "ada@example.com"},
]


@pytest.mark.parametrize("undisclosed", ["drop", "null", "mask", "tokenise"])
@pytest.mark.parametrize("key", [b"k" * 32, b""])
@pytest.mark.parametrize(
    "held",
    [HELD[:1], HELD[:3], HELD[3:4], [*HELD[:2], None], [None], HELD, HELD[4:]],
    ids=["texts", "short", "numbers", "nullable", "nulls", "mixed", "odd"],
)
@pytest.mark.parametrize("around", ['{"id":%d,"email":%s}', '{"contact":{"email":%s,"id":%d}}', "%s"])
def test_a_column_is_shown_as_each_of_its_values(
    undisclosed: Undisclosed, key: bytes, held: list[Any], around: str
) -> None:
    def document(value: Any, number: int) -> str:
        given = json.dumps(value)
        if around == "%s":
            return given
        return around % ((number, given) if around.startswith('{"id"') else (given, number))

    each = [document(held[number % len(held)], number) for number in range(MANY)]
    options = {"caller": "till", "key": key}
    alone = [shown(COLUMNS, f"[{one}]", undisclosed, **options)[1:-1] for one in each]
    together = shown(COLUMNS, f"[{','.join(each)}]", undisclosed, **options)
    assert together == f"[{','.join(alone)}]"
    assert "ada@example.com" not in together


def test_of_a_column_only_what_was_there_is_told_to_be_withheld() -> None:
    shape = Shape((Node(items=1), Node(fields={"a": 2, "b": 3}), Node(classes=("a",)), Node(classes=("b",))))
    document = json.dumps([{"a": number} for number in range(MANY)]).encode()
    for undisclosed in ("drop", "null", "mask"):
        assert view(shape, undisclosed).of(document)[1] == {"a"}


def test_a_column_in_which_one_has_the_field_twice() -> None:
    document = "[" + '{"email":1},' * MANY + r'{"em\u0061il":1,"id":2,"email":3}' + "]"
    assert shown(LISTED, document) == "[" + "{}," * MANY + '{"id":2}]'


@pytest.mark.parametrize(
    "broken", ['{"email":1', '{"email":1}}', "{'a':1}", '{"id":01}', '{"id":"\x01"}', '{"id":"\\ud800"}']
)
def test_a_column_in_which_one_is_broken_has_no_view(broken: str) -> None:
    for undisclosed in ("drop", "mask"):
        with pytest.raises(UnviewableError):
            shown(LISTED, "[" + '{"email":"ada@example.com"},' * MANY + broken + "]", undisclosed)


def test_columns_are_looked_into_as_deep_as_single_values() -> None:
    shape = Shape((Node(items=1), Node(fields={"in": 1, "email": 2}), Node(classes=(EMAIL,))))

    def looked_into(*rows: str) -> bool:
        try:
            return "email" not in shown(shape, f"[{','.join(rows)}]")
        except UnviewableError:
            return False

    outcomes = []
    for levels in (MAX_DEPTH - 3, MAX_DEPTH - 2, MAX_DEPTH - 1, MAX_DEPTH):
        row = '{"in":' * levels + '{"email":1}' + "}" * levels
        outcomes.append(looked_into(row))
        assert looked_into(*[row] * MANY) == outcomes[-1], levels
    assert set(outcomes) == {True, False}


def test_the_oracle_finds_what_a_shape_does_not_place() -> None:
    assert unplaced(CUSTOMER, {"email": 1, "id": {"email": SECRET}}) == json.dumps(
        {"email": None, "id": {"email": SECRET}}
    )


@settings(deadline=None)
@given(
    st.recursive(st.sampled_from([None, True, 1, SECRET]), lambda each: st.lists(each) | st.dictionaries(KEYS, each))
)
def test_a_view_of_a_view_changes_nothing(document: Any) -> None:
    for shape in (CUSTOMER, LISTED, MAPPED, TREE):
        once = shown(shape, json.dumps(document))
        assert shown(shape, once) == once
