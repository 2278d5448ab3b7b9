"""Finding what was changed: which entries of a range, and in which file.

The hash of each entry is kept beside the record. Where the entries are what their own hashes say and the whole is not,
or where most are not (an entry was taken out, and all after it moved up), the range is all that is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from inward.record.audit.hashes import each_hash, leaves_file, read_hashes
from inward.record.disk import RecordError
from inward.tlog.merkle import leaf_hash

if TYPE_CHECKING:
    from pathlib import Path

    from inward.record.audit.parts import Part

MOST = 100  # entries that are named one by one


@dataclass(frozen=True, slots=True)
class Damage:
    """Something is not as it was signed: the entries from `begin` to before `end`, in `file` of the record's folder.

    None where it is of no entry, or of no one file. `why` is for people.
    """

    begin: int | None
    end: int | None
    file: str | None
    why: str


def locate(folder: Path, parts: list[Part], begin: int, end: int) -> list[Damage]:
    """Return what is known of a change in the entries from `begin` to before `end`: the entries, or where they are."""
    named: list[Damage] = []
    ranges: list[Damage] = []
    for part in parts:
        first, last = max(begin, part.first), min(end, part.end)
        if first >= last:
            continue
        name = part.path.name
        changed = _changed(folder, part, first - part.first, last - part.first)
        if changed is None:
            why = "entries were changed, dropped, inserted or put in another order"
            ranges.append(Damage(first, last, name, why))
        at_once = (part.first + at for at in (changed or ())[:MOST])
        named.extend(Damage(at, at + 1, name, "the entry was changed") for at in at_once)
    return named + ranges or [Damage(begin, end, None, "what is kept of the log's hashes was changed")]


def _changed(folder: Path, part: Part, begin: int, end: int) -> list[int] | None:
    """Return which entries of a part are not what their own hashes say; None where most are not: then they moved."""
    try:
        hashes = read_hashes(leaves_file(folder, part.path.name), begin, end)
        if part.gone:
            return []
        now = [leaf_hash(line) for line, _ in islice(part.lines(), begin, end)]
    except (RecordError, OSError):
        return None
    kept = each_hash(hashes)
    changed = [begin + at for at, (new, old) in enumerate(zip(now, kept, strict=False)) if new != old]
    return changed if len(now) == len(kept) and len(changed) * 2 <= max(2, end - begin) else None
