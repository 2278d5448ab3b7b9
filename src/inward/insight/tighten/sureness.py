"""How sure it is that a caller no longer needs an operation, by when it called it. No I/O, no clock.

What was never called is silent for one of two reasons: nobody needs it, or it is needed seldom. `_SELDOM` says of how
many needed grants in a hundred the use comes back after how many days; the rest come back within a day. A use that
comes back after `p` days shows itself in `d` days with a probability of `d/p`. So the number follows from Bayes' rule,
with even odds before anything was seen.

What was called once and is not now is judged by its rhythm: by the square of its longest pause over its silence, and
by the number of uses that the pause was learnt from.

Rules:

1. What may come again by its rhythm stays, whatever the number.
2. What was used within two weeks only stays until two quarters are known: it may be a job that runs every quarter.
3. No number is above `MOST`: there are jobs that run once in two years.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.insight.unused.coverage import QUARTER
from inward.insight.unused.rhythm import TOGETHER, rhythm_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from inward.insight.unused.rhythm import Rhythm

MOST = 0.99
HOLES = 0.95  # times this where something of the record was lost
_SELDOM = ((7, 0.12), (31, 0.10), (93, 0.05), (367, 0.03))  # days, share


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a pair of a caller and an operation may go, how sure that is (0 to 1), and why, in words.

    `periodic` is whether it stays because it may come again.
    """

    goes: bool
    sure: float
    why: str
    periodic: bool = False

    @property
    def percent(self) -> int:
        """The number as it is shown, rounded down."""
        return int(self.sure * 100 + 1e-9)


@dataclass(frozen=True, slots=True)
class Watched:
    """For how long a pair was looked at: `days` on which something was recorded, up to `today` (counted from 1970).

    `known` are the days since the first of which anything is known; `holes` whether some of it was lost.
    """

    days: int
    known: int
    today: int
    holes: bool = False


def judge(used: Collection[int], watched: Watched, least: float) -> Verdict:
    """Return the verdict on a pair that was called on the days `used`, none of them in the time that counts as now.

    `least` is how sure it must be (0 to 1) for the pair to go.
    """
    holes = HOLES if watched.holes else 1.0
    rhythm = rhythm_of(used, watched.today)
    if rhythm is None:
        sure, why = _never(watched.days) * holes, f"not called on any of {_recorded(watched.days)}"
    else:
        why = f"{rhythm.told}, and not for the last {_days(rhythm.silence)}"
        if rhythm.may_come_again or (rhythm.brief and watched.known < 2 * QUARTER):
            return Verdict(goes=False, sure=0.0, why=f"{why}: it may come again", periodic=True)
        sure = _ended(rhythm) * holes
    sure = min(MOST, sure)
    return Verdict(goes=sure >= least, sure=sure, why=why)


def _never(days: int) -> float:
    """Return how sure it is that nobody needs what was silent on so many days."""
    hidden = sum(share * max(0.0, 1 - days / period) for period, share in _SELDOM)
    if days < 1:
        hidden = 1.0
    return 1 / (1 + hidden)


def _ended(rhythm: Rhythm) -> float:
    """Return how sure it is that what was used in a rhythm has ended."""
    pause = QUARTER if rhythm.brief else max(1, rhythm.longest)
    uses = 1 if rhythm.brief else rhythm.runs if rhythm.longest > TOGETHER else rhythm.days
    return (1 - (pause / max(pause, rhythm.silence)) ** 2) * (1 - 1 / (2 * uses + 2))


def _recorded(number: int) -> str:
    return f"{number:,} recorded day{'' if number == 1 else 's'}"


def _days(number: int) -> str:
    return f"{number:,} day{'' if number == 1 else 's'}"
