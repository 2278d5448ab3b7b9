"""`inward reach`: what an attacker who holds a service could call and read, directly and through others."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inward.catalog.document import did_you_mean, shown
from inward.cli.data import write_picture
from inward.cli.moment import parse_since
from inward.cli.options import JSONOption, SystemOption, operation_named, service_named, system_layout
from inward.cli.output import Cell, Table, option_for, print_json, print_line, remark, styled
from inward.cli.progress import shown_reading
from inward.cli.reaching.cutting import cut_as_json, find_cut, print_cut
from inward.cli.reaching.paths import paths_as_json, print_paths
from inward.cli.reaching.telling import Told, few, print_doubts, print_reach, reach_as_json
from inward.control.checking.cache import load_known
from inward.control.quarantine import load_quarantine
from inward.errors import BadInputError, ExitCode
from inward.insight.reach.access import Access
from inward.insight.reach.evidence import Evidence, Tracing
from inward.insight.reach.picture import draw
from inward.insight.reach.reached import Target, reach_of, score
from inward.insight.reach.spread import Assumed, Traced
from inward.record.call import timestamp
from inward.record.filter import Filter
from inward.record.reader import read_entries

if TYPE_CHECKING:
    from inward.catalog.model import Catalog
    from inward.cli.reaching.cutting import Closed
    from inward.insight.reach.reached import Reach
    from inward.insight.reach.spread import Spread

LIMIT = 50
_HEADINGS = ("service", "owner", "score", "may call", "changing", "is shown", "by others", "data", "own data")


def reach(  # noqa: PLR0917 - Typer passes its options by name
    service: Annotated[
        str | None, typer.Argument(metavar="SERVICE", help="Whose reach; all of them if none.", show_default=False)
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="TARGET", help="Print the paths to a data class, or to an operation.")
    ] = None,
    cut: Annotated[bool, typer.Option("--cut", help="Name the fewest grants without which no such path is left.")] = (
        False
    ),
    assume_all: Annotated[
        bool, typer.Option("--assume-all", help="The worst: whoever is called can be made to do all that it may.")
    ] = False,
    fail_above: Annotated[
        float | None, typer.Option(min=0, metavar="N", help="Exit 2 where a score is above N.")
    ] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it into a file.")] = None,
    since: Annotated[
        str, typer.Option(metavar="WHEN", help="Calls of the record from then on: 12h, 7d, or a time.")
    ] = "30d",
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="The first N lines of each table; 0: all.")] = LIMIT,
    system: SystemOption = Path(),
    json: JSONOption = False,
) -> int:
    """Print what an attacker who holds a service could call and read, at once and through others.

    What a service may call follows from the policies; what others do for it, from traces in the record. The score: 1
    for each operation, 2 if it changes something, 10 for each data class, halved with each hop after the first; and
    10 for each class that the service itself serves or is sent.

    Exit 0: done. 2: a score is above N, or no grant stands in a path that --cut should close.
    """
    start = parse_since(since, datetime.now(UTC))
    if service is None and (to or cut or svg):
        raise BadInputError("`--to`, `--cut` and `--svg` are about one service", hint="name it: `inward reach SERVICE`")
    if cut and to is None:
        raise BadInputError("a cut of which paths?", hint="name where they lead: `--to pii.email`")
    layout = system_layout(system)
    policy = load_known(layout.system, os.environ)
    if service is not None:
        service_named(policy.catalog, service)
    target = None if to is None or service is None else _target(policy.catalog, service, to)
    access = Access(policy.catalog, policy.engine.index, datetime.now(UTC), load_quarantine(layout))
    evidence = Evidence()
    if not assume_all:
        with shown_reading(read_entries(layout.record, Filter(since=start)), wanted=not json) as entries:
            evidence = Tracing(policy.catalog).add(entries).finish()
    spread: Spread = Assumed() if assume_all else Traced(access, evidence.links)
    asked = _Asked(timestamp(start), assume_all, fail_above, limit, option_for(system), json)
    if service is None:
        return _all(access, spread, asked)
    told = Told(access, spread, reach_of(access, spread, service), evidence, assumed=assume_all)
    if svg is not None:
        write_picture(svg, draw(access, spread, told.reach, target))
    closed = None
    if cut and target is not None:
        closed = find_cut(told, target, policy, layout.record, start, quiet=json)
    code = _one(told, target, closed, asked)
    if svg is not None and not json:
        remark(styled(f"drawn: {svg}", "dim"))
    return code


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked for, besides the service."""

    since: str
    assume_all: bool
    fail_above: float | None
    limit: int
    option: str  # ` --system DIR`, as in commands that are suggested
    as_json: bool

    def above(self, points: float) -> bool:
        """Tell whether a score is too high."""
        return self.fail_above is not None and points > self.fail_above


