from __future__ import annotations

import dataclasses
import itertools
import json
import random
import time
from typing import TYPE_CHECKING

import cedarpy
import pytest
from cedarpy import pst

from inward.errors import Place
from inward.policy.index import Index
from inward.policy.model import Policies, Policy
from inward.policy.schema import entities_of

if TYPE_CHECKING:
    from inward.catalog.model import Catalog


def policy(text: str, name: str, file: str | None = "orders") -> Policy:
    (tree,) = cedarpy.PolicySet.from_str(text).to_pst().static_policies.values()
    return Policy(name, tree.effect, "r", None, file, Place("f", 1), text, dataclasses.replace(tree, id=name))


PRINCIPALS = (
    "principal",
    "principal is Service",
    "principal is User",
    'principal == Service::"checkout"',
    'principal == User::"checkout"',
    'principal in Service::"checkout"',
    'principal in Zone::"edge"',
    'principal in Team::"team-orders"',
    'principal in Group::"sellers"',
    'principal in Group::"nobody"',
    'principal is Service in Group::"web"',
    'principal is User in Group::"web"',
    'principal is Service in Service::"orders"',
)
ACTIONS = (
    "action",
    'action == Action::"orders:getOrder"',
    'action == Action::"orders:read"',
    'action in Action::"orders:read"',
    'action in Action::"orders:*"',
    'action in Action::"read"',
    'action in [Action::"write", Action::"payments:charge"]',
    'action in [Action::"orders:getOrder", Action::"orders:getOrder"]',
    "action in []",
)
RESOURCES = (
    "resource",
    "resource is Service",
    "resource is DataClass",
    'resource == Service::"orders"',
    'resource == DataClass::"orders"',
    'resource in Zone::"core"',
    'resource in Team::"team-orders"',
    'resource is Service in Team::"team-payments"',
)


def test_every_kind_of_scope_is_what_cedar_says_it_is(shop: Catalog) -> None:
    scopes = [", ".join(parts) for parts in itertools.product(PRINCIPALS, ACTIONS, RESOURCES)]
    whole = cedarpy.PolicySet.from_str("".join(f'@id("p{n}") permit ({scope});' for n, scope in enumerate(scopes)))
    index = Index(shop, Policies.of(policy(f"permit ({scope});", f"p{n}", None) for n, scope in enumerate(scopes)))
    entities = cedarpy.Entities.from_json_str(json.dumps(entities_of(shop)))
    matches = 0
    for caller, operation in itertools.product(shop.services, shop.operations):
        answer = cedarpy.is_authorized(
            {
                "principal": {"type": "Service", "id": caller},
                "action": {"type": "Action", "id": operation},
                "resource": {"type": "Service", "id": operation.partition(":")[0]},
                "context": {},
            },
            whole,
            entities,
        )
        expected = set(answer.diagnostics.id_annotations_by_reason.values())
        assert {found.id for found in index.cell(caller, operation).permits} == expected
        matches += len(expected)
    assert matches > 1_000


def test_only_the_owners_file_and_the_guardrails_count(shop: Catalog) -> None:
    """Even if a scope were wider than the owner rule lets through, another's operation is not granted by it."""
    wide = "permit (principal, action, resource);"
    index = Index(
        shop,
        Policies.of(
            [
                policy(wide, "orders", "orders"),
                policy(wide, "payments", "payments"),
                policy("forbid (principal, action, resource);", "guardrail", None),
            ]
        ),
    )
    cell = index.cell("checkout", "orders:getOrder")
    assert [found.id for found in cell.permits] == ["orders"]
    assert [found.id for found in cell.forbids] == ["guardrail"]
    cell = index.cell("orders", "checkout:pay")
    assert cell.permits == ()
    assert [found.id for found in cell.forbids] == ["guardrail"]


