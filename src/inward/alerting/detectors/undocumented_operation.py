"""A call reached a service by a path that no description has, and that was not called while the stream was learned.

This happens where a service is observed only: when it is enforced, such a call is refused, and many are `probing`. What
the service answers with an error is no operation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from inward.alerting.detector import Moment, Seen, alert, day_text, shown
from inward.alerting.stream.bounded import Table
from inward.alerting.stream.paths import shape
from inward.alerting.stream.saved import load, save
from inward.record.call import Call

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.alerting.alert import Alert

MOST_PATHS = 20_000
_ERRORS = 400


class UndocumentedOperationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`remember_days`: a path that was not called for so long is new again."""

    remember_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 100


class _Told(msgspec.Struct):
    paths: int
    told: int
    began: str
    calls: list[str]


class UndocumentedOperation:
    """Keeps the shapes of paths that each caller uses, and what was told of today."""

    slug = "undocumented-operation"

    def __init__(self, settings: UndocumentedOperationSettings) -> None:
        self.settings = settings
        self._known: Table[tuple[str, str, str], float] = Table(MOST_PATHS)
        self._told: Table[tuple[str, str, int], _Told] = Table(MOST_PATHS // 10)

    def see(self, entry: Seen, moment: Moment) -> Iterable[Alert]:
        """Take one entry."""
        if not isinstance(entry, Call) or entry.operation is not None or entry.carried_out == "deny":
            return ()
        if entry.callee is None or entry.path is None or entry.enforcer == "egress":
            return ()
        if entry.status is not None and entry.status >= _ERRORS:
            return ()
        caller, path = entry.caller or "somebody unknown", f"{entry.method} {shape(entry.path)}"
        key = (caller, entry.callee, path)
        last = self._known.get(key)
        self._known.put(key, moment.at if last is None else max(last, moment.at))
        if moment.learning or (last is not None and moment.at - last < self.settings.remember_days * 86400):
            return ()
        today = self._told.get((caller, entry.callee, moment.day)) or _Told(0, 0, entry.time, [])
        today.paths += 1
        if len(today.calls) < 8:  # noqa: PLR2004 - references enough to begin with
            today.calls.append(entry.id)
        self._told.put((caller, entry.callee, moment.day), today)
        if today.paths < 2 * today.told:
            return ()
        today.told = today.paths
        more = f" and {today.paths - 1} more" if today.paths > 1 else ""
        return (
            alert(
                self.slug,
                (caller, entry.callee, day_text(moment.day)),
                "medium",
                f"{shown(caller)} called {shown(path)}{more} of {shown(entry.callee)}, which no description has and"
                " it never called before",
                time=entry.time,
                began=today.began,
                caller=entry.caller,
                callee=entry.callee,
                count=today.paths,
                calls=tuple(today.calls),
            ),
        )

    def evicted(self) -> int:
        """Return how many keys were given up because there were too many."""
        return self._known.evicted + self._told.evicted

    def state(self) -> bytes:
        """Return all that it knows of the stream."""
        return save((self._known.dump(), self._told.dump()))

    def restore(self, state: bytes) -> None:
        """Go on from a state; raises `SnapshotError`."""
        known = list[tuple[tuple[str, str, str], float]]
        told = list[tuple[tuple[str, str, int], _Told]]
        kept_known, kept_told = load(state, tuple[tuple[known, known, int], tuple[told, told, int]])
        self._known.load(kept_known)
        self._told.load(kept_told)
