"""The rhythm of what was used once and is not used now: whether it has ended, or may come again. No I/O, no clock.

It may come again for as long as the silence is no longer than one and a half of the longest pause that there was
between two uses. What was used within two weeks only is taken for one run of a job that runs every quarter. So a job
that runs monthly or quarterly must miss a run before it counts as ended.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from inward.insight.unused.coverage import QUARTER

if TYPE_CHECKING:
    from collections.abc import Iterable

TOGETHER = 7  # days apart at most: one run of a job, with its repetitions
BRIEF = 14  # days from the first to the last use: of one run
PATIENCE = 1.5  # times the longest pause
_EVEN = 0.25  # by how much the pauses of a rhythm may differ from their median
_FEWEST = 3  # runs that make a rhythm


@dataclass(frozen=True, slots=True)
class Rhythm:
    """On how many days something was used, the longest pause between two of them, and the silence since (days).

    `runs` is how many groups of days there were; `every` the pause between two of at least three, where it is even.
    """

    days: int
    runs: int
    brief: bool  # one run only
    longest: int
    silence: int
    every: int | None

    @property
    def may_come_again(self) -> bool:
        """Whether the silence is not long enough to say that it has ended."""
        return self.silence <= PATIENCE * (QUARTER if self.brief else self.longest)

    @property
    def told(self) -> str:
        """When it was used, in words."""
        if self.every is not None:
            return f"used every {self.every} days or so, {self.runs} times"
        if self.days == 1:
            return "used on one day only"
        if self.brief:
            return f"used on {self.days} days in a row or nearly, and on no other"
        return f"used on {self.days} days, no more than {self.longest} days apart"


def rhythm_of(days: Iterable[int], today: int) -> Rhythm | None:
    """Return the rhythm of the days of use up to `today` (counted from 1970); None where there are none."""
    known = sorted({day for day in days if day <= today})
    if not known:
        return None
    begins = [known[0], *(later for earlier, later in pairwise(known) if later - earlier > TOGETHER)]
    pauses = [later - earlier for earlier, later in pairwise(begins)]
    every = round(statistics.median(pauses)) if len(begins) >= _FEWEST else None
    if every is not None and any(abs(pause - every) > max(TOGETHER, _EVEN * every) for pause in pauses):
        every = None
    longest = max((later - earlier for earlier, later in pairwise(known)), default=0)
    brief = known[-1] - known[0] <= BRIEF
    return Rhythm(len(known), len(begins), brief, longest, today - known[-1], every)
