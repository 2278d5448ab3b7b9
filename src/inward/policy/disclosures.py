"""Which data classes a caller may be shown: the decisions of `Engine.disclose`, made ready for every answer. No clock.

Whether a caller is shown a class is decided like a call: default deny, expired policies do not exist, a forbid wins, a
failing policy refuses. What does not depend on the moment is looked up; between two moments at which policies expire,
only classes whose policies read the time are decided again.

A class is decided by itself: `resource in DataClass::"pii"` covers `pii.email`, and `resource == …` does not.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from inward.catalog.model import Catalog
    from inward.policy.decide import Engine

MAX_SETS = 10_000  # pairs of a caller and a set of classes that are kept ready


class Disclosures:
    """What callers may be shown, by an engine and the catalog that it was made for."""

    def __init__(self, catalog: Catalog, engine: Engine) -> None:
        self._catalog = catalog
        self._engine = engine
        self._ready: dict[tuple[str, frozenset[str]], _Ready] = {}

    def withheld(self, caller: str, classes: frozenset[str], now: datetime) -> frozenset[str]:
        """Return those of some classes that a caller may not be shown at a moment, which has a time zone.

        A caller that the catalog does not hold is shown nothing; `KeyError` for a class that it does not hold.
        """
        if not classes or caller not in self._catalog.services:
            return classes
        ready = self._ready.get((caller, classes))
        if ready is None:
            if len(self._ready) >= MAX_SETS:
                self._ready.clear()
            ready = self._ready[caller, classes] = _Ready(self._engine, caller, classes)
        return ready.withheld(now)

    def shown(self, caller: str, classes: frozenset[str], now: datetime) -> frozenset[str]:
        """Return those of some classes that a caller may be shown at a moment."""
        return classes - self.withheld(caller, classes, now)


class _Ready:
    """What one caller may be shown of some classes."""

    __slots__ = ("_asked", "_caller", "_engine", "_fixed", "_moments", "_phases")

    def __init__(self, engine: Engine, caller: str, classes: Iterable[str]) -> None:
        self._engine = engine
        self._caller = caller
        moments: set[datetime] = set()
        fixed: list[str] = []
        asked: list[str] = []
        for name in sorted(classes):
            cell = engine.index.disclosure(caller, name)
            policies = (*cell.permits, *cell.forbids)
            moments.update(policy.expires for policy in policies if policy.expires is not None)
            (asked if any(policy.conditional for policy in policies) else fixed).append(name)
        self._moments = sorted(moments)
        self._fixed, self._asked = tuple(fixed), tuple(asked)
        self._phases: dict[int, frozenset[str]] = {}  # what is withheld of the fixed ones

    def withheld(self, now: datetime) -> frozenset[str]:
        phase = bisect_right(self._moments, now) if self._moments else 0
        withheld = self._phases.get(phase)
        if withheld is None:
            withheld = self._phases[phase] = self._decided(self._fixed, now)
        return withheld | self._decided(self._asked, now) if self._asked else withheld

    def _decided(self, names: tuple[str, ...], now: datetime) -> frozenset[str]:
        return frozenset(name for name in names if not self._engine.disclose(self._caller, name, now).allowed)
