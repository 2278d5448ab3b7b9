"""Where a system folder lies in its repository: what code review shows is found by paths from the repository's root."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def prefix_of(folder: Path) -> str:
    """Return the way from the root of the git work tree to `folder`, such as `deploy/system/`; empty where it is that.

    Empty too where the folder is in no work tree: then paths are from the folder itself. `.git` is a folder, or in
    linked work trees and submodules a file; nothing in it is read.
    """
    folder = folder.resolve()
    for root in (folder, *folder.parents):
        if (root / ".git").exists():
            return "".join(f"{part}/" for part in folder.relative_to(root).parts)
    return ""
