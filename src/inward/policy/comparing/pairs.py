"""The cells of two systems side by side: which of them can differ, and which of those are alike.

A cell of the old system and the same cell of the new one are a pair. Services and data classes are the same by name,
operations by id; an operation whose id changed and whose method and path did not is the same one. An operation on
objects is the same where the operation is, and the name of their type. What exists on one side only is paired with
nothing. A pair is left out where plainly nothing differs: the same caller, the same target, and no policy with another
meaning or another scope. The rest comes in classes, as in `classes`.

What it leaves out: whether a pair that could differ does (`compare`).
"""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from cedarpy import pst

from inward.catalog.model import Operation
from inward.policy.index import Index
from inward.policy.model import Policies
from inward.policy.proving.classes import Readings, operation_of, parameters_of, whole_of
from inward.policy.request import parts_of
from inward.policy.resources.model import Objects
from inward.policy.schema import ancestors_of_data

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence
    from datetime import datetime

    from inward.catalog.model import Catalog, DataClass, Service
    from inward.policy.model import Policy
    from inward.policy.proving.classes import Target

CallerPair: TypeAlias = "tuple[Service | None, Service | None]"
TargetPair: TypeAlias = "tuple[Target | None, Target | None]"
OperationPair: TypeAlias = "tuple[Operation | None, Operation | None]"
Chosen: TypeAlias = "tuple[tuple[Policy, ...], tuple[Policy, ...]]"  # permits and forbids

_VARIABLE = re.compile(r"\{[^{}/]+\}")
_WITH_FACTS = frozenset({"Service", "DataClass", "Action"})  # entities whose attributes or parents a catalog knows


class Meanings:
    """Policies by what they say where they apply: effect, conditions and expiry.

    Ids, reasons and places are no part of that; those that say the same are one, of whichever system.
    """

    def __init__(self) -> None:
        self._known: dict[Hashable, Policy] = {}

    def of(self, policy: Policy) -> Policy:
        """Return the one policy that stands for all that mean the same."""
        key = (policy.effect, policy.pst.clauses, policy.expires)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = dataclasses.replace(policy, id=f"meaning-{len(self._known)}")
        return known


class Side:
    """One of the two systems, with what is to be known of its policies; those that have expired do not exist."""

    def __init__(self, catalog: Catalog, policies: Policies, now: datetime, meanings: Meanings) -> None:
        self.catalog = catalog
        self.resources = policies.resources
        live = (policy for policy in policies if policy.expires is None or policy.expires > now)
        self.policies = Policies.of(live, self.resources)
        self.index = Index(catalog, self.policies)
        self.readings = Readings(self.policies)
        self.meaning = {policy.id: meanings.of(policy) for policy in self.policies}
        self.differing: frozenset[str] = frozenset()
        self.changed = Index(catalog, Policies.of(()))

    def rules(self) -> dict[Hashable, Policy]:
        """Return the policies by meaning, scope and whose file they are in: by all that decides."""
        return {
            (self.meaning[each.id].id, each.file_owner, each.pst.principal, each.pst.action, each.pst.resource): each
            for each in self.policies
        }

    def set_apart(self, ids: set[str], *, moved: bool) -> None:
        """Take `ids` for the policies that the other side does not have.

        Where entities have `moved`, a policy that names some in its conditions can have another effect too.
        """
        self.differing = frozenset(ids)
        looked_at = set(ids)
        if moved:
            looked_at |= {policy.id for policy in self.policies if _names_entities(policy)}
        self.changed = Index(self.catalog, Policies.of(self.policies.by_id[name] for name in looked_at))

    def idle(self) -> Iterator[Policy]:
        """Yield the policies that the other side does not have and that apply to nothing of this catalog."""
        callers = {self.changed.caller_mask(service) for service in self.catalog.services.values()}
        operations = self.catalog.operations.values()
        objects = (each for operation in operations for each in self.resources.objects(operation))
        every: tuple[Target, ...] = (*operations, *objects, *self.catalog.data_classes.values())
        applied = 0
        for target in {self.changed_mask_of(target) for target in every}:
            for caller in callers:
                applied |= target & caller
        permits, forbids = self.changed.chosen(applied)
        active = {policy.id for policy in (*permits, *forbids)}
        yield from (self.policies.by_id[name] for name in sorted(self.differing - active))

    def mask_of(self, target: Target | None) -> int:
        """Return the policies that can apply to a target; none to one that does not exist."""
        return _mask(self.index, target)

    def changed_mask_of(self, target: Target | None) -> int:
        """Return the same of the policies in `changed`."""
        return _mask(self.changed, target)

    def told(self, mask: int, caller: Service | None, target: Target | None) -> Hashable:
        """Return all that the policies of a mask can tell of a caller and a target."""
        if caller is None or target is None:
            return None
        readings = self.readings
        return (
            (caller.name if mask & readings.identity else "", facts_of(caller)) if mask & readings.caller else None,
            self.told_of(mask, target),
        )

    def told_of(self, mask: int, target: Target | None) -> Hashable:
        """Return all that the policies of a mask can tell of a target."""
        readings = self.readings
        if target is None or not mask & readings.conditional:
            return None
        operation = operation_of(target)
        return (
            (parameters_of(target), whole_of(target)),
            self.resource_facts(target) if mask & readings.resource else None,
            (target.name, operation and operation.read_only) if mask & readings.action else None,
        )

    def resource_facts(self, target: Target) -> Hashable:
        """Return what conditions and scopes can know of a target's resource."""
        if isinstance(target, Operation):
            return (target.service, facts_of(self.catalog.services[target.service]))
        if isinstance(target, Objects):
            kind = target.type
            return (kind.service, facts_of(self.catalog.services[kind.service]), kind.name, kind.attributes)
        return (target.name, target.owner, ancestors_of_data(self.catalog, target))


