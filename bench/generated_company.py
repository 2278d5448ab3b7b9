"""A made-up company and its calls of some weeks: what detectors are tuned and judged on, by different seeds.

Two dozen services call one another: by day and week, in batches every night, on the first of a month, by people on call
at any hour. Deploys add edges (most under new grants, some under grants that were there), double a rate, and move
replicas to other addresses; once there is a storm of retries, and a client that is refused one operation all day. None
of that is an attack. The attacks that are put in have the shapes of the OWASP API Security Top 10 (2023) and of
lateral movement: see `bench.attacks`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from inward.alerting.view import View
from inward.record.call import Act, Call

if TYPE_CHECKING:
    from numpy.random import Generator

    from inward.record.call import Entry

START = 1_767_571_200  # Monday 2026-01-05 00:00 UTC
DAY, HOUR = 86400, 3600
SERVICES = 24
OPERATIONS = 7  # of each service
OBJECTS = 20_000
USERS = 400
_CLASSES = ("pii", "pii.email", "payments")


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation; `parameter` says whether it names an object, `size` is the median of its answers in bytes."""

    id: str
    callee: str
    parameter: bool
    size: float
    classes: tuple[str, ...]


@dataclass(slots=True)
class Edge:
    """Who calls what, how often in an hour, in which shape; from `since` on, at `level` from `shifted` on."""

    caller: str
    operation: Operation
    rate: float
    shape: str  # `day`, `flat`, `night`, `month`, `people`
    hour: int  # of the day, when it peaks or begins
    policy: str
    since: float = 0.0
    shifted: float = np.inf
    level: float = 1.0
    users: bool = False


@dataclass(frozen=True, slots=True)
class Attack:
    """What was put in: its kind, when, by which callers, and the detectors that are there for it."""

    kind: str
    start: float
    end: float
    callers: frozenset[str]
    expected: tuple[str, ...]


@dataclass
class Company:
    """`entries` in the order of a record, and the attacks that are in them."""

    seed: int
    days: int
    operations: list[Operation]
    edges: list[Edge]
    unused: list[Edge]  # granted, and never called
    services: int = SERVICES
    entries: list[Entry] = field(default_factory=list)
    attacks: list[Attack] = field(default_factory=list)

    @property
    def view(self) -> View:
        """What detectors know of the catalog."""
        return View({each.id: each.classes for each in self.operations})


@dataclass
class Calls:
    """Columns of calls that are not yet sorted, and acts."""

    rows: list[tuple[float, Call | Act]] = field(default_factory=list)
    number: int = 0

    def add(  # noqa: PLR0913 - what may differ from an everyday call
        self,
        chance: Generator,
        times: np.ndarray[tuple[int], np.dtype[np.float64]],
        edge: Edge,
        *,
        objects: np.ndarray[tuple[int], np.dtype[np.int64]] | None = None,
        address: str = "",
        scale: float = 1.0,
        refused: str | None = None,
        trace: str | None = None,
        path: str | None = None,
        documented: bool = True,
    ) -> None:
        """Add calls at `times` over `edge`."""
        count = len(times)
        texts = np.datetime_as_string((times * 1000).astype("datetime64[ms]"), unit="ms")
        operation = edge.operation
        sizes = operation.size * scale * chance.lognormal(0.0, 0.6, count)
        if objects is None:
            objects = np.minimum(chance.zipf(1.3, count), OBJECTS) if operation.parameter else np.zeros(count, np.int64)
        users = chance.integers(0, USERS, count)
        replicas = chance.integers(0, 3, count)
        base = _network(edge.caller)
        for at in range(count):
            self.number += 1
            self.rows.append(
                (
                    float(times[at]),
                    Call(
                        time=f"{texts[at]}Z",
                        id=f"c{self.number:x}",
                        caller=edge.caller,
                        callee=operation.callee,
                        user=f"u{users[at]}" if edge.users else None,
                        address=address
                        or f"{base}.{int(times[at] - START) // (5 * DAY) * 3 % 200 + int(replicas[at])}",
                        operation=operation.id if documented else None,
                        method="GET",
                        path=path or "/objects/{id}",
                        parameters={"id": str(objects[at])} if operation.parameter and documented else {},
                        decision="deny" if refused else "allow",
                        carried_out="deny" if refused and refused != "unknown_operation:observe" else "allow",
                        reason=(refused or "granted").partition(":")[0],
                        policies=() if refused else (edge.policy,),
                        mode="observe" if refused == "unknown_operation:observe" else "enforce",
                        status=403 if refused and not refused.endswith("observe") else 200,
                        bytes_out=int(sizes[at]),
                        trace=trace,
                    ),
                )
            )

    def add_act(self, moment: float, what: str, about: str, detail: str | None = None) -> None:
        """Add an act."""
        text = np.datetime_as_string(np.datetime64(int(moment * 1000), "ms"), unit="ms")
        self.rows.append((moment, Act(time=f"{text}Z", what=what, about=about, detail=detail)))


