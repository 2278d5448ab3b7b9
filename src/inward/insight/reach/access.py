"""Access: which operations each service may call, and which data it is shown by them. No I/O, no clock.

Sets of operations are the bits of one integer, as sets of policies are in the index, so that a system with a thousand
services is looked at in a moment. Rules:

1. What is allowed under some condition counts; that the condition can hold is not proven.
2. An expired policy does not exist.
3. In mode observe nothing is refused: every service can call the operation, and is given all of its answer.
4. A service in quarantine neither calls nor is called, and nobody calls one that takes no calls.
5. Data of an answer counts where it is disclosed to the caller, or where nobody would cut it out (`insight.withheld`).

What it leaves out: what only an object decides. A grant on objects narrows what a call may do, and opens none.
"""

from __future__ import annotations

import copy
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from inward.catalog.model import Mode
from inward.insight.withheld import cut_by_nobody

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from datetime import datetime

    from inward.catalog.model import Catalog, Operation
    from inward.policy.index import Index
    from inward.policy.model import Policy

How = Literal["granted", "condition", "observe", "uncut"]


@dataclass(frozen=True, slots=True)
class Way:
    """Why a call goes through, or why data is shown.

    `grants` is the mask of all grants that must be gone before it no longer does; 0 where it needs none: in mode
    observe, or (`uncut`) where nobody would cut the data out.
    """

    how: How
    grants: int


OBSERVED: Final = Way("observe", 0)
UNCUT: Final = Way("uncut", 0)


