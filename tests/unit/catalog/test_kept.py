from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inward.catalog.document import Document, parse_document
from inward.catalog.folder import SystemFolder
from inward.catalog.kept import DocumentMemo, Kept

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inward.catalog.syntax import Data, DataPath

YAML = b"""\
openapi: 3.1.0
info: {title: Orders,
  version: "1"}

paths:
  /orders:
    get:
      tags: [a,
        b, {c: null}]
      x-number: 1.5
      x-large: 9223372036854775807
      200: true
  "/orders/{id}":
    # nothing yet
empty: {}
"""


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def paths(data: Data, at: DataPath = ()) -> Iterator[DataPath]:
    yield at
    children = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, child in children:
        yield from paths(child, (*at, key))


def again(name: str, content: bytes) -> Document | None:
    kept = Kept.of(parse_document(name, content), digest(content))
    if kept is None:
        return None
    return msgspec.json.decode(msgspec.json.encode(kept), type=Kept).document(name, content)


def assert_same(name: str, content: bytes) -> None:
    before, after = parse_document(name, content), again(name, content)
    assert after is not None
    # as text, since 1 == 1.0 == True
    assert repr(after.parsed.data) == repr(before.parsed.data)
    places = {path: before.place(path) for path in paths(before.parsed.data)}
    assert {path: after.place(path) for path in places} == places
    assert after.mistakes == ()


@pytest.mark.parametrize(
    "content",
    [
        YAML,
        b"[1, [2,\n 3], {a: [\n b]}]",
        b"a",
        b"",
        b"- 1\n- 0.1\n- -0.0\n- 1e300\n",
        b"\xef\xbb\xbfa: 1",
        b"a: &a [1,\n {x: 2}]\nb: *a\nc: {d: *a}\n",
    ],
)
def test_yaml_is_the_same_again_with_every_line(content: bytes) -> None:
    assert_same("a.yaml", content)


def test_json_is_the_same_again_with_every_line() -> None:
    content = b'\n{"a": [1,\n {"b": 2.5}],\n "c": 18446744073709551616}'
    assert_same("a.json", content)
    assert_same("a.yaml", content)


SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text("ab \n:{", max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3)
)


@given(VALUES, st.integers(0, 4))
def test_what_json_can_hold_is_the_same_again(value: object, indent: int) -> None:
    text = msgspec.json.format(msgspec.json.encode(value), indent=indent)
    assert_same("a.json", text)
    assert_same("a.yaml", b"# so that it is read as YAML\n" + text)


@pytest.mark.parametrize(
    "content",
    [
        b"a: 1\na: 2\n",  # a mistake, which must be told again
        b"a: .inf\n",
        b"a: -.inf\n",
        b"a: .nan\n",
        b"a: 9223372036854775808\n",
        b"a: -9223372036854775809\n",
    ],
)
def test_what_would_not_be_the_same_is_not_kept(content: bytes) -> None:
    assert again("a.yaml", content) is None


def test_a_repeated_key_in_json_is_not_kept() -> None:
    assert again("a.json", b'{"a": 1, "a": 2}') is None


def read(root: Path, memo: DocumentMemo) -> tuple[SystemFolder, Data]:
    folder = SystemFolder(root, memo)
    found = folder.open("a.yaml")
    return folder, None if found is None else found.data


def test_a_file_is_parsed_once_and_again_when_it_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []

    def parse(name: str, content: bytes) -> Document:
        parsed.append(content)
        return parse_document(name, content)

    monkeypatch.setattr("inward.catalog.folder.parse_document", parse)
    (tmp_path / "a.yaml").write_bytes(b"a: 1")
    memo = DocumentMemo(keeps=True)
    assert [read(tmp_path, memo)[1] for _ in range(2)] == [{"a": 1}] * 2  # a load that begins again
    memo.end_load()
    assert memo.documents == {}
    assert read(tmp_path, memo)[1] == {"a": 1}
    assert parsed == [b"a: 1"]
    (tmp_path / "a.yaml").write_bytes(b"a: 2")
    assert read(tmp_path, memo)[1] == {"a": 2}
    assert parsed == [b"a: 1", b"a: 2"]
    memo.end_load()
    assert list(memo.kept) == ["a.yaml"]
    assert memo.kept["a.yaml"].digest == digest(b"a: 2")


def test_what_is_wrong_is_told_each_time(tmp_path: Path) -> None:
    memo = DocumentMemo(keeps=True)
    for content, what in ((b"a: [", "not valid YAML"), (b"a: 1\na: 2", "second time")):
        (tmp_path / "a.yaml").write_bytes(content)
        for _ in range(2):
            folder, _ = read(tmp_path, memo)
            assert [what in mistake.what for mistake in folder.mistakes] == [True]
            memo.end_load()
    assert memo.kept == {}


def test_what_the_last_load_did_not_use_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"a: 1")
    memo = DocumentMemo({"gone.yaml": Kept(digest(b""))}, keeps=True)
    read(tmp_path, memo)
    memo.end_load()
    assert list(memo.kept) == ["a.yaml"]


def test_nothing_is_kept_where_nobody_asked_for_it(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"a: 1")
    memo = DocumentMemo()
    read(tmp_path, memo)
    memo.end_load()
    assert (memo.kept, memo.documents) == ({}, {})
