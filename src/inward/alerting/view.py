"""What detectors know of the catalog: the operations that are documented, and the data classes of their answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inward.catalog.model import Catalog


@dataclass(frozen=True, slots=True)
class View:
    """`classes` maps each documented operation to the data classes that its answers may hold, sorted."""

    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, catalog: Catalog) -> View:
        """Return what detectors need to know of `catalog`."""
        return cls({name: tuple(sorted(each.answers.classes)) for name, each in catalog.operations.items()})
