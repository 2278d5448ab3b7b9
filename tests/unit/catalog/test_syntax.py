"""YAML and JSON: the same data and lines from both, nothing surprising, nothing unbounded."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inward.catalog.syntax import MAX_ALIASED, MAX_DEPTH, InvalidSyntaxError, parse_json, parse_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.catalog.syntax import Data, DataPath, Parsed

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\x85\u2028\u2029"))
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | TEXT | st.sampled_from(["{", '"', "\\", "],"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))


def paths(data: Data, at: DataPath = ()) -> Iterator[DataPath]:
    yield at
    if isinstance(data, dict):
        for key, value in data.items():
            yield from paths(value, (*at, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from paths(value, (*at, index))


@settings(deadline=None)  # the machine may be busy
@given(VALUES, st.sampled_from([None, 0, 2]))
def test_json_gives_its_data_and_the_lines_that_a_yaml_reader_gives(data: Data, indent: int | None) -> None:
    text = json.dumps(data, indent=indent, ensure_ascii=False)
    as_json, as_yaml = parse_json(text), parse_yaml(text)
    assert as_json.data == data
    for path in paths(data):
        assert as_json.line_of(path) == as_yaml.line_of(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(
            (word, word)
            for word in ("no", "on", "off", "yes", "Y", "n", "NO", "1_000", "12:30:45", "2024-01-01", "0o8")
        ),
        *((word, None) for word in ("~", "null", "Null", "NULL", "")),
        *((word, True) for word in ("true", "True", "TRUE")),
        *((word, False) for word in ("false", "False", "FALSE")),
        *(
            ("12", 12),
            ("-12", -12),
            ("+3", 3),
            ("0o17", 15),
            ("0x1F", 31),
            ("007", 7),
            ("0b1", "0b1"),
        ),
        *(
            ("1.5", 1.5),
            ("-.5e3", -500.0),
            ("1e3", 1000.0),
            (".inf", math.inf),
            ("-.Inf", -math.inf),
            ("1.2.3", "1.2.3"),
        ),
        *(("'12'", "12"), ('"true"', "true"), ("''", ""), ('"\\u0041"', "A")),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_plain_scalars_mean_what_yaml_1_2_says(text: str, value: Data) -> None:
    parsed = parse_yaml(f"a: {text}")
    assert parsed.data == {"a": value}
    assert isinstance(parsed.data, dict)
    assert type(parsed.data["a"]) is type(value)


def test_a_number_that_is_none_is_read() -> None:
    data = parse_yaml(".nan").data
    assert isinstance(data, float)
    assert math.isnan(data)


def test_keys_are_text_as_written() -> None:
    assert parse_yaml("200: a\nno: b\n~: c\n1.0: d\ntrue: e\n").data == {
        "200": "a",
        "no": "b",
        "~": "c",
        "1.0": "d",
        "true": "e",
    }


def lines(parsed: Parsed) -> dict[DataPath, int]:
    return {path: parsed.line_of(path) for path in paths(parsed.data)}


def test_yaml_lines_are_those_of_keys_and_items() -> None:
    text = "# 1\na:\n  b: |\n    text\n    more\n  c:\n    - 1\n    - x: 2\n      y:\n       3\n    -\n     - 4\n"
    assert lines(parse_yaml(text)) == {
        (): 2, ("a",): 2, ("a", "b"): 3, ("a", "c"): 6, ("a", "c", 0): 7, ("a", "c", 1): 8,
        ("a", "c", 1, "x"): 8, ("a", "c", 1, "y"): 9, ("a", "c", 2): 12, ("a", "c", 2, 0): 12,
    }  # fmt: skip


def test_json_lines_are_those_of_keys_and_items() -> None:
    text = '\n{ "a":\n  {"b": "x\\"]",\n "c": [\n1, {"x": [[], {}],\n"y": 3}]} }'
    assert lines(parse_json(text)) == {
        (): 2, ("a",): 2, ("a", "b"): 3, ("a", "c"): 4, ("a", "c", 0): 5, ("a", "c", 1): 5,
        ("a", "c", 1, "x"): 5, ("a", "c", 1, "x", 0): 5, ("a", "c", 1, "x", 1): 5, ("a", "c", 1, "y"): 6,
    }  # fmt: skip


def test_repeated_keys_are_told_with_their_lines() -> None:
    assert parse_yaml("a: 1\nb:\n  c: 1\n  'c': 2\na: {x: 1, x: 2}\n").repeated == (
        ("c", 4),
        ("x", 5),
        ("a", 5),
    )
    text = '{"a": 1,\n"b": {"c": 1,\n"\\u0063": 2},\n"a": [{"c": 1}, {"c": 1}]}'
    assert parse_json(text).repeated == (("c", 3), ("a", 4))


def test_an_alias_stands_for_its_value() -> None:
    parsed = parse_yaml("a: &x\n  b: [1]\nc:\n  - *x\n  - &y 7\nd: *y\n")
    assert parsed.data == {"a": {"b": [1]}, "c": [{"b": [1]}, 7], "d": 7}
    assert parsed.line_of(("c", 0)) == 4
    assert parsed.line_of(("c", 0, "b")) == 2  # where it was written


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("a: b: c", 1, "mapping values are not allowed"),
        ("a:\n\tb: 1", 2, "has a tab"),
        ("a: 'x", 1, "unexpected end"),
        ("a: @b", 1, "cannot start any token"),
        ("- a\nb: c", 2, "is not valid YAML"),
        ("a: [1\n", 2, "is not valid YAML"),
        ("a: 1\n---\nb: 2", 2, "more than one document"),
        ("a:\n  !!python/object/apply:os.system ['true']", 2, "has a tag"),
        ("a: !!str 1", 1, "has a tag"),
        ("a: ! 1", 1, "has a tag"),
        ("a: !x {b: 1}", 1, "has a tag"),
        ("x: &x {a: 1}\ny:\n  <<: *x", 3, "has a merge key"),
        ("? [a]\n: b", 1, "has a key that is no text"),
        ("{a: 1}: b", 1, "has a key that is no text"),
        ("{[a]: b}", 1, "has a key that is no text"),
        ("a: &a b\n*a : c", 2, "has the alias `*a` as a key"),
        ("a: *x", 1, "before its anchor is complete"),
        ("a: &x [*x]", 1, "before its anchor is complete"),
        ("a: &x 1\nb: &x [*x]", 2, "before its anchor is complete"),
        ("a: \x90", 1, "holds a control character"),
        ("%YAML 3.0\n---\na", 1, "is not valid YAML"),
    ],
)
def test_what_yaml_is_refused(text: str, line: int, why: str) -> None:
    with pytest.raises(InvalidSyntaxError) as caught:
        parse_yaml(text)
    assert why in caught.value.message
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("", 1, "truncated"),
        ('{"a": 1,}', 1, "trailing comma"),
        ('{"a": 1}\n x', 2, "trailing"),
        ('{"a":\n NaN}', 2, "invalid"),
        ('{"a": "\\ud800"}', 1, "not valid JSON"),
        ("{'a': 1}", 1, "not valid JSON"),
        ("[" + "1" * 5000 + "]", 1, "out of range"),
        ('{"a": "x\ny"}', 1, "not valid JSON"),
    ],
)
def test_what_json_is_refused(text: str, line: int, why: str) -> None:
    with pytest.raises(InvalidSyntaxError) as caught:
        parse_json(text)
    assert why in caught.value.message
    assert caught.value.line == line


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ("[\n", "]"), ('{"a":\n', "}")])
def test_deep_json_is_refused_and_less_deep_is_not(opening: str, closing: str) -> None:
    for depth in (MAX_DEPTH + 1, 10_000, 200_000):
        with pytest.raises(InvalidSyntaxError, match="levels deep") as caught:
            parse_json(opening * depth + "1" + closing * depth)
        assert caught.value.line == (MAX_DEPTH + 1 if "\n" in opening else 1)
        with pytest.raises(InvalidSyntaxError):
            parse_json(opening * depth)
    parse_json(opening * MAX_DEPTH + "1" + closing * MAX_DEPTH)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_yaml_is_refused_at_once(opening: str) -> None:
    begun = time.process_time()
    with pytest.raises(InvalidSyntaxError):
        parse_yaml(opening * 10_000)
    assert time.process_time() - begun < 2


def test_deep_indentation_is_refused_and_less_deep_is_not() -> None:
    def nested(depth: int) -> str:
        return "\n".join(" " * level + "a:" for level in range(depth))

    parse_yaml(nested(MAX_DEPTH))
    with pytest.raises(InvalidSyntaxError, match="levels deep") as caught:
        parse_yaml(nested(MAX_DEPTH + 1))
    assert caught.value.line == MAX_DEPTH + 1


def test_aliases_that_multiply_are_refused() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    with pytest.raises(InvalidSyntaxError, match="aliases that stand for more than"):
        parse_yaml(bomb)


def test_a_million_aliases_are_refused() -> None:
    text = "a: &a [x]\nb: [" + "*a," * (MAX_ALIASED // 2 + 1) + "]"
    with pytest.raises(InvalidSyntaxError, match="aliases that stand for more than"):
        parse_yaml(text)


def test_some_aliases_are_not_refused() -> None:
    data = parse_yaml("a: &a [x]\nb: [" + "*a," * 1000 + "]").data
    assert isinstance(data, dict)
    assert data["b"] == [["x"]] * 1000


def test_an_empty_yaml_text_is_nothing() -> None:
    for text in ("", "\n", "# only a comment\n", "---\n"):
        assert parse_yaml(text).data is None
