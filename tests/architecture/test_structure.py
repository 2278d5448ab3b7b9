"""The house rules that no linter knows: sizes, names, the error tree, suppressions, the lock file."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
from pathlib import Path

import pytest

import inward
from inward.errors import InwardError

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "inward"
MODULES = sorted(SOURCE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MOST_LINES = 400
BANNED_NAMES = {"common", "utils", "util", "helpers", "helper", "types", "misc", "base"}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)  # noqa: S607 - the one on the PATH
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_there_is_something_to_look_at() -> None:
    assert len(MODULES) > 50
    assert len(TESTS) > 30


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_module_is_not_longer_than_can_be_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_thing_lives_with_its_owner(path: Path) -> None:
    assert path.stem not in BANNED_NAMES
    assert not BANNED_NAMES & set(path.relative_to(SOURCE).parts)


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring
    assert len(docstring.split()) >= 3


def test_no_package_is_empty() -> None:
    for folder in {path.parent for path in MODULES}:
        assert [path for path in folder.iterdir() if path.suffix == ".py" and path.name != "__init__.py"], folder


def test_every_error_is_one_of_ours_with_a_code_of_its_own() -> None:
    errors: dict[str, type[Exception]] = {}
    for module in pkgutil.walk_packages(inward.__path__, "inward."):
        if module.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == module.name:
                errors[f"{module.name}.{name}"] = value
    assert len(errors) > 15
    assert [name for name, error in errors.items() if not issubclass(error, InwardError)] == []
    assert [name for name in errors if not name.endswith("Error")] == []
    codes = [error.__dict__.get("code") for error in errors.values()]
    assert None not in codes
    assert len(set(codes)) == len(codes)


SUPPRESSION = re.compile(r"#\s*(noqa|type: ignore)(.*)")


@pytest.mark.parametrize("path", [*MODULES, *TESTS], ids=relative)
def test_a_suppression_has_a_code_and_a_reason(path: Path) -> None:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = SUPPRESSION.search(line)
        if found and path != Path(__file__):
            assert re.match(r"(: [A-Z]+[0-9]+(, ?[A-Z]+[0-9]+)*|\[[a-z-]+(, ?[a-z-]+)*\])\s+((-|#) |\()\S", found[2]), (
                f"{relative(path)}:{number}"
            )


def test_no_note_of_work_to_do_is_left_in_the_code() -> None:
    words = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
    left = [relative(path) for path in [*MODULES, *TESTS] if words.search(path.read_text())]
    assert left == []


def test_only_the_policy_package_knows_the_engine() -> None:
    knowing = {
        path.relative_to(SOURCE).parts[0]
        for path in MODULES
        if re.search(r"^\s*(import|from) cedarpy", path.read_text(), re.MULTILINE)
    }
    assert knowing == {"policy"}


def test_a_unit_test_stands_where_its_module_stands() -> None:
    units = ROOT / "tests" / "unit"
    lost = []
    for test in units.rglob("test_*.py"):
        folder = test.parent.relative_to(units)
        if folder.parts[:1] == ("examples",):
            continue
        name = test.stem.removeprefix("test_")
        if not (SOURCE / folder / f"{name}.py").exists() and not (SOURCE / folder / name).is_dir():
            lost.append(relative(test))
    assert lost == []


def test_the_lock_file_has_hashes_and_no_download_addresses() -> None:
    text = (ROOT / "requirements.txt").read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(-i|-f|--index-url|--extra-index-url|--find-links)", text, re.MULTILINE)
    pinned = re.findall(r"^[a-z0-9][a-z0-9._-]*==[^\s;]+", text, re.MULTILINE)
    assert len(pinned) > 50
    assert text.count("--hash=sha256:") >= len(pinned)


def test_nothing_in_the_project_names_a_place_of_one_machine() -> None:
    # written so that this file does not hold what it looks for
    places = re.compile("/" + r"work/(main|shared|\.library)|/ro" + r"ot/\.|/home/[a-z]")
    named = []
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        if places.search(text):
            named.append(relative(path))
    assert named == []
