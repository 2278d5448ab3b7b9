"""The system folder: nothing outside of it is read, and `$ref` leads where it says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from inward.catalog.folder import SystemFolder

if TYPE_CHECKING:
    from pathlib import Path

    from inward.catalog.document import Value


def opened(folder: SystemFolder, name: str = "a.yaml") -> Value:
    root = folder.open(name)
    assert root is not None
    return root


def part(value: Value, *keys: str) -> Value:
    for key in keys:
        found = value.get(key)
        assert found is not None
        value = found
    return value


def test_a_document_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1")
    folder = SystemFolder(tmp_path)
    opened(folder)
    (tmp_path / "a.yaml").write_text("a: 2")
    assert opened(folder, "x/../a.yaml").data == {"a": 1}
    assert folder.files == {"a.yaml"}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("/etc/passwd", "is outside the system folder"),
        ("../other.yaml", "is outside the system folder"),
        ("apis/../../other.yaml", "is outside the system folder"),
        ("link.yaml", "is a link out of the system folder"),
        ("out/other.yaml", "is a link out of the system folder"),
        ("loop.yaml", "cannot be read"),
        ("pipe.yaml", "is no regular file"),
        ("apis.yaml", "cannot be read: is a directory"),
        ("gone.yaml", "does not exist"),
        ("a.yaml/b.yaml", "cannot be read"),
        ("a.proto", "is not named like YAML or JSON"),
        ("..", "is outside the system folder"),
        (".", "is not named like YAML or JSON"),
        ("a\x00.yaml", "is no file name"),
        ("a\n.yaml", "is no file name"),
        ("x" * 5000 + ".yaml", "cannot be read"),
    ],
)
def test_what_is_not_read(tmp_path: Path, name: str, why: str) -> None:
    root = tmp_path / "system"
    (root / "apis.yaml").mkdir(parents=True)
    (root / "a.yaml").write_text("a: 1")
    (tmp_path / "other.yaml").write_text("a: 1")
    (root / "link.yaml").symlink_to(tmp_path / "other.yaml")
    (root / "out").symlink_to(tmp_path)
    (root / "loop.yaml").symlink_to("loop.yaml")
    os.mkfifo(root / "pipe.yaml")
    folder = SystemFolder(root)
    for number in (1, 2):  # each who asks is told
        assert folder.open(name, opened(folder)) is None
        assert len(folder.mistakes) == number
        assert why in folder.mistakes[-1].what
        assert "\n" not in str(folder.mistakes[-1])


def test_links_inside_the_folder_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text("a: 1")
    (tmp_path / "a.yaml").symlink_to("real.yaml")
    assert opened(SystemFolder(tmp_path)).data == {"a": 1}


def test_a_folder_reached_through_a_link_is_read(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.yaml").write_text("a: 1")
    (tmp_path / "link").symlink_to("real")
    assert opened(SystemFolder(tmp_path / "link")).data == {"a": 1}


def test_a_broken_document_is_one_mistake_in_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1")
    (tmp_path / "b.yaml").write_text("a: [")
    folder = SystemFolder(tmp_path)
    for _ in range(3):
        assert folder.open("b.yaml", opened(folder)) is None
    assert [mistake.place.file for mistake in folder.mistakes] == ["b.yaml"]


def test_references_are_followed_across_files(tmp_path: Path) -> None:
    (tmp_path / "apis").mkdir()
    (tmp_path / "apis" / "a.yaml").write_text(
        "x: {$ref: '../shared%20parts/b.json#/m~0n/~1p%7Bq%7D/1'}\nself: {$ref: '#/x'}\n"
    )
    (tmp_path / "shared parts").mkdir()
    (tmp_path / "shared parts" / "b.json").write_text('{"m~n": {"/p{q}": [0,\n {"$ref": "c.yaml"}]}}')
    (tmp_path / "shared parts" / "c.yaml").write_text("end: 1")
    folder = SystemFolder(tmp_path)
    end = folder.follow(part(opened(folder, "apis/a.yaml"), "self"))
    assert end is not None
    assert (end.data, end.place.file) == ({"end": 1}, "shared parts/c.yaml")
    assert folder.mistakes == []
    assert folder.files == {"apis/a.yaml", "shared parts/b.json", "shared parts/c.yaml"}


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("https://example.org/x.yaml#/a", "`https://example.org/x.yaml#/a` is not in the system folder"),
        ("file:///etc/passwd", "is not in the system folder"),
        ("//host/x.yaml", "is not in the system folder"),
        ("../x.yaml", "is outside the system folder"),
        ("%2e%2e/x.yaml", "is outside the system folder"),
        ("gone.yaml#/a", "`gone.yaml` does not exist"),
        ("#/gone", "leads to nothing"),
        ("#/list/2", "leads to nothing"),
        ("#/list/01", "leads to nothing"),
        ("#/list/-", "leads to nothing"),
        ("#/list/" + "9" * 5000, "leads to nothing"),
        ("#/text/a", "leads to nothing"),
        ("#anchor", "names an anchor"),
        ("#/%ff", "but not from UTF-8"),
        ("#/a", "leads back to itself"),
        ("#/b", "leads back to itself"),
        ("", "`$ref` is empty"),
    ],
)
def test_references_that_lead_nowhere(tmp_path: Path, reference: str, why: str) -> None:
    text = f"list: [1, 2]\ntext: t\nb: {{$ref: '#/c'}}\nc: {{$ref: '#/b'}}\na:\n  $ref: '{reference}'\n"
    (tmp_path / "a.yaml").write_text(text)
    folder = SystemFolder(tmp_path)
    assert folder.follow(part(opened(folder), "a")) is None
    assert len(folder.mistakes) == 1
    assert why in folder.mistakes[0].what
    assert folder.mistakes[0].place.line in {5, 6}


def test_a_reference_that_is_no_text_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a:\n  $ref: [1]\n")
    folder = SystemFolder(tmp_path)
    assert folder.follow(part(opened(folder), "a")) is None
    assert [str(mistake) for mistake in folder.mistakes] == ["a.yaml:2: `$ref` must be text and is a list"]