def ones(mask: int) -> Iterator[int]:
    """Yield the positions of the bits that are set, from the lowest."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def mask_of(positions: Iterable[int]) -> int:
    """Return the integer with these bits, in time linear in both."""
    listed = list(positions)
    data = bytearray(max(listed, default=0) // 8 + 1)
    for position in listed:
        data[position >> 3] |= 1 << (position & 7)
    return int.from_bytes(data, "little")


class Access:
    """Who may call what in one system at one moment, which has a time zone; services in `quarantined` are cut off.

    `operations` has the operations of the catalog in the order of their bits.
    """

    def __init__(self, catalog: Catalog, index: Index, now: datetime, quarantined: Collection[str] = ()) -> None:
        self.catalog = catalog
        self.operations: tuple[Operation, ...] = tuple(catalog.operations.values())
        self.number = {operation.id: number for number, operation in enumerate(self.operations)}
        self._index = index
        self._quarantined = frozenset(quarantined)
        live = [(n, each) for n, each in enumerate(index.policies) if each.expires is None or each.expires > now]
        self._permits = mask_of(n for n, policy in live if policy.effect == "permit")
        self._conditional = mask_of(n for n, policy in live if policy.conditional)
        self._always = mask_of(n for n, policy in live if policy.effect == "forbid" and not policy.conditional)
        self._read_operations()
        self._read_classes()
        self._calls: dict[str, int] = {}
        self._shown: dict[tuple[str, str], Way | None] = {}

    def _read_operations(self) -> None:
        services = self.catalog.services
        owned: dict[str, list[int]] = {name: [] for name in services}
        writes, observed, uncut = [], [], []
        alike: dict[int, list[int]] = defaultdict(list)
        for number, operation in enumerate(self.operations):
            owned[operation.service].append(number)
            alike[self._index.operation_mask(operation)].append(number)
            if not operation.read_only:
                writes.append(number)
            if operation.mode is Mode.OBSERVE:
                observed.append(number)
            if cut_by_nobody(services[operation.service], operation) is not None:
                uncut.append(number)
        self.owned = {name: mask_of(numbers) for name, numbers in owned.items()}  # operations by service
        self.writes = mask_of(writes)
        self.uncut = mask_of(uncut)  # those of whose answers nobody cuts anything out
        self._can_be_called = mask_of(
            number
            for name, numbers in owned.items()
            if services[name].listen is not None and name not in self._quarantined
            for number in numbers
        )
        self._observed = mask_of(observed) & self._can_be_called
        # Operations to which the same policies apply stand together: most of a service's are such.
        self._alike = {mask: mask_of(numbers) for mask, numbers in alike.items()}
        self._of_policy: dict[int, int] = defaultdict(int)  # the operations to which a policy can apply
        self._kinds: dict[int, list[int]] = defaultdict(list)  # and their masks of policies
        for mask, operations in self._alike.items():
            for policy in ones(mask & (self._permits | self._always)):
                self._of_policy[policy] |= operations
                self._kinds[policy].append(mask)

    def _read_classes(self) -> None:
        # by class: the operations whose answers hold it, and those whose requests may
        names = self.catalog.data_classes
        self._data = {name: self._index.data_mask(data_class) for name, data_class in names.items()}
        serving: dict[str, list[int]] = {name: [] for name in names}
        taking: dict[str, list[int]] = {name: [] for name in names}
        for number, operation in enumerate(self.operations if names else ()):
            for name in operation.answers.classes:
                serving[name].append(number)
            for name in operation.body.classes.union(*(each.classes for each in operation.parameters)):
                taking[name].append(number)
        self.serving = {name: mask_of(numbers) for name, numbers in serving.items()}
        self.taking = {name: mask_of(numbers) for name, numbers in taking.items()}

    def without(self, grants: int) -> Access:
        """Return what is left when some grants are taken out."""
        left = copy.copy(self)
        left._take_out(grants)  # noqa: SLF001 - its own class
        return left

    def _take_out(self, grants: int) -> None:
        self._permits &= ~grants
        self._calls, self._shown = {}, {}

    @property
    def grants(self) -> int:
        """All grants that have not expired."""
        return self._permits

    @property
    def observed(self) -> int:
        """The operations of which every call is let through."""
        return self._observed

    def policies(self, grants: int) -> tuple[Policy, ...]:
        """Return the policies of a mask, in the order of their ids."""
        return self._index.chosen(grants)[0]

    def opened_by(self, grants: int) -> dict[int, int]:
        """Return for each grant of a mask, by its position, how many calls and disclosures it is about.

        A call is a pair of a service and an operation here, a disclosure one of a service and a class.
        """
        services: Counter[int] = Counter()
        for service in self.catalog.services.values():
            services.update(ones(self._index.caller_mask(service) & grants))
        classes = Counter(position for mask in self._data.values() for position in ones(mask & grants))
        return {
            position: services[position] * (self._of_policy.get(position, 0).bit_count() + classes[position])
            for position in ones(grants)
        }

    def is_cut_off(self, service: str) -> bool:
        """Tell whether a service is in quarantine."""
        return service in self._quarantined

    def calls(self, caller: str) -> int:
        """Return the operations that a service may call."""
        found = self._calls.get(caller)
        if found is None:
            mask = self._index.caller_mask(self.catalog.services[caller])
            found = 0
            for policy in ones(mask & self._permits):
                found |= self._of_policy.get(policy, 0)
            for policy in ones(mask & self._always):
                found &= ~self._of_policy.get(policy, 0)
            found = (found | self._observed) & self._can_be_called
            found = self._calls[caller] = 0 if caller in self._quarantined else found
        return found

    def way(self, caller: str, number: int) -> Way | None:
        """Return why a service may call an operation; None where it may not."""
        if not self.calls(caller) >> number & 1:
            return None
        if self._observed >> number & 1:
            return OBSERVED
        applying = self._index.operation_mask(self.operations[number])
        return self._way(applying & self._index.caller_mask(self.catalog.services[caller]))

    def ways(self, caller: str, operations: int) -> Iterator[tuple[Way, int]]:
        """Yield why a service may call some operations, each time with those for which it is so."""
        operations &= self.calls(caller)
        if operations & self._observed:
            yield OBSERVED, operations & self._observed
        operations &= ~self._observed
        mask = self._index.caller_mask(self.catalog.services[caller])
        kinds = dict.fromkeys(kind for policy in ones(mask & self._permits) for kind in self._kinds.get(policy, ()))
        for kind in kinds:
            some = self._alike[kind] & operations
            way = self._way(kind & mask) if some else None
            if way is not None:
                yield way, some

    def _way(self, policies: int) -> Way | None:
        grants = policies & self._permits
        if not grants or policies & self._always:
            return None
        return Way("condition" if policies & self._conditional else "granted", grants)

    def shown(self, service: str, data_class: str) -> Way | None:
        """Return why a class is disclosed to a service; None where it is not."""
        key = (service, data_class)
        if key not in self._shown:
            mask = self._data[data_class] & self._index.caller_mask(self.catalog.services[service])
            self._shown[key] = self._way(mask)
        return self._shown[key]

    def reads(self, caller: str, data_class: str) -> int:
        """Return the operations by which a service is given a class."""
        serving = self.calls(caller) & self.serving[data_class]
        if not serving & ~self.uncut:
            return serving
        return serving if self.shown(caller, data_class) is not None else serving & self.uncut

    def showing(self, caller: str, data_class: str, operations: int) -> Iterator[tuple[Way, int]]:
        """Yield why a service is given a class by some operations, each time with those for which it is so."""
        found = operations & self.reads(caller, data_class)
        if found & self.uncut:
            yield UNCUT, found & self.uncut
        disclosed = self.shown(caller, data_class)
        if found & ~self.uncut and disclosed is not None:
            yield disclosed, found & ~self.uncut

    def changes(self, caller: str, data_class: str) -> int:
        """Return the operations that change something by which a service can send a class."""
        taking = self.calls(caller) & self.writes & self.taking[data_class]
        return mask_of(
            number
            for number in ones(taking)
            if self.uncut >> number & 1 or self.shown(self.operations[number].service, data_class) is not None
        )
