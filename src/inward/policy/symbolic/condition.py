"""What policies say of the requests of one world, as formulas: when each holds, when it fails, what is allowed.

As in `policy.decide`: a policy that has expired does not exist; if any of the rest fails to evaluate, the call is
refused; a forbid that holds refuses, else a permit that holds allows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cedarpy import pst

from inward.policy.symbolic.evaluate import Evaluator
from inward.policy.symbolic.term import Bool, any_of, conj, disj, negate
from inward.policy.symbolic.world import uid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.policy.model import Policy
    from inward.policy.symbolic.world import World


class Applies(NamedTuple):
    """When a policy holds, and when it fails to evaluate; both exclude each other."""

    holds: Bool
    fails: Bool


class Conditions:
    """The conditions of policies in one world, whose scopes match the action and the resource."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._evaluator = Evaluator(world)
        self._known: dict[str, Applies] = {}

    @property
    def unsupported(self) -> set[str]:
        """The constructs without a formula in what was evaluated."""
        return self._evaluator.unsupported

    def of(self, policy: Policy) -> Applies:
        """Return when a policy whose scope matches applies."""
        known = self._known.get(policy.id)
        if known is None:
            known = self._known[policy.id] = self._of(policy)
        return known

    def _of(self, policy: Policy) -> Applies:
        moment = self.world.contexts.moment
        live: Bool = True if policy.expires is None else moment.before(policy.expires)
        asked = conj(live, self._scope(policy))
        if asked is False:
            return Applies(holds=False, fails=False)
        holds, fails = self.clauses(policy.pst.clauses)
        return Applies(conj(asked, holds), conj(asked, fails))

    def _scope(self, policy: Policy) -> Bool:
        """Return whether the caller is in the scope: known for one of the catalog, whose cell the policy is in."""
        if self.world.caller.service is not None:
            return True
        match policy.pst.principal:
            case pst.ScopeIn(pst.EntityUid() as entity) | pst.ScopeIsIn(_, pst.EntityUid() as entity):
                return self.world.is_in(uid("Service", self.world.caller.name), entity)
            case pst.ScopeEq():
                return False
        return True

    def clauses(self, clauses: Iterable[pst.Clause]) -> Applies:
        """Return when all clauses hold, one after the other, and when one of them fails."""
        holds: Bool = True
        fails: Bool = False
        for clause in clauses:
            outcome = self._evaluator.truth(clause.expr)
            fails = disj(fails, conj(holds, outcome.fails))
            holds = conj(holds, outcome.holds if isinstance(clause, pst.When) else negate(outcome.holds))
            if holds is False or fails is True:
                break
        return Applies(conj(holds, negate(fails)), fails)

    def allowed(self, permits: Iterable[Policy], forbids: Iterable[Policy]) -> Bool:
        """Return when these policies, and no others, allow."""
        granting = [self.of(permit) for permit in permits]
        refusing = [self.of(forbid) for forbid in forbids]
        if all(applies.holds is False for applies in granting):
            return False
        barred = any_of((*(each.holds for each in refusing), *(each.fails for each in (*granting, *refusing))))
        return conj(any_of(each.holds for each in granting), negate(barred))
