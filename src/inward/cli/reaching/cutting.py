"""The cut of all paths to a target, as `inward reach SERVICE --to TARGET --cut` prints it, and what else it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inward.cli.output import Cell, Table, print_line, printable, remark, styled
from inward.cli.progress import shown_reading
from inward.cli.reaching.telling import few
from inward.insight.reach.access import ones
from inward.insight.reach.cut import fewest
from inward.insight.reach.graph import arcs_to
from inward.insight.reach.losses import losses
from inward.insight.reach.reached import paths_to, reach_of
from inward.insight.recorded import Decider
from inward.insight.replay import Replayer
from inward.policy.decide import Engine
from inward.policy.model import Policies
from inward.record.call import Call, timestamp
from inward.record.filter import Filter
from inward.record.reader import read_entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from inward.cli.reaching.telling import Told
    from inward.control.bundle import Policy as System
    from inward.insight.reach.access import Access
    from inward.insight.reach.losses import Losses
    from inward.insight.reach.reached import Target
    from inward.insight.replay import Replay
    from inward.record.call import Entry


@dataclass(frozen=True, slots=True)
class Closed:
    """A cut, and what it costs. `grants` is None where some path, `open_path`, needs no grant.

    `replay` has the recorded calls since `since` that would be refused without the grants; `hidden` is in how many data
    would no longer be shown.
    """

    grants: int | None
    proven: bool
    open_path: tuple[str, ...]
    losses: Losses
    replay: Replay | None
    hidden: int
    since: datetime


def find_cut(told: Told, target: Target, system: System, record: Path, since: datetime, *, quiet: bool) -> Closed:
    """Find the fewest grants that close all paths, and hold the recorded calls against what is left."""
    access = told.access
    arcs = arcs_to(access, told.spread, told.reach, target)
    cut = fewest(arcs, access.opened_by(access.grants))
    if cut is None:
        bare = access.without(access.grants)
        left = reach_of(bare, told.spread, told.reach.service)
        chain = next(paths_to(bare, told.spread, left, target))
        names = (told.reach.service, *(told.name(hop.operation) for hop in chain))
        return Closed(
            None, proven=True, open_path=names, losses=losses(access, access), replay=None, hidden=0, since=since
        )
    lost = losses(access, access.without(cut.grants))
    if not cut.grants:
        return Closed(0, proven=True, open_path=(), losses=lost, replay=None, hidden=0, since=since)
    removed = {policy.id for policy in access.policies(cut.grants)}
    left_over = Policies.of((each for each in system.policies if each.id not in removed), system.policies.resources)
    without = Decider(system.catalog, Engine(system.catalog, left_over), "")
    replayer = Replayer(without, Decider(system.catalog, system.engine, system.version))
    hidden = _Hidden(access, lost)
    with shown_reading(read_entries(record, Filter(since=since)), wanted=not quiet) as entries:
        replay = replayer.add(hidden.counted(entries))
    return Closed(cut.grants, cut.proven, (), lost, replay, hidden.calls, since)


class _Hidden:
    """Counts recorded calls whose answers may have held what would no longer be shown to their caller."""

    def __init__(self, access: Access, lost: Losses) -> None:
        self.calls = 0
        self._hiding = {
            (caller, operation)
            for caller, names in lost.disclosures.items()
            for name in names
            for operation in (access.operations[each].id for each in ones(access.reads(caller, name) & ~access.uncut))
        }

    def counted(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        for entry in entries:
            if isinstance(entry, Call) and entry.enforcer != "egress" and entry.carried_out == "allow":
                self.calls += (entry.caller, entry.operation) in self._hiding
            yield entry


def print_cut(closed: Closed, told: Told, limit: int) -> None:
    """Print it for people."""
    print_line("")
    if closed.grants is None:
        print_line(styled("no cut: a path is open without any grant", "red"))
        print_line("  " + printable(" → ".join(closed.open_path)))
        remark("its operations are in mode observe, or nobody cuts the data out: enforce them first")
        return
    policies = told.access.policies(closed.grants)
    if not policies:
        print_line("there is nothing to cut")
        return
    sure = "no fewer can do" if closed.proven else "perhaps fewer could do: the time was too short to prove it"
    what = f"without th{'is grant' if len(policies) == 1 else f'ese {len(policies):,} grants'} no path is left"
    print_line(styled(what, "bold") + styled(f" ({sure})", "dim" if closed.proven else "yellow"))
    table = Table(("grant", "file", "its reason"))
    table.add([[policy.id, str(policy.place), policy.reason] for policy in policies])
    print_line("")
    names = sorted(closed.losses.calls.keys() | closed.losses.disclosures.keys())
    rows: list[list[Cell]] = [
        [
            name,
            few(told.names(closed.losses.calls.get(name, 0))),
            few(closed.losses.disclosures.get(name, ())),
        ]
        for name in names
    ]
    Table(("without them", "may no longer call", "is no longer shown")).add(rows[:limit] if limit else rows)
    if limit and len(rows) > limit:
        print_line(styled(f"and {len(rows) - limit:,} more services (`--limit 0` shows all)", "dim"))
    if closed.replay is not None:
        _print_replay(closed.replay, closed.hidden, closed.since)


def _print_replay(replay: Replay, hidden: int, since: datetime) -> None:
    refused, unknown = replay.count("refused", already=False), replay.count("unknown", already=False)
    start = timestamp(since)[:16].replace("T", " ")
    print_line("")
    more = f" (of {unknown:,} it is not known)" if unknown else ""
    cut_out = f", and data would be cut out of {hidden:,} answers" if hidden else ""
    print_line(f"of {replay.calls:,} recorded calls since {start} UTC {refused:,} would be refused{more}{cut_out}")
    groups = [(key, group) for key, group in replay.ordered() if key.change == "refused" and not key.already]
    table = Table(("caller", "operation", "calls", "last, UTC", "reference"), right=(2,))
    table.add(
        [
            [
                key.caller,
                key.operation or "",
                f"{group.calls:,}",
                group.last[:16].replace("T", " "),
                group.reference,
            ]
            for key, group in groups[:20]
        ]
    )


def cut_as_json(closed: Closed, access: Access) -> dict[str, Any]:
    """Return it for programs."""
    if closed.grants is None:
        return {"grants": None, "open_path": closed.open_path}
    replay = closed.replay
    return {
        "grants": [
            {"id": policy.id, "file": policy.place.file, "line": policy.place.line, "reason": policy.reason}
            for policy in access.policies(closed.grants)
        ],
        "proven": closed.proven,
        "refuses": {
            name: [access.operations[each].id for each in ones(operations)]
            for name, operations in sorted(closed.losses.calls.items())
        },
        "hides": dict(sorted(closed.losses.disclosures.items())),
        "recorded": None
        if replay is None
        else {
            "calls": replay.calls,
            "refused": replay.count("refused", already=False),
            "unknown": replay.count("unknown", already=False),
            "hidden": closed.hidden,
        },
    }
