"""Attacks on a generated company, in the shapes of the OWASP API Security Top 10 (2023) and of lateral movement.

API8 (misconfiguration) and API10 (consumption of other APIs) leave nothing in a record of calls, and are not here.
Some of each are the work of somebody who knows the detectors: slow, spread, behind forged traces, after a flood that is
to teach a baseline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from bench.generated_company import (
    DAY,
    HOUR,
    OBJECTS,
    SERVICES,
    START,
    Attack,
    Calls,
    Company,
    Edge,
    finish,
    make_company,
)
from inward.record.call import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator

FIRST_DAY = 10  # before that, companies are left alone
AGAIN = 1.3 * DAY  # the least time between two attacks


def attacked_company(seed: int, days: int = 30, kinds: tuple[str, ...] = (), services: int = SERVICES) -> Company:
    """Return the calls of a company with attacks in them: `kinds`, or as many as there is room for."""
    company, calls, chance = make_company(seed, days, services)
    order = list(kinds) or [str(name) for name in chance.permutation(list(ATTACKS))]
    moment = START + FIRST_DAY * DAY + float(chance.uniform(0, DAY))
    for name in order:
        if moment > START + (days - 1.5) * DAY:
            break
        attack = ATTACKS[name](chance, company, calls, moment)
        company.attacks.append(attack)
        moment = max(attack.end + 0.3 * DAY, moment + AGAIN * float(chance.uniform(0.8, 1.2)))
    return finish(company, calls, chance)


def _steady(chance: Generator, company: Company, *, objects: bool | None = None, data: bool = False) -> Edge:
    edges = [
        each
        for each in company.edges
        if each.since == 0
        and each.shape in {"day", "flat", "night"}
        and objects in {None, each.operation.parameter}
        and (each.operation.classes or not data)
    ]
    return edges[int(chance.integers(0, len(edges)))]


def _many(chance: Generator, least: int, most: int) -> int:
    """Return a number between two, the small ones as likely as the large: attackers who are patient are not rare."""
    return int(np.exp(chance.uniform(np.log(least), np.log(most))))


def _attack(kind: str, times: np.ndarray[tuple[int], np.dtype[np.float64]], *callers: str, by: str) -> Attack:
    return Attack(kind, float(times.min()), float(times.max()), frozenset(callers), tuple(by.split()))


def _objects(chance: Generator, company: Company, calls: Calls, at: float) -> Attack:
    edge = _steady(chance, company, objects=True)
    times = at + chance.uniform(0, chance.uniform(300, 1800), _many(chance, 60, 2000))
    calls.add(chance, times, edge, objects=chance.integers(1, OBJECTS, len(times)))
    return _attack("API1 objects, fast", times, edge.caller, by="enumeration")


def _objects_slowly(chance: Generator, company: Company, calls: Calls, at: float) -> Attack:
    edge = _steady(chance, company, objects=True)
    times = at + chance.uniform(0, 0.8 * DAY, _many(chance, 120, 700))
    calls.add(chance, times, edge, objects=chance.integers(1, OBJECTS, len(times)))
    return _attack("API1 objects, trickled", times, edge.caller, by="enumeration")


def _objects_spread(chance: Generator, company: Company, calls: Calls, at: float) -> Attack:
    edge = _steady(chance, company, objects=True)
    theirs = [
        each
        for each in company.edges
        if each.caller == edge.caller and each.operation.callee == edge.operation.callee and each.operation.parameter
    ]
    times = at + chance.uniform(0, 6 * HOUR, _many(chance, 120, 700))
    for number, part in enumerate(np.array_split(times, len(theirs))):
        calls.add(chance, part, theirs[number], objects=chance.integers(1, OBJECTS, len(part)))
    return _attack("API1 objects, spread over operations", times, edge.caller, by="enumeration")


def _stolen_token(chance: Generator, company: Company, calls: Calls, at: float) -> Attack:
    edges = [each for each in company.edges if each.shape in {"day", "flat"} and each.since == 0 and each.rate > 2]
    edge = edges[int(chance.integers(0, len(edges)))]
    times = at + chance.uniform(0, 2 * HOUR, _many(chance, 3, 60))
    calls.add(chance, times, edge, address="172.20.9.4")
    return _attack("API2 a stolen identity", times, edge.caller, by="two-places")


def _bulk_data(chance: Generator, company: Company, calls: Calls, at: float) -> Attack:
    edge = _steady(chance, company, data=True)
    times = at + chance.uniform(0, 1500, int(chance.integers(20, 60)))
    calls.add(chance, times, edge, objects=np.full(len(times), 7), scale=float(_many(chance, 15, 300)))
    return _attack("API3 data in bulk", times, edge.caller, by="data-volume")


def _flood(chance: Generator, company: Company, calls: Calls, at: float) -> Attack:
    edge = _steady(chance, company)
    times = at + chance.uniform(0, chance.uniform(900, 3600), _many(chance, 150, 3000))
    calls.add(chance, times, edge, objects=np.full(len(times), 7))
    return _attack("API4 a flood", times, edge.caller, by="volume")


def _poisoned_flood(chance: Generator, company: Company, calls: Calls, at: float) -> Attack:
    """For two days, more each hour; and then a flood. Only the flood is to be found."""
    edge = _steady(chance, company)
    hours = np.arange(36)
    counts = chance.poisson(20 * 1.05**hours)
    before = np.repeat(at + hours * HOUR, counts) + chance.uniform(0, HOUR, int(counts.sum()))
    calls.add(chance, before, edge, objects=np.full(len(before), 7))
    times = at + 36 * HOUR + chance.uniform(0, 1800, _many(chance, 600, 3000))
    calls.add(chance, times, edge, objects=np.full(len(times), 7))
    found = _attack("API4 a flood, after poisoning", times, edge.caller, by="volume")
    return Attack(found.kind, at, found.end, found.callers, found.expected)


def _functions(chance: Generator, company: Company, calls: Calls, at: float) -> Attack:
    return _probe(chance, company, calls, at, float(chance.uniform(120, 1200)), "API5 functions, fast")


def _functions_slowly(chance: Generator, company: Company, calls: Calls, at: float) -> Attack:
    return _probe(chance, company, calls, at, 0.7 * DAY, "API5 functions, one now and then")


def _probe(chance: Generator, company: Company, calls: Calls, at: float, seconds: float, kind: str) -> Attack:
    edge = _steady(chance, company)
    tried = chance.permutation(len(company.operations))[: _many(chance, 5, 40)]
    times = np.sort(at + chance.uniform(0, seconds, len(tried)))
    for moment, number in zip(times, tried, strict=True):
        wrong = Edge(edge.caller, company.operations[int(number)], 0, "day", 0, "")
        calls.add(chance, np.array([moment]), wrong, refused="no_grant")
    return _attack(kind, times, edge.caller, by="probing")


def _business_flow(chance: Generator, company: Company, calls: Calls, at: float) -> Attack:
    """One end user asks for others' objects, behind a service that asks for many all day."""
    edges = [each for each in company.edges if each.users and each.operation.parameter]
    if not edges:
        return _objects(chance, company, calls, at)
    edge = edges[int(chance.integers(0, len(edges)))]
    times = at + chance.uniform(0, 3000, _many(chance, 50, 400))
    before = len(calls.rows)
    calls.add(chance, times, edge, objects=chance.integers(1, OBJECTS, len(times)))
    calls.rows[before:] = [
        (moment, msgspec.structs.replace(call, user="u1"))
        for moment, call in calls.rows[before:]
        if isinstance(call, Call)
    ]
    return _attack("API6 objects of others, by one user", times, edge.caller, by="enumeration")


