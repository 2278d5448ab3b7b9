from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import cedarpy
from cedarpy import pst

from inward.errors import Place
from inward.policy.authoring.grants import disclosure_text, grant_text, new_id, object_grant_text
from inward.policy.resources.model import Objects, ResourceType

if TYPE_CHECKING:
    from inward.catalog.model import Catalog


def test_ids_can_be_read_and_are_not_taken(shop: Catalog) -> None:
    get = shop.operations["orders:getOrder"]
    assert new_id("checkout", [get], set()) == "checkout-orders-getorder"
    assert new_id("checkout", [get], {"checkout-orders-getorder"}) == "checkout-orders-getorder-2"
    taken = {"checkout-orders-getorder", "checkout-orders-getorder-2"}
    assert new_id("checkout", [get], taken) == "checkout-orders-getorder-3"
    assert new_id("checkout", [get, shop.operations["orders:createOrder"]], set()) == "checkout-orders-several"
    nameless = replace(get, name="GET /orders/{id}/é\u202e" + "x" * 200)
    found = new_id("checkout", [nameless], set())
    assert found.startswith("checkout-orders-get-orders-id-x")
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}", found)


def test_a_grant_says_exactly_what_it_was_asked_for(shop: Catalog) -> None:
    operations = [shop.operations["orders:getOrder"], shop.operations["orders:createOrder"]]
    text = grant_text("an-id", 'say "hi" \\ \n', "checkout", operations, expires="2030-01-01", condition="1 < 2 // x")
    (tree,) = cedarpy.policies_to_pst(text).static_policies.values()
    assert dict(tree.annotations) == {"id": "an-id", "reason": 'say "hi" \\ \n', "expires": "2030-01-01"}
    assert tree.effect == "permit"
    assert tree.principal == pst.ScopeEq(pst.EntityUid(pst.EntityType("Service"), "checkout"))
    assert isinstance(tree.action, pst.ActionIn)
    assert [uid.id for uid in tree.action.entities] == ["orders:getOrder", "orders:createOrder"]
    assert tree.resource == pst.ScopeEq(pst.EntityUid(pst.EntityType("Service"), "orders"))
    assert len(tree.clauses) == 1


def test_one_operation_is_written_as_one(shop: Catalog) -> None:
    assert grant_text("a", "r", "checkout", [shop.operations["orders:getOrder"]]) == (
        '@id("a")\n@reason("r")\npermit (\n  principal == Service::"checkout",\n'
        '  action == Action::"orders:getOrder",\n  resource == Service::"orders"\n);'
    )


def test_a_grant_on_objects_and_one_of_data_say_exactly_that(shop: Catalog) -> None:
    order = ResourceType("Order", "orders", (), Place("policies/orders.cedarschema", 1))
    objects = object_grant_text("an-id", "why", "checkout", Objects(shop.operations["orders:getOrder"], order))
    data = disclosure_text("an-id", "why", "checkout", "pii.email")
    one, other = (next(iter(cedarpy.policies_to_pst(text).static_policies.values())) for text in (objects, data))
    for tree in (one, other):
        assert dict(tree.annotations) == {"id": "an-id", "reason": "why"}
        assert (tree.effect, tree.clauses) == ("permit", ())
        assert tree.principal == pst.ScopeEq(pst.EntityUid(pst.EntityType("Service"), "checkout"))
    assert one.action == pst.ActionEq(pst.EntityUid(pst.EntityType("Action"), "orders:getOrder"))
    assert one.resource == pst.ScopeIs(pst.EntityType("Order"))
    assert other.action == pst.ActionEq(pst.EntityUid(pst.EntityType("Action"), "disclose"))
    assert other.resource == pst.ScopeEq(pst.EntityUid(pst.EntityType("DataClass"), "pii.email"))
