from __future__ import annotations

from typing import TYPE_CHECKING

from inward.policy.index import Index
from inward.policy.proving.classes import Classes, Readings, name_of, parameters_of, resource_of

if TYPE_CHECKING:
    from tests.unit.policy.proving.conftest import Written

    from inward.catalog.model import Catalog
    from inward.policy.model import Policies

READ = 'action in Action::"orders:read", resource == Service::"orders"'


def of(catalog: Catalog, policies: Policies, wanted: int | None = None) -> set[tuple[frozenset[str], frozenset[str]]]:
    """Return the classes as sets of callers and of targets."""
    every = (1 << len(policies)) - 1
    classes = Classes(catalog, Index(catalog, policies), Readings(policies))
    return {
        (frozenset(caller.name for caller in cells.callers), frozenset(name_of(target) for target in cells.targets))
        for cells in classes.today(every if wanted is None else wanted)
    }


def test_cells_with_the_same_candidates_are_one_class(shop: Catalog, written: Written) -> None:
    policies = written(f"permit (principal, {READ});")
    assert of(shop, policies) == {(frozenset(shop.services), frozenset({"orders:getOrder", "orders:countOrders"}))}


def test_other_parameters_are_another_class_where_a_condition_could_read_them(shop: Catalog, written: Written) -> None:
    policies = written(f'permit (principal, {READ}) when {{ context.time > datetime("2030-01-01") }};')
    every = frozenset(shop.services)
    assert of(shop, policies) == {
        (every, frozenset({"orders:getOrder"})),
        (every, frozenset({"orders:countOrders"})),
    }


def test_callers_are_told_apart_as_far_as_they_are_read(shop: Catalog, written: Written) -> None:
    one = 'action == Action::"orders:createOrder", resource == Service::"orders"'
    by_zone = written(f"permit (principal, {one}) when {{ principal has zone }};")
    assert {callers for callers, _ in of(shop, by_zone)} == {frozenset({name}) for name in shop.services}
    by_name = written(f'permit (principal, {one}) when {{ principal != Service::"checkout" }};')
    assert {callers for callers, _ in of(shop, by_name)} == {frozenset({name}) for name in shop.services}
    not_read = written(f'permit (principal, {one}) when {{ context.time > datetime("2030-01-01") }};')
    assert {callers for callers, _ in of(shop, not_read)} == {frozenset(shop.services)}


def test_only_classes_of_the_wanted_policies(shop: Catalog, written: Written) -> None:
    policies = written(
        f'permit (principal == Service::"checkout", {READ});', f'permit (principal == Service::"reporting", {READ});'
    )
    assert {callers for callers, _ in of(shop, policies, 0b10)} == {frozenset({"reporting"})}
    assert of(shop, policies, 0) == set()


def test_data_classes_are_targets_too(shop: Catalog, written: Written) -> None:
    policies = written(
        guardrails=('forbid (principal in Zone::"edge", action == Action::"disclose", resource in DataClass::"pii");',)
    )
    assert of(shop, policies) == {(frozenset({"checkout"}), frozenset({"pii", "pii.email"}))}


def test_a_newcomer_is_in_no_scope_that_names_a_service(shop: Catalog, written: Written) -> None:
    policies = written(
        f'permit (principal == Service::"checkout", {READ});',
        f'permit (principal in Group::"sellers", {READ});',
        f'permit (principal == Service::"reporting", {READ});',
    )
    classes = Classes(shop, Index(shop, policies), Readings(policies))
    (found,) = classes.tomorrow(0b111)
    assert (found.mask, found.size, found.caller.service) == (0b010, 2, None)
    assert list(classes.tomorrow(0b101)) == []


def test_what_targets_are(shop: Catalog) -> None:
    operation, data = shop.operations["orders:getOrder"], shop.data_classes["pii"]
    assert (name_of(operation), resource_of(operation)) == ("orders:getOrder", "orders")
    assert (name_of(data), resource_of(data), parameters_of(data)) == ("pii", "pii", ())
    assert [parameter.name for parameter in parameters_of(operation)] == ["id", "limit", "dry_run"]
