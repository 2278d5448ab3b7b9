"""Spread: how reach goes on from what a service can call to what others then call for it. No I/O.

Two answers. `Traced` goes on only where the record shows that one operation calls another while it is served.
`Assumed` is the worst case: whoever is called can be made to do all that it may.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

from inward.insight.reach.access import ones

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterator

    from inward.insight.reach.access import Access

START = "start"  # the node of the service whose reach it is


class Spread(Protocol):
    """How reach goes on. Operations are numbers and masks of an `Access`."""

    def onward(self, access: Access, reached: int) -> dict[str, int]:
        """Return which services can be made to call which operations, once some operations are reached."""
        ...

    def leads(self, cause: int, effect: int) -> bool:
        """Tell whether one operation can be made to call another, as far as its service may."""
        ...

    def nodes(self, access: Access, operations: int) -> Iterator[Hashable]:
        """Yield what the operations are in the graph of all ways: places from which reach goes on."""
        ...

    def origins(self, access: Access, reached: int) -> Iterator[tuple[Hashable, str, int]]:
        """Yield the places of reached operations, with the service that acts there and what it can be made to call."""
        ...


class Traced:
    """Reach goes on where one operation was seen to call another: `links` are pairs of operations' ids."""

    def __init__(self, access: Access, links: Collection[tuple[str, str]]) -> None:
        self._links: dict[int, int] = defaultdict(int)
        self._linked = 0
        for cause, effect in links:
            if cause in access.number and effect in access.number:
                self._links[access.number[cause]] |= 1 << access.number[effect]
                self._linked |= 1 << access.number[cause]

    def onward(self, access: Access, reached: int) -> dict[str, int]:
        """Return what the services call while they serve these operations, and still may call."""
        found: dict[str, int] = defaultdict(int)
        for _, service, operations in self.origins(access, reached):
            found[service] |= operations
        return found

    def leads(self, cause: int, effect: int) -> bool:
        """Tell whether one operation was seen to call the other."""
        return bool(self._links.get(cause, 0) >> effect & 1)

    def nodes(self, access: Access, operations: int) -> Iterator[Hashable]:
        """Yield the operations that call others."""
        del access
        yield from ones(operations & self._linked)

    def origins(self, access: Access, reached: int) -> Iterator[tuple[Hashable, str, int]]:
        """Yield each operation that calls others, with its service and what that still may call of them."""
        for cause in ones(reached & self._linked):
            service = access.operations[cause].service
            yield cause, service, self._links[cause] & access.calls(service)


class Assumed:
    """Whoever is called can be made to do all that it may."""

    def onward(self, access: Access, reached: int) -> dict[str, int]:
        """Return all that the services of these operations may call."""
        return {service: operations for _, service, operations in self.origins(access, reached)}

    def leads(self, cause: int, effect: int) -> bool:
        """Tell that it is so: the worst is assumed."""
        del cause, effect
        return True

    def nodes(self, access: Access, operations: int) -> Iterator[Hashable]:
        """Yield the services of the operations."""
        while operations:
            service = access.operations[next(ones(operations))].service
            yield service
            operations &= ~access.owned[service]

    def origins(self, access: Access, reached: int) -> Iterator[tuple[Hashable, str, int]]:
        """Yield each service of the operations, with all that it may call."""
        for service, owned in access.owned.items():
            if owned & reached:
                yield service, service, access.calls(service)
