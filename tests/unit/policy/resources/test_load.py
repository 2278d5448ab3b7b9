from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from inward.policy.decide import Engine
from inward.policy.loading.digests import Digests
from inward.policy.loading.load import Memo, load_policies
from inward.policy.resources.load import load_resources

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.policy.conftest import Load

    from inward.catalog.model import Catalog

ORDERS, TYPES, PAYMENTS = "policies/orders.cedar", "policies/orders.cedarschema", "policies/payments.cedarschema"
ORDER = "entity Order { tenant: String, note?: String };\n"


def grant(
    resource: str, when: str = "", name: str = "g", effect: str = "permit", action: str = "orders:getOrder"
) -> str:
    clause = f" when {{ {when} }}" if when else ""
    return f'@id("{name}") @reason("r") {effect} (principal, action == Action::"{action}", {resource}){clause};\n'


def told(load: Load, files: dict[str, str]) -> list[str]:
    policies, mistakes = load(files)
    assert not (mistakes and len(policies))
    return [str(each) for each in mistakes]


def test_types_are_there_with_the_policies(load: Load) -> None:
    policies, mistakes = load({TYPES: ORDER, ORDERS: grant("resource is Order", 'resource.tenant == "a"')})
    assert mistakes == []
    assert [each.name for each in policies.resources.of("orders")] == ["Order"]
    assert policies.resources.of("payments") == ()


@pytest.mark.parametrize(
    "resource",
    [
        "resource is Order",
        'resource is Order in Service::"orders"',
        'resource == Service::"orders"',
        "resource is Service",
        'resource is Service in Zone::"core"',
    ],
)
def test_a_grant_says_what_it_is_about(load: Load, resource: str) -> None:
    assert told(load, {TYPES: ORDER, ORDERS: grant(resource)}) == []


@pytest.mark.parametrize("resource", ["resource", 'resource in Service::"orders"', 'resource in Zone::"core"'])
def test_a_grant_that_leaves_it_open_is_a_mistake_where_there_are_objects(load: Load, resource: str) -> None:
    assert told(load, {ORDERS: grant(resource)}) == []
    (found,) = told(load, {TYPES: ORDER, ORDERS: grant(resource)})
    assert found.startswith(f"{ORDERS}:1: the resource is left open: a call as a whole, and objects, are granted apart")
    assert found.endswith('(write `resource == Service::"orders"`, or `resource is Order`)')


def test_a_forbid_may_be_about_everything(load: Load) -> None:
    files = {TYPES: ORDER, ORDERS: grant("resource", effect="forbid")}
    assert told(load, {**files, "guardrails.cedar": grant("resource", name="h", effect="forbid")}) == []


@pytest.mark.parametrize(
    ("resource", "when", "mistake"),
    [
        ('resource == Order::"1"', "", "`Order` names an object (write `resource is Order`, and a condition on"),
        ('resource in Order::"1"', "", "`Order` names an object (write `resource is Order`, and a condition on"),
        ("resource is Order", 'resource == Order::"1"', "`Order` names an object (write `resource is Order`, and"),
        ("resource is Ordr", "", "there is no type `Ordr` (did you mean `Order`?)"),
        ("resource is Order", "resource.tenent == 1", "attribute `tenent` on entity type `Order` not found"),
        ("resource is Order", "resource.tenant < 1", "unexpected type: expected"),
        (
            "resource is Order",
            'resource.note == "x"',
            "unable to guarantee safety of access to optional attribute `note`",
        ),
        ("resource is Order", "resource.tenant", "unexpected type: expected Bool but saw String"),
        ('resource == Service::"orders"', 'resource.tenant == "a"', "attribute `tenant` on entity type `Service` not"),
        ("resource is Charge", "", "`Charge` is not of `orders` (it belongs in policies/payments.cedar)"),
    ],
)
def test_a_policy_that_does_not_fit_the_declaration_is_a_mistake(
    load: Load, resource: str, when: str, mistake: str
) -> None:
    (found,) = told(load, {TYPES: ORDER, PAYMENTS: "entity Charge;", ORDERS: grant(resource, when)})
    assert found.removeprefix(f"{ORDERS}:1: ").startswith(mistake)


