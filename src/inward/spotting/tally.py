"""The tally: in how many of an operation's answers something undeclared was spotted, and what that makes of it.

It is bounded: what comes after `MAX_OPERATIONS`, after `MAX_PLACES` of one operation or after `MAX_ALL_PLACES` is
counted as left out, and so is what stands at a path of more than `MAX_PATH` characters. Tallies of several processes
merge, in any order, as long as nothing is left out. No value and no clock is in it.
"""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from inward.catalog.json_path import Path, json_path
from inward.spotting.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from inward.spotting.kinds import Spotted

MAX_OPERATIONS = 5_000  # with a status each
MAX_PLACES = 200  # paths and kinds of one operation and status
MAX_ALL_PLACES = 2_000
MAX_PATH = 400  # characters
# How many answers must have it before it is more than an accident. A secret in one answer is out. An address or an
# account has a form that nothing else has, but one record can be a test's. The others are numbers with a check digit
# or a plan, which one of ten or so meets by chance.
_ENOUGH: Final = {Kind.SECRET: 1, Kind.EMAIL: 2, Kind.IBAN: 2, Kind.PHONE: 3, Kind.CARD: 3, Kind.NATIONAL_ID: 3}


class NotLooked(enum.StrEnum):
    """Why an answer was not looked at. The text is stable: programs may read it."""

    TOO_LARGE = "too-large"
    ENCODED = "encoded"  # by a coding that is not undone here
    UNREADABLE = "unreadable"  # no JSON, or not all of it
    FAILED = "failed"  # something unforeseen went wrong


@dataclass(frozen=True, slots=True)
class Finding:
    """An operation answers with something that looks like `kind` and is not declared.

    `answers` are those that were looked at, `having` those of them that have it at `path`; in `resembling` there is
    something of its form there which it is not.
    """

    operation: str  # service:name
    status: int
    path: Path
    kind: Kind
    having: int
    answers: int
    resembling: int = 0

    @property
    def share(self) -> float:
        """The share of answers that have it, over 0 and at most 1."""
        return self.having / self.answers

    @property
    def place(self) -> str:
        """The path as JSONPath."""
        return json_path(self.path)

    @property
    def is_sure(self) -> bool:
        """Whether there is more to it than chance: enough answers have it, and not more only something like it."""
        return self.having >= _ENOUGH[self.kind] and self.having >= self.resembling

    def __str__(self) -> str:
        answers = f"{self.having:,} of {self.answers:,} answers"
        return f"`{self.operation}` shows {self.kind} at `{self.place}` ({answers} with status {self.status})"


@dataclass(slots=True)
class Count:
    """What is known of the answers of one operation with one status."""

    answers: int = 0
    having: Counter[Spotted] = field(default_factory=Counter)
    resembling: Counter[Spotted] = field(default_factory=Counter)
    not_looked: Counter[NotLooked] = field(default_factory=Counter)


class Tally:
    """Counts what was spotted. `left_out` is how often something was not counted, because there was too much."""

    def __init__(self) -> None:
        self.left_out = 0
        self._counts: dict[tuple[str, int], Count] = {}
        self._places = 0

    @property
    def counts(self) -> Mapping[tuple[str, int], Count]:
        """What is known of each operation and status, to be read."""
        return self._counts

    def add(self, operation: str, status: int, spotted: Iterable[Spotted], resembling: Iterable[Spotted] = ()) -> None:
        """Count one answer that was looked at, with what was spotted in it, and what only has the form."""
        self.add_count(operation, status, Count(1, Counter(set(spotted)), Counter(set(resembling))))

    def add_not_looked(self, operation: str, status: int, why: NotLooked) -> None:
        """Count one answer that was not looked at."""
        self.add_count(operation, status, Count(not_looked=Counter([why])))

    def add_count(self, operation: str, status: int, more: Count) -> None:
        """Count what was counted elsewhere."""
        count = self._counts.get((operation, status))
        if count is None:
            if len(self._counts) >= MAX_OPERATIONS:
                self.left_out += more.answers + more.not_looked.total()
                return
            count = self._counts[operation, status] = Count()
        count.answers += more.answers
        count.not_looked.update(more.not_looked)
        for counted, new in ((count.having, more.having), (count.resembling, more.resembling)):
            for spotted, number in new.items():
                if spotted not in counted and not self._takes(spotted, len(counted)):
                    self.left_out += number
                    continue
                counted[spotted] += number

    def _takes(self, spotted: Spotted, places: int) -> bool:
        if places >= MAX_PLACES or self._places >= MAX_ALL_PLACES or len(spotted.place) > MAX_PATH:
            return False
        self._places += 1
        return True

    def merge(self, other: Tally) -> None:
        """Count what another tally has counted."""
        for (operation, status), count in other._counts.items():
            self.add_count(operation, status, count)
        self.left_out += other.left_out

    def findings(self, least_share: float = 0.0) -> list[Finding]:
        """Return what was found in at least that share of answers: by operation, the largest share first."""
        found = [each for each in self._found() if each.share >= least_share]
        return sorted(found, key=lambda each: (each.operation, each.status, -each.share, each.place, each.kind))

    def _found(self) -> Iterator[Finding]:
        for (operation, status), count in self._counts.items():
            for spotted, having in count.having.items():
                resembling = count.resembling[spotted]
                yield Finding(operation, status, spotted.path, spotted.kind, having, count.answers, resembling)
