"""What is read of a program's source is what the program serves when it is run: the framework itself is asked."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.differential.programs import ASK_DJANGO, ASK_FASTAPI, ASK_FLASK, DJANGO, FASTAPI, FLASK

from inward.discovery.found import Discovery, Operation, merged
from inward.discovery.source.read import read_source

if TYPE_CHECKING:
    from pathlib import Path


def laid_out(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def read(folder: Path) -> tuple[list[Operation], Discovery]:
    discovery = Discovery()
    read_source(folder, discovery)
    return merged(discovery.found), discovery


def run(folder: Path, question: str) -> Any:
    asked = subprocess.run([sys.executable, "-c", question], cwd=folder, capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr
    return json.loads(asked.stdout)


def said(operations: list[Operation]) -> set[tuple[str, str]]:
    return {(each.best.method, each.best.template.text) for each in operations}


@pytest.mark.parametrize(
    ("files", "question", "left_out"),
    [(FASTAPI, ASK_FASTAPI, ["/files/{name:path}"]), (FLASK, ASK_FLASK, ["/bp/rest/<path:where>"])],
    ids=["fastapi", "flask"],
)
def test_routes_are_those_of_the_framework(
    files: dict[str, str], question: str, left_out: list[str], tmp_path: Path
) -> None:
    operations, discovery = read(laid_out(tmp_path, files))
    really = {(method, path) for method, path in run(tmp_path, question)}
    unread = {(method, path) for method, path in really if "{name:path}" in path or path == "/files/{name}"}
    assert said(operations) == really - unread
    assert [note for note in discovery.notes if not any(path in note.what for path in left_out)] == []
    assert len(discovery.notes) == len(left_out)


def test_what_rests_on_a_setting_is_not_sure(tmp_path: Path) -> None:
    operations, _ = read(laid_out(tmp_path, FASTAPI))
    unsure = {each.label for each in operations if each.best.sure.value == "likely"}
    assert unsure == {"GET /store/v2/items", "PUT /store/v2/items/{item}", "POST /base/deep/{id}:cancel"}


def test_patterns_and_methods_are_those_of_django(tmp_path: Path) -> None:
    operations, discovery = read(laid_out(tmp_path, DJANGO))
    by_path: dict[str, set[str]] = {}
    for method, path in said(operations):
        by_path.setdefault(path, set()).add(method)
    sure = {each.label for each in operations if each.best.sure.value == "sure"}
    really: dict[str, set[str]] = {}
    for method, path, status in run(tmp_path, ASK_DJANGO):
        really.setdefault(path, set()).update({method} if status != 405 else set())
    regular = {path for path in really if "^" in path}
    assert set(by_path) - {"/archive/{year}/{slug}/", "/optional/{value1}", "/optional/{value1}/"} == {
        path for path in really if path not in regular and "where" not in path
    }
    for path, methods in by_path.items():
        if path in really and all(f"{method} {path}" in sure for method in methods):
            assert methods == really[path], path
    assert ["tree/<path:where>" in note.what for note in discovery.notes] == [True]
