from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.policy.cases.conftest import NOW

from inward.catalog.system import load_catalog
from inward.policy.cases.load import load_tests

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.policy.cases.conftest import Read


GET = "orders:getOrder"
RAW = " (write the whole `query` as text to test that)"
OR_RAW = ", or write the whole `query` as text to test that)"
PLAIN = "must be text, a whole number, or true or false (put it in quotes)"
PATHS = " (its paths are /orders/{id})"
ENCODE = " (percent-encode what is no printable ASCII, spaces and `#`; leave out the `?`)"
DOTS = "(enforcers decide about a path without `.` and `..`)"
FORM = "must be a mapping of parameters, or text"


def asking(request: str, *operations: str) -> str:
    named = ", ".join(f'"{operation}"' for operation in operations)
    return f"""{NOW}requests:
  it: {request}
tests:
  - name: t
    callers: [reporting]
    operations: [{named}]
    requests: [it]
"""


@pytest.mark.parametrize(
    ("request_", "operation", "path", "query"),
    [
        ("{path: {id: 42}}", GET, "/orders/42", ""),
        ('{path: {id: "042"}}', GET, "/orders/042", ""),
        ("{path: {id: Ann Lee}}", GET, "/orders/Ann%20Lee", ""),
        ("{path: {id: 'a{b}%?#'}}", GET, "/orders/a%7Bb%7D%25%3F%23", ""),
        ("{path: {id: Zoë}}", GET, "/orders/Zo%C3%AB", ""),
        ("{path: {id: a:b}, query: {limit: 5, dry_run: true}}", GET, "/orders/a:b", "limit=5&dry_run=true"),
        ("{path: {id: 1}, query: {limit: [5, 6]}}", GET, "/orders/1", "limit=5&limit=6"),
        ("{path: {n: -3}, query: {q: 'a&b=c d+e'}}", "orders:countOrders", "/counts/-3", "q=a%26b%3Dc%20d%2Be"),
        ("{path: {n: 3}, query: {q: ''}}", "orders:countOrders", "/counts/3", "q="),
        ("{path: {n: 3}, query: {q: false}}", "orders:countOrders", "/counts/3", "q=false"),
        ("{path: /orders/4%32, query: '&&limit'}", GET, "/orders/4%32", "&&limit"),
        ("{path: /counts/many, query: ''}", "orders:countOrders", "/counts/many", ""),
        ("{path: {id: 1}, query: x=y}", "orders:createOrder", "/orders", "x=y"),
    ],
)  # fmt: skip
def test_what_a_request_looks_like(read: Read, request_: str, operation: str, path: str, query: str) -> None:
    # createOrder has no parameters: those of the other operation are left out
    tests, mistakes = read(asking(request_, operation, *([GET] if "createOrder" in operation else [])))
    assert mistakes == []
    case = tests[0].cases[0]
    assert (case.request.path, case.request.query) == (path, query)


@pytest.mark.parametrize(
    ("request_", "operation", "mistakes"),
    [
        ("{}", GET, ["`orders:getOrder` needs the path parameter `id` (add it)"]),
        (
            "{path: {n: 1}}",
            "orders:countOrders",
            [f"`orders:countOrders` needs the query parameter `q` (add it{OR_RAW}"],
        ),
        (
            "{path: {id: 1, oder: 2}}",
            GET,
            ["no operation that is tested with it has the path parameter `oder` (known are `id`)"],
        ),
        (
            "{path: {id: 1}, query: {limt: 2}}",
            GET,
            ["no operation that is tested with it has the query parameter `limt` (did you mean `limit`?)"],
        ),
        (
            "{path: {id: 1}, query: {limit: many}}",
            GET,
            [f"`many` is no integer, as `limit` of `orders:getOrder` is{RAW}"],
        ),
        (
            "{path: {id: 1}, query: {dry_run: yes}}",
            GET,
            [f"`yes` is no boolean, as `dry_run` of `orders:getOrder` is{RAW}"],
        ),
        ("{path: {id: 1.5}}", GET, [f"`id` {PLAIN}"]),
        ("{path: {id: }}", GET, [f"`id` {PLAIN}"]),
        ("{path: {id: [1]}}", GET, [f"`id` {PLAIN}"]),
        ("{path: {id: 1}, query: {limit: []}}", GET, ["`limit` has no value (leave it out)"]),
        ("{path: [1], query: 5}", "orders:createOrder", [f"`path` {FORM}", f"`query` {FORM}"]),
        ("text", "orders:createOrder", ["`it` must be a mapping and is text"]),
        ("", "orders:createOrder", ["`it` must be a mapping and is empty"]),
        ("{path: {id: a/b}}", GET, [f"`/orders/a%2Fb` is no path of `orders:getOrder`{PATHS}"]),
        ("{path: {id: ''}}", GET, [f"`/orders/` is no path of `orders:getOrder`{PATHS}"]),
        ("{path: /orders}", GET, [f"`/orders` is no path of `orders:getOrder`{PATHS}"]),
        ("{path: '/orders/1?limit=1'}", GET, [f"`/orders/1?limit=1` is no path of `{GET}` (write a query as `query`)"]),
        ("{path: /orders/..}", GET, [f"`/orders/..` is not normalised {DOTS}"]),
        ("{path: {id: 1}, query: 'a b'}", GET, [f"`a b` can be no query{ENCODE}"]),
        ("{path: {id: 1}, query: 'é'}", GET, [f"`é` can be no query{ENCODE}"]),
    ],
)  # fmt: skip
def test_a_request_that_nobody_could_mean(read: Read, request_: str, operation: str, mistakes: list[str]) -> None:
    tests, found = read(asking(request_, operation))
    assert tests == ()
    assert found == [f"3: {mistake}" for mistake in mistakes]


@pytest.mark.parametrize("request_", ["{path: /orders/latest}", "{path: {id: latest}}"])
def test_a_path_that_an_enforcer_gives_to_another_operation(request_: str, tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "inward.yaml").write_text(
        "trust_domain: t\nservices:\n  orders: {owner: o, api: a.yaml, listen: '127.0.0.1:0'}\n"
        "  reporting: {owner: o}\n"
    )
    (tmp_path / "a.yaml").write_text(
        "openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths:\n"
        "  /orders/latest: {get: {operationId: latest, responses: {}}}\n"
        "  /orders/{id}: {get: {operationId: getOrder, responses: {}}, delete: {operationId: drop, responses: {}}}\n"
    )
    catalog, mistakes = load_catalog(tmp_path)
    assert (catalog is not None, mistakes) == (True, [])
    assert catalog is not None
    path = tmp_path / "policies" / "a.test.yaml"
    path.write_text(asking(request_, GET))
    tests, found = load_tests(tmp_path, catalog)
    assert tests == ()
    assert [mistake.what for mistake in found] == [
        "`/orders/latest` is a path of `orders:latest`, not of `orders:getOrder`"
    ]
    path.write_text(asking(request_, "orders:drop"))  # another method: no other operation has that path
    assert load_tests(tmp_path, catalog)[1] == []
