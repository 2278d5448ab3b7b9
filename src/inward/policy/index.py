"""The exact scope index: which policies can apply to one caller and one operation.

Cedar asks every policy about every request. A scope (`principal == …, action in …, resource is …`) cannot
fail to evaluate and reads nothing of the request but three names, so what it says is known beforehand: each
constraint becomes a set of policies, held as the bits of one integer, and the candidates of a cell are three
sets in one `&`.

# INVARIANT: the index never leaves out a policy that Cedar would apply; the tests compare it with Cedar
# itself.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

from cedarpy import pst

from inward.policy.model import Cell, Disclosure, ObjectCell
from inward.policy.resources.model import THE_OBJECT
from inward.policy.schema import DISCLOSE, ancestors_of, ancestors_of_data, ancestors_of_objects, groups_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from inward.catalog.model import Catalog, DataClass, Operation, Service
    from inward.policy.model import Policies, Policy
    from inward.policy.resources.model import ResourceType

_UID = tuple[str, str]  # an entity's type and id
_SERVICE = "Service"
_ACTION = "Action"
_DATA_CLASS = "DataClass"


class Index:
    """The candidates of every cell of a system. Building it is linear in the policies; cells are lazy."""

    def __init__(self, catalog: Catalog, policies: Policies) -> None:
        self._catalog = catalog
        self.resources = policies.resources
        self._policies = tuple(policies)
        size = len(self._policies)
        self._principals = _Constraint(size, ((bit, policy.pst.principal) for bit, policy in enumerate(policies)))
        self._actions = _Constraint(size, ((bit, policy.pst.action) for bit, policy in enumerate(policies)))
        self._resources = _Constraint(size, ((bit, policy.pst.resource) for bit, policy in enumerate(policies)))
        self._permits = _bits((n for n, policy in enumerate(policies) if policy.effect == "permit"), size)
        by_file: dict[str | None, list[int]] = defaultdict(list)
        for number, policy in enumerate(policies):
            by_file[policy.file_owner].append(number)
        everywhere = by_file.pop(None, [])
        self._guardrails = _bits(everywhere, size)
        self._of_file = {owner: _bits([*numbers, *everywhere], size) for owner, numbers in by_file.items()}
        self._of_caller: dict[str, int] = {}
        self._of_operation: dict[str, int] = {}
        self._of_object: dict[tuple[str, str], int] = {}
        self._of_resource: dict[str, int] = {}
        self._of_action_groups: dict[tuple[str, ...], int] = {}

    def cell(self, caller: str, operation: str) -> Cell:
        """Return the cell of a service and an operation's id; `KeyError` for what is not in the catalog."""
        found = self._catalog.operations[operation]
        mask = self.caller_mask(self._catalog.services[caller]) & self.operation_mask(found)
        return Cell(caller, found, *self.chosen(mask))

    def disclosure(self, caller: str, data_class: str) -> Disclosure:
        """Return the cell of a service and a data class; `KeyError` for what is not in the catalog."""
        found = self._catalog.data_classes[data_class]
        mask = self.caller_mask(self._catalog.services[caller]) & self.data_mask(found)
        return Disclosure(caller, found, *self.chosen(mask))

    def object_cell(self, caller: str, operation: str, kind: ResourceType) -> ObjectCell:
        """Return the cell of a service and an operation on objects; `KeyError` for what is not in the catalog."""
        found = self._catalog.operations[operation]
        mask = self.caller_mask(self._catalog.services[caller]) & self.object_mask(found, kind)
        return ObjectCell(caller, found, kind, *self.chosen(mask))

    def cells_of(self, operation: str) -> Iterator[Cell]:
        """Yield, in the order of callers, the cells of an operation in which there is a permit.

        In every other cell the call is refused, whatever the request. Callers for whom the same policies are
        candidates share the tuples of them. `KeyError` for an operation that is not in the catalog.
        """
        found = self._catalog.operations[operation]
        mask = self.operation_mask(found)
        if not mask & self._permits:
            return
        shared: dict[int, tuple[tuple[Policy, ...], tuple[Policy, ...]]] = {}
        for caller, can_apply in self._callers:
            candidates = mask & can_apply
            if not candidates & self._permits:
                continue
            same = shared.get(candidates)
            if same is None:
                same = shared[candidates] = self.chosen(candidates)
            yield Cell(caller, found, *same)

    def is_granted(self, operation: str) -> bool:
        """Tell whether `cells_of` yields anything for an operation."""
        return self.operation_mask(self._catalog.operations[operation]) & self._permits & self._anybody != 0

    @cached_property
    def _anybody(self) -> int:
        """The policies that can apply to the calls of some service."""
        mask = 0
        for _, can_apply in self._callers:
            mask |= can_apply
        return mask

    @cached_property
    def _callers(self) -> tuple[tuple[str, int], ...]:
        """Each service with the policies that can apply to its calls, in the order of names."""
        return tuple((name, self.caller_mask(self._catalog.services[name])) for name in sorted(self._catalog.services))

    # Sets of policies as the bits of an integer: the candidates of a cell are the policies in both of its masks.

    @property
    def policies(self) -> tuple[Policy, ...]:
        """All policies: the one at a position is that bit of every mask."""
        return self._policies

    @property
    def permits(self) -> int:
        """The mask of all permits."""
        return self._permits

    def caller_mask(self, service: Service) -> int:
        """Return the policies that can apply to calls of a service."""
        mask = self._of_caller.get(service.name)
        if mask is None:
            mask = self._principals.matching((_SERVICE, service.name), ancestors_of(service))
            self._of_caller[service.name] = mask
        return mask

    def stranger_mask(self) -> int:
        """Return the policies that could apply to a service that does not exist yet, whatever it is in."""
        return self._principals.open_to(_SERVICE)

    def operation_mask(self, operation: Operation) -> int:
        """Return the policies that can apply to calls of an operation."""
        mask = self._of_operation.get(operation.id)
        if mask is None:
            mask = self._of_service(operation.service)
            if mask:
                mask &= self._of_groups(groups_of(operation)) | self._actions.naming((_ACTION, operation.id))
            self._of_operation[operation.id] = mask
        return mask

    def object_mask(self, operation: Operation, kind: ResourceType) -> int:
        """Return the policies that can apply to calls of an operation as far as they concern objects of a type."""
        key = (operation.id, kind.name)
        mask = self._of_object.get(key)
        if mask is None:
            owned = self._of_file.get(operation.service, self._guardrails)
            resource = self._resources.matching((kind.name, THE_OBJECT), ancestors_of_objects(self._catalog, kind))
            mask = owned & resource if kind.service == operation.service else 0
            if mask:
                mask &= self._of_groups(groups_of(operation)) | self._actions.naming((_ACTION, operation.id))
            self._of_object[key] = mask
        return mask

    def _of_service(self, name: str) -> int:
        """Return the policies that can apply to calls of a service's operations, whichever of them."""
        mask = self._of_resource.get(name)
        if mask is None:
            service = self._catalog.services[name]
            # the owner rule holds here too, whatever a scope says
            mask = self._of_file.get(name, self._guardrails) & self._resources.matching(
                (_SERVICE, name), ancestors_of(service)
            )
            self._of_resource[name] = mask
        return mask

    def _of_groups(self, groups: tuple[str, ...]) -> int:
        """Return the policies whose actions are all that are in these groups."""
        mask = self._of_action_groups.get(groups)
        if mask is None:
            mask = self._of_action_groups[groups] = self._actions.within(tuple((_ACTION, group) for group in groups))
        return mask

    def data_mask(self, data_class: DataClass) -> int:
        """Return the policies that can apply to the disclosure of a data class."""
        owned = self._guardrails
        for service, mask in self._of_file.items():
            # the owner rule: what a team owns is disclosed in the files of its services
            if service is not None and self._catalog.services[service].owner == data_class.owner:
                owned |= mask
        ancestors = ancestors_of_data(self._catalog, data_class)
        return (
            owned
            & self._actions.matching((_ACTION, DISCLOSE), ())
            & self._resources.matching((_DATA_CLASS, data_class.name), ancestors)
        )

    def chosen(self, mask: int) -> tuple[tuple[Policy, ...], tuple[Policy, ...]]:
        """Return the permits and the forbids of a mask, each sorted by id."""
        return self._listed(mask & self._permits), self._listed(mask & ~self._permits)

    def _listed(self, mask: int) -> tuple[Policy, ...]:
        listed = []
        while mask:
            low = mask & -mask
            listed.append(self._policies[low.bit_length() - 1])
            mask ^= low
        return tuple(listed)


