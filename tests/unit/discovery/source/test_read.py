"""Sources that somebody hostile wrote: a note each, nothing raised, nothing run, bounded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from inward.discovery.found import Discovery
from inward.discovery.source import files
from inward.discovery.source.read import UnreadableSourceError, read_source

if TYPE_CHECKING:
    from pathlib import Path

APP = "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/ok')\ndef ok(): ...\n"


def read(folder: Path) -> tuple[set[str], list[str]]:
    discovery = Discovery()
    read_source(folder, discovery)
    found = {f"{each.method} {each.template.text}" for each in discovery.found}
    return found, [f"{note.place.removeprefix(str(folder))}: {note.what}" for note in discovery.notes]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"x = " + b"-" * 100_000 + b"1", "nested too deeply"),
        (b"x = " + b"+".join([b"'a'"] * 50_000), "nested too deeply"),
        (b"x = a" + b".b" * 50_000, "nested too deeply"),
        (b"x = " + b"(" * 10_000, "too many nested parentheses"),
        (b"def (", "no Python that can be read"),
        (b"x = 1\x00", "null bytes"),
        (b"x = '\xff'", "no UTF-8"),
        (b"#" * (1 << 20) + b"##", "larger than 1 MiB"),
    ],
)
def test_a_hostile_file_is_one_note_and_hides_no_other(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "bad.py").write_bytes(content)
    found, notes = read(tmp_path)
    assert found == {"GET /ok"}
    assert len(notes) == 1
    assert said in notes[0]


def test_links_pipes_and_tests_are_not_read(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "app.py").write_text(APP)
    (tmp_path / "outside.py").write_text(APP.replace("/ok", "/outside"))
    (source / "loop").symlink_to(source)
    (source / "link.py").symlink_to(tmp_path / "outside.py")
    os.mkfifo(source / "pipe.py")
    for name in ("tests", ".venv", "node_modules"):
        (source / name).mkdir()
        (source / name / "more.py").write_text(APP.replace("/ok", "/more"))
    found, notes = read(source)
    assert found == {"GET /ok"}
    assert notes == [": 1 test file or folder left out"]


def test_too_many_files_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_FILES", 3)
    for number in range(6):
        (tmp_path / f"m{number}.py").write_text(APP.replace("/ok", f"/ok{number}"))
    found, notes = read(tmp_path)
    assert found == {"GET /ok0", "GET /ok1", "GET /ok2"}
    assert "has more than 3 files to read" in notes[0]


def test_nothing_is_run_and_what_is_decided_at_run_time_is_named(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import pathlib\n"
        "pathlib.Path(__file__).with_name('ran').touch()\n"
        "from fastapi import FastAPI, APIRouter\n"
        "app = FastAPI()\n"
        "router = APIRouter(prefix=compute())\n"
        "@router.get('/a')\ndef a(): ...\n"
        "app.include_router(router)\n"
        "app.include_router(make(), prefix='/b')\n"
        "@app.get(f'/{compute()}')\ndef c(): ...\n"
        "@app.api_route('/d', methods=compute())\ndef d(): ...\n"
        "lost = APIRouter()\n"
        "@lost.get('/e')\ndef e(): ...\n"
        "@app.get('/bad{')\ndef f(): ...\n"
    )
    found, notes = read(tmp_path)
    assert found == set()
    assert not (tmp_path / "ran").exists()
    assert sorted(int(note.split(":")[1]) for note in notes) == [5, 9, 10, 12, 14, 17]


def test_a_circle_comes_to_an_end(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "from b import y as x\nfrom fastapi import FastAPI\n" + "app = FastAPI()\napp.include_router(x)\n"
    )
    (tmp_path / "b.py").write_text("from a import x as y\n")
    (tmp_path / "c.py").write_text(
        "from fastapi import FastAPI, APIRouter\napp = FastAPI()\nr = APIRouter()\nq = APIRouter()\n"
        "r.include_router(q)\nq.include_router(r)\napp.include_router(r)\n@r.get('/r')\ndef f(): ...\n"
    )
    found, notes = read(tmp_path)
    assert found == {"GET /r"}
    assert len(notes) == 2


def test_what_is_not_there_is_bad_input_and_what_holds_nothing_a_note(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSourceError):
        read_source(tmp_path / "absent", Discovery())
    found, notes = read(tmp_path)
    assert (found, notes) == (set(), [": no FastAPI, Flask, Django or Spring application was found"])


def test_a_folder_that_is_a_package_itself_is_followed_like_what_is_around_it(tmp_path: Path) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "made.py").write_text(
        "from fastapi import FastAPI\ndef new_app():\n    app = FastAPI()\n    return app\n"
    )
    (package / "orders.py").write_text(
        "from shop.made import new_app\napp = new_app()\n@app.get('/orders')\ndef orders(): ...\n"
    )
    (package / "items.py").write_text(
        "from .made import new_app\napp = new_app()\n@app.get('/items')\ndef items(): ...\n"
    )
    found, notes = read(package)
    assert found == {"GET /orders", "GET /items"}
    assert not any("cannot be followed" in note for note in notes)
