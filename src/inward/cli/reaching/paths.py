"""The paths from a service to a data class or an operation, as `inward reach SERVICE --to TARGET` prints them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from rich.text import Text

from inward.cli.output import print_line, printable, styled
from inward.cli.reaching.telling import few, how, seen, step_as_json
from inward.insight.reach.reached import calls_to, paths_to

if TYPE_CHECKING:
    from inward.cli.reaching.telling import Told
    from inward.insight.reach.reached import Chain, Target


def print_paths(told: Told, target: Target, limit: int) -> None:
    """Print a shortest path to each call that gives the target, and why each of its calls goes through."""
    service = told.reach.service
    held = [name for name in target.classes if name in told.reach.held]
    for name in held:
        print_line(
            styled(f"{service} has {name} itself", "red")
            + f": {few(told.names(told.reach.held[name]))} serve or take it"
        )
    count = calls_to(told.access, told.reach, target)
    if not count:
        more = " but what it has" if held else ""
        print_line(f"{service} does not reach {target.name}{more}" + ("" if told.assumed else ", as far as is known"))
        return
    print_line(
        styled(f"{service} reaches {target.name} by {count:,} call{'s' if count > 1 else ''}", "bold")
        + styled(", here with a shortest path to each", "dim")
    )
    for chain in islice(paths_to(told.access, told.spread, told.reach, target), limit or None):
        print_line("")
        _print_chain(told, target, chain)
    if limit and count > limit:
        print_line(styled(f"and {count - limit:,} more (`--limit 0` shows all)", "dim"))


def _print_chain(told: Told, target: Target, chain: Chain) -> None:
    access = told.access
    line = Text(printable(chain[0].caller), style="bold")
    for hop in chain:
        line.append(" → ", style="dim")
        line.append(printable(told.name(hop.operation)))
    print_line(line)
    cause = None
    for number, hop in enumerate(chain, 1):
        way = access.way(hop.caller, hop.operation)
        evidence = seen(told.link(cause, hop.operation))
        parts = [f"  {number}  {printable(hop.caller)} may call it: "] if len(chain) > 1 else ["  it may call it: "]
        print_line(Text.assemble(*parts, how(told, way) if way else "", (f"  ({evidence})" if evidence else "", "dim")))
        cause = hop.operation
    end = chain[-1]
    for name in target.classes:
        for way, _ in access.showing(end.caller, name, 1 << end.operation):
            print_line(Text.assemble(f"  and {printable(end.caller)} is shown {name}: ", how(told, way)))


def paths_as_json(told: Told, target: Target, limit: int) -> list[dict[str, Any]]:
    """Return the paths for programs."""
    found = paths_to(told.access, told.spread, told.reach, target)
    return [_as_json(told, target, chain) for chain in islice(found, limit or None)]


def _as_json(told: Told, target: Target, chain: Chain) -> dict[str, Any]:
    causes = (None, *(hop.operation for hop in chain))
    end = chain[-1]
    return {
        "steps": [
            step_as_json(told, hop.caller, hop.operation, cause) for hop, cause in zip(chain, causes, strict=False)
        ],
        "shown": [
            {"class": name, "to": end.caller, "how": way.how, "grants": told.grants(way)}
            for name in target.classes
            for way, _ in told.access.showing(end.caller, name, 1 << end.operation)
        ],
    }