class _Constraint:
    """One column of all scopes: for an entity, the policies whose constraint it satisfies, as bits."""

    def __init__(
        self,
        size: int,
        column: Iterable[tuple[int, pst.PrincipalOrResourceConstraint | pst.ActionConstraint]],
    ) -> None:
        equal: dict[_UID, list[int]] = defaultdict(list)
        within: dict[_UID, list[int]] = defaultdict(list)
        typed: dict[str, list[int]] = defaultdict(list)
        typed_within: dict[tuple[str, _UID], list[int]] = defaultdict(list)
        free: list[int] = []
        for bit, constraint in column:
            match constraint:
                case pst.ScopeAny():
                    free.append(bit)
                case pst.ScopeEq(pst.EntityUid() as uid) | pst.ActionEq(uid):
                    equal[_name(uid)].append(bit)
                case pst.ScopeIn(pst.EntityUid() as uid):
                    within[_name(uid)].append(bit)
                case pst.ActionIn(uids):
                    for name in {_name(uid) for uid in uids}:
                        within[name].append(bit)
                case pst.ScopeIs(kind):
                    typed[str(kind)].append(bit)
                case pst.ScopeIsIn(kind, pst.EntityUid() as uid):
                    typed_within[str(kind), _name(uid)].append(bit)
                case _:
                    # a slot of a template, or a form that a later Cedar adds: `load` refuses it
                    raise ValueError(f"a scope that cannot be indexed: {constraint}")
        self._free = _bits(free, size)
        self._equal = {key: _bits(bits, size) for key, bits in equal.items()}
        self._within = {key: _bits(bits, size) for key, bits in within.items()}
        self._typed = {key: _bits(bits, size) for key, bits in typed.items()}
        self._typed_within = {key: _bits(bits, size) for key, bits in typed_within.items()}

    def open_to(self, kind: str) -> int:
        """Return the policies whose constraint could hold for an entity of a type that nobody has named."""
        mask = self._free | self._typed.get(kind, 0)
        for bits in self._within.values():
            mask |= bits
        for (typed, _), bits in self._typed_within.items():
            mask |= bits if typed == kind else 0
        return mask

    def matching(self, uid: _UID, ancestors: Sequence[_UID]) -> int:
        """Return the policies whose constraint holds for an entity that is in `ancestors` and in itself."""
        mask = self.naming(uid) | self._typed.get(uid[0], 0) | self.within(ancestors)
        for entity in (uid, *ancestors):
            mask |= self._typed_within.get((uid[0], entity), 0)
        return mask

    def naming(self, uid: _UID) -> int:
        """Return the policies whose constraint names an entity itself."""
        return self._equal.get(uid, 0) | self._within.get(uid, 0)

    def within(self, ancestors: Iterable[_UID]) -> int:
        """Return the policies whose constraint holds for whatever is in `ancestors`, of any type."""
        mask = self._free
        for entity in ancestors:
            mask |= self._within.get(entity, 0)
        return mask


def _name(uid: pst.EntityUid) -> _UID:
    return str(uid.type), uid.id


def _bits(numbers: Iterable[int], size: int) -> int:
    """Return the integer that has these bits, in time linear in both."""
    data = bytearray(size // 8 + 1)
    for number in numbers:
        data[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(data, "little")
