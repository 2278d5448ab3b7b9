"""Replay: what a proposed policy would decide of the calls in the record, and whose calls would change.

A change is a call that the record says was allowed and the proposal refuses, or the other way round; in observe mode
too, where what was decided is compared, not what was carried out. No I/O, no clock; memory does not grow with the
number of calls. Rules:

1. A call counts once. What its egress tells of it is no decision of a policy, and is skipped, counted by its reason.
2. Where the query would decide, which is not recorded, or a parameter that is not kept, a call is unknown; but not if
   the same policies, word for word, of a system that is alike decided it then: they decide it the same.
3. A change that today's policy makes too is told apart: the proposal does not bring it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from inward.catalog.model import Mode
from inward.insight.recorded import DECIDED, Undecided
from inward.record.call import HASHED, Act, Gap

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.catalog.model import Catalog, Operation, Service
    from inward.insight.recorded import Decider
    from inward.policy.decision import Decision
    from inward.record.call import Call, Entry

MAX_GROUPS = 10_000  # told apart; calls of others are counted
MAX_GAPS = 20  # kept; others are counted
MAX_SKIPPED = 50  # reasons that are told apart

Change = Literal["refused", "allowed", "unknown"]  # what becomes of a call: newly refused, newly allowed, not known
OTHER = "other"  # skipped for one of too many reasons
NO_CALLER = "no_caller"  # skipped: who called was not verified
NO_REQUEST = "no_request"  # skipped: without a callee, a method, a path or a time that can be read


@dataclass(frozen=True, slots=True)
class Key:
    """What the calls of a group have in common.

    `was` and `becomes` are reason codes; `becomes` is empty where it is unknown. `already` is whether today's policy
    decides as the proposal does. `operation` is the recorded one, and `new_operation` the proposal's.
    """

    change: Change
    already: bool
    caller: str
    callee: str
    operation: str | None
    new_operation: str | None
    was: str
    becomes: str
    parameters: tuple[str, ...] = ()  # those that would decide, and are not recorded


@dataclass(slots=True)
class Group:
    """Calls that change alike: how many, when (as recorded), and the reference of the newest."""

    owner: str | None  # of the callee
    observed: bool  # whether the proposal would let such a call through all the same, in mode observe
    calls: int = 0
    first: str = ""
    last: str = ""
    reference: str = ""

    def add(self, call: Call) -> None:
        """Count one more call."""
        self.calls += 1
        self.first = min(self.first, call.time) if self.first else call.time
        if call.time >= self.last:
            self.last, self.reference = call.time, call.id


@dataclass(slots=True)
class Replay:
    """What a replay found. `calls` is how many were replayed; each is unchanged, or in a group, or in `rest`."""

    calls: int = 0
    unchanged: int = 0
    groups: dict[Key, Group] = field(default_factory=dict)
    rest: Counter[tuple[Change, bool]] = field(default_factory=Counter)  # calls of groups beyond `MAX_GROUPS`
    skipped: Counter[str] = field(default_factory=Counter)  # by reason: no policy decided these
    gaps: list[Gap] = field(default_factory=list)  # the first ones
    gap_count: int = 0

    def count(self, change: Change, *, already: bool) -> int:
        """Return how many calls change so."""
        grouped = sum(
            group.calls for key, group in self.groups.items() if (key.change, key.already) == (change, already)
        )
        return grouped + self.rest[change, already]

    def ordered(self) -> list[tuple[Key, Group]]:
        """Return the groups: those that the proposal brings first; refused, allowed, unknown; the largest first."""
        order: dict[Change, int] = {"refused": 0, "allowed": 1, "unknown": 2}
        return sorted(
            self.groups.items(),
            key=lambda item: (
                item[0].already,
                order[item[0].change],
                -item[1].calls,
                item[0].caller,
                item[0].operation or "",
                item[0].was,
                item[0].becomes,
                item[1].reference,
            ),
        )


class Replayer:
    """Replays entries of the record, one after the other, against `new`; `result` is what was found so far.

    `today` is the policy that decides now, None where there is none to compare with. `at` is the moment at which all
    calls are decided, None for each one's own.
    """

    def __init__(self, new: Decider, today: Decider | None, at: datetime | None = None) -> None:
        self._new = new
        self._today = today
        self._at = at
        self._alike = today is not None and alike(new.catalog, today.catalog)
        self.result = Replay()

    def add(self, entries: Iterable[Entry]) -> Replay:
        """Replay more entries, and return what was found so far."""
        for entry in entries:
            if isinstance(entry, Gap):
                self.result.gap_count += 1
                if len(self.result.gaps) < MAX_GAPS:
                    self.result.gaps.append(entry)
            elif isinstance(entry, Act):
                continue
            elif (why := _skipped(entry)) is not None:
                self._skip(why)
            else:
                self._replay(entry)
        return self.result

    def _skip(self, why: str) -> None:
        skipped = self.result.skipped
        skipped[why if why in skipped or len(skipped) < MAX_SKIPPED else OTHER] += 1

    def _replay(self, call: Call) -> None:
        now = self._at or _moment(call.time)
        if now is None:
            self._skip(NO_REQUEST)
            return
        self.result.calls += 1
        operation = self._new.operation(call)
        became = self._new.decide(call, operation, now)
        if isinstance(became, Undecided):
            as_today = self._is_as_today(call, operation)
            if self._at is None and call.policy_version in self._versions(as_today=as_today):
                self.result.unchanged += 1
            else:
                self._group(call, operation, "unknown", already=as_today, parameters=became.parameters)
        elif became.allowed == (call.decision == "allow"):
            self.result.unchanged += 1
        else:
            change: Change = "allowed" if became.allowed else "refused"
            self._group(call, operation, change, already=self._already(call, now, became), becomes=became.reason)

    def _already(self, call: Call, now: datetime, became: Decision) -> bool:
        if self._today is None:
            return False
        today = self._today.decide(call, self._today.operation(call), now)
        return not isinstance(today, Undecided) and today.allowed == became.allowed

    def _is_as_today(self, call: Call, operation: Operation | None) -> bool:
        """Tell whether today's policy decides such a call by the very same policies, whatever its query is."""
        return (
            self._today is not None
            and self._alike
            and operation is not None
            and call.operation == operation.id
            and self._new.same_cell(self._today, call, operation)
        )

    def _versions(self, *, as_today: bool) -> tuple[str, ...]:
        """Return the versions that decided as the proposal does."""
        return (self._new.version, self._today.version) if as_today and self._today else (self._new.version,)

    def _group(
        self,
        call: Call,
        operation: Operation | None,
        change: Change,
        *,
        already: bool,
        becomes: str = "",
        parameters: tuple[str, ...] = (),
    ) -> None:
        caller, callee = call.caller or "", call.callee or ""
        new = operation.id if operation else None
        key = Key(change, already, caller, callee, call.operation, new, call.reason, becomes, parameters)
        group = self.result.groups.get(key)
        if group is None:
            if len(self.result.groups) >= MAX_GROUPS:
                self.result.rest[change, already] += 1
                return
            service = self._new.catalog.services.get(callee)
            if service is None and self._today is not None:
                service = self._today.catalog.services.get(callee)
            observed = operation is not None and operation.mode == Mode.OBSERVE
            group = self.result.groups[key] = Group(service.owner if service else None, observed)
        group.add(call)


def alike(one: Catalog, other: Catalog) -> bool:
    """Tell whether what both catalogs hold has the same attributes, groups and parents, as conditions see them."""
    services = one.services.keys() & other.services.keys()
    operations = one.operations.keys() & other.operations.keys()
    data_classes = one.data_classes.keys() & other.data_classes.keys()
    return (
        all(_attributes(one.services[name]) == _attributes(other.services[name]) for name in services)
        and all(one.operations[name].read_only == other.operations[name].read_only for name in operations)
        and all(one.data_classes[name].parent == other.data_classes[name].parent for name in data_classes)
    )


def _attributes(service: Service) -> tuple[str, str | None, tuple[str, ...]]:
    return service.owner, service.zone, service.groups


def _skipped(call: Call) -> str | None:
    """Return why a call is not replayed; None for one that a policy decided."""
    if call.reason not in DECIDED:
        return call.reason
    if call.enforcer != "ingress":
        return call.enforcer
    if call.caller is None:
        return NO_CALLER
    if call.callee is None or call.method is None or call.path is None:
        return NO_REQUEST
    if call.path.startswith(HASHED):
        return NO_REQUEST
    return None


def _moment(time: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(time)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
