"""What is withheld from a caller, and from when on: for enforcers that are told beforehand. No clock.

The answers are those of `policy.disclosures` at every moment. Where it cannot be said beforehand when a condition
holds, the class is withheld for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from inward.catalog.model import Mode
from inward.policy.moments import EPOCH, moments_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from inward.catalog.model import Catalog, Operation
    from inward.policy.decide import Engine

MAX_PHASES = 1_000  # of one caller and one operation
_END: Final = (datetime(9999, 12, 31, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Phase:
    """What is withheld from a moment on, in microseconds since 1970, until the next phase begins."""

    since: int
    withheld: frozenset[str]


@dataclass(frozen=True, slots=True)
class Viewed:
    """An operation whose answers or requests are looked at: `phases` by the callers that it may have.

    `classes` are at stake in answers. `taken` are those that requests can hold, and `received` says what of them the
    service itself may not receive. `untold` are those that are withheld from a service because it cannot be said
    beforehand when they are disclosed to it.
    """

    operation: Operation
    classes: frozenset[str]
    phases: Mapping[str, tuple[Phase, ...]]
    taken: frozenset[str]
    received: tuple[Phase, ...]
    untold: Mapping[str, frozenset[str]]

    @property
    def answers(self) -> bool:
        """Whether something is withheld of answers, from some caller at some time."""
        return any(phase.withheld for each in self.phases.values() for phase in each)

    @property
    def requests(self) -> bool:
        """Whether there is something that the service may not receive, at some time."""
        return any(phase.withheld for phase in self.received)


class Withholding:
    """What is withheld from the callers of one system."""

    def __init__(self, catalog: Catalog, engine: Engine) -> None:
        self._catalog = catalog
        self._engine = engine
        self._moments: dict[tuple[str, str], frozenset[int] | None] = {}
        self._phases: dict[tuple[str, frozenset[str]], tuple[Phase, ...]] = {}

    def viewed(self, operation: Operation) -> Viewed | None:
        """Return how an operation's answers and requests are to be looked at.

        None where callers may always see all of its answers, and the service may always receive all of its requests.
        """
        classes = operation.answers.classes
        taken = operation.body.classes.union(*(parameter.classes for parameter in operation.parameters))
        if not classes and not taken:
            return None
        callers = self._callers(operation)
        phases = {caller: self.phases(caller, classes) for caller in callers}
        untold = {caller: names for caller in callers if (names := self._untold(caller, classes))}
        if callers and (names := self._untold(operation.service, taken)):
            untold[operation.service] = untold.get(operation.service, frozenset()) | names
        received = self.phases(operation.service, taken) if callers else (Phase(0, frozenset()),)
        viewed = Viewed(operation, classes, phases, taken, received, untold)
        return viewed if viewed.answers or viewed.requests else None

    def phases(self, caller: str, classes: Iterable[str]) -> tuple[Phase, ...]:
        """Return what of some classes is withheld from a service of the catalog, in the order of time, from 1970 on."""
        key = (caller, frozenset(classes))
        if key not in self._phases:
            self._phases[key] = tuple(self._found(*key))
        return self._phases[key]

    def _found(self, caller: str, names: frozenset[str]) -> Iterator[Phase]:
        told = names - self._untold(caller, names)
        moments = {0}.union(*(self._moments_of(caller, name) or () for name in told))
        if len(moments) > MAX_PHASES:
            yield Phase(0, names)
            return
        before = None
        for moment in sorted(each for each in moments if 0 <= each < _END):
            now = EPOCH + timedelta(microseconds=moment)
            withheld = names - {name for name in told if self._engine.disclose(caller, name, now).allowed}
            if withheld != before:
                yield Phase(moment, withheld)
            before = withheld

    def _callers(self, operation: Operation) -> list[str]:
        """Return the services whose calls are let through, at some time or under some condition."""
        if operation.mode is Mode.OBSERVE:
            return sorted(self._catalog.services)
        cells = self._engine.index.cells_of(operation.id)
        return sorted(cell.caller for cell in cells if cell.constant is not False)

    def _untold(self, caller: str, names: frozenset[str]) -> frozenset[str]:
        return frozenset(name for name in names if self._moments_of(caller, name) is None)

    def _moments_of(self, caller: str, name: str) -> frozenset[int] | None:
        """Return when it can change whether a class is disclosed to a caller; None where that cannot be said."""
        key = (caller, name)
        if key not in self._moments:
            cell = self._engine.index.disclosure(caller, name)
            each = [moments_of(policy) for policy in (*cell.permits, *cell.forbids)]
            known = [moments for moments in each if moments is not None]
            self._moments[key] = frozenset[int]().union(*known) if len(known) == len(each) else None
        return self._moments[key]
