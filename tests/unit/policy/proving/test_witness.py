from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest
from tests.unit.policy.proving.conftest import NOW

from inward.catalog.model import Catalog, Operation
from inward.catalog.template import PathTemplate
from inward.policy.proving.witness import Newcomer, Witness, decide, no_request, texts_of, witness_to
from inward.policy.symbolic.solve import Values

if TYPE_CHECKING:
    from tests.unit.policy.proving.conftest import Written


def changed(catalog: Catalog, **templates: str) -> Catalog:
    """Return the catalog with other paths of some operations of `orders`."""
    orders = catalog.services["orders"]
    operations = tuple(
        dataclasses.replace(each, template=PathTemplate(templates[each.name])) if each.name in templates else each
        for each in orders.operations
    )
    services = {**catalog.services, "orders": dataclasses.replace(orders, operations=operations)}
    return Catalog(catalog.trust_domain, MappingProxyType(services), catalog.data_classes)


def to(operation: Operation, catalog: Catalog | None = None, **texts: str) -> Witness | None:
    values = {("query" if name in {"limit", "q"} else "path", name): text for name, text in texts.items()}
    return witness_to(operation, "checkout", values, NOW, catalog=catalog)


def test_a_call_reads_as_one_would_make_it(shop: Catalog) -> None:
    found = to(shop.operations["orders:getOrder"], id="42", limit="7")
    assert str(found) == "checkout GET http://orders/orders/42?limit=7 at 2030-06-15T12:00:00.000Z"
    newcomer = Newcomer("team-web", "edge", ("sellers", "web"))
    new = Witness("new-service", newcomer, "pii", "", "", "", NOW.replace(microsecond=5))
    assert str(new) == (
        "new-service (of team-web, in zone edge, in sellers, web) is shown pii at 2030-06-15T12:00:00.000005Z"
    )
    assert str(Newcomer("team-web", None, ())) == "of team-web, in no zone"


def test_values_are_written_in_plain_form() -> None:
    values = Values({("path", "a"): "x", ("query", "b"): -7, ("query", "c"): True}, NOW)
    assert texts_of(values) == {("path", "a"): "x", ("query", "b"): "-7", ("query", "c"): "true"}


def test_a_path_parameter_that_nobody_reads_is_anything(shop: Catalog) -> None:
    found = to(shop.operations["orders:countOrders"], q="a")
    assert found is not None
    assert (found.path, found.query) == ("/counts/1", "q=a")


def test_two_parameters_that_share_a_segment_may_have_no_request(shop: Catalog) -> None:
    operation = changed(shop, getOrder="/orders/{id}.{kind}").operations["orders:getOrder"]
    found = to(operation, id="a")
    assert found is not None
    assert found.path == "/orders/a.x"
    assert to(operation, id="a", kind="b.c") is None  # the first takes all that it can
    assert "`orders:getOrder`" in no_request(operation)


def test_the_path_of_another_operation_is_no_request(shop: Catalog) -> None:
    catalog = changed(shop, getOrder="/orders/{id}", countOrders="/orders/x")
    operation = catalog.operations["orders:getOrder"]
    assert to(operation, catalog, id="x") is None
    assert to(operation, id="x") is not None  # it was not asked about others
    found = to(operation, catalog)
    assert found is not None
    assert found.path == "/orders/x-2"


def test_the_engine_decides_a_witness_with_some_policies_only(shop: Catalog, written: Written) -> None:
    policies = written(
        'permit (principal in Team::"team-checkout", action == Action::"orders:getOrder", resource is Service)'
        ' when { principal has zone && context.path.id == "42" };',
        'permit (principal, action == Action::"disclose", resource == DataClass::"pii")'
        ' when { principal in Group::"web" };',
    )
    call = Witness("new", Newcomer("team-checkout", "edge", ()), "orders:getOrder", "GET", "/orders/42", "", NOW)
    assert decide(call, shop, policies).policies == ("p1",)
    assert not decide(dataclasses.replace(call, newcomer=Newcomer("team-checkout", None, ())), shop, policies).allowed
    assert not decide(call, shop, []).allowed
    shown = Witness("new", Newcomer("team-x", None, ("web",)), "pii", "", "", "", NOW)
    assert decide(shown, shop, policies).policies == ("p2",)
    assert not decide(dataclasses.replace(shown, caller="orders", newcomer=None), shop, policies).allowed


@pytest.mark.parametrize("name", ["orders", "checkout"])
def test_a_caller_of_the_catalog_is_as_it_is(shop: Catalog, written: Written, name: str) -> None:
    policies = written(
        'permit (principal in Zone::"edge", action == Action::"orders:createOrder", resource == Service::"orders");'
    )
    call = Witness(name, None, "orders:createOrder", "POST", "/orders", "", NOW)
    assert decide(call, shop, policies).allowed is (name == "checkout")
