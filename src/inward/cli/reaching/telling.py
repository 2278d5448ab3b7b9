"""The reach of one service, as `inward reach SERVICE` prints it: the data, the operations, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inward.cli.output import Cell, Table, print_line, printable, remark, styled
from inward.insight.reach.access import ones
from inward.insight.reach.reached import each_operation, each_sight, score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inward.cli.output import Style
    from inward.insight.reach.access import Access, How, Way
    from inward.insight.reach.evidence import Evidence, Link, Made
    from inward.insight.reach.reached import Reach, Reached, Sight
    from inward.insight.reach.spread import Spread

MOST_NAMES = 3  # in one cell
_OPERATION = ("operation within reach", "hops", "changes", "is called by", "since", "seen")
MOST_DOUBTS = 5  # services of which is told how sure their part is
_HOW: dict[How, tuple[str, Style]] = {
    "granted": ("", ""),
    "condition": ("under a condition", "yellow"),
    "observe": ("in mode observe nothing is refused", "red"),
    "uncut": ("nobody cuts it out", "red"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """All that is told of one service's reach. `assumed` is whether the worst is assumed, without the record."""

    access: Access
    spread: Spread
    reach: Reach
    evidence: Evidence
    assumed: bool

    def name(self, operation: int) -> str:
        """Return the id of an operation."""
        return self.access.operations[operation].id

    def names(self, operations: int) -> list[str]:
        """Return the ids of the operations of a mask."""
        return [self.name(each) for each in ones(operations)]

    def link(self, cause: int | None, effect: int) -> Link | None:
        """Return what the record shows of one operation that calls another."""
        return None if cause is None else self.evidence.links.get((self.name(cause), self.name(effect)))

    def grants(self, way: Way) -> list[str]:
        """Return the ids of the grants that keep a way open."""
        return [policy.id for policy in self.access.policies(way.grants)]


def few(names: Sequence[str]) -> str:
    """Return the first names of many, and how many more there are."""
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def how(told: Told, way: Way) -> Cell:
    """Return why a call goes through, or data is shown."""
    said, style = _HOW[way.how]
    grants = few(told.grants(way))
    return styled(f"{grants}, {said}" if grants and said else grants or said, style)


def seen(link: Link | None) -> str:
    """Return what the record shows of a link, in a few words; empty for nothing."""
    if link is None:
        return ""
    times = f"{link.calls:,} call{'s' if link.calls > 1 else ''}"
    if not link.sure:
        times += ", none of them surely for that"
    return f"{times}, the last {printable(link.reference)}"


def print_reach(told: Told, limit: int) -> None:
    """Print it for people."""
    access, reach = told.access, told.reach
    service = access.catalog.services[reach.service]
    print_line(styled(reach.service, "bold") + styled(f"  of {service.owner}, score {score(access, reach):g}", ""))
    at_once = reach.layers[0] if reach.layers else 0
    direct = [name for name, hops in reach.data.items() if hops == 1]
    print_line(_summary("at once", at_once.bit_count(), (at_once & access.writes).bit_count(), len(direct)))
    further = reach.operations & ~at_once
    more = len(reach.data) - len(direct)
    print_line(
        _summary("through others", further.bit_count(), (further & access.writes).bit_count(), more, "more ")
        if further or more
        else "through others: nothing more" + ("" if told.assumed else " is known")
    )
    if reach.held:
        print_line("")
        Table(("data of its own", "served or taken by")).add(
            [[name, few(told.names(operations))] for name, operations in sorted(reach.held.items())]
        )
    sights = list(each_sight(access, reach))
    if sights:
        print_line("")
        headings = ("data within reach", "hops", "is given to", "by", "since")
        Table(headings, right=(1,)).add([_sight_row(told, sight) for sight in _first(sights, limit)])
        _tell_rest(len(sights), limit)
    operations = list(each_operation(access, told.spread, reach))
    if operations:
        print_line("")
        columns = len(_OPERATION) if len(reach.layers) > 1 else len(_OPERATION) - 1
        table = Table(_OPERATION[:columns], right=(1,))
        table.add([_operation_row(told, each)[:columns] for each in _first(operations, limit)])
        _tell_rest(len(operations), limit)
    unenforced = {access.operations[each].service for each in ones(reach.operations & access.observed)}
    if unenforced:
        names = few(sorted(unenforced))
        remark(styled(f"in mode observe what no document describes can be called too: {names}", "yellow"))


def _summary(when: str, operations: int, changing: int, classes: int, more: str = "") -> str:
    of_operations = f"{operations:,} {more}operation{'' if operations == 1 else 's'}"
    of_classes = f"{classes:,} {more}data class{'' if classes == 1 else 'es'}"
    return f"{when}: {of_operations} ({changing:,} to change something), {of_classes}"


def _first(rows: list[Any], limit: int) -> list[Any]:
    return rows[:limit] if limit else rows


def _tell_rest(count: int, limit: int) -> None:
    if limit and count > limit:
        print_line(styled(f"and {count - limit:,} more (`--limit 0` shows all)", "dim"))


