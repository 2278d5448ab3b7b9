"""The picture of a reach: an SVG (`insight.drawing`), the same for the same reach.

The service stands to the left; each column to its right is one hop more. In a box are operations of one service that
are reached by so many hops, with the data that they give away, and a line leads to each from what causes the call.
Each operation is shown once, as near as it is; with a target, only what leads to it. A picture is bounded: what is
most telling is in it, and how much else there is.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

from inward.insight.drawing import Box, Drawing, Line, Row, render
from inward.insight.reach.reached import each_operation, paths_to, score

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inward.insight.drawing import Look
    from inward.insight.reach.access import Access, How
    from inward.insight.reach.reached import Reach, Target
    from inward.insight.reach.spread import Spread

MOST_PATHS = 60
MOST_ROWS = 12  # of a box
MOST_BOXES = 16  # of a column
_MORE = "more"
_LOOKS: Final[Mapping[How, Look]] = {"granted": "always", "condition": "depends", "observe": "never"}
_SAID: Final[Mapping[Look, str]] = {
    "always": "is granted",
    "depends": "is granted under a condition",
    "never": "in mode observe nothing is refused",
}


@dataclass(frozen=True, slots=True)
class _Step:
    """A call that is drawn: who makes it while it serves `cause`, and the hop that it is."""

    cause: int | None
    caller: str
    operation: int
    hops: int


@dataclass(slots=True)
class _Rows:
    """The operations of a box, each with the data that its caller is given, and those that call on."""

    given: dict[int, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    causes: set[int] = field(default_factory=set)


def draw(access: Access, spread: Spread, reach: Reach, target: Target | None = None) -> str:
    """Return the picture as the text of an SVG document."""
    steps = list(dict.fromkeys(_steps(access, spread, reach, target)))
    rows: dict[tuple[int, str], _Rows] = defaultdict(_Rows)
    for step in steps:
        given = rows[step.hops, access.operations[step.operation].service].given[step.operation]
        wanted = access.catalog.data_classes if target is None or target.operation is not None else target.classes
        for name in wanted:
            if access.reads(step.caller, name) >> step.operation & 1:
                given[name] = None
        if step.cause is not None:
            rows[step.hops - 1, step.caller].causes.add(step.cause)
    service = access.catalog.services[reach.service]
    columns: dict[int, list[Box]] = {0: [Box(_key(0, service.name), service.name, service.owner, marked=True)]}
    drawn: dict[str, str] = {columns[0][0].key: ""}  # boxes, and the rows in them by their box, and the row's own key
    for hops in sorted({hops for hops, _ in rows}):
        columns[hops] = list(_column(access, rows, hops, drawn))
    return render(
        Drawing(
            heading=f"What {service.name} reaches",
            title=service.name if target is None else f"{service.name} to {target.name}",
            note=f"taken over, it could reach this (*: changes something); score {score(access, reach):g}",
            columns=columns,
            lines=list(_lines(access, steps, drawn, service.name)),
            legend=_SAID,
            empty="It reaches nothing.",
        )
    )


def _steps(access: Access, spread: Spread, reach: Reach, target: Target | None) -> Iterator[_Step]:
    if target is None:
        for each in each_operation(access, spread, reach):
            yield _Step(each.cause, each.caller, each.operation, each.hops)
        return
    for chain in islice(paths_to(access, spread, reach, target), MOST_PATHS):
        cause = None
        for hops, hop in enumerate(chain, 1):
            yield _Step(cause, hop.caller, hop.operation, hops)
            cause = hop.operation


def _column(access: Access, rows: Mapping[tuple[int, str], _Rows], hops: int, drawn: dict[str, str]) -> Iterator[Box]:
    """Yield the boxes of a column, and note what is in them."""
    found = [(service, each) for (number, service), each in rows.items() if number == hops]
    found.sort(key=lambda pair: (not pair[1].causes, -sum(map(bool, pair[1].given.values())), pair[0]))
    for service, each in found[:MOST_BOXES]:
        key = _key(hops, service)
        order = sorted(each.given, key=lambda number: (number not in each.causes, not each.given[number], number))
        listed = [Row(str(number), _row(access, number), ", ".join(each.given[number])) for number in order[:MOST_ROWS]]
        drawn |= {f"{key}/{row.key}": row.key for row in listed} | {key: ""}
        if len(order) > MOST_ROWS:
            listed.append(Row(_MORE, f"and {len(order) - MOST_ROWS:,} more"))
            drawn |= {f"{key}/{number}": _MORE for number in order[MOST_ROWS:]}
        yield Box(key, service, access.catalog.services[service].owner, tuple(listed))
    if len(found) > MOST_BOXES:
        key = _key(hops, "")
        yield Box(key, f"{len(found) - MOST_BOXES:,} more services", "")
        drawn[key] = ""


def _lines(access: Access, steps: list[_Step], drawn: Mapping[str, str], service: str) -> Iterator[Line]:
    """Yield the lines; one for all that begin and end alike."""
    told: set[tuple[str, str | None, str, str | None]] = set()
    for step in steps:
        source, row = _end(drawn, step.hops - 1, step.caller, step.cause)
        to, to_row = _end(drawn, step.hops, access.operations[step.operation].service, step.operation)
        way = access.way(step.caller, step.operation)
        if way is None or (source, row, to, to_row) in told:
            continue
        told.add((source, row, to, to_row))
        look = _LOOKS[way.how]
        by = service if step.cause is None else access.operations[step.cause].id
        yield Line(source, row, to, look, f"{by} calls {access.operations[step.operation].id}: {_SAID[look]}", to_row)


def _end(drawn: Mapping[str, str], hops: int, service: str, operation: int | None) -> tuple[str, str | None]:
    """Return the box and the row at which a line ends."""
    key = _key(hops, service)
    if key not in drawn:
        return _key(hops, ""), None
    return key, None if operation is None else drawn[f"{key}/{operation}"]


def _key(hops: int, service: str) -> str:
    return f"{hops}/{service}"


def _row(access: Access, number: int) -> str:
    name = access.operations[number].name
    return f"{name} *" if access.writes >> number & 1 else name
