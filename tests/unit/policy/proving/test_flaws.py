from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inward.policy.proving import flaws

if TYPE_CHECKING:
    from tests.unit.policy.proving.conftest import Written

    from inward.policy.model import Policy

SCOPE = 'principal, action == Action::"orders:createOrder", resource == Service::"orders"'


@pytest.fixture
def several(written: Written) -> list[Policy]:
    return list(written(*[f"permit ({SCOPE});"] * 8))


def test_a_few_policies_are_named(several: list[Policy]) -> None:
    assert flaws.named(several[:1]) == "`p1` (policies/orders.cedar:1)"
    assert flaws.named(several[:2]) == "`p1` (policies/orders.cedar:1) and `p2` (policies/orders.cedar:2)"
    assert flaws.named(several).endswith("`p5` (policies/orders.cedar:5) and 3 more")
    assert flaws.redundant_grant(several[7], several[:2]).what.endswith(" do not grant")
    assert flaws.overruled(several[7], several[:2]).what.endswith(" refuse all of it")


def test_why_a_scope_covers_nothing(several: list[Policy]) -> None:
    policy = several[0]
    assert "no service" in flaws.out_of_scope(policy, callers=False, targets=True).what
    assert "no operation" in flaws.out_of_scope(policy, callers=True, targets=False).what
    assert "that its callers could call" in flaws.out_of_scope(policy, callers=True, targets=True).what


def test_a_clause_is_shown_on_one_line(written: Written) -> None:
    (policy,) = written(f"permit ({SCOPE})\nunless {{ principal has zone ||\n // why\n  principal is Service }};")
    assert flaws.clause_text(policy, 0) == "unless { principal has zone || principal is Service }"
    assert flaws.impossible(policy, None, alone=True).what == "`p1` never applies: its conditions cannot hold"


def test_what_is_not_known_is_sorted(several: list[Policy]) -> None:
    flaw = flaws.unknown(several[0], "is needed", {"b", "a"})
    assert (flaw.what, flaw.constructs) == ("whether `p1` is needed is not known: a, b", ("a", "b"))
