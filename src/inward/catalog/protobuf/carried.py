"""What was compiled, carried with the copy of a system that enforcers load: they need no compiler, and lose no time.

Only ever beside a bundle, which lies in a private folder: in a system folder, which others write, what is compiled
could be something else than what it is said to be compiled of.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inward.catalog.kept import DocumentMemo
from inward.identity.private_files import private_folder, write_private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOLDER = ".compiled"
_DIGEST = re.compile(r"[0-9a-f]{64}")


def store_compiled(bundle: Path, compiled: Mapping[str, bytes]) -> None:
    """Put what was compiled, by the hashes of its sources, into the private folder of a bundle."""
    if compiled:
        folder = private_folder(bundle / FOLDER)
        for digest, content in compiled.items():
            write_private(folder / digest, content)


def memo_of(bundle: Path) -> DocumentMemo:
    """Return a memo with what was compiled for the bundle in a private folder; an empty one where there is none."""
    found: dict[str, bytes] = {}
    try:
        for path in (bundle / FOLDER).iterdir():
            if _DIGEST.fullmatch(path.name):
                found[path.name] = path.read_bytes()
    except OSError:
        pass  # none, or it is being deleted: then it is compiled again
    return DocumentMemo(compiled=found)
