"""What `record: {keep: …}` in inward.yaml says: for how long entries of the record are kept, by kind.

A kind of which nothing is said is kept for ever. Days are the unit, since sealed segments are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inward.catalog.document import Value

KEY = "keep"
MAX_DAYS = 36500
_DAYS = re.compile(r"([1-9][0-9]{0,4})d")


@dataclass(frozen=True, slots=True)
class Keep:
    """How long entries are kept; None: for ever. `acts` are gaps, too."""

    allowed: timedelta | None = None
    refused: timedelta | None = None
    acts: timedelta | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing is ever dropped."""
        return self.allowed is self.refused is self.acts is None


def load_keep(root: Value) -> Keep:
    """Return what the document `root` says; what is wrong there is a mistake, and nothing is dropped for it."""
    record = root.get("record")
    value = record.get(KEY) if record is not None and isinstance(record.data, dict) else None
    if value is None or not value.is_a(dict):
        return Keep()
    value.check_keys(("allowed", "refused", "acts"))
    return Keep(*(_days(value.get(name)) for name in ("allowed", "refused", "acts")))


def _days(value: Value | None) -> timedelta | None:
    text = value.text() if value else None
    if value is None or text is None:
        return None
    found = _DAYS.fullmatch(text)
    if found is None or int(found[1]) > MAX_DAYS:
        value.mistake(f"a time to keep entries must be a number of days up to {MAX_DAYS}", "write it as 90d")
        return None
    return timedelta(days=int(found[1]))
