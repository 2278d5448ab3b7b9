"""Which files a `.proto` file leads to, and that none of them is outside of the system folder."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.catalog.protobuf import shop

from inward.catalog.protobuf import sources
from inward.catalog.protobuf.sources import imports_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('import "a.proto";', [("a.proto", 1)]),
        ("\n\nimport 'a/b.proto' ;", [("a/b.proto", 3)]),
        ('import public "a";import weak "b";import option "c";', [("a", 1), ("b", 1), ("c", 1)]),
        ('import "a" "b"\n"c";', [("abc", 2)]),
        ('import/* x */"a"/* "y" */;// import "z";\n', [("a", 1)]),
        ('/* import "no"; */ // import "no";\nimport "yes";', [("yes", 2)]),
        ('string s = 1 [default = "import \\"no\\";"]; import "yes";', [("yes", 1)]),
        ('option x = "/*"; import "yes"; option y = "*/";', [("yes", 1)]),
        ('message import { string import = 1; } x "no";', []),
        ('important "no"; reimport "no"; import no "x";', []),
        ('import "no"', []),
        ('import "no" /* never ends', []),
        ('import "no\n";', []),
        ("", []),
    ],
)
def test_an_import_is_found_as_the_compiler_finds_it(text: str, expected: list[tuple[str, int]]) -> None:
    assert list(imports_of(text)) == expected


@given(
    st.lists(st.sampled_from(['import "a.proto";', "/*", "*/", "//", "\n", '"', "'", "\\", ";", "import", " x ", "\0"]))
)
def test_any_text_has_an_end(parts: list[str]) -> None:
    text = "".join(parts)
    for name, line in imports_of(text):
        assert name
        assert 1 <= line <= text.count("\n") + 1


@pytest.mark.parametrize("part", ["/*/", '"\\"', "'", 'import "', 'import "a";\n', "import ", "\\", "//", "/ *"])
def test_a_hostile_text_takes_no_longer_than_it_is_long(part: str) -> None:
    began = time.process_time()
    for _ in imports_of(part * (1_000_000 // len(part))):
        pass
    assert time.process_time() - began < 5


def test_a_file_is_looked_for_from_the_folder_of_the_first_one_upwards(tmp_path: Path) -> None:
    files = {
        "apis/orders.proto": shop.PLAIN + 'import "common/money.proto";\nimport "people.proto";\n'
        "message Order { common.Money total = 1; people.Person who = 2; }\n" + shop.SERVICE,
        "apis/common/money.proto": 'syntax = "proto3";\npackage common;\nimport "people.proto";\nmessage Money {}\n',
        "common/money.proto": "not this one",
        "people.proto": 'syntax = "proto3";\npackage people;\nmessage Person {}\n',
    }
    found = shop.load(shop.write(tmp_path, files))
    assert found.mistakes == []
    assert found.only.name == "shop.v1.Orders/Get"
    # one that is not there yet, and would come first, is a file of the system too
    assert {"apis/orders.proto", "apis/common/money.proto", "apis/people.proto", "people.proto"} <= set(found.files)
    assert "common/money.proto" not in found.files


def link_out(folder: Path) -> None:
    (folder / "apis" / "other.proto").symlink_to("/etc/passwd")


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "apis" / "other.proto")


def nothing(_folder: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("name", "prepare", "expected"),
    [
        ("other.proto", nothing, "`other.proto` is in none of the folders `apis`, `.`"),
        ("other.proto", link_out, "`apis/other.proto` is a link out of the system folder"),
        ("other.proto", pipe, "`apis/other.proto` is no regular file"),
        ("../other.proto", nothing, "`../other.proto` cannot be imported"),
        ("a/../other.proto", nothing, "`a/../other.proto` cannot be imported"),
        ("./other.proto", nothing, "`./other.proto` cannot be imported"),
        ("/etc/passwd", nothing, "`/etc/passwd` cannot be imported"),
        ("a//other.proto", nothing, "`a//other.proto` cannot be imported"),
        ("other.txt", nothing, "`apis/other.txt` is not named like what it should hold"),
    ],
)
def test_nothing_outside_is_read(tmp_path: Path, name: str, prepare: Callable[[Path], None], expected: str) -> None:
    folder = shop.write(tmp_path / "system", {shop.PROTO: shop.PLAIN + f'import "{name}";\n' + shop.SERVICE})
    (tmp_path / "other.proto").write_text("outside")
    prepare(folder)
    (mistake,) = shop.load(folder).mistakes
    assert mistake.startswith(f"apis/orders.proto:3: {expected}")


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_FILES", 3)
    others = {f"f{number}": shop.PLAIN + f'import "f{number + 1}.proto";\n' for number in range(5)}
    found = shop.read(tmp_path, shop.PLAIN + 'import "f0.proto";\n' + shop.SERVICE, **others)
    assert found.mistakes == ["inward.yaml:3: `apis/orders.proto` leads to more than 3 files or 32 MiB"]


def test_too_many_bytes_are_refused_before_they_are_all_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_BYTES", 1 << 20)
    others = {f"f{number}": "//" + "x" * 600_000 for number in range(4)}
    imports = "".join(f'import "{name}.proto";\n' for name in others)
    found = shop.read(tmp_path, shop.PLAIN + imports + shop.SERVICE, **others)
    assert found.mistakes == ["inward.yaml:3: `apis/orders.proto` leads to more than 1,000 files or 1 MiB"]
    assert "apis/f2.proto" not in found.files


def test_a_file_that_is_too_large_is_not_compiled(tmp_path: Path) -> None:
    found = shop.read(tmp_path, shop.PLAIN + "//" + "x" * sources.MAX_FILE_BYTES)
    assert found.mistakes == ["inward.yaml:3: `apis/orders.proto` is larger than 2 MiB"]


def test_text_that_is_no_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    folder = shop.write(tmp_path, {shop.PROTO: b'syntax = "proto3";\n// \xff\n'})
    assert shop.load(folder).mistakes == ["apis/orders.proto:2: is not UTF-8 text (save it as UTF-8)"]


def test_the_marks_are_ours_whatever_lies_in_the_folder(tmp_path: Path) -> None:
    text = shop.HEAD + 'message Order { string a = 1 [(inward.data) = "pii"]; }\n' + shop.SERVICE
    other = re.sub("58291", "58292", (shop.INCLUDE / "inward/data.proto").read_text())
    found = shop.load(shop.write(tmp_path, {shop.PROTO: text, "inward/data.proto": other}))
    assert found.mistakes == []
    assert found.only.answers.classes == {"pii"}
    assert "inward/data.proto" not in found.files
