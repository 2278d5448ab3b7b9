"""Who withholds a class where it is served: the service's Envoy, the guard in it, or nobody, and why. No I/O, no clock.

It follows from the description of the system alone. What it leaves out: whether a program that is said to have a guard
really has one (`inward check --probe` asks it), and whether what is said runs at all.

Rules, in this order:

1. In mode observe nothing is cut or held back, by whomever.
2. A service says whether it has a guard. A guard decides about each call.
3. In front of a service that `inward up` does not run, nobody is.
4. An Envoy looks at an answer only where some caller, at some time, may call and is not shown all of it.
5. It cannot look into gRPC: there it refuses the answers to those callers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from inward.catalog.model import Mode
from inward.viewing.withholding import Withholding

if TYPE_CHECKING:
    from inward.catalog.model import Catalog, Operation, Service
    from inward.policy.decide import Engine


@dataclass(frozen=True, slots=True)
class Withholder:
    """Who withholds a class from callers to whom it is not disclosed; `by` is None for nobody.

    `why` says why it is nobody, or what else is to be known: lower case, no full stop, empty for nothing. `needed` is
    false where there is nobody to withhold it from.
    """

    by: Literal["envoy", "guard"] | None
    why: str = ""
    needed: bool = True


OBSERVED: Final = Withholder(None, "in mode observe nothing is cut")
NOT_RUN: Final = Withholder(None, "`inward up` does not run the service, so nothing is in front of it")
NOT_NEEDED: Final = Withholder(None, "there is nobody to withhold it from", needed=False)
_GUARD: Final = Withholder("guard")
_ENVOY: Final = Withholder("envoy")
_REFUSING: Final = Withholder("envoy", "it cannot look into gRPC, so it refuses the answers")
_PASSED_BY: Final = Withholder("envoy", "every process of the machine can call the service past it")


def cut_by_nobody(service: Service, operation: Operation) -> Withholder | None:
    """Return why nobody cuts anything out of the answers of a service's operation; None where somebody would."""
    if operation.mode is Mode.OBSERVE:
        return OBSERVED
    return NOT_RUN if service.run is None and not service.guarded else None


class Withholders:
    """Who withholds what in one system."""

    def __init__(self, catalog: Catalog, engine: Engine) -> None:
        self._catalog = catalog
        self._withholding = Withholding(catalog, engine)
        self._withheld: dict[str, frozenset[str]] = {}

    def of(self, operation: Operation, data_class: str) -> Withholder:
        """Return who withholds a class from those who may call an operation of the catalog that serves it."""
        service = self._catalog.services[operation.service]
        nobody = cut_by_nobody(service, operation)  # 1, 3
        if nobody is not None:
            return nobody
        if service.guarded:  # 2
            return _GUARD
        if data_class not in self._withheld_of(operation):  # 4
            return NOT_NEEDED
        if operation.rpc is not None:  # 5
            return _REFUSING
        return _PASSED_BY if "{port}" in (service.run or "") else _ENVOY

    def _withheld_of(self, operation: Operation) -> frozenset[str]:
        """Return the classes of an operation's answers that are withheld from some caller at some time."""
        found = self._withheld.get(operation.id)
        if found is None:
            viewed = self._withholding.viewed(operation)
            phases = [phase.withheld for each in viewed.phases.values() for phase in each] if viewed else []
            found = self._withheld[operation.id] = frozenset[str]().union(*phases)
        return found
