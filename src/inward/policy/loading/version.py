"""The version of a system: what says that all who enforce it enforce the same."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = re.compile(r"[0-9a-f]{12}")


def version_of(files: Mapping[str, bytes]) -> str:
    """Return a hash of the names and contents of a system's files, as 12 hexadecimal digits."""
    digest = hashlib.sha256()
    for name in sorted(files):
        for part in (name.encode(), files[name]):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()[:12]
