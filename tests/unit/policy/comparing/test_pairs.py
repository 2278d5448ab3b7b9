"""Which cells are looked at, and which plainly do not differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.policy.comparing.conftest import NOW, with_operations, with_service

from inward.policy.comparing.pairs import Meanings, Pairs, Side, operation_pairs

if TYPE_CHECKING:
    from tests.unit.policy.conftest import Load

    from inward.catalog.model import Catalog
    from inward.policy.model import Policies

READS = '@id("{id}") @reason("r") permit (principal, action in Action::"orders:{kind}", resource == Service::"orders");'


def text(name: str, kind: str = "read") -> str:
    return READS.replace("{id}", name).replace("{kind}", kind)


def loaded(load: Load, *texts: str) -> Policies:
    policies, mistakes = load({"policies/orders.cedar": "\n".join(texts)})
    assert mistakes == []
    return policies


def pairs(old: tuple[Catalog, Policies], new: tuple[Catalog, Policies]) -> Pairs:
    meanings = Meanings()
    return Pairs(Side(*old, NOW, meanings), Side(*new, NOW, meanings))


def targets(found: Pairs) -> set[str]:
    return {pair[1].name for cells in found.classes() for pair in cells.targets if pair[1] is not None}


def test_nothing_is_looked_at_where_nothing_differs(shop: Catalog, load: Load) -> None:
    policies = loaded(load, text("a"), text("b", "write"))
    renamed = loaded(load, text("c"), text("d", "write"))
    assert list(pairs((shop, policies), (shop, renamed)).classes()) == []


def test_only_what_a_changed_policy_reaches_is_looked_at(shop: Catalog, load: Load) -> None:
    before = loaded(load, text("a"), text("b", "write"))
    after = loaded(load, text("a"))
    assert targets(pairs((shop, before), (shop, after))) == {"createOrder"}


def test_a_service_that_moved_is_looked_at_everywhere(shop: Catalog, load: Load) -> None:
    policies = loaded(load, text("a"), text("b", "write"))
    moved = with_service(shop, "checkout", zone="core")
    found = pairs((shop, policies), (moved, policies))
    assert targets(found) == {"getOrder", "createOrder", "countOrders"}
    callers = {old.name for cells in found.classes() for old, _ in cells.callers if old is not None}
    assert callers == {"checkout"}


def test_meanings_are_shared_by_both_systems(load: Load) -> None:
    meanings = Meanings()
    [one] = loaded(load, text("one"))
    [two] = loaded(load, text("two", "write"))
    assert meanings.of(one) is meanings.of(two)
    [later] = loaded(load, text("one").replace("@reason", '@expires("2027-01-01") @reason'))
    assert meanings.of(later) is not meanings.of(one)


def test_operations_are_paired_by_id_then_by_their_requests(shop: Catalog) -> None:
    fewer = with_operations(shop, "orders", lambda each: each if each.name != "createOrder" else None)
    names = {(old and old.name, new and new.name) for old, new in operation_pairs(shop, fewer)}
    assert ("createOrder", None) in names
    assert ("getOrder", "getOrder") in names
    assert (None, "createOrder") in {(old and old.name, new and new.name) for old, new in operation_pairs(fewer, shop)}
