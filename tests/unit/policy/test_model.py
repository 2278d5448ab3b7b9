from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inward.policy.index import Index
from inward.policy.model import Policies

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.catalog.model import Catalog
    from inward.errors import Mistake

    Load = Callable[[dict[str, str]], tuple[Policies, list[Mistake]]]

SCOPE = '(principal, action == Action::"orders:getOrder", resource)'
PERMIT, FORBID = f"permit {SCOPE};", f"forbid {SCOPE};"
WHEN = ' when { context.path.id == "x" };'
UNTIL = '@expires("2030-01-01") '


@pytest.mark.parametrize(
    ("policies", "constant"),
    [
        ([], False),
        ([FORBID], False),
        ([PERMIT], True),
        ([PERMIT, PERMIT], True),
        ([PERMIT, UNTIL + PERMIT], True),
        ([UNTIL + PERMIT], None),
        ([PERMIT, FORBID], False),
        ([PERMIT, UNTIL + FORBID], None),
        ([PERMIT[:-1] + WHEN], None),
        ([PERMIT, PERMIT[:-1] + WHEN], None),  # the condition could fail, which refuses
        ([PERMIT, FORBID[:-1] + WHEN], None),
        ([PERMIT[:-1] + WHEN, FORBID], False),
        ([UNTIL + PERMIT, FORBID], False),
    ],
)
def test_what_is_known_of_a_cell_beforehand(
    shop: Catalog,
    load: Load,
    policies: list[str],
    constant: bool | None,  # noqa: FBT001 - a table
) -> None:
    text = "\n".join(f'@id("p{number}") @reason("r") {policy}' for number, policy in enumerate(policies))
    loaded, mistakes = load({"policies/orders.cedar": text})
    assert mistakes == []
    assert Index(shop, loaded).cell("checkout", "orders:getOrder").constant is constant


def test_policies_are_in_the_order_of_their_ids_and_ids_are_unique(load: Load) -> None:
    loaded, _ = load({"policies/orders.cedar": f'@id("b") @reason("r") {PERMIT} @id("a") @reason("r") {PERMIT}'})
    assert [policy.id for policy in loaded] == ["a", "b"]
    assert len(Policies.of(loaded)) == 2
    with pytest.raises(ValueError, match="one id"):
        Policies.of([*loaded, *loaded])