def _network(service: str) -> str:
    return f"10.{int(service[1:]) % 250}.1"


def make_company(seed: int, days: int = 30, services: int = SERVICES) -> tuple[Company, Calls, Generator]:
    """Return a company with its everyday calls, to which attacks can be added."""
    chance = np.random.default_rng(seed)
    names = [f"s{number}" for number in range(services)]
    operations = [
        Operation(
            id=f"{name}:op{number}",
            callee=name,
            parameter=number % 2 == 0,
            size=float(chance.lognormal(7.0, 0.8)),
            classes=(str(chance.choice(_CLASSES)),) if chance.random() < 0.4 else (),
        )
        for name in names
        for number in range(OPERATIONS)
    ]
    edges, unused = _edges(chance, names, operations)
    company = Company(seed, days, operations, edges, unused, services)
    calls = Calls()
    _deploys(chance, company, calls)
    for edge in company.edges:
        times = _times(chance, edge, days)
        if len(times):
            calls.add(chance, times, edge)
    _nuisances(chance, company, calls)
    return company, calls, chance


def finish(company: Company, calls: Calls, chance: Generator) -> Company:
    """Sort all calls as a record would have them: nearly by time."""
    late = chance.exponential(0.3, len(calls.rows))
    order = np.argsort(np.array([moment for moment, _ in calls.rows]) + late, kind="stable")
    company.entries = [calls.rows[at][1] for at in order]
    return company


def _edges(chance: Generator, names: list[str], operations: list[Operation]) -> tuple[list[Edge], list[Edge]]:
    edges: list[Edge] = []
    unused: list[Edge] = []
    for position, caller in enumerate(names):
        callees = chance.choice(
            [name for name in names if name != caller], size=int(chance.integers(2, 5)), replace=False
        )
        for callee in callees:
            theirs = [each for each in operations if each.callee == callee]
            chosen = chance.permutation(len(theirs))[: int(chance.integers(2, 5))]
            people = position == 0
            for rank, at in enumerate(chosen):
                shape = (
                    "people"
                    if people
                    else str(chance.choice(["day", "flat", "night", "month"], p=[0.62, 0.2, 0.15, 0.03]))
                )
                edge = Edge(
                    caller=caller,
                    operation=theirs[int(at)],
                    rate=float(np.exp(chance.normal(-0.5, 1.1))),
                    shape=shape,
                    hour=int(chance.integers(0, 24)),
                    policy=f"{caller}-{callee}",
                    users=position == 1,
                )
                # What is granted is more than what is used.
                (unused if rank == len(chosen) - 1 and len(chosen) > 2 and not people else edges).append(edge)
    return edges, unused