def test_candidates_are_sorted_by_id(shop: Catalog) -> None:
    texts = {"z": "permit", "b": "permit", "a": "forbid", "B": "forbid", "m": "permit"}
    index = Index(
        shop, Policies.of(policy(f"{effect} (principal, action, resource);", name) for name, effect in texts.items())
    )
    cell = index.cell("checkout", "orders:getOrder")
    assert [found.id for found in cell.permits] == ["b", "m", "z"]
    assert [found.id for found in cell.forbids] == ["B", "a"]
    assert (cell.caller, cell.operation.id) == ("checkout", "orders:getOrder")


@pytest.mark.parametrize(
    ("caller", "operation"),
    [("nobody", "orders:getOrder"), ("checkout", "orders:nothing"), ("", ""), ("checkout", "orders:*")],
)
def test_what_the_catalog_does_not_hold_has_no_cell(shop: Catalog, caller: str, operation: str) -> None:
    index = Index(shop, Policies.of([policy("permit (principal, action, resource);", "p")]))
    with pytest.raises(KeyError):
        index.cell(caller, operation)


def test_the_cells_of_an_operation_are_those_with_a_permit(shop: Catalog) -> None:
    index = Index(
        shop,
        Policies.of(
            [
                policy('permit (principal in Group::"sellers", action in Action::"orders:read", resource);', "p"),
                policy("forbid (principal, action, resource);", "f", None),
            ]
        ),
    )
    cells = list(index.cells_of("orders:getOrder"))
    assert [cell.caller for cell in cells] == ["checkout", "orders"]
    assert cells == [index.cell(cell.caller, "orders:getOrder") for cell in cells]
    assert cells[0].permits is cells[1].permits  # shared
    assert list(index.cells_of("orders:createOrder")) == []
    with pytest.raises(KeyError):
        list(index.cells_of("orders:nothing"))


def test_a_template_is_not_indexed(shop: Catalog) -> None:
    (tree,) = (
        cedarpy.PolicySet.from_str("permit (principal == ?principal, action, resource);").to_pst().templates.values()
    )
    template = Policy("p", "permit", "r", None, "orders", Place("f", 1), "", tree)
    with pytest.raises(ValueError, match="cannot be indexed"):
        Index(shop, Policies.of([template]))


def test_no_policies(shop: Catalog) -> None:
    cell = Index(shop, Policies.of([])).cell("checkout", "orders:getOrder")
    assert (cell.permits, cell.forbids, cell.constant) == ((), (), False)


def test_ten_thousand_policies_are_indexed_within_a_second(shop: Catalog) -> None:
    rng = random.Random(1)  # noqa: S311 - the same every time, on purpose
    service = pst.EntityType("Service")
    tree = policy("permit (principal, action, resource);", "p").pst
    policies = Policies.of(
        dataclasses.replace(
            policy_,
            id=f"p{number}",
            pst=dataclasses.replace(
                policy_.pst, principal=pst.ScopeEq(pst.EntityUid(service, rng.choice(sorted(shop.services))))
            ),
        )
        for number, policy_ in enumerate([Policy("p", "permit", "r", None, "orders", Place("f", 1), "", tree)] * 10_000)
    )
    started = time.process_time()
    index = Index(shop, policies)
    cell = index.cell("checkout", "orders:getOrder")
    assert time.process_time() - started < 1
    assert 2_000 < len(cell.permits) < 3_000


def test_a_cell_does_not_depend_on_what_was_asked_before(shop: Catalog) -> None:
    policies = Policies.of(
        [policy('permit (principal == Service::"checkout", action == Action::"orders:getOrder", resource);', "p")]
    )
    asked = Index(shop, policies)
    for operation, caller in itertools.product(shop.operations, shop.services):
        assert asked.cell(caller, operation) == Index(shop, policies).cell(caller, operation)


def test_what_is_granted_is_what_has_a_cell(shop: Catalog) -> None:
    granted = set()
    for principal, action in itertools.product(PRINCIPALS, ACTIONS):
        index = Index(shop, Policies.of([policy(f"permit ({principal}, {action}, resource);", "p")]))
        for operation in shop.operations:
            found = any(True for _ in index.cells_of(operation))
            assert index.is_granted(operation) == found
            granted.add(found)
    assert granted == {True, False}
