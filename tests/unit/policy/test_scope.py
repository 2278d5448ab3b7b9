"""How wide a policy's scope is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.insight.surveyed import grant, on, system, to

from inward.policy.scope import is_about_all_of, names_one_service, open_parts

if TYPE_CHECKING:
    from pathlib import Path

    from inward.policy.model import Policy


def policy(folder: Path, who: str, what: str) -> Policy:
    return system(folder, grant("a", who, what)).policies.by_id["a"]


@pytest.mark.parametrize(
    ("who", "one", "anybody"),
    [
        (to("web"), True, False),
        ('principal in Group::"sellers"', False, False),
        ('principal is Service in Group::"sellers"', False, False),
        ("principal is Service", False, True),
        ("principal", False, True),
    ],
)
def test_principals(tmp_path: Path, who: str, *, one: bool, anybody: bool) -> None:
    found = policy(tmp_path, who, on("listOrders"))
    assert names_one_service(found) is one
    assert ("principal" in open_parts(found)) is anybody


@pytest.mark.parametrize(
    ("what", "everything"),
    [
        (on("listOrders"), False),
        ('action in [Action::"orders:listOrders", Action::"orders:createOrder"]', False),
        ('action in Action::"orders:read"', False),
        ('action in [Action::"orders:listOrders", Action::"orders:*"]', True),
        ("action", True),
    ],
)
def test_actions(tmp_path: Path, what: str, *, everything: bool) -> None:
    assert is_about_all_of(policy(tmp_path, to("web"), what), "orders") is everything
