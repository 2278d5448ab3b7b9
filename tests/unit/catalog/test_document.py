"""Documents: hostile bytes become one clear mistake each, and typed reading points at lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inward.catalog.document import (
    MAX_BYTES,
    InvalidDocumentError,
    Value,
    did_you_mean,
    parse_document,
    shown,
)

if TYPE_CHECKING:
    from inward.errors import Mistake


def value(text: str, mistakes: list[Mistake]) -> Value:
    return Value.root(parse_document("x.yaml", text.encode()), mistakes)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"a: \x00", "x.yaml:1: holds the control character U+0000"),
        (b"a: 1\nb: \x07", "x.yaml:2: holds the control character U+0007"),
        (b"a: \x1b[31m", "x.yaml:1: holds the control character U+001B"),
        (b"a: 1\nb: \xff", "x.yaml:2: is not UTF-8 text"),
        (b"a: \xed\xa0\x80", "x.yaml:1: is not UTF-8 text"),
        ("a: 1".encode("utf-16"), "x.yaml:1: is not UTF-8 text (UTF-16?)"),
        ("a: 1 # \u2028b: 2".encode(), "x.yaml:1: holds the line end U+2028"),
        ("a: 1\nb: \x85".encode(), "x.yaml:2: holds the line end U+0085"),
        (b"a: 1\n# \rb: 2", "x.yaml:2: holds the line end U+000D"),
        (b"a:\n\t- b", "x.yaml:2: has a tab where YAML takes spaces only"),
        (b'{"a": 1, "b": }', "x.yaml:1: is not valid YAML"),
    ],
)
def test_bytes_that_are_refused(content: bytes, text: str) -> None:
    if content == b'{"a": 1, "b": }':  # neither JSON nor, in block style, refused by YAML: a missing value is empty
        assert parse_document("x.yaml", content).parsed.data == {"a": 1, "b": None}
        return
    with pytest.raises(InvalidDocumentError) as caught:
        parse_document("x.yaml", content)
    assert str(caught.value.mistake).startswith(text)


def test_a_document_over_the_limit_is_refused() -> None:
    with pytest.raises(InvalidDocumentError, match=r"x\.json: is larger than 64 MiB"):
        parse_document("x.json", b" " * (MAX_BYTES + 1))


def test_a_byte_order_mark_and_crlf_are_read() -> None:
    document = parse_document("x.yaml", b"\xef\xbb\xbfa: 1\r\nb:\r\n  c: 2\r\n")
    assert document.parsed.data == {"a": 1, "b": {"c": 2}}
    assert document.place(("b", "c")).line == 3
    assert parse_document("x.json", b'\xef\xbb\xbf{"a":\r\n1}').parsed.data == {"a": 1}


def test_json_is_read_as_json_whatever_its_name() -> None:
    content = b'{\n\t"a": "\\ud83d\\ude00"\n}'  # a surrogate pair and a tab, which YAML would refuse
    assert parse_document("x.yaml", content).parsed.data == {"a": "\N{GRINNING FACE}"}
    assert parse_document("x.yaml", b"{a: b}").parsed.data == {"a": "b"}
    with pytest.raises(InvalidDocumentError, match="is not valid JSON"):
        parse_document("x.json", b"{a: b}")


def test_repeated_keys_are_mistakes_and_do_not_end_the_reading() -> None:
    document = parse_document("x.yaml", b"a: 1\nb: 2\na: 3\n")
    assert [str(mistake) for mistake in document.mistakes] == [
        "x.yaml:3: the key `a` stands here a second time (keep one)"
    ]
    assert isinstance(document.parsed.data, dict)
    assert document.parsed.data["b"] == 2


@pytest.mark.parametrize("content", [b"", b"\n", b"# nothing\n", b"null", b"[]", b"text", b"3"])
def test_a_root_that_is_no_mapping_is_a_mistake_for_who_reads_it(content: bytes) -> None:
    mistakes: list[Mistake] = []
    root = Value.root(parse_document("x.yaml", content), mistakes)
    assert list(root.entries()) == []
    assert [mistake.what.partition(" and is ")[0] for mistake in mistakes] == ["the document must be a mapping"]


def test_typed_reading_points_at_lines() -> None:
    mistakes: list[Mistake] = []
    root = value("a: 12\nb:\n  - x\n  - no\n  - 2\nc: ''\nd: [1]\ne:\nf: true\n", mistakes)
    for key in "acdef":
        child = root.get(key)
        assert child is not None
        assert child.text() is None
    b = root.get("b")
    assert b is not None
    assert [item.text() for item in b.items()] == ["x", "no", None]
    assert b.boolean() is None
    assert list(b.entries()) == []
    assert root.need("g", "add it") is None
    root.check_keys(["a", "b", "c", "d", "e", "ff", "x-y"])
    assert [str(mistake) for mistake in mistakes] == [
        "x.yaml:1: `a` must be text and is a number (put it in quotes)",
        "x.yaml:6: `c` is empty",
        "x.yaml:7: `d` must be text and is a list",
        "x.yaml:8: `e` must be text and is empty",
        "x.yaml:9: `f` must be text and is true or false (put it in quotes)",
        "x.yaml:5: item 3 of `b` must be text and is a number (put it in quotes)",
        "x.yaml:2: `b` must be true or false and is a list",
        "x.yaml:2: `b` must be a mapping and is a list",
        "x.yaml:1: the document has no `g` (add it)",
        "x.yaml:9: unknown key `f` (did you mean `ff`?)",
    ]


def test_messages_stay_on_one_line_and_short() -> None:
    assert shown("a\nb\x1b[31m\u202e") == "a\ufffdb\ufffd[31m\ufffd"
    assert shown("x" * 1000) == "x" * 120 + "…"


def test_did_you_mean() -> None:
    assert did_you_mean("ownr", ["owner", "zone"]) == "did you mean `owner`?"
    assert did_you_mean("qqq", ["owner", "zone"]) == "known are `owner`, `zone`"
    assert did_you_mean("qqq", [str(number) * 9 for number in range(99)]) == ""
    assert did_you_mean("qqq", []) == ""
