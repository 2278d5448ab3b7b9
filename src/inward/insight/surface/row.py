"""One line of the surface: an operation, or what is known of a service beyond its operations. Frozen values."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from inward.catalog.model import Mode, Operation


class Wrong(enum.StrEnum):
    """What can be wrong with an operation. The words are stable."""

    UNDOCUMENTED = "undocumented"  # called, and in no document
    UNAUTHENTICATED = "unauthenticated"  # called without an identity
    OBSERVE_ONLY = "observe-only"  # nothing is refused
    UNOWNED = "unowned"  # nobody is named as its owner
    OVER_PERMISSIVE = "over-permissive"  # more may call it than need to, or for longer
    FORGOTTEN = "forgotten"  # documented, and not called
    DEPRECATED = "deprecated"  # said to be on its way out, and called


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong, in a sentence (lower case, no full stop), and the grants that make it so.

    `stopped` is whether it was refused each time: an attempt, which costs nothing.
    """

    kind: Wrong
    what: str
    grants: tuple[str, ...] = ()
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A line. `operation` is None for what fits none of the service's operations.

    `callers` counts the calls that were let through in the time asked for, by caller (an empty text: without an
    identity); `calls` is all of them, `last` when the last was let through (aware), no call came later. `open_to` is
    how many services may call it.
    """

    service: str
    operation: Operation | None
    owner: str
    mode: Mode
    classes: tuple[str, ...]
    callers: Mapping[str, int]
    calls: int
    refused: int
    last: datetime | None
    open_to: int
    problems: tuple[Problem, ...]

    @property
    def name(self) -> str:
        """The operation's id; that of the service where there is none."""
        return self.service if self.operation is None else self.operation.id

    @property
    def wrong(self) -> tuple[Wrong, ...]:
        """What is wrong, the worst first."""
        kinds = {problem.kind for problem in self.problems}
        return tuple(kind for kind in Wrong if kind in kinds)