def _chain(chance: Generator, company: Company, calls: Calls, at: float) -> Attack:
    return _hops(chance, company, calls, at, forged=False)


def _forged_chain(chance: Generator, company: Company, calls: Calls, at: float) -> Attack:
    return _hops(chance, company, calls, at, forged=True)


def _hops(chance: Generator, company: Company, calls: Calls, at: float, *, forged: bool) -> Attack:
    used = {(each.caller, each.operation.id) for each in company.edges}
    here = f"s{int(chance.integers(2, company.services))}"
    callers, moment, times = [here], at, []
    for _ in range(int(chance.integers(2, 4))):
        free = [each for each in company.operations if (here, each.id) not in used and each.callee not in callers]
        operation = free[int(chance.integers(0, len(free)))]
        moment += float(chance.uniform(30, 900))
        trace = f"{int(chance.integers(1, 2**62)):032x}" if forged else f"{company.seed + 1:032x}"
        calls.add(chance, np.array([moment]), Edge(here, operation, 0, "day", 0, f"old-{here}"), trace=trace)
        times.append(moment)
        here = operation.callee
        callers.append(here)
    kind = "API7 lateral movement, forged traces" if forged else "API7 lateral movement"
    return _attack(kind, np.array(times), *callers, by="lateral-movement first-seen-edge")


