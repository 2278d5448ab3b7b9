"""What a run tells whoever started it: a few kinds of event, for people and for programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal[
    "starting",  # the run has begun
    "service",  # a service changed its state
    "ready",  # every service takes calls
    "policy",  # another policy is enforced, as read back from the Envoys
    "mistakes",  # the system folder has mistakes; the policy before stays in force
    "warning",  # something a person should know
    "stopping",  # every process is being ended
]


@dataclass(frozen=True, slots=True)
class Event:
    """One event: `text` for people, `data` for programs (JSON values)."""

    kind: Kind
    text: str
    data: dict[str, Any] = field(default_factory=dict)


Told = Callable[[Event], None]
