"""What the compiler complains of becomes mistakes with file and line, and nothing holds a check up."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.unit.catalog.protobuf import shop

from inward.catalog.kept import DocumentMemo
from inward.catalog.protobuf import compiler

if TYPE_CHECKING:
    from pathlib import Path

ORDER = "message Order { string id = 1; }\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("message Order {\n  string id = ;\n}\n", ["apis/orders.proto:4: expected field number"]),
        (shop.SERVICE, ["apis/orders.proto:3: `Order` is not defined"]),
        (
            'message Order { string id = 1 [(inward.data) = "pii"]; }\n' + shop.SERVICE,
            ['apis/orders.proto:3: option `(inward.data)` unknown (write `import "inward/data.proto";`)'],
        ),
        (
            'import "apis/orders.proto";\n' + ORDER + shop.SERVICE,
            ["apis/orders.proto:3: file recursively imports itself: apis/orders.proto -> apis/orders.proto"],
        ),
        ("\0" + ORDER, ["apis/orders.proto:3: invalid control characters encountered in text"]),
    ],
)
def test_a_mistake_is_told_once_where_it_is(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert shop.read(tmp_path, shop.PLAIN + text).mistakes == expected


def test_a_mistake_in_an_imported_file_is_told_there(tmp_path: Path) -> None:
    text = shop.PLAIN + 'import "other.proto";\n' + ORDER + shop.SERVICE
    found = shop.read(tmp_path, text, other=shop.PLAIN + "\n\nmessage {}\n")
    assert found.mistakes == ["apis/other.proto:5: expected message name"]


def test_files_that_import_each_other_are_a_mistake(tmp_path: Path) -> None:
    text = shop.PLAIN + 'import "other.proto";\n' + ORDER + shop.SERVICE
    found = shop.read(tmp_path, text, other=shop.PLAIN + 'import "apis/orders.proto";\n')
    (mistake,) = found.mistakes
    assert mistake.startswith("apis/orders.proto:3: file recursively imports itself: apis/orders.proto -> other.proto")


def test_deep_nesting_is_a_mistake_and_no_crash(tmp_path: Path) -> None:
    found = shop.read(tmp_path, shop.PLAIN + "message M {" * 5000 + "}" * 5000 + shop.SERVICE)
    assert "apis/orders.proto:3: reached maximum recursion limit for nested messages" in found.mistakes


def test_a_compiler_that_crashes_is_a_mistake(tmp_path: Path) -> None:
    text = (
        'import "google/protobuf/descriptor.proto";\nmessage O { O o = 1; }\n'
        "extend google.protobuf.MessageOptions { O o = 50001; }\n"
        "message Order { option (o) = {" + "o {" * 50_000 + "}" * 50_000 + "}; }\n"
    )
    (mistake,) = shop.read(tmp_path, shop.PLAIN + text + shop.SERVICE).mistakes
    assert mistake.startswith("apis/orders.proto")


def test_a_compiler_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "SECONDS", 0.2)
    monkeypatch.setattr(compiler, "_PROGRAM", "while True: pass")
    found = shop.read(tmp_path, shop.PLAIN + ORDER + shop.SERVICE)
    assert found.mistakes == ["apis/orders.proto: did not compile within 0.2 seconds"]


def test_without_the_compiler_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "_has_compiler", lambda: False)
    found = shop.read(tmp_path, shop.PLAIN + ORDER + shop.SERVICE)
    (mistake,) = found.mistakes
    assert mistake.startswith("apis/orders.proto: a `.proto` file cannot be read without the compiler of grpcio-tools")
    assert mistake.endswith("(install `inward[grpc]`, or name a descriptor set instead)")


def test_what_was_compiled_is_compiled_again_only_when_a_file_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[str] = []
    real = subprocess.run

    def run(argv: list[str], **options: object) -> object:
        runs.append(argv[-1])
        return real(argv, **options)  # type: ignore[call-overload] # handed on as it is

    monkeypatch.setattr(subprocess, "run", run)
    memo = DocumentMemo()
    files = {
        shop.PROTO: shop.PLAIN + 'import "other.proto";\n' + ORDER + shop.SERVICE,
        "apis/other.proto": shop.PLAIN,
    }
    folder = shop.write(tmp_path, files)
    first = shop.load(folder, memo)
    memo.end_load()
    assert (first.mistakes, len(runs)) == ([], 1)
    assert shop.load(folder, memo) == first
    memo.end_load()
    assert len(runs) == 1
    (folder / "apis/other.proto").write_text(shop.PLAIN + "// changed\n")
    assert shop.load(folder, memo).mistakes == []
    assert len(runs) == 2


def test_a_mistake_is_told_each_time(tmp_path: Path) -> None:
    memo = DocumentMemo()
    folder = shop.write(tmp_path, {shop.PROTO: shop.PLAIN + "message {}\n"})
    told = shop.load(folder, memo).mistakes
    memo.end_load()
    assert told == shop.load(folder, memo).mistakes == ["apis/orders.proto:3: expected message name"]


def test_the_compiler_reads_nothing_but_what_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module or a `.proto` file in the folder in which somebody works is not taken for one of the compiler's."""
    folder = shop.write(
        tmp_path, {shop.PROTO: shop.PLAIN + ORDER + shop.SERVICE, "grpc_tools.py": "raise SystemExit(9)"}
    )
    monkeypatch.chdir(folder)
    assert shop.load(folder).mistakes == []