def _one(told: Told, target: Target | None, closed: Closed | None, asked: _Asked) -> int:
    """Print one service."""
    points = score(told.access, told.reach)
    if asked.as_json:
        document = {"since": asked.since, "assume_all": asked.assume_all, **reach_as_json(told)}
        if target is not None:
            document |= {"target": target.name, "paths": paths_as_json(told, target, asked.limit)}
        if closed is not None:
            document["cut"] = cut_as_json(closed, told.access)
        print_json(document)
    else:
        if target is None:
            print_reach(told, asked.limit)
        else:
            print_paths(told, target, asked.limit)
        if closed is not None:
            print_cut(closed, told, asked.limit)
        print_doubts(told)
        if told.access.is_cut_off(told.reach.service):
            remark(styled(f"{told.reach.service} is in quarantine: what is told is its reach while it is", "yellow"))
        if asked.above(points):
            remark(styled(f"the score of {told.reach.service}, {points:g}, is above {asked.fail_above:g}", "red"))
    failed = asked.above(points) or (closed is not None and closed.grants is None)
    return ExitCode.REFUSED if failed else ExitCode.SUCCESS


def _target(catalog: Catalog, service: str, name: str) -> Target:
    """Return what `--to` names: a class with all under it, or an operation of another service."""
    if ":" in name:
        operation = operation_named(catalog, name)
        if operation.service == service:
            raise BadInputError(f"`{shown(name)}` is an operation of {service} itself", hint="name one of another")
        return Target(operation.id, operation=list(catalog.operations).index(operation.id))
    classes = tuple(each for each in catalog.data_classes if each == name or each.startswith(f"{name}."))
    if name not in catalog.data_classes:
        hint = did_you_mean(name, catalog.data_classes) if catalog.data_classes else "inward.yaml declares none"
        raise BadInputError(f"there is no data class `{shown(name)}`", hint=hint)
    return Target(name, classes)


def _all(access: Access, spread: Spread, asked: _Asked) -> int:
    """Print all services, the highest score first."""
    reaches = [reach_of(access, spread, name) for name in access.catalog.services]
    scored = sorted(((score(access, each), each) for each in reaches), key=lambda pair: (-pair[0], pair[1].service))
    above = [found.service for points, found in scored if asked.above(points)]
    if asked.as_json:
        services = [{"score": points, **_figures(access, found)} for points, found in scored]
        print_json({"since": asked.since, "assume_all": asked.assume_all, "services": services, "above": above})
        return ExitCode.REFUSED if above else ExitCode.SUCCESS
    listed = scored[: asked.limit] if asked.limit else scored
    table = Table(_HEADINGS, right=range(2, len(_HEADINGS)))
    table.add([_row(access, points, found) for points, found in listed])
    if len(listed) < len(scored):
        print_line(styled(f"and {len(scored) - len(listed):,} more services (`--limit 0` shows all)", "dim"))
    remark(styled(f"`inward reach{asked.option} SERVICE` says more of one, `--to CLASS` how it gets there", "dim"))
    if above:
        remark(styled(f"above {asked.fail_above:g}: {few(above)}", "red"))
    return ExitCode.REFUSED if above else ExitCode.SUCCESS


def _figures(access: Access, found: Reach) -> dict[str, Any]:
    at_once = found.layers[0] if found.layers else 0
    return {
        "service": found.service,
        "owner": access.catalog.services[found.service].owner,
        "at_once": {
            "operations": at_once.bit_count(),
            "changing": (at_once & access.writes).bit_count(),
            "data": sorted(name for name, hops in found.data.items() if hops == 1),
        },
        "through_others": {
            "operations": (found.operations & ~at_once).bit_count(),
            "data": sorted(name for name, hops in found.data.items() if hops > 1),
        },
        "own_data": sorted(found.held),
    }


def _row(access: Access, points: float, found: Reach) -> list[Cell]:
    figures = _figures(access, found)
    at_once, others = figures["at_once"], figures["through_others"]
    numbers = (
        at_once["operations"],
        at_once["changing"],
        len(at_once["data"]),
        others["operations"],
        len(others["data"]),
        len(found.held),
    )
    return [
        found.service,
        figures["owner"],
        styled(f"{points:g}", "bold"),
        *(f"{number:,}" if number else styled("-", "dim") for number in numbers),
    ]
