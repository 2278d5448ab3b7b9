"""The names that the lists of a test file hold, and the services, operations and requests that they stand for.

Callers are services, `*` for every service, and lists that the file itself names. Operations are ids and the groups
that policies know: `orders:read`, `orders:write`, `orders:*`, and `read` and `write` of all services.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inward.catalog.document import did_you_mean, shown
from inward.policy.schema import READ, WRITE, groups_of, groups_of_service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from inward.catalog.document import Value
    from inward.catalog.model import Catalog

EVERY = "*"

Known = dict[str, tuple[str, ...]]  # what each name stands for


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one kind; `what` it is called in mistakes, `hint` tells what to write instead of an unknown one.

    `used` grows with the names that are read. Whatever is wrong becomes a mistake where the name stands, which then
    stands for nothing.
    """

    what: str
    known: Mapping[str, tuple[str, ...]]
    hint: Callable[[str], str]
    used: set[str] = field(default_factory=set)

    def of(self, name: str, at: Value, asked: AbstractSet[str] | None = None) -> tuple[str, ...]:
        """Return what a name stands for; with `asked`, only those of it that a test asks about."""
        found = self.known.get(name)
        if found is None:
            at.mistake(f"there is no {self.what} `{shown(name)}`", self.hint(name))
            return ()
        self.used.add(name)
        if not found:
            at.mistake(f"`{shown(name)}` stands for no {self.what}")
        elif asked is not None:
            found = tuple(each for each in found if each in asked)
            if asked and not found:  # where nothing is asked about, that is the mistake
                hint = f"take it out, or put it into the test's list of {self.what}s too"
                at.mistake(f"the test does not ask about the {self.what} `{shown(name)}`", hint)
        return found

    def listed(self, value: Value, asked: AbstractSet[str] | None = None) -> tuple[str, ...]:
        """Return what the names of a list stand for, each once, in order; a list must not be empty."""
        found: dict[str, None] = {}
        seen: set[str] = set()
        for item in value.items():
            name = item.text()
            if name is None:
                continue
            if name in seen:
                item.mistake(f"`{shown(name)}` stands here a second time", "keep one")
            seen.add(name)
            found.update(dict.fromkeys(self.of(name, item, asked)))
        if value.data == []:
            value.mistake(f"{value.label} names no {self.what}")
        return tuple(found)


def callers_of(catalog: Catalog) -> Known:
    """Return the names of callers that every file may use."""
    return {name: (name,) for name in catalog.services} | {EVERY: tuple(catalog.services)}


def operations_of(catalog: Catalog) -> Names:
    """Return the names of operations and of their groups."""
    grouped: dict[str, list[str]] = {READ: [], WRITE: []}
    grouped |= {group: [] for service in catalog.services for group in groups_of_service(service)}
    for operation in catalog.operations.values():
        for group in groups_of(operation):
            grouped[group].append(operation.id)
    known = {group: tuple(ids) for group, ids in grouped.items()} | {name: (name,) for name in catalog.operations}

    def hint(name: str) -> str:
        service, colon, _ = name.partition(":")
        if not colon:
            return "an operation is written `service:name`, such as `orders:getOrder`"
        if service not in catalog.services:
            return did_you_mean(service, catalog.services)
        ids = [operation.id for operation in catalog.services[service].operations]
        return did_you_mean(name, ids) if ids else f"`{service}` has no API description"

    return Names("operation", known, hint)
