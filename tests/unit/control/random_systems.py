"""Random systems with a record of the calls that they decided, for tests of what is made of both."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from inward.control.bundle import load_policy
from inward.errors import InvalidSystemError
from inward.policy.request import Request
from inward.record.call import Call, timestamp

if TYPE_CHECKING:
    from pathlib import Path

    from inward.control.bundle import Policy as System

NOW = datetime.now(UTC)
DAYS = 60
CALLERS = ("a", "b", "c", "d", "e")
OPERATIONS = {
    "get": ("GET", "/orders/{id}"),
    "mine": ("GET", "/orders/mine"),
    "list": ("GET", "/orders"),
    "create": ("POST", "/orders"),
    "lines": ("GET", "/orders/{id}/lines"),
}
SYSTEM = """\
trust_domain: shop.internal
services:
  orders: {owner: t0, zone: z, api: apis/orders.json, listen: "127.0.0.1:0", run: "orders {socket}"}
  a: {owner: t1, groups: [g1], run: a}
  b: {owner: t1, groups: [g1, g2], run: b}
  c: {owner: t2, zone: z, groups: [g2], run: c}
  d: {owner: t2, zone: z, run: d}
  e: {owner: t2, run: e}
"""
PRINCIPALS = (
    *(f'principal == Service::"{name}"' for name in CALLERS),
    'principal in Group::"g1"',
    'principal in Group::"g2"',
    'principal in Zone::"z"',
    'principal in Team::"t2"',
    'principal is Service in Group::"g2"',
    "principal",
)
ACTIONS = (
    *(f'action == Action::"orders:{name}"' for name in OPERATIONS),
    'action in [Action::"orders:get", Action::"orders:list", Action::"orders:create"]',
    'action in [Action::"orders:read", Action::"orders:create"]',
    'action in Action::"orders:read"',
    'action in Action::"orders:*"',
    'action in Action::"read"',
    "action",
)
CONDITIONS = (
    *([""] * 8),
    'when { context.path has id && context.path.id == "7" }',
    'unless { context.query has region && context.query.region == "eu" }',
    'when { context.query has region && context.query.region == "eu" }',
    'when { context.time < datetime("2999-01-01") }',
    'when { principal has zone && principal.zone == Zone::"z" }',
)
PATHS = {"id": ("7", "8", "mine", "%6dine", "MINE", "9;x")}
QUERIES = ("", "region=eu", "region=us", "region=eu&region=eu")


@dataclass
class Made:
    """A system, and its calls with the requests that they were."""

    system: System
    calls: list[tuple[Call, Request, datetime]] = field(default_factory=list)


def make(folder: Path, seed: int) -> Made:
    """Write a system into `folder` that has no mistake, and return it with a record."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    (folder / "apis").mkdir(parents=True)
    (folder / "policies").mkdir()
    (folder / "inward.yaml").write_text(SYSTEM)
    (folder / "apis/orders.json").write_text(json.dumps(_document()))
    while True:
        (folder / "policies/orders.cedar").write_text("// of orders\n\n" + "\n".join(_policies(dice)))
        try:
            made = Made(load_policy(folder))
        except InvalidSystemError:
            continue
        break
    used = dice.sample([(c, o) for c in CALLERS for o in OPERATIONS], dice.randrange(2, 14))
    for number in range(150):
        _add_call(made, dice, number, *dice.choice(used))
    made.calls.sort(key=lambda each: each[0].time)
    return made


def _document() -> dict[str, object]:
    paths: dict[str, dict[str, object]] = {}
    for name, (method, template) in OPERATIONS.items():
        parameters: list[object] = [{"name": "region", "in": "query", "schema": {"type": "string"}}]
        if "{id}" in template:
            parameters.append({"name": "id", "in": "path", "required": True, "schema": {"type": "string"}})
        operation = {"operationId": name, "parameters": parameters, "responses": {"200": {"description": "ok"}}}
        paths.setdefault(template, {})[method.lower()] = operation
    return {"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": paths}


def _policies(dice: random.Random) -> list[str]:
    texts = []
    for number in range(dice.randrange(2, 8)):
        effect = "permit" if number < 2 or dice.random() < 0.85 else "forbid"
        days = dice.choice([None, None, None, -DAYS // 2, -1, 1, 500])
        expires = "" if days is None else f'@expires("{(NOW + timedelta(days=days)).date().isoformat()}")\n'
        comment = "// why\n" if dice.random() < 0.3 else ""
        scope = f'{dice.choice(PRINCIPALS)}, {dice.choice(ACTIONS)}, resource == Service::"orders"'
        texts.append(
            f'{comment}@id("p{number}")\n@reason("r")\n{expires}{effect} ({scope}) {dice.choice(CONDITIONS)};\n'
        )
    return texts


def _add_call(made: Made, dice: random.Random, number: int, caller: str, name: str) -> None:
    method, template = OPERATIONS[name]
    value = dice.choice(PATHS["id"])
    if name == "get" and value == "mine" and dice.random() < 0.7:
        value = "8"
    path, query = template.replace("{id}", value), dice.choice(QUERIES)
    moment = NOW - timedelta(days=dice.choice([0, 1, 2, 30, 58]), seconds=dice.randrange(1, 3600))
    request = Request(caller, f"orders:{name}", path, query)
    decision = made.system.engine.decide(request, moment)
    kept = {"id": value} if "{id}" in template else {}
    if kept and dice.random() < 0.15:
        kept = dice.choice([{}, {"id": "hash#" + "0" * 32}])
    operation: str | None = request.operation if dice.random() < 0.9 else "orders:of-old"
    allow = decision.allowed
    call = Call(
        time=timestamp(moment),
        id=f"{number:032x}",
        caller=caller if dice.random() < 0.9 else f"spiffe://shop.internal/{caller}",
        callee="orders",
        operation=operation,
        method=method,
        path=template,
        parameters=kept,
        decision="allow" if allow else "deny",
        carried_out="allow",
        reason=decision.reason.value,
        policies=decision.policies,
        mode="enforce" if allow else "observe",
        policy_version=dice.choice([made.system.version, "0" * 12]),
        status=200,
    )
    made.calls.append((call, request, moment))
