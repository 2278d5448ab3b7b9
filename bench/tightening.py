"""What `inward tighten` takes over `INWARD_BENCH_CALLS` calls (10 million) of 30 days, beside replaying each of them.

40 services with 480 operations; every service may call all of every fifth one, and 400 grants name a caller and an
operation. Of one operation of each service a path could mean another one too. What was used comes from rollups, which
`inward up` has made by then; the record, sealed, is asked for the calls that a proposal may decide otherwise: `alone`.
Replaying each call is measured on one segment, and told for as many calls.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
import uuid
from datetime import timedelta
from pathlib import Path

import duckdb
from sqlalchemy import insert

from bench.report import Series
from bench.sealing import CALLS, DAYS, LONG, START, _seal, _spread
from inward.control.bundle import Policy, load_policy
from inward.control.layout import Layout
from inward.control.tightening import Asked, tighten
from inward.identity.private_files import private_folder
from inward.insight.recorded import Decider
from inward.insight.replay import Replayer
from inward.record.call import Call, timestamp
from inward.record.reader import read_entries
from inward.record.rollup.database import sqlite_url, writing
from inward.record.rollup.figures import Figures
from inward.record.rollup.rows import row_of
from inward.record.rollup.schema import UNITS, edges, tables
from inward.record.rollup.store import Store

ROUNDS = 3
SERVICES, OPERATIONS, GRANTS = 40, 12, 400
USED = 0.6  # of the pairs that are granted one by one


def measure() -> Series:
    """Measure seconds."""
    series = Series("tightening by 10 million calls", "s", base="each call replayed")
    with tempfile.TemporaryDirectory(prefix="inward-bench-") as scratch:
        folder = Path(scratch)
        used = _write_system(folder / "system")
        policy = load_policy(folder / "system")
        layout = Layout.of(folder / "system")
        calls = _calls(policy, used)
        sealed = _seal(Series("making", "us", base="record"), private_folder(folder / "one"), calls)
        _spread(sealed, private_folder(layout.record))
        _roll(layout)
        asked = Asked(START, START + timedelta(days=DAYS), timedelta(0), 0.9)
        today = Decider(policy.catalog, policy.engine, policy.version)
        for _ in range(ROUNDS):
            started = time.perf_counter()
            found = tighten(layout, {}, policy, asked)
            passed = time.perf_counter() - started
            if not found.narrowed or found.replayed.calls != LONG // CALLS * CALLS:
                raise ValueError("the record does not show what is not used")
            series.add("tighten", seconds=passed, alone=found.replayed.one_by_one, grants=len(found.narrowed))
            started = time.perf_counter()
            replayed = Replayer(today, None).add(read_entries(folder / "one"))
            passed = time.perf_counter() - started
            series.add("each call replayed", seconds=passed / CALLS * LONG, alone=replayed.calls, grants=0)
    return series


def _write_system(folder: Path) -> list[tuple[str, str]]:
    """Write the system, and return the pairs of it that are used."""
    dice = random.Random(9)
    (folder / "policies").mkdir(parents=True)
    paths = {
        **{f"/things{n}/{{id}}": {"get": _operation(f"op{n}")} for n in range(OPERATIONS - 1)},
        "/things0/search": {"get": _operation(f"op{OPERATIONS - 1}")},
    }
    (folder / "api.json").write_text(
        json.dumps({"openapi": "3.1.0", "info": {"title": "measured", "version": "1"}, "paths": paths})
    )
    names = [f"service-{number}" for number in range(SERVICES)]
    services = {
        name: {"owner": "team", "groups": ["all"], "api": "api.json", "listen": "127.0.0.1:0"} for name in names
    }
    (folder / "inward.yaml").write_text(json.dumps({"trust_domain": "bench.internal", "services": services}))
    pairs = sorted(
        {(dice.choice(names), f"{dice.choice(names)}:op{dice.randrange(OPERATIONS)}") for _ in range(GRANTS)}
    )
    texts: dict[str, list[str]] = {name: [] for name in names}
    for number, (caller, operation) in enumerate(pairs):
        callee = operation.partition(":")[0]
        scope = f'principal == Service::"{caller}", action == Action::"{operation}", resource == Service::"{callee}"'
        texts[callee].append(f'@id("g{number}") @reason("r") permit ({scope});\n')
    for name in names[::5]:
        scope = f'principal in Group::"all", action in Action::"{name}:*", resource == Service::"{name}"'
        texts[name].append(f'@id("all-{name}") @reason("r") permit ({scope});\n')
    for name, written in texts.items():
        (folder / f"policies/{name}.cedar").write_text("".join(written))
    return [pair for pair in pairs if dice.random() < USED]


def _operation(name: str) -> dict[str, object]:
    return {"operationId": name, "responses": {"200": {"description": "ok"}}}


def _calls(policy: Policy, used: list[tuple[str, str]]) -> list[Call]:
    dice = random.Random(2)
    found = []
    for number in range(CALLS):
        caller, name = used[number % len(used)]
        operation = policy.catalog.operations[name]
        found.append(
            Call(
                time=timestamp(START + timedelta(seconds=number * DAYS * 86_400 / CALLS)),
                id=str(uuid.UUID(int=dice.getrandbits(128))),
                caller=caller,
                callee=operation.service,
                operation=name,
                method=operation.method,
                path=operation.template.text,
                parameters=dict.fromkeys(operation.template.variables, str(dice.randrange(100_000))),
                decision="allow",
                carried_out="allow",
                reason="granted",
                policies=("g1",),
                policy_version=policy.version,
                status=200,
                duration_us=int(dice.lognormvariate(8, 1)),
                trace=f"{dice.getrandbits(128):032x}",
            )
        )
    return found


def _roll(layout: Layout) -> None:
    """Make the rows of days that `inward up` would have made."""
    store = Store(sqlite_url(layout.database))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        days = f"epoch_ms(time) // {UNITS['day']}"
        rows = connection.execute(
            f"SELECT caller, callee, operation, {days} AS day, count(*), epoch_ms(min(time)), epoch_ms(max(time)) "  # noqa: S608 - ours
            f"FROM read_parquet('{layout.record}/day=*/*.parquet') WHERE kind = 'call' GROUP BY ALL"
        ).fetchall()
    numbers = {key: number for number, key in enumerate(sorted({row[:3] for row in rows}))}
    with writing(store.engine) as connected:
        connected.execute(
            insert(edges),
            [
                {"id": number, "caller": caller, "callee": callee, "operation": operation}
                for (caller, callee, operation), number in numbers.items()
            ],
        )
        connected.execute(
            insert(tables["day"]),
            [{"bucket": row[3], "edge": numbers[row[:3]], **row_of(_figures(*row[4:]))} for row in rows],
        )
    store.close()


def _figures(count: int, first: int, last: int) -> Figures:
    figures = Figures()
    figures.calls, figures.first, figures.last = count, first, last
    figures.outcomes, figures.granting = {"allow allow enforce granted": count}, {"g1": count}
    return figures
