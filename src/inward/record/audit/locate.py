"""Finding what was changed: which entries of a range, and in which file.

The hash of each entry is kept beside the record. Where the entries are what their own hashes say and the whole is not,
or where most are not (an entry was taken out, and all after it moved up), the range is all that is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.record.disk import RecordError

if TYPE_CHECKING:
    from inward.record.audit.parts import Part

MOST = 100  # entries that are named one by one
STRANGER = "the file is not one of the log's, and stands among them: it was put there"


@dataclass(frozen=True, slots=True)
class Damage:
    """Something is not as it was signed: the entries from `begin` to before `end`, in `file` of the record's folder.

    None where it is of no entry, or of no one file. `why` is for people.
    """

    begin: int | None
    end: int | None
    file: str | None
    why: str


def locate(parts: list[Part], begin: int, end: int) -> list[Damage]:
    """Return what is known of a change in the entries from `begin` to before `end`: the entries, or where they are."""
    named: list[Damage] = []
    ranges: list[Damage] = []
    for part in parts:
        first, last = max(begin, part.first), min(end, part.end)
        if first >= last:
            continue
        changed = _changed(part, first, last)
        if changed is None:
            why = "entries were changed, dropped, inserted or put in another order"
            ranges.append(Damage(first, last, part.file, why))
        named.extend(Damage(at, at + 1, part.file, "the entry was changed") for at in (changed or ())[:MOST])
    return named + ranges or [Damage(begin, end, None, "what is kept of the log's hashes was changed")]


def _changed(part: Part, begin: int, end: int) -> list[int] | None:
    """Return which entries of a part are not what their own hashes say; None where most are not: then they moved."""
    kept = part.kept(begin, end)
    if part.gone:
        return None if None in kept else []
    try:
        now = {leaf.entry: leaf for leaf in part.leaves(begin, end)}
    except (RecordError, OSError):
        return None
    if list(now) != list(range(begin, end)):
        return None
    changed = [
        leaf.entry
        for leaf, old in zip(now.values(), kept, strict=True)
        if (old is not None and leaf.digest != old) or (leaf.start is not None and not leaf.begins_as_sealed)
    ]
    known = part.sealed is not None or None not in kept
    return changed if known and len(changed) * 2 <= max(2, end - begin) else None