@dataclass(frozen=True, slots=True)
class CellPairs:
    """Pairs that are alike: the candidates on both sides, as masks, every caller and every target."""

    old_mask: int
    new_mask: int
    callers: Sequence[CallerPair]
    targets: Sequence[TargetPair]


class Pairs:
    """The pairs of two systems."""

    def __init__(self, old: Side, new: Side) -> None:
        self.old = old
        self.new = new
        self.moved = _entities(old.catalog) != _entities(new.catalog)
        old_rules, new_rules = old.rules(), new.rules()
        old.set_apart({each.id for key, each in old_rules.items() if key not in new_rules}, moved=self.moved)
        new.set_apart({each.id for key, each in new_rules.items() if key not in old_rules}, moved=self.moved)
        self.operations = operation_pairs(old.catalog, new.catalog)
        names = sorted({*old.catalog.services, *new.catalog.services})
        self._callers = [(old.catalog.services.get(name), new.catalog.services.get(name)) for name in names]
        self._same_callers = {name for name, pair in zip(names, self._callers, strict=True) if _same_caller(pair)}

    def classes(self) -> Iterator[CellPairs]:
        """Yield the pairs that can differ, by class."""
        for (same, old_mask, new_mask), targets in self._targets():
            yield from self._pairs(old_mask, new_mask, targets, same=same)

    def _targets(self) -> Iterator[tuple[tuple[bool, int, int], list[TargetPair]]]:
        found: dict[Hashable, list[TargetPair]] = defaultdict(list)
        keys: dict[Hashable, tuple[bool, int, int]] = {}
        every = len(self._same_callers) < len(self._callers)
        for pair in self._target_pairs():
            old, new = pair
            same = self._same_target(pair)
            if same and not every and not (self.old.changed_mask_of(old) or self.new.changed_mask_of(new)):
                continue
            old_mask, new_mask = self.old.mask_of(old), self.new.mask_of(new)
            told = (self.old.told_of(old_mask, old), self.new.told_of(new_mask, new))
            alike: Hashable = (
                same,
                type(old or new),
                old is None,
                new is None,
                old_mask,
                new_mask,
                told,
            )
            found[alike].append(pair)
            keys[alike] = (same, old_mask, new_mask)
        return ((keys[key], targets) for key, targets in found.items())

    def _target_pairs(self) -> Iterator[TargetPair]:
        yield from self.operations
        for before, after in self.operations:
            yield from self._object_pairs(before, after)
        old, new = self.old.catalog.data_classes, self.new.catalog.data_classes
        for name in {**old, **new}:
            yield old.get(name), new.get(name)

    def _object_pairs(self, before: Operation | None, after: Operation | None) -> Iterator[TargetPair]:
        old = {each.type.name: each for each in self.old.resources.objects(before)} if before is not None else {}
        new = {each.type.name: each for each in self.new.resources.objects(after)} if after is not None else {}
        for name in {**old, **new}:
            yield old.get(name), new.get(name)

    def _same_target(self, pair: TargetPair) -> bool:
        old, new = pair
        if old is None or new is None or old.name != new.name:
            return False
        if isinstance(old, Operation) and isinstance(new, Operation):
            services = self.old.catalog.services[old.service], self.new.catalog.services[new.service]
            same = old.read_only == new.read_only and old.parameters == new.parameters
            return same and (services[0].name in self._same_callers)
        if isinstance(old, Objects) and isinstance(new, Objects):
            return old.type == new.type and self._same_target((old.operation, new.operation))
        # whose files disclose it is a matter of who owns which service
        return not self.moved and self.old.resource_facts(old) == self.new.resource_facts(new)

    def _pairs(self, old_mask: int, new_mask: int, targets: list[TargetPair], *, same: bool) -> Iterator[CellPairs]:
        old_target, new_target = targets[0]
        old_changed, new_changed = self.old.changed_mask_of(old_target), self.new.changed_mask_of(new_target)
        found: dict[Hashable, list[CallerPair]] = defaultdict(list)
        keys: dict[Hashable, tuple[int, int]] = {}
        for pair in self._callers:
            old, new = pair
            if same and old is not None and new is not None and old.name in self._same_callers:
                hit = old_changed & self.old.changed.caller_mask(old) or new_changed & self.new.changed.caller_mask(new)
                if not hit:
                    continue
            old_cell = old_mask & self.old.index.caller_mask(old) if old is not None else 0
            new_cell = new_mask & self.new.index.caller_mask(new) if new is not None else 0
            if not (old_cell & self.old.index.permits or new_cell & self.new.index.permits):
                continue
            told = (
                self.old.told(old_cell, old, old_target) if old is not None and old_target is not None else None,
                self.new.told(new_cell, new, new_target) if new is not None and new_target is not None else None,
            )
            alike: Hashable = (old is None, new is None, old_cell, new_cell, told)
            found[alike].append(pair)
            keys[alike] = old_cell, new_cell
        for key, callers in found.items():
            yield CellPairs(*keys[key], callers, targets)


