"""The surface as a table for people, by service; what is wrong with each row, where that is asked for; the number."""

from __future__ import annotations

from itertools import groupby
from textwrap import wrap
from typing import TYPE_CHECKING

from inward.cli.output import Cell, Table, print_line, printable, remark, styled
from inward.insight.surface.number import COSTS, MOST_CALLERS, MOST_CLASSES
from inward.insight.surface.row import Wrong
from inward.insight.unused.find import few

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from inward.control.undocumented import Undocumented
    from inward.insight.surface.number import Number
    from inward.insight.surface.row import Row

    Rows = Sequence[tuple[Row, float]]

MOST_CHARACTERS = 30  # of an operation's name
MOST_PATHS = 10  # of a service that are told
_HEADINGS = ("operation", "calls", "callers", "last call", "data", "wrong")
_RIGHT = (1, 2)
_WIDTH = 100


class Listing:
    """Prints rows as they were at `now`; `paths` are those that no document has, by service."""

    def __init__(self, now: datetime, paths: Mapping[str, Sequence[Undocumented]], *, explain: bool) -> None:
        self._now = now
        self._paths = paths
        self._explain = explain

    def print(self, rows: Rows) -> None:
        """Print rows."""
        name = max((len(_name(row)) for row, _ in rows), default=0) + 2
        table = Table(_HEADINGS, right=_RIGHT, widths=(name, 9, 7, 9, 9))
        for _, same in groupby(rows, key=lambda pair: pair[0].service):
            some = list(same)
            first = some[0][0]
            print_line(styled(first.service, "bold") + styled(f"  {first.owner}, {_mode(some)}", "dim"))
            for row, points in some:
                table.add([self._cells(row)])
                self._print_more(row, points)

    def _cells(self, row: Row) -> list[Cell]:
        data = row.classes[0] if row.classes else ""
        costs = any(not each.stopped for each in row.problems)
        return [
            f"  {_name(row)}",
            f"{row.calls:,}" if row.calls else styled("-", "dim"),
            f"{len(row.callers):,}" if row.callers else styled("-", "dim"),
            self._last(row),
            data + (f" +{len(row.classes) - 1}" if len(row.classes) > 1 else ""),
            styled(" ".join(row.wrong), "yellow" if costs else "dim"),
        ]

    def _last(self, row: Row) -> Cell:
        if row.last is None:
            return styled("not seen", "dim")
        days = (self._now - row.last).days
        return "today" if days <= 0 else f"{days:,} d ago"

    def _print_more(self, row: Row, points: float) -> None:
        if self._explain:
            for problem in row.problems:
                grants = f" ({', '.join(problem.grants)})" if problem.grants else ""
                print_line(styled(f"      {problem.kind}: {problem.what}{grants}", "dim"))
            if points:
                print_line(styled(f"      costs {points:.1f} of 100", "dim"))
        paths = self._paths.get(row.service, ()) if row.operation is None else ()
        for path in paths[:MOST_PATHS]:
            who = few([name or "(no identity)" for name in path.callers])
            request = styled(f"      {_cut(f'{path.method} {path.template}', 2 * MOST_CHARACTERS)}", "yellow")
            print_line(request + styled(f"  {path.calls:,} by {who}", "dim"))
        if len(paths) > MOST_PATHS:
            print_line(styled(f"      and {len(paths) - MOST_PATHS:,} more (`--json` has all)", "dim"))


def _mode(rows: Rows) -> str:
    modes = {row.mode for row, _ in rows}
    return modes.pop() if len(modes) == 1 else "enforce and observe"


def _name(row: Row) -> str:
    if row.operation is None:
        return "(no operation)"
    return _cut(printable(row.operation.name), MOST_CHARACTERS)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def print_end(rows: Sequence[Row], number: Number) -> None:
    """Print how many rows there are, of how many what is wrong, and the number."""
    operations = sum(row.operation is not None for row in rows)
    wrong = [(kind, sum(kind in row.wrong for row in rows)) for kind in Wrong]
    told = ", ".join(f"{count:,} {kind}" for kind, count in wrong if count)
    services = len({row.service for row in rows})
    print_line(f"{_count(operations, 'operation')} of {_count(services, 'service')}: {told or 'nothing is wrong'}")
    if number.value is None:
        print_line("there is nothing to rate")
    else:
        print_line(styled(f"{number.value} of 100", "bold"))


def print_formula() -> None:
    """Say how the number is computed."""
    costs = ", ".join(f"{kind} {share:.0%}" for kind, share in COSTS.items())
    text = (
        f"each row weighs 1, and 1 more for each data class (at most {MOST_CLASSES}) and each service that may call it "
        f"(at most {MOST_CALLERS}); of its weight it loses, for what is wrong: {costs}; the number is what is left of "
        "all weight, in percent; what was refused costs nothing"
    )
    for line in wrap(text, _WIDTH):
        remark(styled(line, "dim"))
