from __future__ import annotations

import json
from typing import TYPE_CHECKING

import cedarpy
import pytest

from inward.policy.schema import ancestors_of, entities_of, groups_of, groups_of_service, schema_of

if TYPE_CHECKING:
    from inward.catalog.model import Catalog


@pytest.fixture(scope="module")
def schema(shop: Catalog) -> cedarpy.Schema:
    return cedarpy.Schema.from_json_str(json.dumps(schema_of(shop.operations.values(), shop.services)))


def errors(policy: str, schema: cedarpy.Schema) -> list[str]:
    return [error.error for error in cedarpy.validate_policies(policy, schema).errors]


def test_groups(shop: Catalog) -> None:
    assert groups_of(shop.operations["orders:getOrder"]) == ("orders:read", "orders:*", "read")
    assert groups_of(shop.operations["orders:createOrder"]) == ("orders:write", "orders:*", "write")
    assert groups_of_service("orders") == ("orders:*", "orders:read", "orders:write")


def test_ancestors(shop: Catalog) -> None:
    assert ancestors_of(shop.services["checkout"]) == (
        ("Zone", "edge"),
        ("Team", "team-checkout"),
        ("Group", "sellers"),
        ("Group", "web"),
    )
    assert ancestors_of(shop.services["reporting"]) == (("Team", "team-orders"),)


@pytest.mark.parametrize(
    "condition",
    [
        'context.path.id == "x"',
        "context.query has limit && context.query.limit < 10",
        "context.query has dry_run && context.query.dry_run",
        'context.time < datetime("2030-01-01")',
        'principal.owner == Team::"t" && principal has zone && principal.zone == Zone::"z"',
        'resource.owner == principal.owner || principal in Group::"g"',
    ],
)
def test_conditions_that_the_schema_allows(condition: str, schema: cedarpy.Schema) -> None:
    policy = f'permit (principal, action == Action::"orders:getOrder", resource) when {{ {condition} }};'
    assert errors(policy, schema) == []


@pytest.mark.parametrize(
    "condition",
    [
        "context.path.id == 3",
        "context.query.limit < 10",  # it may not be there
        "context.query has limit && context.query.limit",
        "context.path.n < 3",
        'principal.zone == Zone::"z"',
        "context.user",
    ],
)
def test_conditions_that_the_schema_refuses(condition: str, schema: cedarpy.Schema) -> None:
    policy = f'permit (principal, action == Action::"orders:getOrder", resource) when {{ {condition} }};'
    assert errors(policy, schema) != []


def test_types_and_required_parameters(schema: cedarpy.Schema) -> None:
    scope = 'principal, action == Action::"orders:countOrders", resource'
    assert errors(f'permit ({scope}) when {{ context.path.n < 3 && context.query.q == "x" }};', schema) == []


@pytest.mark.parametrize(
    ("action", "resource", "valid"),
    [
        ('action == Action::"disclose"', 'resource == DataClass::"pii"', True),
        ('action == Action::"disclose"', 'resource == Service::"orders"', False),
        ('action == Action::"orders:getOrder"', 'resource == DataClass::"pii"', False),
        ('action in Action::"read"', "resource is Service", True),
        ('action in Action::"orders:write"', "resource", True),
        ('action in Action::"reporting:*"', "resource", False),  # it has no operations
    ],
)
def test_what_actions_apply_to(action: str, resource: str, valid: bool, schema: cedarpy.Schema) -> None:  # noqa: FBT001 - a table
    assert (errors(f"permit (principal, {action}, {resource});", schema) == []) is valid


def test_the_schema_of_one_service_holds_no_other_actions(shop: Catalog) -> None:
    operations = shop.services["orders"].operations
    actions = schema_of(operations, ["payments"])[""]["actions"].keys()
    assert {name for name in actions if name.startswith("orders:")} == {
        "orders:*",
        "orders:read",
        "orders:write",
        "orders:getOrder",
        "orders:createOrder",
        "orders:countOrders",
    }
    assert "payments:read" in actions
    assert "payments:charge" not in actions


def test_entities_conform_to_the_schema(shop: Catalog, schema: cedarpy.Schema) -> None:
    entities = cedarpy.Entities.from_json_str(json.dumps(entities_of(shop)), schema)
    listed = {(entity["uid"]["type"], entity["uid"]["id"]) for entity in entities_of(shop)}
    assert {("Service", "reporting"), ("Action", "orders:getOrder"), ("DataClass", "card.number")} <= listed
    assert len(entities) >= len(listed)


@pytest.mark.parametrize(
    ("scope", "holds"),
    [
        ('principal in Group::"web", action, resource', True),
        ('principal in Zone::"core", action, resource', False),
        ('principal, action in Action::"read", resource in Team::"team-orders"', True),
        ('principal, action in Action::"orders:*", resource in Zone::"core"', True),
        ('principal, action in Action::"write", resource', False),
        ('principal, action in Action::"payments:*", resource', False),
    ],
)
def test_cedar_knows_the_hierarchy_from_the_entities_alone(scope: str, holds: bool, shop: Catalog) -> None:  # noqa: FBT001 - a table
    answer = cedarpy.is_authorized(
        {
            "principal": 'Service::"checkout"',
            "action": 'Action::"orders:getOrder"',
            "resource": 'Service::"orders"',
            "context": {},
        },
        f"permit ({scope});",
        entities_of(shop),
    )
    assert answer.allowed is holds
