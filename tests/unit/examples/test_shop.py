"""The example company: every service runs by its `run` line and does what its document says."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("examples-shop")


@pytest.fixture
def shop(start_example: Callable[[str], Any]) -> Any:
    return start_example("shop")


def documents(shop: Any, read_document: Callable[[Path], Any]) -> dict[str, Any]:
    return {name: read_document(shop.folder / about["api"]) for name, about in shop.services.items() if "api" in about}


def send(shop: Any, service: str, method: str, path: str, body: object = None, **headers: str) -> Any:
    content = None if body is None else json.dumps(body).encode()
    return shop.ask(service, method, path, content, {"Content-Type": "application/json", **headers})


def forget(shop: Any) -> None:
    """Empty the queue of calls seen so far."""
    while not shop.seen.empty():
        shop.seen.get()


def test_every_documented_operation_answers_as_documented(shop: Any, read_document: Callable[[Path], Any]) -> None:
    asked, wrong = 0, []
    for service, document in documents(shop, read_document).items():
        for call in document.requests():
            answer = send(shop, service, call.method, call.path, call.body)
            asked += 1
            told = f"{service}:{call.name}: {answer.status} {answer.content.decode()[:200]}"
            if answer.status != call.status:
                wrong.append(told)
            elif call.schema is not None:
                wrong += [f"{told}: {fault}" for fault in call.faults(json.loads(answer.content))]
            elif answer.content:
                wrong.append(f"{told}: undocumented content")
    assert not wrong
    assert asked == 35


def test_the_check_of_answers_finds_a_planted_fault(shop: Any, read_document: Callable[[Path], Any]) -> None:
    calls = {call.name: call for call in documents(shop, read_document)["storefront"].requests()}
    good = json.loads(send(shop, "storefront", "GET", "/items/TEA-001").content)
    assert calls["showItem"].faults(good) == []
    assert calls["showItem"].faults({**good, "cost": 1}) == ["answer has the undocumented `cost`"]
    assert calls["showItem"].faults({**good, "currency": "USD"}) == ["answer.currency is 'USD', and none of ['EUR']"]
    assert calls["showItem"].faults({**good, "available": "1"}) == ["answer.available is '1', and not of type integer"]
    del good["available"]
    assert calls["showItem"].faults(good) == ["answer has no `available`"]


ROUTES = """
import importlib, json, sys
found = {}
for name in sys.argv[1:]:
    app = importlib.import_module(f"shop.{name}").app
    if hasattr(app, "url_map"):
        rules = [(rule.rule.replace("<", "{").replace(">", "}"), rule) for rule in app.url_map.iter_rules()]
    else:
        rules = [(route.path, route) for route in app.routes]
    found[name] = sorted(
        f"{method} {path}" for path, rule in rules for method in rule.methods - {"HEAD", "OPTIONS"}
    )
