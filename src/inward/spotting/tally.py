"""The tally: in how many of an operation's answers something undeclared was spotted, and what that makes of it.

It is bounded: what comes after `MAX_OPERATIONS` or after `MAX_PLACES` of one operation is counted as left out. Tallies
of several processes merge, in any order, as long as nothing is left out. No value and no clock is in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inward.catalog.json_path import Path, json_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inward.spotting.kinds import Kind
    from inward.spotting.spot import Spotted

MAX_OPERATIONS = 5_000  # with a status each
MAX_PLACES = 200  # paths and kinds of one operation and status


@dataclass(frozen=True, slots=True)
class Finding:
    """An operation answers with something that looks like `kind` and is not declared.

    `answers` are those that were looked at, `having` those of them that have it at `path`.
    """

    operation: str  # service:name
    status: int
    path: Path
    kind: Kind
    having: int
    answers: int

    @property
    def share(self) -> float:
        """The share of answers that have it, over 0 and at most 1."""
        return self.having / self.answers

    @property
    def place(self) -> str:
        """The path as JSONPath."""
        return json_path(self.path)

    def __str__(self) -> str:
        answers = f"{self.having:,} of {self.answers:,} answers"
        return f"`{self.operation}` shows {self.kind} at `{self.place}` ({answers} with status {self.status})"


@dataclass(slots=True)
class _Count:
    answers: int = 0
    having: dict[Spotted, int] = field(default_factory=dict)


class Tally:
    """Counts what was spotted. `left_out` is how often something was not counted, because there was too much."""

    def __init__(self) -> None:
        self.left_out = 0
        self._counts: dict[tuple[str, int], _Count] = {}

    def add(self, operation: str, status: int, spotted: Iterable[Spotted]) -> None:
        """Count one answer that was looked at, with what was spotted in it."""
        self._add(operation, status, 1, ((each, 1) for each in set(spotted)))

    def merge(self, other: Tally) -> None:
        """Count what another tally has counted."""
        for (operation, status), count in other._counts.items():
            self._add(operation, status, count.answers, count.having.items())
        self.left_out += other.left_out

    def findings(self, least_share: float = 0.0) -> list[Finding]:
        """Return what was found in at least that share of answers: by operation, the largest share first."""
        found = [each for each in self._found() if each.share >= least_share]
        return sorted(found, key=lambda each: (each.operation, each.status, -each.share, each.place, each.kind))

    def _found(self) -> Iterator[Finding]:
        for (operation, status), count in self._counts.items():
            for spotted, having in count.having.items():
                yield Finding(operation, status, spotted.path, spotted.kind, having, count.answers)

    def _add(self, operation: str, status: int, answers: int, having: Iterable[tuple[Spotted, int]]) -> None:
        count = self._counts.get((operation, status))
        if count is None:
            if len(self._counts) >= MAX_OPERATIONS:
                self.left_out += answers
                return
            count = self._counts[operation, status] = _Count()
        count.answers += answers
        for spotted, number in having:
            if spotted in count.having or len(count.having) < MAX_PLACES:
                count.having[spotted] = count.having.get(spotted, 0) + number
            else:
                self.left_out += number
