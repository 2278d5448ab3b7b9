"""Systems that differ in a few words, and recorded calls to hold against them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest
from tests.unit.envoy import shop

from inward.control.bundle import load_policy
from inward.insight.recorded import Decider
from inward.record.call import Call

if TYPE_CHECKING:
    from pathlib import Path

    from inward.policy.decide import Engine


class Make(Protocol):
    def __call__(self, policies: str = "", **files: str) -> Decider: ...


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Load the shop with some policies of `orders`, and other files replaced (`guardrails`, `system`, `api`)."""
    names = {"guardrails": "guardrails.cedar", "system": "inward.yaml", "api": "apis/orders.json"}
    count = 0

    def made(policies: str = "", **files: str) -> Decider:
        nonlocal count
        count += 1
        replaced = {names[name]: content for name, content in files.items()}
        written = shop.files({"policies/orders.cedar": policies}) | replaced
        policy = load_policy(shop.write(tmp_path / str(count), written))
        return Decider(policy.catalog, policy.engine, policy.version)

    return made


def engine(decider: Decider) -> Engine:
    return decider._engine


def call(number: int = 1, **fields: Any) -> Call:
    """Return a call of `checkout` that reads an order and was allowed."""
    given: dict[str, Any] = {
        "time": f"2026-08-01T12:00:{number % 60:02d}.000Z",
        "id": f"id-{number}",
        "caller": "checkout",
        "callee": "orders",
        "operation": "orders:getOrder",
        "method": "GET",
        "path": f"/orders/{number}",
        "decision": "allow",
        "carried_out": "allow",
        "reason": "granted",
        "policy_version": "somewhatold0",
    }
    return Call(**{**given, **fields})


def refused(number: int = 1, **fields: Any) -> Call:
    return call(number, **{"decision": "deny", "carried_out": "deny", "reason": "no_grant", **fields})
