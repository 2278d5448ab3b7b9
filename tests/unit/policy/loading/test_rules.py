from __future__ import annotations

from typing import TYPE_CHECKING

import cedarpy
import pytest

from inward.policy.loading.rules import Parsed, Rules, nearest, shown

if TYPE_CHECKING:
    from inward.catalog.model import Catalog


def check(shop: Catalog, text: str, service: str | None) -> list[str]:
    (tree,) = cedarpy.PolicySet.from_str(text).to_pst().static_policies.values()
    return [f"{what} ({hint})" if hint else what for what, hint in Rules(shop).check(Parsed.of(tree), service)]


@pytest.mark.parametrize(
    "scope",
    [
        'principal, action, resource == Service::"orders"',
        'principal, action in Action::"read", resource == Service::"orders"',
        'principal, action == Action::"orders:getOrder", resource',
        'principal, action in [Action::"orders:getOrder", Action::"orders:write"], resource is Service',
        'principal, action in Action::"orders:*", resource in Zone::"core"',
        'principal == Service::"checkout", action == Action::"orders:getOrder", resource == Service::"orders"',
        'principal, action == Action::"disclose", resource in DataClass::"card"',
    ],
)
@pytest.mark.parametrize("effect", ["permit", "forbid"])
def test_what_an_owner_may_write(shop: Catalog, scope: str, effect: str) -> None:
    service = "payments" if "disclose" in scope else "orders"
    assert check(shop, f"{effect} ({scope});", service) == []


NOT_LIMITED = 'this policy is not limited to `orders` (write resource == Service::"orders")'


@pytest.mark.parametrize(
    ("scope", "finding"),
    [
        ("principal, action, resource", NOT_LIMITED),
        ('principal, action in Action::"read", resource', NOT_LIMITED),
        ('principal, action in [Action::"read", Action::"orders:getOrder"], resource is Service', NOT_LIMITED),
        ('principal, action, resource in Service::"orders"', NOT_LIMITED),
        ('principal, action, resource in Team::"team-orders"', NOT_LIMITED),
        ('principal, action, resource == DataClass::"pii"', NOT_LIMITED),
        (
            'principal, action, resource == Service::"payments"',
            "the resource is `payments`, not `orders` (it belongs in policies/payments.cedar)",
        ),
        (
            'principal, action == Action::"orders:getOrder", resource == Service::"payments"',
            "the resource is `payments`, not `orders` (it belongs in policies/payments.cedar)",
        ),
        (
            'principal, action == Action::"payments:charge", resource',
            "`payments:charge` is not of `orders` (it belongs in policies/payments.cedar)",
        ),
        (
            'principal, action in [Action::"orders:*", Action::"payments:*"], resource == Service::"orders"',
            "`payments:*` is not of `orders` (it belongs in policies/payments.cedar)",
        ),
    ],
)
@pytest.mark.parametrize("effect", ["permit", "forbid"])
def test_the_owner_rule(shop: Catalog, scope: str, finding: str, effect: str) -> None:
    assert check(shop, f"{effect} ({scope});", "orders") == [finding]


def test_another_services_operation_in_a_condition(shop: Catalog) -> None:
    text = 'permit (principal, action, resource == Service::"orders") when { action == Action::"payments:charge" };'
    assert check(shop, text, "orders") == [
        "`payments:charge` is not of `orders` (it belongs in policies/payments.cedar)"
    ]


@pytest.mark.parametrize(
    ("service", "resource", "finding"),
    [
        ("orders", 'resource == DataClass::"pii"', None),
        ("reporting", 'resource == DataClass::"pii"', None),  # of the same team
        ("payments", 'resource in DataClass::"card"', None),
        ("payments", 'resource is DataClass in DataClass::"card"', None),
        ("orders", 'resource == DataClass::"card"', "the data class `card` belongs to `team-payments`"),
        ("orders", 'resource in DataClass::"pii"', "the data class `pii.email` belongs to `team-payments`"),
        ("orders", "resource", "`disclose` without a data class"),
        ("orders", "resource is DataClass", "`disclose` without a data class"),
        ("orders", 'resource == Service::"orders"', "`disclose` without a data class"),
    ],
)
def test_data_is_disclosed_by_its_owner(shop: Catalog, service: str, resource: str, finding: str | None) -> None:
    found = check(shop, f'permit (principal, action == Action::"disclose", {resource});', service)
    assert len(found) == (finding is not None)
    assert finding is None or found[0].startswith(finding)


def test_disclose_stands_alone(shop: Catalog) -> None:
    text = 'permit (principal, action in [Action::"disclose", Action::"orders:*"], resource == DataClass::"pii");'
    assert check(shop, text, "orders") == ["`disclose` stands beside other actions (write a policy of its own for it)"]


def test_guardrails_forbid_and_nothing_else(shop: Catalog) -> None:
    assert check(shop, "forbid (principal, action, resource);", None) == []
    assert check(shop, 'permit (principal, action, resource == Service::"orders");', None) == [
        "a permit among the guardrails, which only forbid (grant in the file of the service's owner)"
    ]


@pytest.mark.parametrize(
    ("scope", "finding"),
    [
        (
            'principal, action == Action::"orders:getOrdr", resource',
            "there is no operation `orders:getOrdr` (did you mean `orders:getOrder`?)",
        ),
        (
            'principal, action in Action::"order:read", resource',
            "there is no operation `order:read` (did you mean `orders:read`?)",
        ),
        (
            'principal == Service::"chekcout", action, resource',
            "there is no service `chekcout` (did you mean `checkout`?)",
        ),
        ('principal in Zone::"cor", action, resource', "there is no zone `cor` (did you mean `core`?)"),
        ('principal in Team::"zzz", action, resource', "there is no team `zzz`"),
        ('principal in Group::"seller", action, resource', "there is no group `seller` (did you mean `sellers`?)"),
        (
            'principal, action == Action::"disclose", resource == DataClass::"pii.emial"',
            "there is no data class `pii.emial` (did you mean `pii.email`?)",
        ),
        ('principal, action in Other::Action::"read", resource', "there is no type `Other::Action`"),
        (r'principal == Service::"\u{1b}[31m", action, resource', r"there is no service `\x1b[31m`"),
    ],
)
def test_names_that_do_not_exist(shop: Catalog, scope: str, finding: str) -> None:
    assert check(shop, f"forbid ({scope});", None) == [finding]


def test_all_unknown_names_of_a_policy_are_told(shop: Catalog) -> None:
    text = 'forbid (principal == Service::"a", action, resource) when { principal in Group::"b" };'
    assert check(shop, text, None) == ["there is no group `b`", "there is no service `a`"]


def test_shown_is_one_short_line_without_controls() -> None:
    assert shown("a\nb\x1b\u202e") == r"a\nb\x1b\u202e"
    assert shown("x" * 500) == "x" * 100 + "…"
    assert shown("größe") == "größe"


def test_nearest_without_anything_near() -> None:
    assert nearest("zzzz", {"orders"}) == ""
