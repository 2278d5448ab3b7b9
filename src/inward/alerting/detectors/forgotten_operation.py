"""An operation that is documented, and that nobody called for weeks, is called.

Of an operation that was never called before, the time counts from the first entry of the record, or from when it was
first documented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from inward.alerting.detector import Moment, Seen, alert, day_text, shown
from inward.alerting.stream.clock import DAY
from inward.alerting.stream.saved import load, save
from inward.record.call import Call

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.alerting.alert import Alert
    from inward.alerting.view import View


class ForgottenOperationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`days` without a call make an operation forgotten."""

    days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 28


class ForgottenOperation:
    """Keeps when each documented operation was last called."""

    slug = "forgotten-operation"

    def __init__(self, settings: ForgottenOperationSettings, view: View) -> None:
        self.settings = settings
        self.view = view
        self._called: dict[str, float] = {}

    def see(self, entry: Seen, moment: Moment) -> Iterable[Alert]:
        """Take one entry."""
        if not isinstance(entry, Call) or entry.carried_out == "deny":
            return ()
        operation = entry.operation
        if operation is None or operation not in self.view.classes:
            return ()
        called = self._called
        if len(called) < len(self.view.classes):  # some were documented since
            began = moment.at - moment.age if not called else moment.at
            for name in self.view.classes:
                called.setdefault(name, began)
        last = called.get(operation, moment.at)
        if moment.at > last:
            called[operation] = moment.at
        days = int((moment.at - last) // DAY)
        if days < self.settings.days:
            return ()
        return (
            alert(
                self.slug,
                (operation, day_text(moment.day)),
                "medium",
                f"{shown(entry.caller or 'somebody unknown')} called {shown(operation)}, which nobody had called for"
                f" {days} days",
                time=entry.time,
                caller=entry.caller,
                callee=entry.callee,
                operation=operation,
                calls=(entry.id,),
            ),
        )

    def evicted(self) -> int:
        """Return how many keys were given up: none, there are as many as operations."""
        return 0

    def state(self) -> bytes:
        """Return all that it knows of the stream."""
        return save(self._called)

    def restore(self, state: bytes) -> None:
        """Go on from a state; operations that are documented no longer are left out. Raises `SnapshotError`."""
        called = load(state, dict[str, float])
        self._called = {name: at for name, at in called.items() if name in self.view.classes}
