"""What makes an operation over-permissive: grants by which more may call it than need to. No I/O, no clock.

Of the grants that have not expired, that is:

1. one to any service, those to come too;
2. one on all operations of the service, those to come too;
3. one to a group, a zone or a team, with neither a condition nor an end, on an operation that answers with data of some
   class: whoever joins is shown it for good;
4. one to services that do not call it: not in the time asked for, and neither in a quarter and a half. That is only
   said where the record covers the time asked for and a quarter, and of grants that have not been changed meanwhile.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from inward.insight.surface.row import Problem, Wrong
from inward.insight.unused.coverage import QUARTER
from inward.insight.unused.find import few
from inward.insight.unused.rhythm import PATIENCE
from inward.policy.scope import is_about_all_of, names_one_service, open_parts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from inward.catalog.model import Catalog, Operation
    from inward.insight.unused.coverage import Ages, Coverage
    from inward.policy.index import Index
    from inward.policy.model import Policy

LONG = timedelta(days=PATIENCE * QUARTER)


class Wide:
    """Finds it in one system, by what was called when."""

    def __init__(self, catalog: Catalog, index: Index, coverage: Coverage, ages: Ages) -> None:
        self._index = index
        self._coverage = coverage
        self._masks = {name: index.caller_mask(service) for name, service in catalog.services.items()}
        self._live = index.permits
        for bit, policy in enumerate(index.policies):
            if policy.expires is not None and policy.expires <= coverage.now:
                self._live &= ~(1 << bit)
        self._tells = coverage.whole and coverage.days >= QUARTER
        self._old = {policy.id for policy in index.policies if self._is_old(policy, ages)}
        self._callers: dict[int, tuple[str, ...]] = {}

    def _is_old(self, policy: Policy, ages: Ages) -> bool:
        changed, _ = ages.since(policy.id)
        return changed is None or changed <= self._coverage.since

    def callers(self, operation: Operation) -> tuple[str, ...]:
        """Return the services that some grant names for an operation."""
        return self._callers_by(self._index.operation_mask(operation) & self._live)

    def _callers_by(self, grants: int) -> tuple[str, ...]:
        found = self._callers.get(grants)
        if found is None:
            found = tuple(name for name, mask in self._masks.items() if mask & grants) if grants else ()
            self._callers[grants] = found
        return found

    def problems(self, operation: Operation, recent: Collection[str]) -> Iterator[Problem]:
        """Yield what is too wide. `recent` are the callers that have called it in a quarter and a half."""
        mask = self._index.operation_mask(operation) & self._live
        if not mask:
            return
        grants, _ = self._index.chosen(mask)
        anybody = [each.id for each in grants if "principal" in open_parts(each)]
        if anybody:
            yield _problem("any service may call it, those to come too", anybody)
        everything = [each.id for each in grants if is_about_all_of(each, operation.service)]
        if everything:
            yield _problem(f"all operations of {operation.service} are granted at once, those to come too", everything)
        classes = sorted(operation.answers.classes)
        if classes and (lasting := [each.id for each in grants if _is_lasting(each)]):
            what = f"whoever joins a group gets {few(classes)}, with neither a condition nor an end"
            yield _problem(what, lasting)
        if self._tells and all(each.id in self._old for each in grants):
            callers = self._callers_by(mask)
            idle = [name for name in callers if name not in recent]
            if idle:
                which = f"{few(idle)} may call it and {'does' if len(idle) == 1 else 'do'} not"
                yield _problem(which, [each.id for each in grants])


def _is_lasting(policy: Policy) -> bool:
    return not names_one_service(policy) and not policy.conditional and policy.expires is None


def _problem(what: str, grants: Sequence[str]) -> Problem:
    return Problem(Wrong.OVER_PERMISSIVE, what, tuple(grants))


def recent_callers(called: Mapping[str, int | None], coverage: Coverage) -> set[str]:
    """Return those of some callers, with their last calls (ms since 1970), that have called not too long ago."""
    begin = min(coverage.since, coverage.now - LONG).timestamp() * 1000
    return {name for name, last in called.items() if last is not None and last >= begin}
