"""Which cells Envoy cannot decide by itself, found without compiling the routes that need not be compiled for it.

Verdicts can be kept from one process to the next. They are told, and never enforced: what Envoy gets is compiled anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inward.catalog.resolve import most_specific_first
from inward.envoy.resources.render import Leaves, SlowCell
from inward.policy.cel import UntranslatableError
from inward.policy.loading.digests import Digests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.catalog.model import Catalog, Service
    from inward.policy.decide import Engine
    from inward.policy.model import Cell, Policies


@dataclass
class Verdicts:
    """The slow cells of services, by the digest of all that they depend on.

    `kept` is what was found before, `used` is what was asked for since.
    """

    kept: dict[str, tuple[SlowCell, ...]] = field(default_factory=dict)
    used: dict[str, tuple[SlowCell, ...]] = field(default_factory=dict)


class SlowCells:
    """Finds the slow cells of one system."""

    def __init__(self, catalog: Catalog, policies: Policies, engine: Engine, verdicts: Verdicts | None = None) -> None:
        self._engine = engine
        self._verdicts = verdicts if verdicts is not None else Verdicts()
        self._digests = Digests(catalog, policies)
        self._leaves = Leaves(catalog)
        self._known: dict[tuple[object, ...], str] = {}  # what Envoy cannot express, if anything, by the leaf's own key

    def of(self, service: Service) -> tuple[SlowCell, ...]:
        """Return the slow cells of a service, in the order of its routes and then of the callers."""
        digest = self._digests.of(service.name)
        found = self._verdicts.kept.get(digest)
        if found is None:
            found = tuple(self._find(service))
        self._verdicts.used[digest] = found
        return found

    def _find(self, service: Service) -> Iterator[SlowCell]:
        for operation in most_specific_first(service.operations):
            for cell in self._engine.index.cells_of(operation.id):
                key = self._leaves.key(cell)
                construct = self._known.get(key)
                if construct is None:
                    construct = self._known[key] = self._construct(cell)
                if construct:
                    yield SlowCell(cell.caller, operation.id, construct)

    def _construct(self, cell: Cell) -> str:
        """Return what Envoy cannot express of a cell, an empty text where it can express all."""
        if cell.constant is not None:
            return ""  # nothing is translated
        try:
            self._leaves.of(cell)
        except UntranslatableError as error:
            return error.construct
        return ""
