"""A caller asks for many more different objects of an operation than it usually does (OWASP API1:2023).

Objects are told by the parameters of the path; hashed ones are as different as the values were, dropped ones cannot be
counted. Counted are those of each caller and operation; of each caller and callee over all of its operations, which
finds who spreads; and where end users are known, of each user, held against what the users of that caller do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from inward.alerting.detector import Moment, Seen, alert, day_text, shown, span_text
from inward.alerting.stream.clock import DAY
from inward.alerting.stream.distinct import DistinctCounts, Excess, Limits
from inward.alerting.stream.saved import load, save
from inward.record.call import Call

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.alerting.alert import Alert

MOST_OPERATIONS = 10_000
MOST_CALLEES = 5_000
MOST_USERS = 10_000


class EnumerationSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Different objects in `minutes` (`distinct`) or a day (`distinct_a_day`), and `factor` times the usual.

    A caller that was first seen with the operation less than `learn_days` ago has no usual: it must ask for `unlearned`
    times `distinct`. `users_distinct` and `users_distinct_a_day` are for one end user.
    """

    minutes: Annotated[int, msgspec.Meta(ge=1, le=720)] = 10
    distinct: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 40
    distinct_a_day: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 100
    factor: Annotated[float, msgspec.Meta(ge=1, le=1000)] = 3.0
    learn_days: Annotated[int, msgspec.Meta(ge=0, le=90)] = 7
    unlearned: Annotated[float, msgspec.Meta(ge=1, le=1000)] = 10.0
    users_distinct: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 40
    users_distinct_a_day: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 150


class Enumeration:
    """Three tables of counts."""

    slug = "enumeration"

    def __init__(self, settings: EnumerationSettings, secret: str) -> None:
        limits = Limits(
            short_seconds=settings.minutes * 60,
            short_floor=settings.distinct,
            long_floor=settings.distinct_a_day,
            factor=settings.factor,
            learn_seconds=settings.learn_days * DAY,
            unlearned=settings.unlearned,
        )
        of_users = msgspec.structs.replace(
            limits,
            short_floor=settings.users_distinct,
            long_floor=settings.users_distinct_a_day,
            learn_seconds=0,
            unlearned=1,
        )
        self._operations = DistinctCounts(limits, MOST_OPERATIONS, secret)
        self._callees = DistinctCounts(limits, MOST_CALLEES, secret)
        self._users = DistinctCounts(of_users, MOST_USERS, secret)

    def see(self, entry: Seen, moment: Moment) -> Iterable[Alert]:
        """Take one entry."""
        if not isinstance(entry, Call) or not entry.parameters or entry.operation is None:
            return ()
        caller = entry.caller
        if caller is None or entry.callee is None:
            return ()
        values = entry.parameters.values()
        thing = next(iter(values)) if len(values) == 1 else "\0".join(values)
        call = (entry.time, entry.id)
        told: list[Alert] = []
        excess = self._operations.see((caller, entry.operation), thing, moment.at, call)
        spread = self._callees.see((caller, entry.callee), thing, moment.at, call)
        if excess is not None:
            what = f"distinct {_objects(entry)} by {shown(entry.operation)}"
            told.append(self._alert(entry, excess, (entry.operation,), shown(caller), what))
        elif spread is not None:
            what = f"distinct objects of {shown(entry.callee)} over its operations"
            told.append(self._alert(entry, spread, (entry.callee,), shown(caller), what))
        if entry.user is not None:
            excess = self._users.see((caller, entry.operation, entry.user), thing, moment.at, call)
            if excess is not None:
                what = f"distinct {_objects(entry)} by {shown(entry.operation)} through {shown(caller)}"
                who = f"the user {shown(entry.user)}"
                told.append(self._alert(entry, excess, (entry.operation, entry.user), who, what))
        return () if moment.learning else told

    def _alert(self, entry: Call, excess: Excess, about: tuple[str, ...], who: str, what: str) -> Alert:
        if not excess.learned:
            usual = "it is too new to have a usual number"
        elif excess.high:
            usual = f"it asks for {excess.low} to {excess.high}"
        else:
            usual = "it did not ask for any before"
        return alert(
            self.slug,
            (entry.caller or "", *about, day_text(excess.day)),
            "high" if excess.learned else "low",
            f"{who} asked for {excess.count} {what} within {span_text(excess.seconds)}; {usual}",
            time=entry.time,
            began=excess.began,
            caller=entry.caller,
            callee=entry.callee,
            operation=entry.operation,
            count=excess.updates,
            calls=(*excess.calls, entry.id),
        )

    def evicted(self) -> int:
        """Return how many keys were given up because there were too many."""
        return self._operations.evicted + self._callees.evicted + self._users.evicted

    def state(self) -> bytes:
        """Return all that it knows of the stream."""
        return save((self._operations.dumped(), self._callees.dumped(), self._users.dumped()))

    def restore(self, state: bytes) -> None:
        """Go on from a state; raises `SnapshotError`."""
        operations, callees, users = load(state, tuple[bytes, bytes, bytes])
        self._operations.restore(operations)
        self._callees.restore(callees)
        self._users.restore(users)


def _objects(entry: Call) -> str:
    names = ", ".join(entry.parameters)
    return f"values of {shown(names)}"
