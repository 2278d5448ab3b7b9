"""Policies and cells: what was written, and what it says of one caller and one operation."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from inward.policy.resources.model import NO_RESOURCES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from cedarpy import pst

    from inward.catalog.model import DataClass, Operation
    from inward.errors import Place
    from inward.policy.resources.model import Resources, ResourceType


@dataclass(frozen=True, eq=False, slots=True)
class Policy:
    """One Cedar policy of a system folder.

    `file_owner` is the service that the file is named after (`policies/<service>.cedar`), None for
    `guardrails.cedar`. `expires` is the first moment (UTC) at which it no longer holds. `text` is its source,
    annotations included.
    """

    id: str
    effect: Literal["permit", "forbid"]
    reason: str
    expires: datetime | None
    file_owner: str | None
    place: Place
    text: str
    pst: pst.Template

    @property
    def conditional(self) -> bool:
        """Whether it has `when` or `unless` clauses."""
        return bool(self.pst.clauses)

    @property
    def keep(self) -> str | None:
        """Why it is kept though nobody may use it (`@keep`), None where nothing is said."""
        return self.pst.annotations.get("keep")


@dataclass(frozen=True, slots=True)
class Cell:
    """What all policies say of one caller and one operation before the request is known.

    `permits` and `forbids` are exactly the policies whose scopes match, sorted by id; expired ones are among
    them, since only the moment of the call can tell.
    """

    caller: str  # service name
    operation: Operation
    permits: tuple[Policy, ...]
    forbids: tuple[Policy, ...]

    @property
    def constant(self) -> bool | None:
        """True: always allowed; False: always refused; None: the request or the time decides."""
        if not self.permits or any(not forbid.conditional and forbid.expires is None for forbid in self.forbids):
            return False
        if not self.forbids and any(not permit.conditional and permit.expires is None for permit in self.permits):
            # INVARIANT: a conditional permit beside it could still fail to evaluate, which must refuse.
            return None if any(permit.conditional for permit in self.permits) else True
        return None


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What all policies say of one caller and one data class: the cell of the action `disclose`."""

    caller: str  # service name
    data_class: DataClass
    permits: tuple[Policy, ...]
    forbids: tuple[Policy, ...]


@dataclass(frozen=True, slots=True)
class ObjectCell:
    """What all policies say of one caller and one operation on the objects of one type."""

    caller: str  # service name
    operation: Operation
    type: ResourceType
    permits: tuple[Policy, ...]
    forbids: tuple[Policy, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Policies:
    """All policies of a system, by id and in the order of their ids, and the types of objects that they may name."""

    by_id: Mapping[str, Policy]
    resources: Resources = NO_RESOURCES

    @classmethod
    def of(cls, policies: Iterable[Policy], resources: Resources = NO_RESOURCES) -> Policies:
        """Collect policies; `ValueError` where two have one id."""
        ordered = sorted(policies, key=lambda policy: policy.id)
        by_id = {policy.id: policy for policy in ordered}
        if len(by_id) != len(ordered):
            raise ValueError("two policies have one id")
        return cls(MappingProxyType(by_id), resources)

    def __iter__(self) -> Iterator[Policy]:
        return iter(self.by_id.values())

    def __len__(self) -> int:
        return len(self.by_id)
