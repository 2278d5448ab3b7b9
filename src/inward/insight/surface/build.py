"""Builds the surface from the catalog, the policies, and what was used. No I/O, no clock.

Rules:

1. Only what was let through counts as called: a refused call is an attempt, which is told and costs nothing.
2. Nothing is called forgotten that the record cannot show: it must cover the time asked for, and tell apart what those
   who may call the operation have called.
3. What fits no operation is one row of the service, however much of it there is.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from inward.catalog.model import Mode
from inward.insight.surface.row import Problem, Row, Wrong
from inward.insight.surface.wide import Wide, recent_callers
from inward.insight.unused.find import few
from inward.insight.unused.uses import Tally, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inward.catalog.model import Catalog, Operation, Service
    from inward.insight.unused.coverage import Ages, Coverage
    from inward.insight.unused.uses import Uses
    from inward.policy.index import Index
    from inward.record.rollup.store import Edge

NOBODY = frozenset({"-", "?", "n/a", "nobody", "none", "tbd", "unknown", "unowned"})  # as an owner's name, lower case
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Used:
    """What was used in the time asked for, and by edge when the last call before it was let through (ms)."""

    uses: Uses
    before: Mapping[Edge, int]
    coverage: Coverage
    ages: Ages


def build(catalog: Catalog, index: Index, used: Used) -> list[Row]:
    """Return a row for each operation, in the order of the catalog; after those of a service one for what fits none."""
    wide = Wide(catalog, index, used.coverage, used.ages)
    tallies = used.uses.by_operation()
    before: dict[str, dict[str, int]] = defaultdict(dict)
    for edge, last in used.before.items():
        before[edge.operation][edge.caller] = last
    rows = []
    for service in catalog.services.values():
        rows += [
            _row(catalog, operation, tallies.get(operation.id, {}), before.get(operation.id, {}), used, wide)
            for operation in service.operations
        ]
        beyond = _beyond(catalog, service, used)
        if beyond is not None:
            rows.append(beyond)
    return rows


def _row(
    catalog: Catalog,
    operation: Operation,
    tallies: Mapping[str, Tally],
    before: Mapping[str, int],
    used: Used,
    wide: Wide,
) -> Row:
    service = catalog.services[operation.service]
    callers = {name: tally.through for name, tally in tallies.items() if tally.through}
    last: dict[str, int | None] = {**before, **{name: tallies[name].last for name in callers}}
    moments = [moment for moment in last.values() if moment is not None]
    observed = operation.mode is Mode.OBSERVE
    folded = {name for name, calls in used.uses.folded.items() if calls > 0}
    known = used.coverage.whole and not folded.intersection(catalog.services if observed else wide.callers(operation))
    problems = [*_of_calls(operation, callers)]
    if not callers and known:
        since = used.coverage.since.date().isoformat()
        problems.append(Problem(Wrong.FORGOTTEN, f"no call of it was let through since {since}"))
    problems += _of_service(service, operation.mode)
    problems += wide.problems(operation, recent_callers(last, used.coverage) | folded)
    received = operation.body.classes.union(*(each.classes for each in operation.parameters))
    return Row(
        service.name,
        operation,
        service.owner,
        operation.mode,
        tuple(sorted(operation.answers.classes | received)),
        dict(sorted(callers.items(), key=lambda pair: (-pair[1], pair[0]))),
        sum(tally.calls for tally in tallies.values()),
        sum(tally.refused for tally in tallies.values()),
        _moment(max(moments)) if moments else None,
        len(catalog.services) - 1 if observed else len(wide.callers(operation)),
        tuple(problems),
    )


def _of_calls(operation: Operation, callers: Mapping[str, int]) -> Iterator[Problem]:
    if callers.get(""):
        yield Problem(Wrong.UNAUTHENTICATED, f"{_calls(callers[''])} without an identity")
    if operation.deprecated and callers:
        who = few([name or "nobody known" for name in callers])
        yield Problem(Wrong.DEPRECATED, f"it is deprecated, and called by {who}")


def _of_service(service: Service, mode: Mode) -> Iterator[Problem]:
    if mode is Mode.OBSERVE:
        yield Problem(Wrong.OBSERVE_ONLY, "in mode observe nothing is refused")
    if service.owner.strip().lower() in NOBODY:
        yield Problem(Wrong.UNOWNED, f"its owner is `{service.owner}`")


def _beyond(catalog: Catalog, service: Service, used: Used) -> Row | None:
    """Return the row of what fits no operation of a service; None where there was nothing."""
    unknown = used.uses.unknown.get(service.name, Unknown())
    through = unknown.through.total()
    problems = []
    if through:
        problems.append(Problem(Wrong.UNDOCUMENTED, f"{_calls(through)} of what is in no document, let through"))
    elif unknown.stopped:
        problems.append(
            Problem(
                Wrong.UNDOCUMENTED, f"{_calls(unknown.stopped)} of what is in no document, all refused", stopped=True
            )
        )
    handshakes = used.uses.handshakes[service.name]
    if handshakes:
        what = (
            f"{handshakes:,} connection{'' if handshakes == 1 else 's'} without an identity that verifies, all refused"
        )
        problems.append(Problem(Wrong.UNAUTHENTICATED, what, stopped=True))
    if not problems:
        return None
    problems += _of_service(service, service.mode) if through else ()
    return Row(
        service.name,
        None,
        service.owner,
        service.mode,
        (),
        dict(unknown.through.most_common()),
        through + unknown.stopped + handshakes,
        through + unknown.stopped + handshakes,
        None if unknown.last is None else _moment(unknown.last),
        len(catalog.services) - 1 if service.mode is Mode.OBSERVE else 0,
        tuple(problems),
    )


def _calls(number: int) -> str:
    return f"{number:,} call{'' if number == 1 else 's'}"


def _moment(ms: int) -> datetime:
    try:
        return _EPOCH + timedelta(milliseconds=ms)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
