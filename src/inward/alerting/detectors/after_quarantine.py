"""An identity is used after its quarantine: what holds it goes on.

Calls that were on their way when the quarantine began are not meant; an alert that a call was let through all the same
is critical, since nothing should let it through. A quarantine that the stream does not know of is one that two callees
refuse for: one alone may be in quarantine itself, and its callers are not to be blamed for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from inward.alerting.detector import Moment, Seen, alert, shown
from inward.alerting.stream.bounded import Table
from inward.alerting.stream.saved import load, save
from inward.record.call import Act, Call

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.alerting.alert import Alert

MOST_SERVICES = 5_000
_REFERENCES = 8


class AfterQuarantineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`grace_seconds` after the quarantine in which calls may still be on their way."""

    grace_seconds: Annotated[int, msgspec.Meta(ge=0, le=3600)] = 10


class _Quarantine(msgspec.Struct):
    since: float  # by the act's own time, as calls are held against it by theirs
    time: str
    count: int = 0
    told: int = 0
    began: str = ""
    let_through: int = 0
    told_through: int = 0
    calls: list[str] = []


class AfterQuarantine:
    """Keeps who is in quarantine, and since when."""

    slug = "after-quarantine"

    def __init__(self, settings: AfterQuarantineSettings) -> None:
        self.settings = settings
        self._quarantined: Table[str, _Quarantine] = Table(MOST_SERVICES)
        self._refused_by: Table[str, str] = Table(MOST_SERVICES)  # a callee; it or the caller is in quarantine

    def see(self, entry: Seen, moment: Moment) -> Iterable[Alert]:
        """Take one entry."""
        if isinstance(entry, Act):
            if entry.what == "quarantine" and entry.about:
                self._quarantined.put(entry.about, _Quarantine(moment.said, entry.time))
            elif entry.what == "release" and entry.about:
                self._quarantined.drop(entry.about)
                self._refused_by.drop(entry.about)
            return ()
        if entry.caller is None:
            return ()
        quarantine = self._quarantined.get(entry.caller) if len(self._quarantined) else None
        if quarantine is None:
            if not self._is_meant(entry, entry.caller):
                return ()
            # It was put there before the record began, or was forgotten here.
            quarantine = _Quarantine(moment.said - self.settings.grace_seconds, entry.time)
            self._quarantined.put(entry.caller, quarantine)
        if moment.said < quarantine.since + self.settings.grace_seconds:
            return ()
        return self._count(entry, entry.caller, quarantine)

    def _is_meant(self, entry: Call, caller: str) -> bool:
        """Tell whether a caller of which no act tells is in quarantine all the same."""
        if entry.carried_out == "allow" and len(self._refused_by):
            self._refused_by.drop(caller)
        callee = entry.callee or ""
        if entry.reason != "quarantined" or self._quarantined.get(callee) is not None:
            return False
        other = self._refused_by.get(caller)
        if other is None:
            self._refused_by.put(caller, callee)
        return other is not None and other != callee

    def _count(self, entry: Call, caller: str, quarantine: _Quarantine) -> Iterable[Alert]:
        quarantine.count += 1
        quarantine.began = quarantine.began or entry.time
        through = entry.carried_out == "allow"
        quarantine.let_through += through
        if len(quarantine.calls) < _REFERENCES:
            quarantine.calls.append(entry.id)
        if quarantine.count < 2 * quarantine.told and not (through and not quarantine.told_through):
            return ()
        quarantine.told, quarantine.told_through = quarantine.count, quarantine.let_through
        passed = quarantine.let_through
        return (
            alert(
                self.slug,
                (caller, quarantine.time),
                "critical" if passed else "high",
                f"{shown(caller)} made {quarantine.count} {'call' if quarantine.count == 1 else 'calls'} after its"
                f" quarantine at {quarantine.time}; {f'{passed} were let through' if passed else 'all were refused'}",
                time=entry.time,
                began=quarantine.began,
                caller=caller,
                callee=entry.callee,
                operation=entry.operation,
                count=quarantine.count,
                calls=tuple(quarantine.calls),
            ),
        )

    def evicted(self) -> int:
        """Return how many keys were given up because there were too many."""
        return self._quarantined.evicted + self._refused_by.evicted

    def state(self) -> bytes:
        """Return all that it knows of the stream."""
        return save((self._quarantined.dump(), self._refused_by.dump()))

    def restore(self, state: bytes) -> None:
        """Go on from a state; raises `SnapshotError`."""
        kept = list[tuple[str, _Quarantine]]
        callees = list[tuple[str, str]]
        quarantined, refused_by = load(state, tuple[tuple[kept, kept, int], tuple[callees, callees, int]])
        self._quarantined.load(quarantined)
        self._refused_by.load(refused_by)
