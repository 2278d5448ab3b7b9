"""A caller is refused many different things: it looks for what it may do.

A thing is an operation, or the shape of a path that no operation has. A call that is let through and answered with 401
or 403 by the service itself counts as refused. One thing that is refused a thousand times is a broken client, and no
probing; many objects of one operation are `enumeration`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from inward.alerting.detector import Moment, Seen, alert, day_text, shown, span_text
from inward.alerting.stream.clock import DAY
from inward.alerting.stream.distinct import DistinctCounts, Limits
from inward.alerting.stream.paths import shape
from inward.record.call import Call

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.alerting.alert import Alert

MOST_CALLERS = 5_000
_NOT_REFUSED = frozenset({"quarantined", "slow_path_down", "unreachable", "bad_credential", "unviewable"})
_REFUSALS = frozenset({401, 403})


class ProbingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Different things refused in `minutes` (`distinct`) or a day (`distinct_a_day`), and `factor` times the usual."""

    minutes: Annotated[int, msgspec.Meta(ge=1, le=720)] = 10
    distinct: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 3
    distinct_a_day: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 5
    factor: Annotated[float, msgspec.Meta(ge=1, le=1000)] = 2.0


class Probing:
    """Counts different refused things of each caller, by its name, or by where it came from where it has none."""

    slug = "probing"

    def __init__(self, settings: ProbingSettings, secret: str) -> None:
        limits = Limits(
            short_seconds=settings.minutes * 60,
            short_floor=settings.distinct,
            long_floor=settings.distinct_a_day,
            factor=settings.factor,
            learn_seconds=0,  # to be refused needs no baseline
            unlearned=1,
        )
        self._counts = DistinctCounts(limits, MOST_CALLERS, secret)

    def see(self, entry: Seen, moment: Moment) -> Iterable[Alert]:
        """Take one entry."""
        if not isinstance(entry, Call):
            return ()
        if entry.decision == "allow" and entry.status not in _REFUSALS:
            return ()
        if entry.reason in _NOT_REFUSED or entry.callee is None:
            return ()
        who = entry.caller or _nameless(entry)
        thing = entry.operation or f"{entry.callee} {entry.method} {shape(entry.path or '')}"
        excess = self._counts.see((who,), thing, moment.at, (entry.time, entry.id))
        if excess is None:
            return ()
        usual = f"; it is usually refused {excess.high} at most" if excess.high else "; it is usually refused none"
        return (
            alert(
                self.slug,
                (who, day_text(excess.day)),
                "high" if excess.count >= 3 * self._counts.limits.short_floor else "medium",
                f"{shown(who)} was refused {excess.count} different operations and paths within"
                f" {span_text(excess.seconds)}{usual}",
                time=entry.time,
                began=excess.began,
                caller=entry.caller,
                callee=entry.callee,
                operation=entry.operation,
                count=excess.updates,
                calls=excess.calls if excess.seconds < DAY else (*excess.calls, entry.id),
            ),
        )

    def evicted(self) -> int:
        """Return how many keys were given up because there were too many."""
        return self._counts.evicted

    def state(self) -> bytes:
        """Return all that it knows of the stream."""
        return self._counts.dumped()

    def restore(self, state: bytes) -> None:
        """Go on from a state; raises `SnapshotError`."""
        self._counts.restore(state)


def _nameless(entry: Call) -> str:
    """Return how a caller without a verified name is told of: by its address, or by whose egress it used."""
    if entry.address is not None:
        return f"address {entry.address}"
    if entry.enforcer == "egress" and entry.src is not None:
        return f"a process at the egress of {entry.src.partition('/')[0]}"
    return "a caller without a name and an address"
