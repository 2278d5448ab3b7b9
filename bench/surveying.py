"""What `inward surface` and `inward unused` take over 100 million calls: 90 days of 2,500 edges, from the rollups.

The system has 250 services with 10 operations each, and a grant for each of them; every fifth is not used. `totals` is
the plainest question that the rollups answer, by SQL alone; `uses` reads all days by name. `surface` and `unused` are
all that the commands do between loading the system and printing; with `command` it is the whole program, from its start
to its last line, after an `inward check`. CPU, as other work slows a machine down; the aim is 3 s.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import insert

from bench.report import Series
from bench.rollups import _figures
from inward.control.bundle import load_policy
from inward.control.layout import Layout
from inward.control.surveying import surveyed
from inward.insight.surface.build import Used, build
from inward.insight.surface.number import number_of
from inward.insight.unused.coverage import day_of
from inward.insight.unused.find import Finder, candidates
from inward.insight.unused.history import History
from inward.insight.unused.scopes import scopes_of
from inward.record.rollup.database import sqlite_url, writing
from inward.record.rollup.query import Rollups
from inward.record.rollup.rows import row_of
from inward.record.rollup.schema import edges, tables
from inward.record.rollup.store import Store

if TYPE_CHECKING:
    from inward.control.bundle import Policy as System

SERVICES, OPERATIONS = 250, 10
EDGES = SERVICES * OPERATIONS
DAYS = 90
CALLS = 100_000_000
A_DAY = CALLS // DAYS // (EDGES * 4 // 5)
ROUNDS = 3


def measure() -> Series:
    """Measure all."""
    series = Series("surface and unused over 100 million calls", "s", base="totals")
    with tempfile.TemporaryDirectory(prefix="inward-bench-") as name:
        folder = Path(name)
        _write(folder)
        system, layout = load_policy(folder), Layout.of(folder)
        store = Store(sqlite_url(layout.database))
        _fill(store, day_of(datetime.now(UTC)))
        store.close()
        _run(folder, "check")
        for _ in range(ROUNDS):
            _measure(series, system, layout)
            for command in ("surface", "unused"):
                begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
                _run(folder, command, "--json")
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                series.add(f"command {command}", seconds=cpu, wall=time.perf_counter() - begin)
    return series


def _measure(series: Series, system: System, layout: Layout) -> None:
    rollups = Rollups(sqlite_url(layout.database))
    begin = time.process_time()
    rollups.totals()
    series.add("totals", seconds=time.process_time() - begin)
    rollups.close()
    now, index = datetime.now(UTC), system.engine.index
    begin = time.process_time()
    with surveyed(layout, {}, system, now - timedelta(days=DAYS), now) as survey:
        read = time.process_time()
        series.add("uses", seconds=read - begin)
        rows = build(system.catalog, index, Used(survey.uses, survey.last_before(), survey.coverage, survey.ages))
        number_of(rows)
        series.add("surface", seconds=time.process_time() - begin, rows=len(rows))
        again = time.process_time()
        found = list(candidates(system.catalog, scopes_of(system.catalog, index), survey.uses, now))
        history = History.of(found, survey.before(found))
        unused = Finder(survey.uses, history, survey.coverage, survey.ages).find(found)
        series.add("unused", seconds=read - begin + time.process_time() - again, rows=len(unused))


def _run(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "inward", arguments[0], "--system", str(folder), *arguments[1:]]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _write(folder: Path) -> None:
    """Write the system folder."""
    (folder / "apis").mkdir()
    (folder / "policies").mkdir()
    services = {}
    for number in range(SERVICES):
        name = f"s{number}"
        services[name] = {
            "owner": f"team-{number % 20}",
            "api": f"apis/{name}.json",
            "listen": "127.0.0.1:0",
            "run": "x {socket}",
        }
        paths = {
            f"/things-{each}/{{id}}": {
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "get": {"operationId": f"op{each}", "responses": {"204": {"description": "done"}}},
            }
            for each in range(OPERATIONS)
        }
        document = {"openapi": "3.1.0", "info": {"title": name, "version": "1"}, "paths": paths}
        (folder / "apis" / f"{name}.json").write_text(json.dumps(document))
        grants = (
            f'@id("g{number * OPERATIONS + each}") @reason("measured") permit ('
            f'principal == Service::"{_caller(number)}", '
            f'action == Action::"{name}:op{each}", resource == Service::"{name}");\n'
            for each in range(OPERATIONS)
        )
        (folder / "policies" / f"{name}.cedar").write_text("".join(grants))
    (folder / "inward.yaml").write_text(json.dumps({"trust_domain": "bench.internal", "services": services}))


def _caller(service: int) -> str:
    return f"s{(service * 7 + 1) % SERVICES}"


def _fill(store: Store, today: int) -> None:
    """Make a row of each day and edge."""
    chosen = random.Random(1)
    used = [number for number in range(EDGES) if number % 5]
    shapes = [_figures(chosen, A_DAY) for _ in range(20)]
    rows = {}
    for number in used:
        figures = shapes[number % len(shapes)]
        figures.granting = {f"g{number}": A_DAY}
        rows[number] = row_of(figures)
    with writing(store.engine) as connection:
        named = [
            {"id": n, "caller": _caller(n // OPERATIONS), "callee": f"s{n // OPERATIONS}", "operation": _operation(n)}
            for n in used
        ]
        connection.execute(insert(edges), named)
        for day in range(today - DAYS, today + 1):
            times = {"first": day * 86_400_000, "last": day * 86_400_000 + 86_399_999}
            connection.execute(insert(tables["day"]), [{"bucket": day, "edge": n, **rows[n], **times} for n in used])


def _operation(number: int) -> str:
    return f"s{number // OPERATIONS}:op{number % OPERATIONS}"
