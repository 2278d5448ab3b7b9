from __future__ import annotations

from typing import TYPE_CHECKING

from inward.cli.formats.repository import prefix_of

if TYPE_CHECKING:
    from pathlib import Path


def test_paths_are_from_the_root_of_the_work_tree(tmp_path: Path) -> None:
    folder = tmp_path / "deploy" / "system"
    folder.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    assert prefix_of(folder) == "deploy/system/"
    assert prefix_of(tmp_path) == ""


def test_a_work_tree_of_its_own_has_a_file(tmp_path: Path) -> None:
    inner = tmp_path / "inner" / "system"
    inner.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / "inner" / ".git").write_text("gitdir: elsewhere\n")
    assert prefix_of(inner) == "system/"


def test_a_link_to_the_folder_is_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a" / ".git").mkdir(parents=True)
    (tmp_path / "a" / "system").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a" / "system")
    assert prefix_of(tmp_path / "link") == "system/"
