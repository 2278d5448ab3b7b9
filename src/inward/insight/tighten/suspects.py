"""Which recorded calls a proposal may decide in another way: those are replayed one by one, all others need not be.

A recorded call is safe where its caller and its operation have, by both sets of policies, candidates that say the same
(effect, condition, expiry), or where the proposal always allows. That its operation is the one that its path means
today is sure where no other template of today can take what its template took. All else is suspect.

# INVARIANT: of a call that is no suspect, the proposal decides what today's policies decide. Where it is not known
# whether that is so, it is a suspect.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.record.call import HASHED, Call
from inward.record.filter import Filter

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterator

    from inward.catalog.model import Catalog, Operation
    from inward.policy.index import Index
    from inward.policy.model import Cell, Policy
    from inward.record.call import Entry

_JOINT = "\x1f"
_WHOLE, _VARIABLE = re.compile(r"\{[^{}]*\}"), "{}"
_KEY = " || chr(31) || ".join(f"coalesce({column}, '')" for column in ("caller", "operation", "method", "path"))
_KNOWN = "callee IN (SELECT unnest(?::VARCHAR[]))"
_SAFE = f"coalesce({_KEY} IN (SELECT unnest(?::VARCHAR[])), false)"
# of the texts of a template's parameters: all are known, and none could be another template's own, in any spelling
_PLAIN = (
    "cardinality(parameters) >= length(path) - length(replace(path, '{', '')) "
    "AND len(list_filter(map_values(parameters), lambda value: "
    f"starts_with(value, '{HASHED}') OR contains(value, '%') OR list_contains(?::VARCHAR[], upper(value)))) = 0"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspects(Filter):
    """Allowed calls of some services, without those that are `safe`, or `plain` and hold none of `words`; and gaps.

    Keys are those of `key_of`. `words` are upper case.
    """

    services: frozenset[str] = frozenset()
    safe: frozenset[str] = frozenset()
    plain: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()

    def matches(self, entry: Entry) -> bool:
        """Return whether `entry` is wanted."""
        if not Filter.matches(self, entry):
            return False
        if not isinstance(entry, Call):
            return True
        if entry.decision != "allow" or entry.callee not in self.services:
            return False
        key = key_of(entry.caller or "", entry.operation or "", entry.method or "", entry.path or "")
        return key not in self.safe and not (key in self.plain and self._is_plain(entry))

    def _is_plain(self, call: Call) -> bool:
        return not call.not_kept and not any(
            "%" in value or value.upper() in self.words for value in call.parameters.values()
        )

    def sql(self) -> tuple[str, tuple[object, ...]]:
        """Return a condition on the columns of a sealed segment, true of every row that is wanted, and its values."""
        condition, values = Filter.sql(self)
        suspect = f"decision = 'allow' AND {_KNOWN} AND NOT {_SAFE}"
        more: tuple[object, ...] = (sorted(self.services), sorted(self.safe))
        if self.plain:
            suspect += f" AND NOT coalesce({_SAFE} AND {_PLAIN}, false)"
            more += (sorted(self.plain), sorted(self.words))
        return f"({condition}) AND (raw IS NOT NULL OR ({suspect}))", (*values, *more)


def key_of(caller: str, operation: str, method: str, path: str) -> str:
    """Return what calls of one caller, operation and template have in common, as one text."""
    return _JOINT.join((caller, operation, method, path))


def find_suspects(catalog: Catalog, today: Index, proposed: Index, services: Collection[str]) -> Suspects:
    """Return which allowed calls of `services`, whose policies alone are changed, are to be replayed."""
    safe: set[str] = set()
    plain: set[str] = set()
    words: set[str] = set()
    for name in services:
        operations = catalog.services[name].operations
        callers: dict[str, list[str]] = {}
        unsettled: dict[str, set[str]] = {}
        for operation in operations:
            cells = list(today.cells_of(operation.id))  # where nothing is granted today, nothing can be taken
            callers[operation.id] = [cell.caller for cell in cells]
            changed = (cell.caller for cell in cells if not _alike(cell, proposed.cell(cell.caller, operation.id)))
            unsettled[operation.id] = set(changed)
        for operation in operations:
            rivals = [other for other in _rivals(operation, operations) if unsettled[other.id]]
            for caller in callers[operation.id]:
                if caller in unsettled[operation.id]:
                    continue
                key = key_of(caller, operation.id, operation.method, operation.template.text)
                open_ = [other for other in rivals if caller in unsettled[other.id]]
                if not open_:
                    safe.add(key)
                elif (found := _words_of(operation, open_)) is not None:
                    plain.add(key)
                    words |= found
    return Suspects(services=frozenset(services), safe=frozenset(safe), plain=frozenset(plain), words=frozenset(words))


def _alike(today: Cell, proposed: Cell) -> bool:
    if proposed.constant is True:
        return True
    return _meanings((*today.permits, *today.forbids)) == _meanings((*proposed.permits, *proposed.forbids))


def _meanings(policies: tuple[Policy, ...]) -> set[Hashable]:
    return {(each.effect, each.pst.clauses, each.expires) for each in policies}


def _rivals(operation: Operation, others: Collection[Operation]) -> Iterator[Operation]:
    """Yield the operations that a path of `operation` could mean today rather than that."""
    mine = _segments(operation)
    for other in others:
        theirs = _segments(other)
        if other is operation or other.method != operation.method or len(theirs) != len(mine):
            continue
        if any("{" in one and one != two for one, two in zip(mine, theirs, strict=True)):
            yield other


def _segments(operation: Operation) -> list[str]:
    """Return the segments of a template; `{}` is one that is a variable as a whole."""
    return [_VARIABLE if _WHOLE.fullmatch(each) else each for each in operation.template.text.split("/")]


def _words_of(operation: Operation, rivals: Collection[Operation]) -> set[str] | None:
    """Return texts of which a parameter must have one for a path to be a rival's; None where that cannot be said."""
    words: set[str] = set()
    for rival in rivals:
        pairs = zip(_segments(operation), _segments(rival), strict=True)
        literals = {two.upper() for one, two in pairs if one == _VARIABLE and "{" not in two}
        if not literals or any("%" in word for word in literals):
            return None
        words |= literals
    return words
