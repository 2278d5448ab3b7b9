"""A system of a few services to survey, and days of calls as the rollups give them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from inward.control.bundle import load_policy
from inward.insight.unused.coverage import Ages, Coverage, day_of
from inward.insight.unused.find import Finder, candidates
from inward.insight.unused.history import History
from inward.insight.unused.scopes import scopes_of
from inward.insight.unused.uses import Uses
from inward.record.rollup.query import Day
from inward.record.rollup.store import Edge

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from inward.control.bundle import Policy as System
    from inward.insight.unused.find import Unused

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
TODAY = day_of(NOW)
YAML = """\
trust_domain: shop.internal
services:
  orders: {owner: team-orders, api: apis/orders.yaml, listen: '127.0.0.1:0', run: 'x {socket}'}
  stock: {owner: nobody, api: apis/stock.yaml, listen: '127.0.0.1:0', run: 'x {socket}', mode: observe}
  web: {owner: team-web, groups: [sellers], run: x}
  till: {owner: team-web, groups: [sellers], run: x}
  jobs: {owner: team-jobs, run: x}
data:
  pii: {owner: team-orders}
  pii.email: {owner: team-orders}
"""
ORDERS = """\
openapi: 3.1.0
info: {title: orders, version: '1'}
paths:
  /orders:
    get:
      operationId: listOrders
      parameters: [{name: state, in: query, schema: {type: string}}]
      responses: {'200': {description: done, content: {application/json: {schema: {type: object, properties: {
        mail: {type: string, x-inward-data: pii.email}}}}}}}
    post:
      operationId: createOrder
      requestBody: {content: {application/json: {schema: {type: object, properties: {
        mail: {type: string, x-inward-data: pii.email}}}}}}
      responses: {'204': {description: done}}
  /old:
    get: {operationId: oldOrders, deprecated: true, responses: {'204': {description: done}}}
"""
STOCK = """\
openapi: 3.1.0
info: {title: stock, version: '1'}
paths:
  /stock/{id}:
    get:
      operationId: getStock
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {'204': {description: done}}
"""


def grant(name: str, who: str, what: str, more: str = "", condition: str = "") -> str:
    """Return a grant on orders, `who` as in `principal == Service::"web"`."""
    return f'@id("{name}") @reason("r") {more} permit ({who}, {what}, resource == Service::"orders") {condition};\n'


def to(service: str) -> str:
    return f'principal == Service::"{service}"'


def on(operation: str) -> str:
    return f'action == Action::"orders:{operation}"'


def disclosure(name: str, service: str, data_class: str = "pii.email") -> str:
    scope = f'{to(service)}, action == Action::"disclose", resource == DataClass::"{data_class}"'
    return f'@id("{name}") @reason("r") permit ({scope});\n'


def system(folder: Path, *policies: str) -> System:
    """Load the system with some policies of orders."""
    files = {
        "inward.yaml": YAML,
        "apis/orders.yaml": ORDERS,
        "apis/stock.yaml": STOCK,
        "policies/orders.cedar": "".join(policies),
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return load_policy(folder)


def day(
    ago: int,
    caller: str,
    operation: str,
    *,
    calls: int = 1,
    refused: int = 0,
    stopped: int = 0,
    outcomes: dict[str, int] | None = None,
    by: str = "",
    refused_by: str = "",
) -> Day:
    """Return calls of an operation of orders, or of `service:name`, some days ago; `by` is the grant that decided."""
    callee, _, name = (operation if ":" in operation else f"orders:{operation}").partition(":")
    number = TODAY - ago
    return Day(
        Edge(caller, callee, f"{callee}:{name}" if name else ""),
        number,
        calls,
        refused,
        stopped,
        number * 86_400_000 + 1_000,
        outcomes or {},
        {by: calls - refused} if by else {},
        {refused_by: refused} if refused_by else {},
    )


def coverage(*, since: int = 90, begin: int | None = 400, gaps: int = 0) -> Coverage:
    """Return that the record reaches `begin` days back, where `since` are asked for."""
    midnight = NOW.replace(hour=0)
    reach = None if begin is None else midnight - timedelta(days=begin)
    return Coverage(midnight - timedelta(days=since), NOW, reach, since, gaps)


def unused(
    made: System, days: Iterable[Day], known: Coverage | None = None, ages: Ages | None = None
) -> dict[str, Unused]:
    """Return what nobody used, by the policy's id; days before the time asked for are history."""
    known = known or coverage()
    first = day_of(known.since)
    all_days = list(days)
    uses = Uses(each for each in all_days if each.day >= first)
    found = list(candidates(made.catalog, scopes_of(made.catalog, made.engine.index), uses, known.now))
    history = History.of(found, (each for each in all_days if each.day < first))
    told = Finder(uses, history, known, ages or Ages({})).find(found)
    return {each.scope.policy.id: each for each in told}
