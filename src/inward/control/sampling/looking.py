"""What becomes of a copy of an answer: its operation is resolved, it is looked at, and the result is counted.

Each operation is looked at `ENOUGH` times an hour and then left alone until the next, so that one that is called all
the time neither costs much nor hides another. No I/O, no clock.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from inward.catalog.model import Mode
from inward.catalog.resolve import Resolver
from inward.spotting.answer import look_at
from inward.spotting.history import History
from inward.spotting.tally import NotLooked

if TYPE_CHECKING:
    from datetime import datetime

    from inward.catalog.model import Catalog, Operation, Service
    from inward.envoy.tap import Tapped

OBSERVED_SHARE = 1.0
ENFORCED_SHARE = 0.01
ENOUGH = 200  # answers of an operation an hour
MOST_KNOWN = 32  # operations that an Envoy is told to leave alone: each is an expression that it tries


def share_of(service: Service) -> float:
    """Return which share of a service's answers is looked at: what the system says, or what fits its mode."""
    if service.listen is None or not service.operations or service.serves_tls:  # no Envoy is in front of the last
        return 0.0
    if service.sample is not None:
        return service.sample
    return OBSERVED_SHARE if service.mode is Mode.OBSERVE else ENFORCED_SHARE


class Looker:
    """Looks at the answers of one catalog's services. `history` has what was counted since it was taken last."""

    def __init__(self, catalog: Catalog) -> None:
        self.history = History()
        self._resolvers = {name: Resolver(service) for name, service in catalog.services.items()}
        self._hour: datetime | None = None
        self._looked: Counter[Operation] = Counter()

    def look(self, service: str, tapped: Tapped, now: datetime) -> None:
        """Look at one answer of a service. What is no answer of a documented operation, or has no body, is nothing."""
        resolver = self._resolvers.get(service)
        found = resolver.resolve(tapped.method, tapped.path) if resolver else None
        if found is None or not tapped.body:
            return
        operation, _ = found
        self._begin_hour(now)
        if self._looked[operation] >= ENOUGH:
            return
        self._looked[operation] += 1
        shape = operation.answers.of(tapped.status)
        try:
            looked = look_at(tapped.body, tapped.content_type, tapped.encoding, shape, truncated=tapped.truncated)
        except Exception:  # noqa: BLE001 - INVARIANT: no text of an error, which could have a value, gets anywhere
            looked = NotLooked.FAILED
        tally = self.history.day(now.date())
        if isinstance(looked, NotLooked):
            tally.add_not_looked(operation.id, tapped.status, looked)
        else:
            tally.add(operation.id, tapped.status, looked.spotted, looked.resembling)

    def known(self, service: str, now: datetime) -> list[Operation]:
        """Return the operations of a service that were looked at enough this hour."""
        self._begin_hour(now)
        found = [each for each in self._looked if each.service == service and self._looked[each] >= ENOUGH]
        return found[:MOST_KNOWN]

    def take(self) -> History:
        """Return what was counted since the last time."""
        taken, self.history = self.history, History()
        return taken

    def _begin_hour(self, now: datetime) -> None:
        hour = now.replace(minute=0, second=0, microsecond=0)
        if hour != self._hour:
            self._hour = hour
            self._looked.clear()
