"""The engine of one of two compared systems, which confirms examples: all policies, and the operations in question."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from inward.catalog.model import Catalog
from inward.policy.decide import Engine
from inward.policy.decision import Decision, Reason
from inward.policy.proving.classes import operation_of
from inward.policy.proving.witness import decide_by

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.policy.model import Policies, Policy
    from inward.policy.proving.classes import Target
    from inward.policy.proving.witness import Witness

UNKNOWN = Decision(allowed=False, reason=Reason.UNKNOWN_OPERATION)


class Confirming:
    """Decides examples; `targets` are those of all of them, because an engine of all operations takes long to make."""

    def __init__(self, catalog: Catalog, policies: Policies, targets: Iterable[Target]) -> None:
        self._catalog = catalog
        self._policies = policies
        self._targets = {operation.id for target in targets if (operation := operation_of(target)) is not None}

    @cached_property
    def _engine(self) -> Engine:
        services = {
            name: dataclasses.replace(
                service, operations=tuple(each for each in service.operations if each.id in self._targets)
            )
            for name, service in self._catalog.services.items()
        }
        small = Catalog(self._catalog.trust_domain, MappingProxyType(services), self._catalog.data_classes)
        return Engine(small, self._policies)

    def decide(self, witness: Witness | None) -> Decision:
        """Return what is decided; None stands for a request that the system does not know, and is refused."""
        return UNKNOWN if witness is None else decide_by(self._engine, witness)

    def named(self, decision: Decision) -> tuple[Policy, ...]:
        """Return the policies that a decision names."""
        return tuple(self._policies.by_id[name] for name in decision.policies)
