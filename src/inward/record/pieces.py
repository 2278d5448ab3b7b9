"""The pieces of a record, in order: segments as they were written, and those that were sealed since.

Where a segment is there in both forms (it was sealed a moment ago), the open one is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from inward.record.sealed.files import list_local
from inward.record.sealed.shelf import list_sealed
from inward.record.segment import list_segments

if TYPE_CHECKING:
    from datetime import date, datetime
    from pathlib import Path

    from inward.record.sealed.files import Sealed
    from inward.record.segment import Segment

_DAY = timedelta(days=1)
_MOST_LATE = timedelta(days=7)  # after it arrived, until a call is recorded: a log may wait for its disk


@dataclass(frozen=True, slots=True)
class Piece:
    """One segment of the record: `segment` where it is open, else `sealed`."""

    number: int  # from 1, rising
    day: date  # UTC; of its first entry, by the clock of then
    segment: Segment | None = None
    sealed: Sealed | None = None

    def may_hold(self, since: datetime | None, until: datetime | None) -> bool:
        """Return whether entries of calls that arrived from `since` to before `until` may be in it; both are aware."""
        # An entry is stored after its call arrived, on the segment's date; a day is for clocks that differ.
        return (since is None or self.day >= since.astimezone(UTC).date() - _DAY) and (
            until is None or self.day <= until.astimezone(UTC).date() + _MOST_LATE
        )


def list_pieces(folder: Path, *, remote: bool = True) -> list[Piece]:
    """Return the pieces of the record in `folder` in order, those in a bucket only with `remote`.

    None where there is no folder. Raises `RecordError`.
    """
    # Open segments first: one that is sealed meanwhile is found in both forms, and not in neither.
    segments = list_segments(folder)
    sealed = list_sealed(folder) if remote else list_local(folder)
    found = {each.number: Piece(each.number, each.day, sealed=each) for each in sealed}
    found |= {each.number: Piece(each.number, each.day, segment=each) for each in segments}
    return [found[number] for number in sorted(found)]
