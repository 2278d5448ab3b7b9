"""What `inward check` takes: the first time, again, and after one changed file. Each run is a process, as in CI.

200 services, each with an API description of 25 operations (42 kB of YAML) and a policy file of ten grants, a third of
which have conditions; every tenth grant is to a whole zone. No guardrails: to prove one looks at the whole system.
CPU seconds and wall seconds of the process. On two idle cores the first run is to take less than ten seconds, and one
after a changed file less than two.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from bench.report import Series

SERVICES = 200
OPERATIONS = 25  # of each service
GRANTS = 10  # of each service
ROUNDS = 3
_METHODS = ("get", "post", "put", "delete")
_CONDITIONS = (
    "",
    ' when { context.path.id like "a*" }',
    "",
    "",
    ' when { context.query has status && context.query.status == "open" && principal.owner == resource.owner }',
    "",
)


def write_system(folder: Path) -> None:
    """Write the system."""
    chance = random.Random(3)
    (folder / "policies").mkdir(parents=True)
    (folder / "apis").mkdir()
    names = [f"service-{number}" for number in range(SERVICES)]
    services = {}
    for number, name in enumerate(names):
        services[name] = {
            "owner": f"team-{number % 20}",
            "zone": f"zone-{number % 5}",
            "api": f"apis/{name}.yaml",
            "listen": "127.0.0.1:0",
        }
        description = yaml.dump(_description(name), sort_keys=False, Dumper=yaml.CSafeDumper)
        (folder / "apis" / f"{name}.yaml").write_text(description)
        grants = "\n".join(_grant(chance, names, name, each) for each in range(GRANTS))
        (folder / "policies" / f"{name}.cedar").write_text(grants)
    (folder / "inward.yaml").write_text(yaml.dump({"trust_domain": "bench.internal", "services": services}))


def _grant(chance: random.Random, names: list[str], service: str, number: int) -> str:
    operations = sorted(chance.sample(range(OPERATIONS), 3))
    actions = ", ".join(f'Action::"{service}:op{each}"' for each in operations)
    zone = f'in Zone::"zone-{chance.randrange(5)}"'
    caller = zone if number == 0 else f'== Service::"{chance.choice(names)}"'
    return (
        f'@id("{service}-g{number}")\n@reason("measured, number {number}")\n@expires("2999-06-30")\npermit (\n'
        f'  principal {caller},\n  action in [{actions}],\n  resource == Service::"{service}"\n)'
        f"{_CONDITIONS[number % len(_CONDITIONS)]};\n"
    )


def _description(name: str) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for number in range(OPERATIONS):
        thing, method = divmod(number, len(_METHODS))
        paths.setdefault(f"/things{thing}/{{id}}", {})[_METHODS[method]] = _operation(number, thing)
    fields = {f"field{each}": {"type": "string", "description": "a field of it", "maxLength": 100} for each in range(8)}
    schemas = {f"Thing{each}": {"type": "object", "required": ["id"], "properties": dict(fields)} for each in range(7)}
    problem = {"type": "object", "properties": {"title": {"type": "string"}, "status": {"type": "integer"}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": "1"},
        "paths": paths,
        "components": {"schemas": {**schemas, "Problem": problem}},
    }


def _operation(number: int, thing: int) -> dict[str, Any]:
    def content(schema: str) -> dict[str, Any]:
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}

    def parameter(name: str, where: str, kind: str) -> dict[str, Any]:
        described = {"name": name, "in": where, "description": f"what is meant by {name}", "schema": {"type": kind}}
        return {**described, "required": True} if where == "path" else described

    queries = (("status", "string"), ("limit", "integer"), ("cursor", "string"))
    return {
        "operationId": f"op{number}",
        "summary": f"Operation {number} of the service",
        "description": "A longer text that says what it does, when, and to whom, as such descriptions have it.",
        "tags": ["things"],
        "parameters": [parameter("id", "path", "string"), *(parameter(name, "query", kind) for name, kind in queries)],
        "requestBody": {"content": content(f"Thing{thing}")},
        "responses": {
            "200": {"description": "It was done", "content": content(f"Thing{thing}")},
            "400": {"description": "It was wrong", "content": content("Problem")},
            "404": {"description": "It was not there", "content": content("Problem")},
        },
    }


def _checked(folder: Path, caches: Path, *more: str) -> dict[str, float]:
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "inward", "check", "--system", str(folder), *more],
        env={**os.environ, "XDG_CACHE_HOME": str(caches)},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise ValueError(f"the check ended with {done.returncode}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu_seconds": cpu, "seconds": seconds}


def measure() -> Series:
    """Measure in rounds, each with a system and a cache of its own."""
    series = Series("check of 200 services, 5,000 operations, 2,000 policies", "s", "the first run")
    for number in range(ROUNDS):
        with tempfile.TemporaryDirectory() as scratch:
            folder, caches = Path(scratch) / "system", Path(scratch) / "caches"
            write_system(folder)
            series.add("the first run", **_checked(folder, caches))
            series.add("again", **_checked(folder, caches))
            changed = folder / "policies" / f"service-{number}.cedar"
            changed.write_text(changed.read_text().replace('like "a*"', 'like "b*"'))
            series.add("after one changed policy file", **_checked(folder, caches))
            changed = folder / "apis" / f"service-{number}.yaml"
            changed.write_text(changed.read_text().replace("type: integer", "type: string"))
            series.add("after one changed API description", **_checked(folder, caches))
            series.add("again, without the cache", **_checked(folder, caches, "--no-cache"))
    return series
