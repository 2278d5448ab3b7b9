"""One and the same request, asked of two systems: when each of them allows it, as formulas over the same variables.

The systems may differ about the request itself, too:

1. A parameter that only one of them knows is nothing to the other one.
2. A parameter that one of them reads must be in plain form there, and be there if it is required; the other one does
   not look at it. A Boolean variable says of each such parameter that it is *odd*: not in plain form.
3. Where a parameter that both read has another type, or a variable of the path another name, there is no formula; that
   is named. So it is where an attribute of an object has another type, or may be left out in one of them only.

An object is one that both declarations allow: attributes that only one of them has are nothing to the other one.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import z3

from inward.policy.proving.classes import kind_of, operation_of, parameters_of, whole_of
from inward.policy.request import reads_of
from inward.policy.symbolic.condition import Conditions
from inward.policy.symbolic.context import variable_of
from inward.policy.symbolic.objects import object_of
from inward.policy.symbolic.term import Bool, all_of, conj, disj, negate
from inward.policy.symbolic.world import Caller, World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inward.catalog.model import Catalog, Parameter, Service
    from inward.policy.comparing.pairs import Chosen
    from inward.policy.proving.classes import Target
    from inward.policy.request import Read
    from inward.policy.resources.model import Resource, ResourceType
    from inward.policy.symbolic.context import Contexts, Moment, OpenRequests
    from inward.policy.symbolic.solve import Found, Values

FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """What one system is asked: about a caller and a target, which it may not have, by which policies."""

    catalog: Catalog
    caller: Service | None
    target: Target | None
    policies: Chosen


@dataclass(frozen=True, slots=True)
class Meeting:
    """When two systems allow a request. `possible` are the requests that there are, `plain` those with nothing odd.

    `constructs` have no formula and could be anything. `impossible` is why nothing can be said at all, or empty.
    """

    old: Bool
    new: Bool
    possible: Bool
    plain: Bool
    constructs: frozenset[str]
    impossible: str
    _halves: tuple[_Half, _Half]
    _odd: Mapping[Read, Bool]

    @property
    def gained(self) -> Bool:
        """What only the new system allows."""
        return self._of_requests(conj(self.new, negate(self.old)))

    @property
    def lost(self) -> Bool:
        """What only the old system allows."""
        return self._of_requests(conj(self.old, negate(self.new)))

    def _of_requests(self, formula: Bool) -> Bool:
        read = any(half.reads for half in self._halves)
        return formula if isinstance(formula, bool) and not (formula and read) else conj(self.possible, formula)

    def values(self, found: Found) -> tuple[Values, frozenset[Read]]:
        """Return the values of a request that the solver found, and the parameters that are odd in it."""
        old, new = (found.values(half.contexts, half.parameters, half.reads) for half in self._halves)
        odd = frozenset(key for key, variable in self._odd.items() if found.true(variable))
        return dataclasses.replace(old, parameters={**new.parameters, **old.parameters}), odd

    @property
    def about_objects(self) -> bool:
        """Whether it is asked about objects."""
        return any(half.kind is not None for half in self._halves)

    def objects(self, found: Found) -> tuple[Resource | None, Resource | None]:
        """Return the object that the solver found, as the old and as the new system know it."""
        old, new = (half.object(found) for half in self._halves)
        return old, new


def meet(requests: OpenRequests, old: Asked, new: Asked, *, same: bool) -> Meeting:
    """Ask two systems; `same` tells that both know the same of the caller, of the target and of all entities."""
    old_half, new_half = _Half.of(requests, old, new), _Half.of(requests, new, old)
    old_conditions = old_half.conditions()
    new_conditions = old_conditions if same and old_conditions is not None else new_half.conditions()
    odd = {
        (where, name): z3.Bool(f"{where}.{name} odd")
        for where, name in {**old_half.reads, **new_half.reads}
        if old_half.reads.get((where, name)) != new_half.reads.get((where, name))
    }
    return Meeting(
        old=old_half.allowed(old_conditions, odd, requests.moment),
        new=new_half.allowed(new_conditions, odd, requests.moment),
        possible=conj(old_half.contexts.possible, new_half.contexts.possible),
        plain=all_of(negate(variable) for variable in odd.values()),
        constructs=frozenset(
            construct for each in (old_conditions, new_conditions) if each is not None for construct in each.unsupported
        ),
        impossible=next(_impossible(old_half, new_half), ""),
        _halves=(old_half, new_half),
        _odd=odd,
    )


@dataclass(frozen=True, slots=True)
class _Half:
    """One of the two systems. `reads`: the parameters that its conditions read, each until when."""

    asked: Asked
    parameters: tuple[Parameter, ...]  # each required only where it is for both systems
    required: frozenset[Read]  # by this system alone
    contexts: Contexts
    reads: Mapping[Read, datetime]

    @property
    def kind(self) -> ResourceType | None:
        """The type of the objects that it is asked about."""
        return kind_of(self.asked.target) if self.asked.target is not None else None

    def object(self, found: Found) -> Resource | None:
        """Return the object that the solver found, as this system knows it."""
        fields = self.contexts.resource
        return object_of(self.kind, fields, found) if self.kind is not None and fields is not None else None

    @classmethod
    def of(cls, requests: OpenRequests, asked: Asked, other: Asked) -> _Half:
        known = {(each.where, each.name): each for each in _parameters(other)}
        parameters, required = [], set()
        for parameter in _parameters(asked):
            key = (parameter.where, parameter.name)
            another = known.get(key, parameter)
            alone = parameter.required and not another.required
            parameters.append(dataclasses.replace(parameter, required=False) if alone else parameter)
            if alone:
                required.add(key)
        loosest = tuple(parameters)
        whole = _whole(asked) if other.target is None else _whole(asked) & _whole(other)
        kind = kind_of(asked.target) if asked.target is not None else None
        return cls(asked, loosest, frozenset(required), requests.to(loosest, whole, kind), _reads(asked))

    def conditions(self) -> Conditions | None:
        """Return the conditions of its policies; None where it refuses all: without a permit too."""
        if self.asked.caller is None or self.asked.target is None or not self.asked.policies[0]:
            return None
        return Conditions(World(self.asked.catalog, Caller(self.asked.caller), self.asked.target, self.contexts))

    def allowed(self, conditions: Conditions | None, odd: Mapping[Read, Bool], moment: Moment) -> Bool:
        """Return when it allows: by its policies, and with all that they read in plain form."""
        allowed = conditions.allowed(*self.asked.policies) if conditions is not None else False
        if allowed is False:
            return False
        return conj(allowed, *self._plain(odd, moment))

    def _plain(self, odd: Mapping[Read, Bool], moment: Moment) -> Iterator[Bool]:
        there = {(each.where, each.name): variable_of(each)[0] for each in self.parameters}
        for key, until in self.reads.items():
            unread = False if until == FOREVER else negate(moment.before(until))
            if key in odd:
                yield disj(unread, negate(odd[key]))
            if key in self.required:
                yield disj(unread, there[key])


def _parameters(asked: Asked) -> tuple[Parameter, ...]:
    return parameters_of(asked.target) if asked.target is not None else ()


def _whole(asked: Asked) -> frozenset[str]:
    return whole_of(asked.target) if asked.target is not None else frozenset()


def _reads(asked: Asked) -> dict[Read, datetime]:
    found: dict[Read, datetime] = {}
    operation = operation_of(asked.target) if asked.target is not None else None
    if asked.caller is None or operation is None:
        return found
    for policy in (*asked.policies[0], *asked.policies[1]):
        for key in reads_of((policy,), operation):
            found[key] = max(found.get(key, policy.expires or FOREVER), policy.expires or FOREVER)
    return found


def _impossible(old: _Half, new: _Half) -> Iterator[str]:
    if old.asked.target is None or new.asked.target is None:
        return
    yield from _changed_attributes(kind_of(old.asked.target), kind_of(new.asked.target))
    types = [{(each.where, each.name): each.type for each in half.parameters} for half in (old, new)]
    for where, name in sorted({*old.reads} & {*new.reads}):
        before, after = types[0][where, name], types[1][where, name]
        if before != after:
            yield f"the {where} parameter `{name}`, which was {_a(before)} and is {_a(after)}"
    for half, own, others in ((old, types[0], types[1]), (new, types[1], types[0])):
        renamed = any(where == "path" for where, _ in others.keys() - own.keys())
        for where, name in sorted(half.reads.keys() - others.keys()):
            if where == "path" and renamed:
                yield f"the path parameter `{name}`, which only one of the systems has under that name"


def _changed_attributes(old: ResourceType | None, new: ResourceType | None) -> Iterator[str]:
    if old is None or new is None:
        return
    before = {each.name: each for each in old.attributes}
    for attribute in new.attributes:
        was = before.get(attribute.name, attribute)
        if was != attribute:
            yield f"the attribute `{attribute.name}` of `{new.name}`, which was `{was}` and is `{attribute}`"


def _a(kind: str) -> str:
    return f"an {kind}" if kind == "integer" else f"a {kind}"
