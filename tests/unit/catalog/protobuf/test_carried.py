"""What was compiled goes with a bundle: whoever loads it needs no compiler, and believes nothing of other places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.catalog.protobuf import shop

from inward.catalog.kept import DocumentMemo
from inward.catalog.protobuf import compiler
from inward.catalog.protobuf.carried import memo_of, store_compiled

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

ORDER = "message Order { string id = 1; }\n"


def test_a_bundle_is_loaded_without_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memo = DocumentMemo()
    folder = shop.write(tmp_path, {shop.PROTO: shop.PLAIN + ORDER + shop.SERVICE})
    first = shop.load(folder, memo)
    memo.end_load()
    folder.chmod(0o700)
    store_compiled(folder, memo.compiled)
    monkeypatch.setattr(compiler, "_has_compiler", lambda: False)
    assert shop.load(folder, memo_of(folder)) == first
    (mistake,) = shop.load(folder).mistakes  # what lies there is asked for, never found
    assert "without the compiler" in mistake


def test_what_belongs_to_other_sources_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memo = DocumentMemo()
    folder = shop.write(tmp_path, {shop.PROTO: shop.PLAIN + ORDER + shop.SERVICE})
    shop.load(folder, memo)
    memo.end_load()
    folder.chmod(0o700)
    store_compiled(folder, memo.compiled)
    monkeypatch.setattr(compiler, "_has_compiler", lambda: False)
    (folder / shop.PROTO).write_text(shop.PLAIN + ORDER + "// changed\n" + shop.SERVICE)
    assert shop.load(folder, memo_of(folder)).mistakes != []


def test_a_bundle_without_any_is_one_like_before(tmp_path: Path) -> None:
    store_compiled(tmp_path, {})
    assert list(tmp_path.iterdir()) == []
    assert memo_of(tmp_path).compiled == {}
