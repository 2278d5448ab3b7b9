"""What one decision costs: ours beside Cedar on the whole policy set, casbin and, where it is installed, a Cerbos PDP.

200 services with 5,000 operations; 10 to 10,000 grants, every fifth with a condition on a path parameter. Casbin has a
line of its policy for each grant, and a matcher that compares all four of its fields. Cerbos is asked over HTTP, as its
users do, with the same grants as resource policies; what is timed is until its answer, a round trip on loopback
included. The program is looked for in the variable `CERBOS` and on the PATH.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import socket
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import casbin
import cedarpy

from bench.report import Series
from bench.rig import free_port
from inward.control.bundle import Policy, load_policy
from inward.policy.request import Request, build_context
from inward.policy.schema import entities_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVICES = 200
OPERATIONS = 25  # of each service
SIZES = (10, 100, 1_000, 10_000)
ROUNDS = 5
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def write_system(folder: Path, grants: int) -> list[tuple[str, str, bool]]:
    """Write the system; return its grants as (caller, operation id, conditional)."""
    chance = random.Random(3)
    (folder / "policies").mkdir(parents=True)
    paths = {
        f"/things{number}/{{id}}": {"get": {"operationId": f"op{number}", "responses": {"200": {"description": "ok"}}}}
        for number in range(OPERATIONS)
    }
    document = {"openapi": "3.1.0", "info": {"title": "measured", "version": "1"}, "paths": paths}
    (folder / "api.json").write_text(json.dumps(document))
    names = [f"service-{number}" for number in range(SERVICES)]
    services = {name: {"owner": "team", "api": "api.json", "listen": "127.0.0.1:0"} for name in names}
    (folder / "inward.yaml").write_text(json.dumps({"trust_domain": "bench.internal", "services": services}))
    written: list[tuple[str, str, bool]] = []
    texts: dict[str, list[str]] = {}
    cells = {(chance.choice(names), chance.choice(names), chance.randrange(OPERATIONS)) for _ in range(grants * 2)}
    for number, (caller, callee, operation) in enumerate(sorted(cells)[:grants]):
        conditional = number % 5 == 0
        when = ' when { context.path.id == "42" }' if conditional else ""
        texts.setdefault(callee, []).append(
            f'@id("g{number}") @reason("measured") permit (principal == Service::"{caller}", '
            f'action == Action::"{callee}:op{operation}", resource == Service::"{callee}"){when};'
        )
        written.append((caller, f"{callee}:op{operation}", conditional))
    for callee, policies in texts.items():
        (folder / "policies" / f"{callee}.cedar").write_text("\n".join(policies))
    return written


def _timed(work: Callable[[], None], count: int) -> float:
    """Return the microseconds of CPU of one of `count` runs."""
    started = time.process_time()
    for _ in range(count):
        work()
    return (time.process_time() - started) / count * 1e6


class _WholeSet:
    """Cedar on all policies at once, with handles that were parsed before."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._set = cedarpy.PolicySet.from_str("\n".join(each.text for each in policy.policies))
        self._entities = cedarpy.Entities.from_json_str(json.dumps(entities_of(policy.catalog)))

    def decide(self, request: Request, _now: datetime = NOW) -> bool:
        operation = self._policy.catalog.operations[request.operation]
        context = build_context(operation, request.path, request.query, NOW, {("path", "id")})
        asked: dict[str, Any] = {
            "principal": {"type": "Service", "id": request.caller},
            "action": {"type": "Action", "id": request.operation},
            "resource": {"type": "Service", "id": operation.service},
            "context": json.dumps(context),
        }
        return cedarpy.is_authorized(asked, self._set, self._entities).decision is cedarpy.Decision.Allow


_CASBIN_MODEL = """
[request_definition]
r = sub, obj, act, id
[policy_definition]
p = sub, obj, act, id
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.sub == p.sub && r.obj == p.obj && r.act == p.act && (p.id == "*" || p.id == r.id)
"""


class _Casbin:
    """A casbin enforcer with the same grants."""

    def __init__(self, grants: list[tuple[str, str, bool]]) -> None:
        model = casbin.Model()
        model.load_model_from_text(_CASBIN_MODEL)
        self._enforcer = casbin.Enforcer(model)
        lines = []
        for caller, operation, conditional in grants:
            callee, _, name = operation.partition(":")
            lines.append([caller, callee, name, "42" if conditional else "*"])
        self._enforcer.add_policies(lines)

    def decide(self, request: Request, _now: datetime = NOW) -> bool:
        callee, _, name = request.operation.partition(":")
        return bool(self._enforcer.enforce(request.caller, callee, name, request.path.rpartition("/")[2]))