def _unused_grant(chance: Generator, company: Company, calls: Calls, at: float) -> Attack:
    edge = company.unused[int(chance.integers(0, len(company.unused)))]
    times = at + chance.uniform(0, HOUR, 3)
    calls.add(chance, times, edge)
    return _attack("API5 a grant that nobody used", times, edge.caller, by="first-seen-edge")


def _undocumented(chance: Generator, company: Company, calls: Calls, at: float) -> Attack:
    edge = _steady(chance, company)
    times = at + chance.uniform(0, HOUR, 6)
    for number, moment in enumerate(times):
        path = f"/internal/debug{'/' + str(number) if number % 2 else ''}"
        calls.add(chance, np.array([moment]), edge, path=path, documented=False, refused="unknown_operation:observe")
    return _attack("API9 an undocumented path", times, edge.caller, by="undocumented-operation")


def _forgotten(chance: Generator, company: Company, calls: Calls, at: float) -> Attack:
    at = max(at, START + 28.1 * DAY)
    called = {each.operation.id for each in company.edges}
    free = [each for each in company.operations if each.id not in called]
    edge = Edge("s3", free[int(chance.integers(0, len(free)))], 0, "day", 0, "old-s3")
    times = at + chance.uniform(0, HOUR, 4)
    calls.add(chance, times, edge)
    return _attack("API9 a forgotten operation", times, "s3", by="forgotten-operation first-seen-edge")


def _cut_off(chance: Generator, company: Company, calls: Calls, at: float) -> Attack:
    edge = _steady(chance, company)
    calls.add_act(at, "quarantine", edge.caller)
    # The service is stopped; what goes on is somebody else.
    calls.rows = [
        (moment, each)
        for moment, each in calls.rows
        if not (at <= moment <= at + 2 * HOUR and isinstance(each, Call) and each.caller == edge.caller)
    ]
    times = at + chance.uniform(60, HOUR, 12)
    calls.add(chance, times, edge, refused="quarantined")
    calls.add_act(at + 2 * HOUR, "release", edge.caller)
    return _attack("API2 used after its quarantine", times, edge.caller, by="after-quarantine")


ATTACKS: dict[str, Callable[[Generator, Company, Calls, float], Attack]] = {
    "objects": _objects,
    "objects_slowly": _objects_slowly,
    "objects_spread": _objects_spread,
    "stolen_token": _stolen_token,
    "bulk_data": _bulk_data,
    "flood": _flood,
    "poisoned_flood": _poisoned_flood,
    "functions": _functions,
    "functions_slowly": _functions_slowly,
    "business_flow": _business_flow,
    "chain": _chain,
    "forged_chain": _forged_chain,
    "unused_grant": _unused_grant,
    "undocumented": _undocumented,
    "forgotten": _forgotten,
    "cut_off": _cut_off,
}
