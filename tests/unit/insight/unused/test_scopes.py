"""What each grant is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.insight.surveyed import disclosure, grant, on, system, to

from inward.insight.unused.scopes import scopes_of, serving, taking

if TYPE_CHECKING:
    from pathlib import Path


def test_scopes_are_those_of_the_index(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "orders.cedarschema").write_text("entity Order { state: String };\n")
    made = system(
        tmp_path,
        grant("all", 'principal in Group::"sellers"', 'action in Action::"orders:read"'),
        disclosure("sees", "web", "pii"),
        '@id("some") @reason("r") permit (principal == Service::"web", action == Action::"orders:listOrders", '
        'resource is Order) when { resource.state == "open" };\n',
        grant("never", to("web"), on("listOrders")).replace("permit", "forbid"),
    )
    found = {each.policy.id: each for each in scopes_of(made.catalog, made.engine.index)}
    assert set(found) == {"all", "sees", "some"}
    assert found["all"].services == ("web", "till")
    assert found["all"].operations == ("orders:listOrders", "orders:oldOrders")
    assert found["sees"].classes == ("pii",)
    assert [name for name, each in found.items() if each.objects] == ["some"]
    assert serving(made.catalog) == {"pii": set(), "pii.email": {"orders:listOrders"}}
    assert taking(made.catalog) == {"pii": set(), "pii.email": {"orders:createOrder"}}
