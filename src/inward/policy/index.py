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
from typing import TYPE_CHECKING

from cedarpy import pst

from inward.policy.model import Cell
from inward.policy.schema import ancestors_of, groups_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from inward.catalog.model import Catalog, Operation, Service
    from inward.policy.model import Policies, Policy

_UID = tuple[str, str]  # an entity's type and id
_SERVICE = "Service"
_ACTION = "Action"


class Index:
    """The candidates of every cell of a system. Building it is linear in the policies; cells are lazy."""

    def __init__(self, catalog: Catalog, policies: Policies) -> None:
        self._catalog = catalog
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

    def cell(self, caller: str, operation: str) -> Cell:
        """Return the cell of a service and an operation's id; `KeyError` for what is not in the catalog."""
        found = self._catalog.operations[operation]
        return self._cell(caller, found, self._caller(self._catalog.services[caller]) & self._operation(found))

    def cells_of(self, operation: str) -> Iterator[Cell]:
        """Yield, in the order of callers, the cells of an operation in which there is a permit.

        In every other cell the call is refused, whatever the request. Callers for whom the same policies are
        candidates share the tuples of them. `KeyError` for an operation that is not in the catalog.
        """
        found = self._catalog.operations[operation]
        mask = self._operation(found)
        if not mask & self._permits:
            return
        shared: dict[int, Cell] = {}
        for caller in sorted(self._catalog.services):
            candidates = mask & self._caller(self._catalog.services[caller])
            if not candidates & self._permits:
                continue
            same = shared.get(candidates)
            if same is None:
                same = shared[candidates] = self._cell(caller, found, candidates)
            yield Cell(caller, found, same.permits, same.forbids)

    def _cell(self, caller: str, operation: Operation, candidates: int) -> Cell:
        return Cell(
            caller,
            operation,
            self._chosen(candidates & self._permits),
            self._chosen(candidates & ~self._permits),
        )

    def _chosen(self, mask: int) -> tuple[Policy, ...]:
        chosen = []
        while mask:
            low = mask & -mask
            chosen.append(self._policies[low.bit_length() - 1])
            mask ^= low
        return tuple(chosen)

    def _caller(self, service: Service) -> int:
        mask = self._of_caller.get(service.name)
        if mask is None:
            mask = self._principals.matching((_SERVICE, service.name), ancestors_of(service))
            self._of_caller[service.name] = mask
        return mask

    def _operation(self, operation: Operation) -> int:
        mask = self._of_operation.get(operation.id)
        if mask is None:
            service = self._catalog.services[operation.service]
            groups = tuple((_ACTION, group) for group in groups_of(operation))
            mask = (
                # the owner rule holds here too, whatever a scope says
                self._of_file.get(service.name, self._guardrails)
                & self._actions.matching((_ACTION, operation.id), groups)
                & self._resources.matching((_SERVICE, service.name), ancestors_of(service))
            )
            self._of_operation[operation.id] = mask
        return mask


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

    def matching(self, uid: _UID, ancestors: Sequence[_UID]) -> int:
        """Return the policies whose constraint holds for an entity that is in `ancestors` and in itself."""
        mask = self._free | self._equal.get(uid, 0) | self._typed.get(uid[0], 0)
        for entity in (uid, *ancestors):
            mask |= self._within.get(entity, 0) | self._typed_within.get((uid[0], entity), 0)
        return mask


def _name(uid: pst.EntityUid) -> _UID:
    return str(uid.type), uid.id


def _bits(numbers: Iterable[int], size: int) -> int:
    """Return the integer that has these bits, in time linear in both."""
    data = bytearray(size // 8 + 1)
    for number in numbers:
        data[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(data, "little")