def operation_pairs(old: Catalog, new: Catalog) -> list[OperationPair]:
    """Return every operation of two catalogs with itself in the other one, in the order of the catalogs."""
    pairs: list[OperationPair] = []
    gone = {_shape(operation): operation for name, operation in old.operations.items() if name not in new.operations}
    for name, operation in new.operations.items():
        before = old.operations.get(name)
        pairs.append((before if before is not None else gone.pop(_shape(operation), None), operation))
    pairs.extend((operation, None) for operation in gone.values())
    return pairs


def facts_of(service: Service) -> Hashable:
    """Return what policies can know of a service besides its name."""
    return (service.owner, service.zone, frozenset(service.groups))


def _shape(operation: Operation) -> Hashable:
    return (operation.service, operation.method, _VARIABLE.sub("{}", operation.template.text))


def _mask(index: Index, target: Target | None) -> int:
    if target is None:
        return 0
    match target:
        case Operation():
            return index.operation_mask(target)
        case Objects(operation, kind):
            return index.object_mask(operation, kind)
    return index.data_mask(target)


def _same_caller(pair: CallerPair) -> bool:
    old, new = pair
    return old is not None and new is not None and facts_of(old) == facts_of(new)


def _entities(catalog: Catalog) -> Hashable:
    """Return what conditions can know of entities that they name."""
    classes: dict[str, DataClass] = dict(catalog.data_classes)
    return (
        frozenset((name, facts_of(service)) for name, service in catalog.services.items()),
        frozenset((name, each.owner, each.parent) for name, each in classes.items()),
        frozenset((name, operation.read_only) for name, operation in catalog.operations.items()),
    )


def _names_entities(policy: Policy) -> bool:
    stack = [clause.expr for clause in policy.pst.clauses]
    while stack:
        node = stack.pop()
        match node:
            case pst.EntityLit(uid) if uid.type.basename in _WITH_FACTS:
                return True
        stack.extend(parts_of(node))
    return False
