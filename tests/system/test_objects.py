"""A service that asks about its objects, behind a real Envoy: what is refused, no caller sees, and the record says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.system.company import TRUST_DOMAIN
from tests.system.guarded import Guarded, eventually, stop_and_look

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = """\
import asyncio
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from inward.guard.asgi import Guard
from inward.guard.current import current_call

api = FastAPI(openapi_url=None)


@dataclass
class Order:
    id: str
    tenant: str
    total: int


ORDERS = {each.id: each for each in (Order("1", "north", 5), Order("2", "south", 7), Order("3", "north", 900))}


@api.get("/orders/{id}")
async def get_order(id: str):
    order = ORDERS[id]
    current_call().enforce("orders:getOrder", order)
    return order


@api.get("/orders")
async def list_orders(tenant: str = ""):
    call = current_call()
    return [order.id for order in ORDERS.values() if call.allows("orders:listOrders", order)]


@api.get("/exports/{id}")
async def export(id: str):
    call = current_call()

    async def pieces():
        for number, order in enumerate(ORDERS.values()):
            if str(number) == id:
                call.enforce("orders:exportOrders", {"tenant": "south", "total": 1}, type="Order")
            yield order.tenant + ";"
            await asyncio.sleep(0)

    return StreamingResponse(pieces(), media_type="text/plain")


app = Guard(api)
"""
API = """\
openapi: 3.1.0
info: {title: orders, version: '1'}
paths:
  /orders/{id}:
    get:
      operationId: getOrder
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {'200': {description: done}}
  /orders:
    get:
      operationId: listOrders
      parameters: [{name: tenant, in: query, schema: {type: string}}]
      responses: {'200': {description: done}}
  /exports/{id}:
    get:
      operationId: exportOrders
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {'200': {description: done}}
"""
CALLS = """\
@id("called") @reason("it shows orders")
permit (principal == Service::"till", action in Action::"orders:*", resource == Service::"orders");
"""
NORTH = """\
@id("north") @reason("the till stands in the north")
permit (principal == Service::"till", action in [Action::"orders:getOrder", Action::"orders:exportOrders"],
        resource is Order)
when { resource.tenant == "north" && resource.total < 100 };

@id("listed") @reason("it lists what it asks for")
permit (principal == Service::"till", action == Action::"orders:listOrders", resource is Order)
when { context.query has tenant && context.query.tenant == resource.tenant };
"""
FILES = {
    "inward.yaml": f"""\
trust_domain: {TRUST_DOMAIN}
services:
  orders:
    owner: team-orders
    api: orders.yaml
    listen: 127.0.0.1:0
    run: uvicorn orders:app --uds {{socket}} --log-level warning
    guard: true
  till: {{owner: team-till}}
""",
    "orders.yaml": API,
    "orders.py": APP,
    "policies/orders.cedar": CALLS + NORTH,
    "policies/orders.cedarschema": "entity Order { tenant: String, total: Long };\n",
}


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    system = Guarded(tmp_path_factory.mktemp("orders"), FILES)
    try:
        yield system.start()
        assert list(stop_and_look(system)) == []
    finally:
        system.destroy()


def test_one_object_is_shown_and_another_is_not(orders: Guarded) -> None:
    shown = orders.call("orders", "till", "GET", "/orders/1")
    assert (shown.status, json.loads(shown.body)) == (200, {"id": "1", "tenant": "north", "total": 5})
    assert orders.recorded(shown).reason == "granted"
    for foreign in ("2", "3"):
        refused = orders.call("orders", "till", "GET", f"/orders/{foreign}")
        assert (refused.status, json.loads(refused.body)["code"]) == (403, "resource")
        assert refused.header("x-inward-guard") is None
        recorded = orders.recorded(refused)
        assert (recorded.decision, recorded.carried_out, recorded.enforcer) == ("deny", "deny", "guard")
        assert (recorded.reason, recorded.policies, recorded.status) == ("resource", ("north",), 403)
        explained = orders.inward("explain", recorded.id)
        assert "asked about an object" in explained.stdout
        assert "north (policies/orders.cedar:" in explained.stdout


def test_a_list_holds_what_is_granted(orders: Guarded) -> None:
    assert json.loads(orders.call("orders", "till", "GET", "/orders?tenant=north").body) == ["1", "3"]
    assert json.loads(orders.call("orders", "till", "GET", "/orders?tenant=south").body) == ["2"]
    assert json.loads(orders.call("orders", "till", "GET", "/orders").body) == []


def test_a_stream_that_has_not_begun_is_a_403_and_one_that_has_ends_unfinished(orders: Guarded) -> None:
    refused = orders.call("orders", "till", "GET", "/exports/0")
    assert (refused.status, json.loads(refused.body)["code"]) == (403, "resource")
    unfinished = orders.call("orders", "till", "GET", "/exports/1")
    assert (unfinished.status, b"south" in unfinished.body) == (0, False)  # what hung up has no status here
    assert orders.call("orders", "till", "GET", "/exports/9").body == b"north;south;north;"


def test_a_change_of_the_declaration_is_in_force_at_once(orders: Guarded) -> None:
    def status() -> int:
        return orders.call("orders", "till", "GET", "/orders/1").status

    assert status() == 200
    orders.write("policies/orders.cedarschema", "entity Order { tenant: String, total: Long, region: String };\n")
    eventually("an attribute is demanded that the handler does not give", lambda: status() == 403)
    since = len(orders.events)
    orders.write("policies/orders.cedarschema", "entity Order { tenant: Strin, total: Long };\n")
    told = orders.event("mistakes", since)
    assert "policies/orders.cedarschema:1" in json.dumps(told)
    assert status() == 403
    orders.write("policies/orders.cedarschema", FILES["policies/orders.cedarschema"])
    eventually("the declaration is as before", lambda: status() == 200)
