"""The alert: that a detector found something in the stream of recorded calls, and why, with the calls.

An alert is named by what it is about and not by when it was noticed, so the same finding is one alert however often
the stream is read again.
"""

from __future__ import annotations

import hashlib
from typing import Literal, TypeAlias

import msgspec

MOST_CALLS = 20  # references that an alert names

Severity: TypeAlias = Literal["low", "medium", "high", "critical"]


class Alert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that a person should look at.

    `detector` is the slug of the detector, or `sigma:<id>` of a rule. `began` and `time` are moments of the stream, not
    of the clock of this machine: of the first call that it is about, and of the one at which it fired.
    """

    id: str
    time: str  # RFC 3339, UTC, milliseconds
    began: str
    detector: str
    severity: Severity
    why: str  # one sentence, for people
    caller: str | None = None
    callee: str | None = None
    operation: str | None = None
    data_class: str | None = None
    count: int = 1  # calls that it is about
    calls: tuple[str, ...] = ()  # references of some of them, the oldest first


def alert_id(detector: str, *subject: str) -> str:
    """Return the id of an alert: 32 hexadecimal digits that follow from the detector and what it found."""
    return hashlib.sha256("\0".join((detector, *subject)).encode("utf-8", "surrogatepass")).hexdigest()[:32]
