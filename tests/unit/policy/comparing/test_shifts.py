"""What two catalogs say differently."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.policy.comparing.conftest import with_operations, with_service, without_service

from inward.catalog.model import Address, Mode, Parameter
from inward.catalog.template import PathTemplate
from inward.errors import Place
from inward.policy.comparing.pairs import operation_pairs
from inward.policy.comparing.shifts import Shift, shifts_of

if TYPE_CHECKING:
    from inward.catalog.model import Catalog, Operation


def shifts(old: Catalog, new: Catalog) -> tuple[Shift, ...]:
    return shifts_of(old, new, operation_pairs(old, new))


def only_get(**changes: Any) -> Any:
    def changed(operation: Operation) -> Operation:
        return dataclasses.replace(operation, **changes) if operation.name == "getOrder" else operation

    return changed


def test_the_same_is_nothing(shop: Catalog) -> None:
    assert shifts(shop, shop) == ()
    # nor where it stands, nor where it listens
    elsewhere = with_service(shop, "orders", place=Place("inward.yaml", 9), listen=Address("127.0.0.1", 1), run="x")
    assert shifts(shop, with_operations(elsewhere, "orders", only_get(deprecated=True, place=Place("a", 2)))) == ()


def test_an_operation_that_observes_widens(shop: Catalog) -> None:
    observing = with_operations(shop, "orders", only_get(mode=Mode.OBSERVE))
    [there] = shifts(shop, observing)
    assert (there.kind, there.operations, there.owner) == ("mode", ("orders:getOrder",), "team-orders")
    assert (there.before, there.after, there.widens, there.narrows) == ("enforce", "observe", True, False)
    [back] = shifts(observing, shop)
    assert (back.widens, back.narrows) == (False, True)


def test_a_service_that_observes_is_said_once_for_all_its_operations(shop: Catalog) -> None:
    observing = with_service(
        with_operations(shop, "orders", lambda each: dataclasses.replace(each, mode=Mode.OBSERVE)),
        "orders",
        mode=Mode.OBSERVE,
    )
    assert {shift.operations for shift in shifts(shop, observing)} == {
        (),
        ("orders:getOrder", "orders:createOrder", "orders:countOrders"),
    }


def test_what_is_new_and_observes_widens(shop: Catalog) -> None:
    observing = with_operations(shop, "orders", only_get(mode=Mode.OBSERVE))
    without = with_operations(shop, "orders", lambda each: each if each.name != "getOrder" else None)
    assert [(each.kind, each.widens) for each in shifts(without, observing)] == [("mode", True), ("added", False)]
    undocumented = with_service(shop, "reporting", mode=Mode.OBSERVE, listen=Address("127.0.0.1", 1))
    [added] = shifts(without_service(shop, "reporting"), undocumented)
    assert (added.kind, added.widens) == ("added", True)


@pytest.mark.parametrize(
    ("changes", "before", "after"),
    [
        ({"template": PathTemplate("/v2/orders/{id}")}, "GET /orders/{id}", "GET /v2/orders/{id}"),
        ({"method": "POST"}, "GET /orders/{id}", "POST /orders/{id}"),
    ],
)
def test_an_operation_with_other_requests_does_both(
    shop: Catalog, changes: dict[str, Any], before: str, after: str
) -> None:
    [shift] = shifts(shop, with_operations(shop, "orders", only_get(**changes)))
    assert (shift.kind, shift.before, shift.after) == ("moved", before, after)
    assert shift.widens
    assert shift.narrows


def test_an_operation_of_the_same_requests_is_called_otherwise(shop: Catalog) -> None:
    [shift] = shifts(shop, with_operations(shop, "orders", only_get(name="fetchOrder")))
    assert (shift.kind, shift.before, shift.after) == ("renamed", "orders:getOrder", "orders:fetchOrder")
    assert not shift.widens


def test_a_parameter_of_another_type(shop: Catalog) -> None:
    identifier = Parameter("id", "path", "integer", required=True)
    [shift] = shifts(shop, with_operations(shop, "orders", only_get(parameters=(identifier,))))
    assert shift.kind == "parameter"
    assert shift.before == "path parameter id: string, required"
    assert shift.after == "path parameter id: integer, required"


def test_where_a_service_belongs(shop: Catalog) -> None:
    moved = with_service(shop, "checkout", owner="team-x", zone=None, groups=("web", "a", "a"))
    found = {shift.kind: (shift.before, shift.after) for shift in shifts(shop, moved)}
    assert found == {
        "owner": ("team-checkout", "team-x"),
        "zone": ("edge", ""),
        "groups": ("sellers, web", "a, web"),
    }
    assert shifts(shop, with_service(shop, "checkout", groups=("web", "sellers"))) == ()  # their order is nothing


def test_services_and_data_classes_come_and_go(shop: Catalog) -> None:
    rest = dataclasses.replace(
        without_service(shop, "reporting"),
        data_classes=MappingProxyType(
            {name: each for name, each in shop.data_classes.items() if name != "card.number"}
        ),
    )
    assert {(each.kind, each.about) for each in shifts(shop, rest)} == {("gone", "reporting"), ("gone", "card.number")}
    assert {(each.kind, each.about) for each in shifts(rest, shop)} == {
        ("added", "reporting"),
        ("added", "card.number"),
    }
    other = {**shop.data_classes, "card": dataclasses.replace(shop.data_classes["card"], owner="team-x", parent="pii")}
    moved = dataclasses.replace(shop, data_classes=MappingProxyType(other))
    assert {(each.kind, each.before, each.after) for each in shifts(shop, moved)} == {
        ("owner", "team-payments", "team-x"),
        ("parent", "", "pii"),
    }


def test_another_trust_domain_is_another_system(shop: Catalog) -> None:
    [shift] = shifts(shop, dataclasses.replace(shop, trust_domain="other.internal"))
    assert (shift.kind, shift.widens, shift.narrows) == ("trust_domain", True, True)
