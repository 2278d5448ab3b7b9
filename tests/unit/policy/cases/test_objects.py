from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.policy.cases.conftest import NOW

from inward.policy.cases.coverage import coverage_of
from inward.policy.cases.load import load_and_run, load_tests
from inward.policy.decide import Engine

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.policy.cases.conftest import Load

    from inward.catalog.model import Catalog

TYPES = """\
entity Order {
  tenant: String, total?: Long, open?: Bool, tags?: Set<String>, at?: datetime, price?: decimal, from?: ipaddr,
  buyer?: { name: String },
};
"""
POLICIES = """\
@id("call") @reason("r")
permit (principal == Service::"checkout", action in Action::"orders:*", resource == Service::"orders");
@id("own") @reason("r")
permit (principal, action == Action::"orders:getOrder", resource is Order)
when { resource.tenant == "a" && resource.tenant == context.path.id };
"""
TEST = """\
requests:
  own: {path: {id: a}, resource: {Order: {tenant: a}}}
  foreign: {path: {id: a}, resource: {Order: {tenant: b}}}
  none: {path: {id: a}}
tests:
  - name: t
    callers: [checkout, reporting]
    operations: [orders:getOrder]
    requests: [own, foreign, none]
    allow:
      checkout: {orders:getOrder: [own, none]}
"""
FILES = {"policies/orders.cedar": POLICIES, "policies/orders.cedarschema": TYPES}


def mistakes(shop: Catalog, load: Load, tmp_path: Path, resource: str, operation: str = "orders:getOrder") -> list[str]:
    policies, wrong = load(FILES)
    assert wrong == []
    text = f"""\
requests:
  r: {{path: {{id: a}}, resource: {resource}}}
tests:
  - {{name: t, callers: [checkout], operations: ["{operation}"], requests: [r]}}
"""
    (tmp_path / "policies" / "a.test.yaml").write_text(NOW + text)
    return [each.what for each in load_tests(tmp_path, shop, policies.resources)[1]]


def test_a_case_with_an_object_asks_about_the_call_and_then_about_the_object(
    shop: Catalog, load: Load, tmp_path: Path
) -> None:
    policies, wrong = load({**FILES, "policies/orders.test.yaml": NOW + TEST})
    assert wrong == []
    engine = Engine(shop, policies)
    outcomes, found = load_and_run(tmp_path, shop, engine)
    assert found == []
    assert [(each.case.name, each.decision.reason.value, each.passed) for each in outcomes] == [
        ("checkout → orders:getOrder with own", "granted", True),
        ("checkout → orders:getOrder with foreign", "condition", True),
        ("checkout → orders:getOrder with none", "granted", True),
        ("reporting → orders:getOrder with own", "no_grant", True),  # of the call: its object would be granted
        ("reporting → orders:getOrder with foreign", "no_grant", True),
        ("reporting → orders:getOrder with none", "no_grant", True),
    ]
    coverage = coverage_of(outcomes, shop, policies, engine)
    assert (coverage.exercised, coverage.missed, coverage.seen, coverage.terms) == (2, (), 2, 2)
    assert coverage.complete
    without = [each for each in outcomes if each.case.request_name != "foreign"]
    gaps = coverage_of(without, shop, policies, engine).gaps
    assert [(gap.text, gap.never) for gap in gaps] == [
        ('resource.tenant == "a"', "unmet"),
        ("resource.tenant == context.path.id", "unmet"),
    ]


def test_every_type_can_be_written(shop: Catalog, load: Load, tmp_path: Path) -> None:
    everything = (
        '{Order: {tenant: "", total: -3, open: false, tags: [a, b], at: 2027-01-01T00:00:00Z, price: "1.50", '
        "from: 10.0.0.0/8, buyer: {name: ann}}}"
    )
    assert mistakes(shop, load, tmp_path, everything) == []


@pytest.mark.parametrize(
    ("resource", "mistake"),
    [
        ("{}", "`resource` must have one key, the type of the object"),
        ("{Order: {tenant: a}, Other: {}}", "`resource` must have one key, the type of the object"),
        ("[Order]", "`resource` must be a mapping and is a list"),
        ("{Ordr: {tenant: a}}", "there is no type `Ordr`"),
        ("{Order: {}}", "`Order` needs the attribute `tenant`"),
        ("{Order: {tenant: a, tenent: b}}", "there is no attribute `tenent` in `Order`"),
        ("{Order: {tenant: 1}}", "`tenant` must be text and is a number"),
        ("{Order: {tenant: a, total: x}}", "`total` must be a whole number"),
        ("{Order: {tenant: a, total: true}}", "`total` must be a whole number"),
        ("{Order: {tenant: a, total: 9223372036854775808}}", "`Order.total` is a `int`, which is no Long"),
        ("{Order: {tenant: a, open: 1}}", "`open` must be true or false and is a number"),
        ("{Order: {tenant: a, tags: a}}", "`tags` must be a list and is text"),
        ("{Order: {tenant: a, tags: [1]}}", "item 1 of `tags` must be text and is a number"),
        ("{Order: {tenant: a, at: 2027-01-01}}", "`2027-01-01` is no datetime"),
        ("{Order: {tenant: a, price: x}}", "`x` is no decimal"),
        ("{Order: {tenant: a, price: '1.00001'}}", "`Order.price` is a `Decimal`, which is no decimal"),
        ("{Order: {tenant: a, from: localhost}}", "`localhost` is no ipaddr"),
        ("{Order: {tenant: a, buyer: {}}}", "`buyer` needs the attribute `name`"),
    ],
)
def test_an_object_that_is_not_as_declared_is_a_mistake(
    shop: Catalog, load: Load, tmp_path: Path, resource: str, mistake: str
) -> None:
    assert mistakes(shop, load, tmp_path, resource) == [mistake]


def test_an_object_of_another_service_is_a_mistake(shop: Catalog, load: Load, tmp_path: Path) -> None:
    assert mistakes(shop, load, tmp_path, "{Order: {tenant: a}}", "payments:charge") == [
        "`Order` is an object of `orders`, which `payments:charge` is not done to"
    ]