def _deploys(chance: Generator, company: Company, calls: Calls) -> None:
    for number in range(int(chance.integers(4, 9))):
        moment = START + int(chance.uniform(2, company.days)) * DAY + int(chance.integers(9, 17)) * HOUR
        caller = f"s{int(chance.integers(1, company.services))}"
        used = {(each.caller, each.operation.id) for each in company.edges + company.unused}
        free = [each for each in company.operations if each.callee != caller and (caller, each.id) not in used]
        new_grant = chance.random() < 0.85
        policy = f"deploy-{number}"
        if new_grant:
            calls.add_act(moment, "policy", f"v{number}", f"in the place of v; added: {policy}")
        for at in chance.choice(len(free), size=int(chance.integers(1, 4)), replace=False):
            company.edges.append(
                Edge(
                    caller=caller,
                    operation=free[int(at)],
                    rate=float(np.exp(chance.normal(-0.2, 1.0))),
                    shape="day",
                    hour=int(chance.integers(0, 24)),
                    policy=policy if new_grant else f"old-{caller}",
                    since=moment + float(chance.uniform(60, 4 * HOUR)),
                )
            )
        shifted = company.edges[int(chance.integers(0, len(company.edges)))]
        shifted.shifted, shifted.level = moment, float(chance.uniform(0.5, 2.2))


def _times(chance: Generator, edge: Edge, days: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return when an edge is called, in any order."""
    hours = np.arange(days * 24)
    starts = START + hours * HOUR
    if edge.shape in {"night", "month"}:
        chosen = np.arange(days) if edge.shape == "night" else np.array([at for at in (27, 55, 86) if at < days])
        counts = chance.poisson(max(30.0, edge.rate * 15) * chance.lognormal(0, 0.15, len(chosen)))
        begins = START + chosen * DAY + edge.hour * HOUR + chance.normal(0, 240, len(chosen))
        times = np.repeat(begins, counts) + chance.uniform(0, 900, int(counts.sum()))
    elif edge.shape == "people":
        # Somebody is called out, looks at things for some minutes, and goes back to bed.
        begins = START + chance.uniform(0, days * DAY, max(1, int(days * edge.rate * 0.4)))
        counts = chance.integers(1, 16, len(begins))
        times = np.repeat(begins, counts) + chance.exponential(300, int(counts.sum()))
    else:
        of_day = 1 + 0.9 * np.cos((hours % 24 - edge.hour) / 24 * 2 * np.pi) if edge.shape == "day" else 1.0
        weekend = np.where((hours // 24) % 7 >= 5, 0.4 if edge.shape == "day" else 1.0, 1.0)
        of_days = np.repeat(chance.lognormal(0, 0.12, days), 24) * (1 + 0.01 * hours / 24)
        level = np.where(starts >= edge.shifted, edge.level, 1.0)
        counts = chance.poisson(edge.rate * of_day * weekend * of_days * level * chance.gamma(8, 1 / 8, len(hours)))
        times = np.repeat(starts, counts) + chance.uniform(0, HOUR, int(counts.sum()))
    result: np.ndarray[tuple[int], np.dtype[np.float64]] = times[
        (times >= max(edge.since, START)) & (times < START + days * DAY)
    ]
    return result


def _nuisances(chance: Generator, company: Company, calls: Calls) -> None:
    """Add a storm of retries, and a client that is refused the same all day."""
    steady = [each for each in company.edges if each.shape in {"day", "flat"} and each.since == 0]
    storm = steady[int(chance.integers(0, len(steady)))]
    begin = START + chance.uniform(8, company.days - 1) * DAY
    same = np.full(60, int(chance.integers(1, OBJECTS)))
    calls.add(chance, begin + chance.uniform(0, 1200, 60), storm, objects=same)
    broken = steady[int(chance.integers(0, len(steady)))]
    begin = START + chance.uniform(8, company.days - 1) * DAY
    calls.add(chance, begin + chance.uniform(0, 6 * HOUR, 200), broken, refused="no_grant")
