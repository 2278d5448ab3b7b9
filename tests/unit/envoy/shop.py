"""A small system as files, for the tests of what enforces one: `from tests.unit.envoy import shop`."""

from __future__ import annotations

import dataclasses
import json
import shutil
from typing import TYPE_CHECKING, Any

from inward.catalog.model import Catalog, Mode, Operation, Rpc, Service
from inward.catalog.template import PathTemplate
from inward.control.bundle import Policy, load_policy
from inward.errors import Place
from inward.identity.spiffe_id import SpiffeID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

TRUST_DOMAIN = "shop.internal"
ID = f"spiffe://{TRUST_DOMAIN}"
SYSTEM = """\
trust_domain: shop.internal
services:
  orders:
    owner: team-orders
    api: apis/orders.json
    listen: 127.0.0.1:0
    run: orders-app --uds {socket}
  audit:
    owner: team-audit
    api: apis/audit.json
    listen: 127.0.0.1:0
    mode: observe
    run: audit-app {port}
  checkout: {owner: team-checkout, run: checkout-app}
  monitor: {owner: team-checkout, run: monitor-app}
  foreign: {owner: team-checkout, listen: "192.0.2.7:7443"}
"""
OPERATIONS: dict[str, dict[str | None, str]] = {
    "orders": {
        "getOrder": "GET /orders/{id}",
        "createOrder": "POST /orders",
        "regions": "GET /regions",
        None: "GET /a%20b/{id}",
    },
    "audit": {"addEvent": "POST /events"},
}
GRANT = """\
@id("checkout-reads-orders")
@reason("it shows them")
permit (principal == Service::"checkout", action == Action::"orders:getOrder", resource == Service::"orders");
"""


def policy(name: str, condition: str = "", *, effect: str = "permit", caller: str = "checkout", more: str = "") -> str:
    """Return a policy about `orders:getOrder`."""
    scope = f'principal == Service::"{caller}", action == Action::"orders:getOrder", resource == Service::"orders"'
    return f'@id("{name}") @reason("r") {more} {effect} ({scope}) {condition};\n'


def files(policies: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the files of the system, by name."""
    found = {"inward.yaml": SYSTEM}
    for service, operations in OPERATIONS.items():
        found[f"apis/{service}.json"] = json.dumps(document(operations))
    return found | dict({"policies/orders.cedar": GRANT} if policies is None else policies)


def document(operations: Mapping[str | None, str]) -> dict[str, Any]:
    """Return an OpenAPI document; every operation takes the query parameter `region`."""
    paths: dict[str, Any] = {}
    for name, request in operations.items():
        method, template = request.split(" ", 1)
        parameters: list[dict[str, object]] = [{"name": "region", "in": "query", "schema": {"type": "string"}}]
        parameters += [
            {"name": variable, "in": "path", "required": True, "schema": {"type": "string"}}
            for variable in PathTemplate(template).variables
        ]
        operation: dict[str, object] = {"parameters": parameters, "responses": {"200": {"description": "ok"}}}
        if name:
            operation["operationId"] = name
        paths.setdefault(template, {})[method.lower()] = operation
    return {"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": paths}


def write(folder: Path, content: Mapping[str, str]) -> Path:
    """Write files into `folder`, and return it."""
    for name, text in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def loaded(folder: Path, policies: Mapping[str, str] | None = None) -> Policy:
    """Return the system with these policies, loaded; `folder` is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    return load_policy(write(folder, files(policies)))


def operation(template: str, method: str = "GET", *, service: str = "orders", mode: Mode = Mode.ENFORCE) -> Operation:
    return Operation(
        service=service,
        name=f"{method} {template}",
        method=method,
        template=PathTemplate(template),
        parameters=(),
        mode=mode,
        deprecated=False,
        place=Place("apis/orders.json", 1),
    )


def method(name: str, *, service: str = "orders", mode: Mode = Mode.ENFORCE) -> Operation:
    """Return a gRPC method, such as `shop.Orders/Get`."""
    rpc = Rpc(client_streaming=False, server_streaming=False, input="shop.In", output="shop.Out")
    made = operation(f"/{name}", "POST", service=service, mode=mode)
    return dataclasses.replace(made, name=name, rpc=rpc)


def service(*operations: Operation, name: str = "orders", mode: Mode = Mode.ENFORCE) -> Service:
    return Service(
        name=name,
        spiffe_id=SpiffeID.of_service(TRUST_DOMAIN, name),
        owner="team",
        zone=None,
        groups=(),
        mode=mode,
        listen=None,
        run=None,
        operations=operations,
        place=Place("inward.yaml", 1),
    )


def catalog(*services: Service) -> Catalog:
    return Catalog(TRUST_DOMAIN, {each.name: each for each in services}, {})


def walk(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield every value in a JSON value with the keys that lead to it."""
    yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from walk(inner, (*path, key))
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner, path)


def texts(value: object) -> list[str]:
    """Return every text in a JSON value, keys too."""
    found = [each for _, each in walk(value) if isinstance(each, str)]
    return found + [key for _, each in walk(value) if isinstance(each, dict) for key in each]
