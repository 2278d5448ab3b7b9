"""A caller was let through to an operation that it never called before, by a grant that is not new.

Not this: refused calls (`probing`), and edges of grants that were added or changed in the last days, which people have
reviewed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from inward.alerting.detector import Moment, Seen, alert, shown, span_text
from inward.record.call import Call

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.alerting.alert import Alert

Days = Annotated[int, msgspec.Meta(ge=0, le=3650)]


class FirstSeenEdgeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`remember_days`: an edge that was not used for so long is new again. `grant_days`: how long a grant is new."""

    remember_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 100
    grant_days: Days = 7


class FirstSeenEdge:
    """Keeps nothing of its own: what is new is in the moment."""

    slug = "first-seen-edge"

    def __init__(self, settings: FirstSeenEdgeSettings) -> None:
        self.settings = settings

    def see(self, entry: Seen, moment: Moment) -> Iterable[Alert]:
        """Take one entry."""
        new = moment.new
        if new is None or moment.learning or not isinstance(entry, Call) or new.granted == "new":
            return ()
        caller, operation = entry.caller or "", entry.operation or ""
        since = f"in {span_text(moment.age)} of record" if new.silent_days is None else f"in {new.silent_days} days"
        first = "for the first time" if new.silent_days is None else "again, for the first time"
        others = "operation" if new.known_operations == 1 else "operations"
        known = (
            f"it has called {new.known_operations} other {others}" if new.known_operations else "it called none before"
        )
        perhaps = "; its grant is perhaps new" if new.granted == "perhaps_new" else ""
        return (
            alert(
                self.slug,
                (caller, operation, str(moment.day) if new.silent_days is not None else ""),
                "low" if perhaps else "medium",
                f"{shown(caller)} called {shown(operation)} {first} {since}; {known}{perhaps}",
                time=entry.time,
                caller=caller,
                callee=entry.callee,
                operation=operation,
                calls=(entry.id,),
            ),
        )

    def evicted(self) -> int:
        """Nothing is kept here."""
        return 0

    def state(self) -> bytes:
        """Nothing is kept here."""
        return b""

    def restore(self, state: bytes) -> None:
        """Nothing is kept here."""