print(json.dumps(found))
"""


def test_no_route_is_undocumented(shop: Any) -> None:
    names = ["storefront", "products", "checkout", "orders", "payments", "customers"]
    command = [sys.executable, "-c", ROUTES, *names]
    routes = json.loads(subprocess.run(command, cwd=shop.folder, check=True, capture_output=True).stdout)
    for name in names:
        document = yaml.safe_load((shop.folder / shop.services[name]["api"]).read_text())
        prefix = document.get("basePath") or document.get("servers", [{"url": ""}])[0]["url"]
        documented = sorted(
            f"{method.upper()} {prefix}{path}"
            for path, item in document["paths"].items()
            for method in item.keys() - {"parameters"}
        )
        assert routes[name] == documented


@pytest.mark.parametrize("service", ["inventory", "shipping"])
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("POST", "/stock", {"inventory": 405, "shipping": 404}),
        ("GET", "/reservations", {"inventory": 405, "shipping": 404}),
        ("POST", "/shipments/S-1042", {"inventory": 404, "shipping": 405}),
        ("POST", "/reservations", {"inventory": 400, "shipping": 404}),
        ("POST", "/shipments", {"inventory": 404, "shipping": 400}),
    ],
)
def test_programs_without_a_framework_answer_bad_requests(
    shop: Any, service: str, method: str, path: str, status: int | dict[str, int]
) -> None:
    expected = status if isinstance(status, int) else status[service]
    content = b"{}" if method == "POST" else None
    assert shop.ask(service, method, path, content).status == expected


@pytest.mark.parametrize(("service", "path"), [("inventory", "/reservations"), ("shipping", "/shipments")])
@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"x" * 20_000])
def test_programs_without_a_framework_answer_bad_bodies(shop: Any, service: str, path: str, content: bytes) -> None:
    assert shop.ask(service, "POST", path, content).status == 400


def test_the_traffic_reaches_its_operations(shop: Any) -> None:
    """Without Inward nothing is refused: what will be refused is so by policy, not by a mistyped URL."""
    calls = json.loads((shop.folder / "traffic.json").read_text())["calls"]
    refused = [call for call in calls if call["expect"] == "refused"]
    assert len(calls) >= 25
    assert len(refused) >= 8
    for call in calls:
        assert call["caller"] in shop.services
        assert call["why"]
        url = urlsplit(call["url"])
        path = url.path + (f"?{url.query}" if url.query else "")
        answer = send(shop, url.netloc, call["method"], path, call.get("body"))
        told = f"{call}: {answer.status} {answer.content!r}"
        if call["expect"] == "refused":
            expected = {"unknown_operation": {405}}.get(call["reason"], {200, 422})
            assert answer.status in expected, told
        else:
            assert answer.status == call["status"], told


def test_a_purchase_is_one_trace_through_seven_services(shop: Any) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    cart = "/carts/trace-1"
    assert send(shop, "storefront", "PUT", f"{cart}/items/TEA-003", {"quantity": 3}).status == 200
    forget(shop)
    body = {"customer": "c-3", "card": "tok-cleo"}
    bought = send(shop, "storefront", "POST", f"{cart}/checkout", body, traceparent=f"00-{trace}-b7ad6b7169203331-01")
    assert bought.status == 201
    assert json.loads(bought.content)["total"] == 3 * 690
    seen = [shop.seen.get() for _ in range(shop.seen.qsize())]
    assert {call.service for call in seen} == {
        *("checkout", "customers", "products", "inventory", "payments", "orders", "shipping"),
    }
    assert {call.traceparent.split("-")[1] for call in seen} == {trace}
    assert len({call.traceparent.split("-")[2] for call in seen}) == len(seen)


def test_a_declined_card_gives_the_stock_back(shop: Any) -> None:
    before = json.loads(send(shop, "inventory", "GET", "/stock/POT-002").content)
    send(shop, "storefront", "PUT", "/carts/declined/items/POT-002", {"quantity": 5})
    body = {"customer": "c-4", "card": "tok-declined"}
    assert send(shop, "storefront", "POST", "/carts/declined/checkout", body).status == 402
    assert json.loads(send(shop, "inventory", "GET", "/stock/POT-002").content) == before


def test_a_callee_that_refuses_is_named_with_its_reference(shop: Any) -> None:
    place = shop.places.pop("payments")  # the proxy knows it no more
    try:
        send(shop, "storefront", "PUT", "/carts/lost/items/TEA-003", {"quantity": 1})
        body = {"customer": "c-1", "card": "tok-ada"}
        answer = send(shop, "storefront", "POST", "/carts/lost/checkout", body)
    finally:
        shop.places["payments"] = place
    assert answer.status == 502
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("service", "last"),
    [("monitor", ("storefront", "POST", "/orders/")), ("reporting", ("payments", "GET", "/totals"))],
)
def test_programs_that_only_call_do_their_round(shop: Any, service: str, last: tuple[str, str, str]) -> None:
    forget(shop)
    shop.start(service)
    seen: list[Any] = []
    while not seen or (seen[-1].service, seen[-1].method) != last[:2] or not seen[-1].path.startswith(last[2]):
        seen.append(shop.seen.get(timeout=60))
    shop.end(service)
    assert {call.status for call in seen} <= {200, 201, 204, 404, 409}
    assert seen[-1].status == 200
