"""The cut: the fewest grants without which no way is left. No I/O.

An arc is closed when all its grants are gone, so this is a minimum cut whose edges share labels, which is NP-hard. It
is solved exactly, as an integer program. Each place has a variable that is 1 where the attacker still gets, the start 1
and the goal 0; along an arc that is not closed it cannot fall. Among cuts of the fewest grants it takes one whose
grants open the least besides. When time is up, the best cut found is returned, and is not `proven`.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict, deque
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inward.errors import InwardError
from inward.insight.reach.access import mask_of, ones
from inward.insight.reach.graph import GOAL
from inward.insight.reach.spread import START

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping

    from inward.insight.reach.graph import Arc

SECONDS = 20.0  # how long a proof is looked for
_HALF = 0.5
_STANDARD_OUTPUT = 1

Arcs = dict[tuple["Hashable", "Hashable"], int]  # by tail and head, the grants that must all be gone; 0: it stays open


class SolverMissingError(InwardError):
    """The library that finds the fewest grants is not installed."""

    code = "solver_missing"


@dataclass(frozen=True, slots=True)
class Cut:
    """A mask of grants without which no way is left; `proven` where fewer cannot do."""

    grants: int
    proven: bool


def fewest(arcs: Iterable[Arc], costs: Mapping[int, int], seconds: float = SECONDS) -> Cut | None:
    """Return the fewest grants that close all ways; None where a way needs no grant. Nothing to close is an empty cut.

    `costs` says of a grant's position how much it opens, to choose between cuts of as many grants.
    """
    deadline = time.monotonic() + seconds
    useful = _useful(_merged(arcs))
    if not useful:
        return Cut(0, proven=True)
    if _open_way(useful, mask_of(position for grants in useful.values() for position in ones(grants))) is not None:
        return None
    found, proven = _solve(useful, costs, max(0.0, deadline - time.monotonic()))
    if found is None or _open_way(useful, found) is not None:
        return Cut(_good(useful), proven=False)
    return Cut(found, proven)


def _merged(arcs: Iterable[Arc]) -> Arcs:
    """Return one arc for all between the same places: it is closed when all of them are."""
    merged: Arcs = {}
    for arc in arcs:
        key = (arc.tail, arc.head)
        before = merged.get(key)
        if before != 0:
            merged[key] = 0 if arc.grants == 0 else arc.grants | (before or 0)
    return merged


def _useful(arcs: Arcs) -> Arcs:
    """Return the arcs that are on some way from the start to the goal."""
    onward: dict[Hashable, list[Hashable]] = defaultdict(list)
    back: dict[Hashable, list[Hashable]] = defaultdict(list)
    for tail, head in arcs:
        onward[tail].append(head)
        back[head].append(tail)
    after, before = _connected(START, onward), _connected(GOAL, back)
    return {(tail, head): grants for (tail, head), grants in arcs.items() if tail in after and head in before}


def _connected(node: Hashable, to: Mapping[Hashable, list[Hashable]]) -> set[Hashable]:
    found, waiting = {node}, [node]
    while waiting:
        new = set(to.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return found


def _open_way(arcs: Arcs, removed: int) -> list[int] | None:
    """Return the grants of the arcs of a shortest way that is open without some grants; None where none is."""
    onward: dict[Hashable, list[Hashable]] = defaultdict(list)
    for (tail, head), grants in arcs.items():
        if grants == 0 or grants & ~removed:
            onward[tail].append(head)
    by: dict[Hashable, Hashable] = {START: START}
    waiting: deque[Hashable] = deque([START])
    while waiting and GOAL not in by:
        tail = waiting.popleft()
        for head in onward[tail]:
            if head not in by:
                by[head] = tail
                waiting.append(head)
    if GOAL not in by:
        return None
    way: list[int] = []
    node: Hashable = GOAL
    while node != START:
        way.append(arcs[by[node], node])
        node = by[node]
    return way


def _good(arcs: Arcs) -> int:
    """Return a cut that is no best one: of each way that is open, the arc that takes the fewest more grants."""
    removed = 0
    while (way := _open_way(arcs, removed)) is not None:
        removed |= min((grants for grants in way if grants), key=lambda grants: (grants & ~removed).bit_count())
    return removed


def _solve(arcs: Arcs, costs: Mapping[int, int], seconds: float) -> tuple[int | None, bool]:
    """Return the grants of the best solution of the integer program, and whether it is an optimal one."""
    try:
        from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415 - only a cut needs it
        from scipy.sparse import csr_array  # noqa: PLC0415 - only a cut needs it
    except ImportError:
        raise SolverMissingError("no cut can be found without `scipy`", hint="pip install scipy") from None
    program = _Program(arcs, costs)
    values, rows, columns = zip(*program.cells, strict=True)
    size = len(program.costs)
    with _silence():
        answer = milp(
            program.costs,
            constraints=LinearConstraint(csr_array((values, (rows, columns)), shape=(program.rows, size)), lb=0),
            bounds=Bounds(program.least, program.most),
            integrality=program.whole,
            options={"time_limit": seconds, "mip_rel_gap": 0},
        )
    if answer.x is None:
        return None, False
    return mask_of(each for each, column in program.grants.items() if answer.x[column] > _HALF), answer.status == 0


@contextmanager
def _silence() -> Iterator[None]:
    """Keep out of standard output what the solver's C++ prints there now and then, whatever it is told."""
    with ExitStack() as undo:
        with suppress(OSError):  # standard output is closed: then nothing can be printed
            kept = os.dup(_STANDARD_OUTPUT)
            undo.callback(os.close, kept)
            undo.callback(os.dup2, kept, _STANDARD_OUTPUT)
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), _STANDARD_OUTPUT)
        yield


class _Program:
    """The integer program: each row adds up to nought or more.

    A grant's variable is 1 if it is gone, and is whole; a set of grants has one that is 1 only if all of them are gone.
    """

    def __init__(self, arcs: Arcs, costs: Mapping[int, int]) -> None:
        self.costs: list[float] = []
        self.least: list[int] = []
        self.most: list[int] = []
        self.whole: list[int] = []
        self.cells: list[tuple[float, int, int]] = []
        self.rows = 0
        positions = sorted({position for grants in arcs.values() for position in ones(grants)})
        # INVARIANT: all that is added to the ones is less than one, so the fewest grants are always cheapest.
        total = 2 * (1 + sum(costs.get(position, 0) for position in positions))
        self.grants = {each: self._column(1 + costs.get(each, 0) / total, whole=1) for each in positions}
        self._sets: dict[int, int] = {}
        nodes = dict.fromkeys(node for arc in arcs for node in arc)
        places = {node: self._column(least=int(node == START), most=int(node != GOAL)) for node in nodes}
        for (tail, head), grants in arcs.items():
            closed = [(1.0, self._closed(grants))] if grants else []
            self._row([(1.0, places[head]), (-1.0, places[tail]), *closed])

    def _column(self, cost: float = 0.0, *, whole: int = 0, least: int = 0, most: int = 1) -> int:
        self.costs.append(cost)
        self.whole.append(whole)
        self.least.append(least)
        self.most.append(most)
        return len(self.costs) - 1

    def _row(self, cells: list[tuple[float, int]]) -> None:
        self.cells += ((value, self.rows, column) for value, column in cells)
        self.rows += 1

    def _closed(self, grants: int) -> int:
        if grants & (grants - 1) == 0:
            return self.grants[grants.bit_length() - 1]
        if grants not in self._sets:
            column = self._sets[grants] = self._column()
            for position in ones(grants):
                self._row([(1.0, self.grants[position]), (-1.0, column)])
        return self._sets[grants]