def test_a_guardrail_that_does_not_fit_every_type_is_told_what_to_ask_first(load: Load) -> None:
    zoned = grant("resource", 'resource has zone && resource.zone == Zone::"core"', effect="forbid")
    owned = grant("resource", 'resource.owner == Team::"team-orders"', effect="forbid")
    assert told(load, {TYPES: ORDER, "guardrails.cedar": zoned}) == []
    (found,) = told(load, {TYPES: ORDER, "guardrails.cedar": owned})
    assert "attribute `owner` on entity type `Order` not found" in found
    assert "ask `resource is Service && …` first" in found
    mended = owned.replace("resource.owner", "resource is Service && resource.owner")
    assert told(load, {TYPES: ORDER, "guardrails.cedar": mended}) == []


def test_a_name_is_one_type_of_the_system(load: Load) -> None:
    (found,) = told(load, {TYPES: ORDER + "entity X;", PAYMENTS: "\nentity Order;"})
    assert found == f"{PAYMENTS}:2: `Order` is declared at {TYPES}:1 already (choose another name)"


def test_a_file_of_no_service_is_a_mistake(load: Load) -> None:
    found = told(load, {"policies/ordrs.cedarschema": ORDER, "policies/orders.CedarSchema": ORDER})
    assert [each.partition(" (")[0] for each in found] == [
        "policies/orders.CedarSchema: there is no service `orders.CedarSchema`",
        "policies/ordrs.cedarschema: there is no service `ordrs`",
    ]
    assert found[1].endswith("(did you mean `orders`?)")


def test_a_policy_is_not_blamed_for_a_declaration_that_cannot_be_read(load: Load) -> None:
    use = grant("resource is Order", 'resource.tenant == "a"')
    found = told(load, {TYPES: ORDER.replace("String,", "Strng,"), ORDERS: use, "guardrails.cedar": "nonsense;"})
    assert [each.partition(":")[0] for each in found] == ["guardrails.cedar", TYPES]


def test_what_is_no_file_is_a_mistake(shop: Catalog, tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    os.mkfifo(tmp_path / TYPES)
    _, (found,) = load_resources(tmp_path, shop)
    assert str(found) == f"{TYPES}: the file cannot be read: it is no regular file"


def test_what_was_found_valid_before_is_asked_about_again_when_the_declaration_changes(
    shop: Catalog, tmp_path: Path
) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / ORDERS).write_text(grant("resource is Order", 'resource.tenant == "a"'))
    memo = Memo()
    for declared, right in ((ORDER, True), (ORDER.replace("String,", "Long,"), False), (ORDER, True)):
        (tmp_path / TYPES).write_text(declared)
        assert (load_policies(tmp_path, shop, memo)[1] == []) is right


def test_a_digest_tells_declarations_apart(shop: Catalog, load: Load) -> None:
    found = set()
    for declared in (ORDER, ORDER.replace("note?", "note"), ORDER + "entity X;", "\n\n" + ORDER):
        policies, mistakes = load({TYPES: declared})
        assert mistakes == []
        found.add(Digests(shop, policies).of("orders"))
    assert len(found) == 3  # where it stands makes no difference


def test_a_grant_of_objects_opens_no_call_and_a_grant_of_calls_no_object(shop: Catalog, load: Load) -> None:
    policies, _ = load(
        {TYPES: ORDER, ORDERS: grant("resource is Order") + grant('resource == Service::"orders"', name="c")}
    )
    engine = Engine(shop, policies)
    assert [each.id for each in engine.cell("checkout", "orders:getOrder").permits] == ["c"]
    cell = engine.index.object_cell("checkout", "orders:getOrder", policies.resources.by_name["Order"])
    assert [each.id for each in cell.permits] == ["g"]
