"""When a policy applies in the cells of a class, worked out once for all classes that it cannot tell apart.

A grant on every operation of a company is a candidate in thousands of classes, and mostly reads one parameter, or none:
then it is the same formula in all of them, because parameters of one place, name and type share a variable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from inward.policy.proving.classes import kind_of, name_of, operation_of, parameters_of, resource_of, whole_of
from inward.policy.proving.reading import Reading
from inward.policy.request import reads_of
from inward.policy.symbolic.condition import Conditions
from inward.policy.symbolic.term import Bool, any_of
from inward.policy.symbolic.world import World

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from inward.catalog.model import Catalog, Parameter
    from inward.policy.model import Policy
    from inward.policy.proving.classes import CellClass
    from inward.policy.symbolic.condition import Applies
    from inward.policy.symbolic.context import OpenRequests


class Applied(NamedTuple):
    """When a policy holds, when it fails to evaluate, and the constructs in it that have no formula."""

    holds: Bool
    fails: Bool
    constructs: frozenset[str]


class Applications:
    """The policies of one catalog, for one set of open requests."""

    def __init__(self, catalog: Catalog, requests: OpenRequests) -> None:
        self._catalog = catalog
        self._requests = requests
        self._readings: dict[str, Reading] = {}
        self._reads: dict[Hashable, tuple[Parameter, ...]] = {}
        self._known: dict[Hashable, Applied] = {}

    def world(self, cells: CellClass) -> World:
        """Return the world of a class: one of its callers, one of its targets."""
        contexts = self._requests.to(parameters_of(cells.target), whole_of(cells.target), kind_of(cells.target))
        return World(self._catalog, cells.caller, cells.target, contexts)

    def possible(self, policies: Iterable[Policy], cells: CellClass) -> Bool:
        """Return which requests the policies are asked about: what they read is in plain form, and it is not too early.

        What none of them reads is left out: it can be anything, and costs the solver most of its time.
        """
        read = {each for policy in policies for each in self._read(policy, cells)}
        parameters = tuple(each for each in parameters_of(cells.target) if each in read)
        return self._requests.to(parameters, whole_of(cells.target), kind_of(cells.target)).possible

    def of(self, policy: Policy, cells: CellClass) -> Applied:
        """Return when a candidate of a class applies there."""
        key = (policy.id, self._told_apart(policy, cells))
        known = self._known.get(key)
        if known is None:
            conditions = Conditions(self.world(cells))
            applies: Applies = conditions.of(policy)
            known = self._known[key] = Applied(*applies, frozenset(conditions.unsupported))
        return known

    def barred(self, policies: Iterable[Policy], cells: CellClass) -> Bool:
        """Return when a forbid among the policies holds, or one of them fails: the call is refused."""
        applied = [(policy.effect, self.of(policy, cells)) for policy in policies]
        holding = (each.holds for effect, each in applied if effect == "forbid")
        return any_of((*holding, *(each.fails for _, each in applied)))

    def held(self, policies: Iterable[Policy], cells: CellClass) -> Bool:
        """Return when any of the policies holds."""
        return any_of(self.of(policy, cells).holds for policy in policies)

    def constructs(self, policies: Iterable[Policy], cells: CellClass) -> frozenset[str]:
        """Return the constructs without a formula in any of the policies."""
        return frozenset().union(*(self.of(policy, cells).constructs for policy in policies))

    def live(self, policies: Iterable[Policy]) -> Bool:
        """Return when any of the policies has not expired."""
        moment = self._requests.moment
        return any_of(policy.expires is None or moment.before(policy.expires) for policy in policies)

    def _told_apart(self, policy: Policy, cells: CellClass) -> Hashable:
        """Return everything that the policy could tell this class from another by."""
        service = cells.caller.service
        new = service is None
        if not policy.conditional:
            return new
        reading = self._readings.get(policy.id)
        if reading is None:
            reading = self._readings[policy.id] = Reading.of(policy)
        caller: Hashable = None
        if service is not None and reading.identity:
            caller = service.name
        elif service is not None and reading.caller:
            caller = (service.owner, service.zone, service.groups)
        target = cells.target
        return (
            new,
            caller,
            type(target),
            name_of(target) if reading.action else None,
            resource_of(target) if reading.resource else None,
            self._read(policy, cells),
        )

    def _read(self, policy: Policy, cells: CellClass) -> tuple[Parameter, ...]:
        """Return the parameters of the target that the conditions of a policy read."""
        target = operation_of(cells.target)
        if not policy.conditional or target is None or not target.parameters:
            return ()
        key = (policy.id, target.parameters)
        known = self._reads.get(key)
        if known is None:
            reads = reads_of((policy,), target)
            known = tuple(each for each in target.parameters if (each.where, each.name) in reads)
            self._reads[key] = known
        return known
