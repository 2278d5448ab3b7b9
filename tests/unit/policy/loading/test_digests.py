from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from inward.policy.loading.digests import Digests

if TYPE_CHECKING:
    from tests.unit.policy.conftest import Load

    from inward.catalog.model import Catalog
    from inward.policy.model import Policies

ORDERS = """@id("o") @reason("r") permit (principal, action == Action::"orders:getOrder", resource);"""
PAYMENTS = """@id("p") @reason("r") permit (principal, action == Action::"payments:charge", resource);"""
GUARDRAIL = """@id("g") @reason("r") forbid (principal == Service::"reporting", action, resource)"""


def digests(catalog: Catalog, policies: Policies) -> dict[str, str]:
    made = Digests(catalog, policies)
    return {name: made.of(name) for name in catalog.services}


@pytest.fixture
def policies(load: Load) -> Policies:
    return policies_of(load)


def policies_of(load: Load, orders: str = ORDERS, guardrail: str = f"{GUARDRAIL};") -> Policies:
    found, mistakes = load(
        {"policies/orders.cedar": orders, "policies/payments.cedar": PAYMENTS, "guardrails.cedar": guardrail}
    )
    assert mistakes == []
    return found


def differing(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_each_service_has_its_own(shop: Catalog, policies: Policies) -> None:
    found = digests(shop, policies)
    assert len(set(found.values())) == len(found)
    assert digests(shop, policies) == found


def test_policies_concern_the_service_of_their_file_and_guardrails_all(
    shop: Catalog, policies: Policies, load: Load
) -> None:
    before = digests(shop, policies)
    assert differing(before, digests(shop, policies_of(load, orders=f"\n{ORDERS}"))) == set()
    assert differing(before, digests(shop, policies_of(load, orders=ORDERS.replace('"r"', '"s"')))) == {"orders"}
    other = policies_of(load, guardrail=f"{GUARDRAIL} when {{ true }};")
    assert differing(before, digests(shop, other)) == set(shop.services)


@pytest.mark.parametrize(
    ("change", "concerned"),
    [
        ({"owner": "team-payments"}, None),
        ({"zone": None}, None),
        ({"groups": ()}, None),
        ({"operations": ()}, {"orders"}),
        ({"run": "other {socket}"}, set()),
    ],
)
def test_attributes_concern_all_and_operations_their_service(
    shop: Catalog, policies: Policies, change: dict[str, object], concerned: set[str] | None
) -> None:
    orders = dataclasses.replace(shop.services["orders"], **change)  # type: ignore[arg-type]  # fields of a service
    other = dataclasses.replace(shop, services=MappingProxyType({**shop.services, "orders": orders}))
    expected = set(shop.services) if concerned is None else concerned
    assert differing(digests(shop, policies), digests(other, policies)) == expected


def test_data_classes_concern_all(shop: Catalog, policies: Policies) -> None:
    other = dataclasses.replace(shop, data_classes=MappingProxyType({}))
    assert differing(digests(shop, policies), digests(other, policies)) == set(shop.services)
