"""What `inward reach` takes: 1,000 services with 20,000 operations and 10,000 grants.

The system is made in memory, with 10,000 links between operations, as a record would show them. Most grants name one
caller and a few operations of one service, a twentieth a group of callers and whatever reads there, a tenth have a
condition; every tenth operation answers with one of twenty classes of data, each of which is disclosed to some. A
fiftieth of the services are in mode observe. CPU seconds; what is timed begins after loading, with the index of the
policies. The aims are a second for the reach of a service, and five for a cut. `found` is the score, or how many grants
the cut has (-1: none, or not proven). The whole command reads and validates 1,000 documents and policy files besides.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import cedarpy
import yaml
from cedarpy import pst

from bench.report import Series
from inward.catalog.model import Address, Catalog, DataClass, Mode, Operation, Parameter, Service
from inward.catalog.shape import NO_ANSWERS, Answers, Node, Shape
from inward.catalog.template import PathTemplate
from inward.errors import Place
from inward.identity.spiffe_id import SpiffeID
from inward.insight.reach.access import Access, ones
from inward.insight.reach.cut import fewest
from inward.insight.reach.evidence import Tracing
from inward.insight.reach.graph import arcs_to
from inward.insight.reach.reached import Target, reach_of, score
from inward.insight.reach.spread import Assumed, Traced
from inward.policy.index import Index
from inward.policy.model import Policies, Policy
from inward.record.call import Call, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.insight.reach.spread import Spread

SERVICES, OPERATIONS, GRANTS, CLASSES, LINKS = 1_000, 20, 10_000, 20, 10_000
CALLS = 100_000  # in the record
ASKED = 5  # services
NOW = datetime(2026, 6, 1, tzinfo=UTC)
HERE = Place("inward.yaml")


def make_catalog(chance: random.Random) -> Catalog:
    """Return the catalog."""
    names = [f"data.c{number}" for number in range(CLASSES)]
    classes = {name: DataClass(name, f"team-{number % 10}", None, HERE) for number, name in enumerate(names)}
    services = {}
    for number in range(SERVICES):
        name = f"service-{number}"
        mode = Mode.OBSERVE if number % 50 == 49 else Mode.ENFORCE
        operations = tuple(
            Operation(
                service=name,
                name=f"op{each}",
                method="GET" if each % 2 else "POST",
                template=PathTemplate(f"/things{each}/{{id}}"),
                parameters=(Parameter("id", "path", "string", required=True),),
                mode=mode,
                deprecated=False,
                place=HERE,
                answers=_answers(chance.choice(names)) if each % 10 == 0 and mode is Mode.ENFORCE else NO_ANSWERS,
            )
            for each in range(OPERATIONS)
        )
        services[name] = Service(
            name=name,
            spiffe_id=SpiffeID.of_service("bench.internal", name),
            owner=f"team-{number % 10}",
            zone=("edge", "core", "cards")[number % 3],
            groups=(f"group-{number % 50}",),
            mode=mode,
            listen=Address("127.0.0.1", 0),
            run="app {socket}",
            operations=operations,
            place=HERE,
        )
    return Catalog("bench.internal", MappingProxyType(services), MappingProxyType(classes))


def _answers(data_class: str) -> Answers:
    return Answers({}, Shape((Node((data_class,)),)))


def make_policies(chance: random.Random) -> Policies:
    """Return the grants."""
    found = []
    for number in range(GRANTS - 10 * CLASSES):
        callee = f"service-{chance.randrange(SERVICES)}"
        caller = f'principal == Service::"service-{chance.randrange(SERVICES)}"'
        names = ", ".join(f'Action::"{callee}:op{chance.randrange(OPERATIONS)}"' for _ in range(chance.randint(1, 5)))
        action = f"action in [{names}]"
        if number % 20 == 0:
            caller = f'principal in Group::"group-{chance.randrange(50)}"'
            action = f'action in Action::"{callee}:read"'
        when = ' when { context.path.id == "7" }' if number % 10 == 1 else ""
        text = f'permit ({caller}, {action}, resource == Service::"{callee}"){when};'
        found.append(_policy(f"g{number}", callee, text, NOW + timedelta(days=9) if number % 5 == 0 else None))
    for number in range(10 * CLASSES):
        caller = f'principal in Group::"group-{chance.randrange(50)}"'
        text = f'permit ({caller}, action == Action::"disclose", resource == DataClass::"data.c{number % CLASSES}");'
        found.append(_policy(f"d{number}", f"service-{number % CLASSES}", text, None))
    return Policies.of(found)


def _policy(name: str, owner: str, text: str, expires: datetime | None) -> Policy:
    [parsed] = cedarpy.PolicySet.from_str(text).to_pst().static_policies.values()
    template = pst.Template(
        name, parsed.effect, parsed.principal, parsed.action, parsed.resource, parsed.clauses, parsed.annotations
    )
    return Policy(name, "permit", "measured", expires, owner, Place(f"policies/{owner}.cedar", 1), text, template)


def make_links(chance: random.Random, access: Access) -> list[tuple[str, str]]:
    """Return pairs of operations of which one calls the other, as the grants allow."""
    found: dict[tuple[str, str], None] = {}
    names = list(access.catalog.services)
    while len(found) < LINKS:
        caller = chance.choice(names)
        calls = list(ones(access.calls(caller)))
        for _ in range(20):
            cause = f"{caller}:op{chance.randrange(OPERATIONS)}"
            found[cause, access.operations[chance.choice(calls)].id] = None
    return list(found)


def _entries(links: list[tuple[str, str]]) -> Iterator[Call]:
    """Yield calls as they are stored, each with the one that caused it behind it."""
    for number in range(CALLS // 2):
        cause, effect = links[number % len(links)]
        trace, moment = f"{number:032x}", NOW + timedelta(milliseconds=number)
        for caller, operation, start, length in (
            (cause.split(":")[0], effect, 1, 2_000),
            ("service-0", cause, 0, 9_000),
        ):
            yield Call(
                time=timestamp(moment + timedelta(milliseconds=start)),
                id=f"{number}-{start}",
                caller=caller,
                callee=operation.split(":")[0],
                operation=operation,
                decision="allow",
                carried_out="allow",
                reason="granted",
                duration_us=length,
                trace=trace,
            )


def measure() -> Series:
    """Measure the parts of the command, and what they find."""
    title = f"reach: {SERVICES:,} services, {SERVICES * OPERATIONS:,} operations, {GRANTS:,} grants"
    series = Series(title, "seconds", "one service")
    chance = random.Random(7)
    catalog, policies = make_catalog(chance), make_policies(chance)
    index = Index(catalog, policies)
    links = make_links(chance, Access(catalog, index, NOW))
    calls = list(_entries(links))
    started = time.process_time()
    found = len(Tracing(catalog).add(calls).finish().links)
    series.add(f"evidence of {CALLS:,} calls", seconds=time.process_time() - started, found=found)
    for service in chance.sample(list(catalog.services), ASKED):
        for assumed in (False, True):
            _measure_one(series, catalog, policies, links, service, assumed=assumed)
    for assumed in (False, True):
        access = Access(catalog, index, NOW)
        spread: Spread = Assumed() if assumed else Traced(access, links)
        what = "all services" + (", the worst assumed" if assumed else "")
        started = time.process_time()
        most = max(score(access, reach_of(access, spread, name)) for name in catalog.services)
        series.add(what, seconds=time.process_time() - started, found=most)
    _measure_command(series, catalog, policies)
    return series


def write_system(folder: Path, catalog: Catalog, policies: Policies) -> None:
    """Write the system as files; the documents say no more than is needed."""
    services = {}
    (folder / "apis").mkdir(parents=True)
    (folder / "policies").mkdir()
    for name, service in catalog.services.items():
        services[name] = {
            "owner": service.owner,
            "zone": service.zone,
            "groups": list(service.groups),
            "mode": service.mode.value,
            "listen": "127.0.0.1:0",
            "run": service.run,
            "api": f"apis/{name}.json",
        }
        paths: dict[str, Any] = {}
        for each in service.operations:
            schema = {"x-inward-data": sorted(each.answers.classes)} if each.answers.classes else {}
            paths.setdefault(each.template.text, {})[each.method.lower()] = {
                "operationId": each.name,
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "responses": {"200": {"description": "done", "content": {"application/json": {"schema": schema}}}},
            }
        document = {"openapi": "3.1.0", "info": {"title": name, "version": "1"}, "paths": paths}
        (folder / "apis" / f"{name}.json").write_text(json.dumps(document))
    for policy in policies:
        expires = f'@expires("{policy.expires.date()}")\n' if policy.expires else ""
        with (folder / "policies" / f"{policy.file_owner}.cedar").open("a") as file:
            file.write(f'@id("{policy.id}")\n@reason("measured")\n{expires}{policy.text}\n')
    data = {name: {"owner": each.owner} for name, each in catalog.data_classes.items()}
    (folder / "inward.yaml").write_text(
        yaml.dump({"trust_domain": "bench.internal", "services": services, "data": data}, Dumper=yaml.CSafeDumper)
    )


def _run(folder: Path, caches: Path, *arguments: str) -> float:
    """Return the CPU seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "inward", *arguments, "--system", str(folder)],
        env={**os.environ, "XDG_CACHE_HOME": str(caches)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _measure_command(series: Series, catalog: Catalog, policies: Policies) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder, caches = Path(scratch) / "system", Path(scratch) / "caches"
        write_system(folder, catalog, policies)
        series.add("the whole command", seconds=_run(folder, caches, "reach", "service-0"))


def _measure_one(
    series: Series, catalog: Catalog, policies: Policies, links: list[tuple[str, str]], service: str, *, assumed: bool
) -> None:
    started = time.process_time()
    access = Access(catalog, Index(catalog, policies), NOW)
    spread: Spread = Assumed() if assumed else Traced(access, links)
    reach = reach_of(access, spread, service)
    points = score(access, reach)
    suffix = ", the worst assumed" if assumed else ""
    series.add(f"one service{suffix}", seconds=time.process_time() - started, found=points)
    for name in list(reach.data)[:2]:
        started = time.process_time()
        arcs = arcs_to(access, spread, reach, Target(name, (name,)))
        cut = fewest(arcs, access.opened_by(access.grants), 60)
        found = -1 if cut is None or not cut.proven else cut.grants.bit_count()
        series.add(f"cut{suffix}", seconds=time.process_time() - started, found=found)
