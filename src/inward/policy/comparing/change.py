"""What a comparison finds: changes of what is allowed, what is not known, and shifts of the catalog. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from inward.policy.comparing.shifts import Shift
    from inward.policy.model import Policy
    from inward.policy.proving.witness import Witness

Kind = Literal["allowed", "refused", "wider", "narrower", "changed"]
_WIDENING: tuple[Kind, ...] = ("allowed", "wider", "changed")
_NARROWING: tuple[Kind, ...] = ("refused", "narrower", "changed")


@dataclass(frozen=True, slots=True)
class Example:
    """A request that one system allows and the other refuses, as the one that allows it knows it.

    `odd` are parameters that are not in plain form in it, where that makes the difference: a system that reads one of
    them refuses. `by` are the grants that allow it, `against` what the other system refuses it by: forbids, or grants
    whose conditions it does not meet; empty where it has no grant.
    """

    witness: Witness
    odd: tuple[str, ...]
    by: tuple[Policy, ...]
    against: tuple[Policy, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What differs in the cells of all of `callers` and `targets` (ids of operations, or names of data classes).

    `allowed`: nothing was allowed, something is. `refused`: the reverse. `wider`, `narrower`: something was and is;
    `changed`: both. `gained` is allowed by the new system only, `lost` by the old one only. The policies are those that
    only one side has there. `until` holds the two ends (None is no end) where the policies differ in nothing but when
    they expire. `constructs` is what kept it from being known whether the other direction differs too.
    """

    kind: Kind
    callers: tuple[str, ...]
    targets: tuple[str, ...]
    gained: Example | None
    lost: Example | None
    old_policies: tuple[Policy, ...]
    new_policies: tuple[Policy, ...]
    until: tuple[datetime | None, datetime | None] | None = None
    constructs: tuple[str, ...] = ()

    @property
    def widens(self) -> bool:
        """Whether the new system allows more there, as far as is known: false is certain."""
        return self.kind in _WIDENING or bool(self.constructs)

    @property
    def narrows(self) -> bool:
        """Whether the new system refuses more there, as far as is known: false is certain."""
        return self.kind in _NARROWING or bool(self.constructs)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Cells of which it is not known whether they differ, and the constructs that kept it from being known."""

    callers: tuple[str, ...]
    targets: tuple[str, ...]
    old_policies: tuple[Policy, ...]
    new_policies: tuple[Policy, ...]
    constructs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that differs. `idle`: policies that only one side has, and that apply to nothing there is on that side."""

    changes: tuple[Change, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    shifts: tuple[Shift, ...] = ()
    idle: tuple[Policy, ...] = ()

    @property
    def widens(self) -> bool:
        """Whether the new system allows more somewhere; also where that is not known."""
        return bool(self.unknown) or any(each.widens for each in self._all)

    @property
    def narrows(self) -> bool:
        """Whether the new system refuses more somewhere; also where that is not known."""
        return bool(self.unknown) or any(each.narrows for each in self._all)

    @property
    def _all(self) -> tuple[Change | Shift, ...]:
        return (*self.changes, *self.shifts)

    @property
    def empty(self) -> bool:
        """Whether nothing differs."""
        return not (self.changes or self.unknown or self.shifts)
