from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import cedarpy
import pytest

from inward.catalog.model import Catalog, Operation, Parameter
from inward.policy.loading.rules import Parsed
from inward.policy.loading.validate import Validator

if TYPE_CHECKING:
    from inward.policy.loading.rules import Finding


def parsed(text: str) -> tuple[str, Parsed]:
    (tree,) = cedarpy.PolicySet.from_str(text).to_pst().static_policies.values()
    return text, Parsed.of(tree)


def check(shop: Catalog, *texts: str, service: str | None = "orders") -> dict[int, list[Finding]]:
    return Validator(shop, set()).check([parsed(text) for text in texts], service)


def get_order(condition: str) -> str:
    return f'permit (principal, action == Action::"orders:getOrder", resource) when {{ {condition} }};'


def test_valid_policies_have_no_findings(shop: Catalog) -> None:
    assert check(shop, get_order('context.path.id == "x"'), get_order("true")) == {}


@pytest.mark.parametrize(
    ("condition", "what", "hint"),
    [
        (
            'context.path.idd == "x"',
            "attribute `path.idd` not found in the context of `orders:getOrder`",
            "did you mean `id`?",
        ),
        ("context.path.id == 3", "the types Long and String are not compatible", ""),
        (
            "context.query.limit < 3",
            (
                "unable to guarantee safety of access to optional attribute `query.limit` "
                "in the context of `orders:getOrder`"
            ),
            "test it first: `context.query has limit && context.query.limit …`",
        ),
        (
            "datetime(context.path.id) < context.time",
            "extension constructors may not be called with non-literal expressions",
            "parameters cannot be turned into dates or addresses",
        ),
    ],
)
def test_findings_are_said_in_our_words(shop: Catalog, condition: str, what: str, hint: str) -> None:
    assert check(shop, get_order(condition)) == {0: [(what, hint)]}


def test_findings_name_the_right_policy_of_many(shop: Catalog) -> None:
    texts = [get_order("context.path.id == 3" if number in {3, 17} else "true") for number in range(20)]
    assert check(shop, *texts).keys() == {3, 17}


def test_one_finding_for_all_operations_that_it_is_of(shop: Catalog) -> None:
    text = 'permit (principal, action, resource == Service::"orders") when { context.path.x == "a" };'
    assert check(shop, text) == {
        0: [("attribute `path.x` not found in the context of `orders:countOrders` and others", "")]
    }


@pytest.mark.parametrize(
    "scope",
    [
        'principal, action in Action::"payments:read", resource == Service::"payments"',  # it has none
        'principal, action in Action::"read", resource == Service::"payments"',
        'principal, action in [], resource == Service::"payments"',
    ],
)
def test_a_group_without_operations_may_be_granted(shop: Catalog, scope: str) -> None:
    assert check(shop, f"permit ({scope});", service="payments") == {}


def test_a_service_without_operations_may_be_granted(shop: Catalog) -> None:
    text = 'permit (principal, action, resource == Service::"reporting") when { context.path.x == 3 };'
    assert check(shop, text, service="reporting") == {}


@pytest.mark.parametrize(
    "scope",
    [
        'principal == User::"alice", action == Action::"orders:getOrder", resource',
        'principal, action == Action::"orders:getOrder", resource == DataClass::"pii"',
        'principal, action == Action::"disclose", resource == Service::"orders"',
        'principal in DataClass::"pii", action == Action::"orders:getOrder", resource',
    ],
)
def test_a_scope_that_nothing_fits(shop: Catalog, scope: str) -> None:
    (findings,) = check(shop, f"permit ({scope});").values()
    assert "no operation fits this scope" in [what for what, _ in findings]


def test_guardrails_are_checked_against_every_kind_of_operation(shop: Catalog) -> None:
    text = 'forbid (principal, action, resource is Service) when { context.path.id == "x" };'
    (findings,) = check(shop, text, service=None).values()
    hint = "test it first, or name the operations that have it: `context.path has id && …`"
    assert findings == [("attribute `path.id` not found in the context of `checkout:pay` and others", hint)]
    text = 'forbid (principal, action, resource is Service) when { context.path has id && context.path.id == "x" };'
    assert check(shop, text, service=None) == {}


def test_guardrails_over_everything_include_disclosure(shop: Catalog) -> None:
    text = 'forbid (principal, action, resource) when { context.path has id && context.path.id == "x" };'
    (findings,) = check(shop, text, service=None).values()
    assert "`disclose`" in findings[0][0]


def test_a_condition_may_tell_operations_of_one_kind_apart(shop: Catalog) -> None:
    text = """forbid (principal, action, resource is Service)
        when { action in Action::"orders:read" && context.query.q == "x" };"""
    (findings,) = check(shop, text, service=None).values()
    assert "`query.q`" in findings[0][0]
    text = """forbid (principal, action, resource is Service)
        when { action == Action::"orders:countOrders" && context.query.q == "x" };"""
    assert check(shop, text, service=None) == {}


def _many(shop: Catalog, count: int) -> Catalog:
    """Return the shop with many operations in `orders`, each with a parameter name of its own."""
    like = shop.operations["orders:createOrder"]
    operations: list[Operation] = [
        replace(like, name=f"op{number}", parameters=(Parameter(f"p{number}", "query", "string", required=True),))
        for number in range(count)
    ]
    orders = replace(shop.services["orders"], operations=tuple(operations))
    return Catalog(shop.trust_domain, MappingProxyType({"orders": orders}), MappingProxyType({}))


def test_more_operations_than_are_checked_together(shop: Catalog) -> None:
    texts = [
        f'permit (principal, action == Action::"orders:op{number}", resource)'
        f' when {{ context.query.p{number if number != 150 else 1} == "x" }};'
        for number in range(200)
    ]
    found = check(_many(shop, 200), *texts)
    assert found.keys() == {150}
    assert found[150][0][0].startswith("attribute `query.p1` not found")


def test_what_was_found_valid_is_not_checked_again(shop: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = get_order('context.path.id == "x"'), get_order("context.path.id == 3")
    first = Validator(shop, set())
    findings = first.check([parsed(good), parsed(bad)], "orders")
    asked: list[str] = []
    real = cedarpy.validate_policies

    def spy(policies: str, schema: cedarpy.Schema) -> cedarpy.ValidationResult:
        asked.append(policies)
        return real(policies, schema)

    monkeypatch.setattr(cedarpy, "validate_policies", spy)
    second = Validator(shop, first.used)
    assert second.check([parsed(good), parsed(bad)], "orders") == findings
    assert asked == [bad]
    assert second.used == first.used


def test_what_was_valid_is_checked_again_when_its_operation_changes(shop: Catalog) -> None:
    first = Validator(shop, set())
    text = get_order("context.query has limit && context.query.limit < 3")
    assert first.check([parsed(text)], "orders") == {}
    operation = replace(
        shop.operations["orders:getOrder"], parameters=(Parameter("limit", "query", "string", required=False),)
    )
    orders = replace(shop.services["orders"], operations=(operation,))
    changed = Catalog(shop.trust_domain, MappingProxyType({"orders": orders}), MappingProxyType({}))
    assert Validator(changed, first.used).check([parsed(text)], "orders").keys() == {0}