def _sight_row(told: Told, sight: Sight) -> list[Cell]:
    ways = [way for way, _ in told.access.showing(sight.caller, sight.name, sight.operations)]
    changed = told.access.changes(sight.caller, sight.name)
    by = few(told.names(sight.operations))
    return [
        sight.name,
        str(sight.hops),
        sight.caller,
        by + ("; it can change it too" if changed else ""),
        how(told, ways[0]),
    ]


def _operation_row(told: Told, reached: Reached) -> list[Cell]:
    access = told.access
    way = access.way(reached.caller, reached.operation)
    by = reached.caller if reached.cause is None else f"{told.name(reached.cause)}"
    return [
        told.name(reached.operation),
        str(reached.hops),
        "yes" if access.writes >> reached.operation & 1 else styled("-", "dim"),
        by,
        how(told, way) if way is not None else "",
        seen(told.link(reached.cause, reached.operation)),
    ]


def doubtful(told: Told) -> list[tuple[str, Made]]:
    """Return the services within reach that made calls whose cause is not known, those with most of them first."""
    reach, access = told.reach, told.access
    within = [name for name, owned in access.owned.items() if owned & reach.operations and name != reach.service]
    made = [(name, told.evidence.made[name]) for name in within if name in told.evidence.made]
    found = [(name, each) for name, each in made if each.caused < each.calls]
    return sorted(found, key=lambda each: (each[1].caused - each[1].calls, each[0]))


def print_doubts(told: Told) -> None:
    """Say what the record cannot tell."""
    if told.assumed:
        remark(styled("assumed: whoever is called can be made to do all that it may", "dim"))
        return
    evidence = told.evidence
    if not evidence.calls:
        remark(
            styled("the record has no calls of that time, so only what is at once is known: `--assume-all`", "yellow")
        )
    doubts = doubtful(told)
    for name, made in doubts[:MOST_DOUBTS]:
        unknown = made.calls - made.caused
        remark(
            styled(
                f"{name} made {made.calls:,} calls, {percent(made.traced, made.calls)} with a trace; "
                f"{unknown:,} belong to no call that it was serving, to {few(_most(made))}",
                "yellow",
            )
        )
    if doubts:
        more = f" (and {len(doubts) - MOST_DOUBTS:,} more services)" if len(doubts) > MOST_DOUBTS else ""
        remark(styled(f"what these may be made to do besides is not known{more}: `--assume-all` says the worst", "dim"))
    for count, what in (
        (evidence.gaps, "gaps, where what was lost is not seen"),
        (evidence.crowded, "traces with too many calls to hold them together, so links may be missing"),
        (evidence.left_out, "calls between more pairs of operations than are told apart"),
    ):
        if count:
            remark(styled(f"the record has {what} ({count:,})", "yellow"))


def percent(part: int, whole: int) -> str:
    """Return a share in percent, rounded down, so that 100% means all."""
    return f"{part * 100 // whole if whole else 0}%"


def _most(made: Made) -> list[str]:
    return [name for name, _ in made.uncaused.most_common()]


def reach_as_json(told: Told) -> dict[str, Any]:
    """Return it for programs."""
    access, reach = told.access, told.reach
    return {
        "service": reach.service,
        "owner": access.catalog.services[reach.service].owner,
        "score": score(access, reach),
        "own_data": {name: told.names(operations) for name, operations in sorted(reach.held.items())},
        "data": [
            {
                "class": sight.name,
                "hops": sight.hops,
                "given_to": sight.caller,
                "operations": told.names(sight.operations),
                "how": [way.how for way, _ in access.showing(sight.caller, sight.name, sight.operations)],
                "changes": told.names(access.changes(sight.caller, sight.name)),
            }
            for sight in each_sight(access, reach)
        ],
        "operations": [_operation_as_json(told, each) for each in each_operation(access, told.spread, reach)],
        "evidence": None if told.assumed else _evidence_as_json(told),
    }


def _operation_as_json(told: Told, reached: Reached) -> dict[str, Any]:
    return {
        "hops": reached.hops,
        **step_as_json(told, reached.caller, reached.operation, reached.cause),
        "changes": bool(told.access.writes >> reached.operation & 1),
    }


def step_as_json(told: Told, caller: str, operation: int, cause: int | None) -> dict[str, Any]:
    """Return one call within reach: who makes it, for which cause, and what lets it through."""
    way, link = told.access.way(caller, operation), told.link(cause, operation)
    return {
        "caller": caller,
        "operation": told.name(operation),
        "how": None if way is None else way.how,
        "grants": [] if way is None else told.grants(way),
        "cause": None if cause is None else told.name(cause),
        "seen": None
        if link is None
        else {
            "calls": link.calls,
            "sure": link.sure,
            "last": link.last,
            "reference": link.reference,
            "served": link.cause,
        },
    }


def _evidence_as_json(told: Told) -> dict[str, Any]:
    evidence = told.evidence
    return {
        "calls": evidence.calls,
        "gaps": evidence.gaps,
        "crowded": evidence.crowded,
        "left_out": evidence.left_out,
        "doubtful": [
            {
                "service": name,
                "calls": made.calls,
                "traced": made.traced,
                "caused": made.caused,
                "to": dict(made.uncaused.most_common()),
            }
            for name, made in doubtful(told)
        ],
    }