class _Cerbos:
    """A Cerbos PDP with the same grants, asked over one kept HTTP connection."""

    def __init__(self, program: str, grants: list[tuple[str, str, bool]], folder: Path) -> None:
        by_callee: dict[str, list[dict[str, Any]]] = {}
        for caller, operation, conditional in grants:
            callee, _, name = operation.partition(":")
            rule: dict[str, Any] = {"actions": [name], "effect": "EFFECT_ALLOW", "roles": [caller]}
            if conditional:
                rule["condition"] = {"match": {"expr": 'request.resource.attr.id == "42"'}}
            by_callee.setdefault(callee, []).append(rule)
        folder.mkdir()
        for callee, rules in by_callee.items():
            policy = {
                "apiVersion": "api.cerbos.dev/v1",
                "resourcePolicy": {"resource": callee, "version": "default", "rules": rules},
            }
            (folder / f"{callee}.json").write_text(json.dumps(policy))
        self._port, grpc = free_port(), free_port()
        argv = [program, "server", "--log-level=error", f"--set=storage.disk.directory={folder}"]
        argv += [f"--set=server.httpListenAddr=127.0.0.1:{self._port}", f"--set=server.grpcListenAddr=127.0.0.1:{grpc}"]
        argv += ["--set=telemetry.disabled=true"]
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    break
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise TimeoutError("the Cerbos PDP does not start")
            time.sleep(0.05)
        self._connection = http.client.HTTPConnection("127.0.0.1", self._port)

    def decide(self, request: Request) -> bool:
        callee, _, name = request.operation.partition(":")
        body = {
            "principal": {"id": request.caller, "roles": [request.caller]},
            "resources": [
                {
                    "actions": [name],
                    "resource": {"kind": callee, "id": callee, "attr": {"id": request.path.rpartition("/")[2]}},
                }
            ],
        }
        self._connection.request("POST", "/api/check/resources", json.dumps(body), {"content-type": "application/json"})
        answer = json.loads(self._connection.getresponse().read())
        return bool(answer["results"][0]["actions"][name] == "EFFECT_ALLOW")

    def close(self) -> None:
        self._connection.close()
        self._process.kill()
        self._process.wait()


def _requests(policy: Policy, grants: list[tuple[str, str, bool]], conditional: bool) -> list[Request]:  # noqa: FBT001 - which
    chosen = [grant for grant in grants if grant[2] is conditional]
    return [
        Request(caller, operation, policy.catalog.operations[operation].template.text.replace("{id}", "42"))
        for caller, operation, _ in random.Random(4).choices(chosen, k=200)
    ]


def measure() -> list[Series]:
    """Measure every size; wall time for Cerbos, which works in another process, CPU time for the others."""
    found = []
    program = os.environ.get("CERBOS") or shutil.which("cerbos")
    for kind in ("constant", "conditional"):
        series = Series(f"decide, {kind}", "µs a decision", "inward, 10 grants")
        found.append(series)
        for size in SIZES:
            with tempfile.TemporaryDirectory() as scratch:
                _measure_size(series, Path(scratch), size, kind == "conditional", program)
    return found


def _measure_size(series: Series, folder: Path, size: int, conditional: bool, program: str | None) -> None:  # noqa: FBT001 - which
    grants = write_system(folder / "system", size)
    policy = load_policy(folder / "system")
    requests = _requests(policy, grants, conditional)
    whole, lines = _WholeSet(policy), _Casbin(grants)
    cerbos = _Cerbos(program, grants, folder / "cerbos") if program else None
    try:
        for request in requests[:5]:
            same = {policy.engine.decide(request, NOW).allowed, whole.decide(request), lines.decide(request)}
            if cerbos is not None:
                same.add(cerbos.decide(request))
            if same != {True}:
                raise ValueError(f"they do not all allow {request}")
        for _ in range(ROUNDS):
            count = 2_000 if conditional else 20_000
            engine, each = policy.engine, iter(requests * (count // len(requests)))
            series.add(f"inward, {size:,} grants", us=_timed(partial(_decide_next, engine.decide, each), count))
            few = iter(requests)
            series.add(f"cedar on all, {size:,} grants", us=_timed(partial(_decide_next, whole.decide, few), 10))
            some = iter(requests)
            series.add(f"casbin, {size:,} grants", us=_timed(partial(_decide_next, lines.decide, some), 5))
            if cerbos is not None:
                started = time.perf_counter()
                for request in requests[:100]:
                    cerbos.decide(request)
                series.add(f"cerbos over HTTP, {size:,} grants", us=(time.perf_counter() - started) / 100 * 1e6)
    finally:
        if cerbos is not None:
            cerbos.close()


def _decide_next(decide: Callable[[Request, datetime], object], requests: Iterator[Request]) -> None:
    decide(next(requests), NOW)
