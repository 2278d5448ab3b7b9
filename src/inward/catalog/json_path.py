"""Ways through a JSON document, without a value in them: names of fields, any item of an array, any field of a map."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLAIN: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Wild(enum.Enum):
    """A step that stands for many. The value is how JSONPath writes it (RFC 9535)."""

    ITEM = "[*]"
    REST = ".*"


Step = str | Wild
Path = tuple[Step, ...]


def json_path(path: Iterable[str | int | Wild]) -> str:
    """Return a path as JSONPath, from the root `$`; a number is the index of an item."""
    return "$" + "".join(map(_written, path))


def _written(step: str | int | Wild) -> str:
    if isinstance(step, Wild):
        return str(step.value)
    if isinstance(step, int):
        return f"[{step}]"
    if _PLAIN.fullmatch(step):
        return f".{step}"
    escaped = step.replace("\\", "\\\\").replace("'", "\\'")
    # other control characters may not stand in a JSONPath as they are (RFC 9535 section 2.3.1.1)
    escaped = re.sub(r"[\x00-\x1f]", lambda found: f"\\u{ord(found[0]):04x}", escaped)
    return f"['{escaped}']"
