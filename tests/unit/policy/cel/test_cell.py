from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from inward.policy.cel import UntranslatableError, translate
from inward.policy.index import Index

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.catalog.model import Catalog
    from inward.errors import Mistake
    from inward.policy.model import Policies

    Load = Callable[[dict[str, str]], tuple[Policies, list[Mistake]]]

MANY = "[" + ", ".join(f'"a{n}"' for n in range(90)) + "].containsAny([" + ", ".join(["context.path.id"] * 40) + "])"
OWN = 'principal == Service::"checkout", action == Action::"orders:getOrder", resource == Service::"orders"'


def policies_text(*policies: tuple[str, str]) -> str:
    return "\n".join(
        f'@id("p{number}") @reason("r") {annotation} permit ({OWN}) {condition};'
        for number, (annotation, condition) in enumerate(policies)
    )


@pytest.fixture
def tree_of(shop: Catalog, load: Load) -> Callable[[str], dict[str, Any]]:
    def translated(text: str, operation: str = "orders:getOrder") -> dict[str, Any]:
        policies, mistakes = load({"policies/orders.cedar": text})
        assert mistakes == []
        return translate(Index(shop, policies).cell("checkout", operation), shop)

    return translated


def _functions(node: object) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(_functions, node)) if node else set()
    if not isinstance(node, dict):
        return set()
    found = {str(node["function"])} if "function" in node else set()
    return found.union(*map(_functions, node.values()))


Translate = "Callable[[str], dict[str, Any]]"


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ("", True),
        ('when { principal in Zone::"edge" }', True),
        ('when { principal in Zone::"core" }', False),
        ('unless { principal in Group::"web" }', False),
        ("when { context.path has nope }", False),
        ('when { principal has zone && principal.zone == Zone::"edge" }', True),
        ('when { ip("10.1.2.3").isInRange(ip("10.0.0.0/8")) }', True),
        ("when { false && context.query.limit * 9223372036854775807 > 1 }", False),
    ],
)  # fmt: skip
def test_what_no_request_can_change_is_a_constant(tree_of: Any, condition: str, *, value: bool) -> None:
    assert tree_of(policies_text(("", condition))) == {"id": "1", "const_expr": {"bool_value": value}}


def test_nothing_granted_is_false(tree_of: Any) -> None:
    assert tree_of("") == {"id": "1", "const_expr": {"bool_value": False}}


def test_cels_own_connectives_are_never_used(tree_of: Any) -> None:
    condition = (
        'when { context.path.id == "a" && (context.path.id like "b*" || !(context.query has limit)) '
        "|| (context.query has limit && context.query.limit + 1 > 2) } unless { context.query has dry_run }"
    )
    functions = _functions(tree_of(policies_text(("", condition), ("", condition), ('@expires("2030-01-01")', ""))))
    assert "_?_:_" in functions
    assert "_+_" in functions
    assert not functions & {"_&&_", "_||_"}


def test_an_unconditional_grant_does_not_excuse_a_parameter_that_another_one_reads(tree_of: Any) -> None:
    tree = tree_of(policies_text(("", ""), ("", 'when { context.path.id == "a" || true }')))
    assert "matches" in _functions(tree)


def test_an_expiry_is_the_first_moment_at_which_it_does_not_hold(tree_of: Any) -> None:
    tree = tree_of(policies_text(('@expires("2030-06-30")', "")))
    before = tree["call_expr"]
    assert before["function"] == "_<_"
    moment = before["args"][1]["call_expr"]["args"][0]["const_expr"]["string_value"]
    assert datetime.fromisoformat(moment) == datetime(2030, 7, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "condition",
    [
        'context.path == {id: "a"}',
        '[context.path.id].containsAll([if context.query has limit then "a" else "b"])',
        '(if context.query has limit then "a" else "b") like "a*"',
        '[[context.path.id]].contains(["a"])',
        f'context.path.id == "{"a" * 200}" || context.path.id like "{"ab*" * 60}"',
        "9223372036854775807 + 1 == 2",
        '{a: context.path.id}.a == "x"',
        MANY,
    ],
)  # fmt: skip
def test_what_has_no_exact_translation_is_refused(tree_of: Any, condition: str) -> None:
    with pytest.raises(UntranslatableError) as caught:
        tree_of(policies_text(("", f"when {{ {condition} }}")))
    assert caught.value.construct
    assert caught.value.construct in caught.value.message


def test_deep_conditions_are_refused_before_envoy_would(tree_of: Any) -> None:
    condition = 'context.path.id == "a"'
    tree_of(policies_text(("", f"when {{ {condition} }}")))
    for _ in range(30):
        condition = f"(if {condition} then false else (context.query has limit))"
    with pytest.raises(UntranslatableError, match="nested"):
        tree_of(policies_text(("", f"when {{ {condition} }}")))


@pytest.mark.parametrize(
    "text", ["a/b", "a%20b", "a+b", "ä", "a;b", "a\\nb", "a?b"]
)  # what a path parameter in plain form never is
def test_a_text_that_a_parameter_cannot_be_is_no_expression_that_crosses_its_bounds(tree_of: Any, text: str) -> None:
    tree = tree_of(policies_text(("", f'when {{ context.path.id == "{text}" || context.path.id like "{text}/*" }}')))
    assert text not in repr(tree)
