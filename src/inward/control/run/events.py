"""What a run tells whoever started it: a few kinds of event, for people and for programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from inward.errors import InvalidSystemError

Kind = Literal[
    "starting",  # the run has begun
    "service",  # a service changed its state
    "ready",  # every service takes calls
    "identity",  # the trust bundle has changed
    "policy",  # another policy is enforced, as read back from the Envoys
    "mistakes",  # the system folder has mistakes; the policy before stays in force
    "warning",  # something a person should know
    "metrics",  # where they are served
    "export",  # where the record is sent
    "alert",  # something in the record looks like misuse
    "stopping",  # every process is being ended
]


@dataclass(frozen=True, slots=True)
class Event:
    """One event: `text` for people, `data` for programs (JSON values)."""

    kind: Kind
    text: str
    data: dict[str, Any] = field(default_factory=dict)


Told = Callable[[Event], None]


def mistakes_event(error: InvalidSystemError) -> Event:
    """Return the event that tells every mistake of a system folder."""
    count = len(error.mistakes)
    lines = [f"the system folder has {count} mistake{'s' if count > 1 else ''}; the policy before stays in force:"]
    lines += [f"  {mistake}" for mistake in error.mistakes]
    found = [
        {"file": mistake.place.file, "line": mistake.place.line, "what": mistake.what, "hint": mistake.hint}
        for mistake in error.mistakes
    ]
    return Event("mistakes", "\n".join(lines), {"mistakes": found})
