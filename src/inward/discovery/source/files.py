"""The files of a source folder, whoever put them there: bounded in number and size, links never followed.

Left out, and said so where there are any: tests, since they define applications of their own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.discovery.found import Discovery

MAX_FILES = 20_000
MAX_ENTRIES = 500_000  # files of any kind that are passed on the way
MAX_BYTES = 1024 * 1024  # of a file
MAX_DEPTH = 40
_SKIPPED = frozenset(
    [
        ".git",
        ".hg",
        ".svn",
        ".venv",
        "venv",
        "env",
        "node_modules",
        "site-packages",
        "__pycache__",
        ".tox",
        ".nox",
        ".mypy_cache",
        ".ruff_cache",
        ".gradle",
        "build",
        "dist",
        "target",
        ".idea",
        ".inward",
    ]
)
_TESTS = frozenset({"test", "tests", "testing", "e2e"})


def walk(root: Path, suffixes: tuple[str, ...], discovery: Discovery) -> Iterator[Path]:
    """Yield the regular files below `root` with one of the suffixes, sorted in each folder; too many are a note."""
    pending, files, entries, tests = [(root, 0)], 0, 0, 0
    while pending:
        folder, depth = pending.pop()
        folders = []
        for entry in _listed(folder, discovery):
            entries += 1
            if _is_test(entry.name):
                tests += entry.is_dir(follow_symlinks=False) or entry.name.endswith(suffixes)
            elif entry.is_dir(follow_symlinks=False):
                folders += [(Path(entry.path), depth + 1)] if entry.name not in _SKIPPED else []
            elif entry.name.endswith(suffixes) and entry.is_file(follow_symlinks=False):
                files += 1
                yield Path(entry.path)
            if files >= MAX_FILES or entries >= MAX_ENTRIES:
                what = f"has more than {files:,} files to read; the rest is left out"
                discovery.note(str(root), what, "name a part of it")
                return
        if depth < MAX_DEPTH:
            pending.extend(reversed(folders))
        elif folders:
            discovery.note(str(folder), f"is {MAX_DEPTH} folders deep; what is below is left out")
    if tests:
        discovery.note(str(root), f"{tests} test {'file or folder' if tests == 1 else 'files and folders'} left out")


def _listed(folder: Path, discovery: Discovery) -> list[os.DirEntry[str]]:
    """Return what is in a folder, sorted, without links."""
    try:
        with os.scandir(folder) as found:
            return sorted((entry for entry in found if not entry.is_symlink()), key=lambda entry: entry.name)
    except OSError as error:
        discovery.note(str(folder), f"cannot be read: {(error.strerror or '').lower()}")
        return []


def _is_test(name: str) -> bool:
    stem = name.partition(".")[0]
    return (
        name in _TESTS
        or stem.startswith("test_")
        or stem == "conftest"
        or stem.endswith(("_test", "Test", "Tests", "IT"))
    )


def read_text(path: Path, shown_name: str, discovery: Discovery) -> str | None:
    """Return a file's text; None, and a note, where it is too large, no UTF-8, or cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        discovery.note(shown_name, f"cannot be read: {(error.strerror or '').lower()}")
        return None
    if len(content) > MAX_BYTES:
        discovery.note(shown_name, f"is larger than {MAX_BYTES >> 20} MiB, and left out")
        return None
    if b"\x00" in content:
        discovery.note(shown_name, "holds null bytes, and is left out")
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        discovery.note(shown_name, "is no UTF-8 text, and is left out")
        return None
