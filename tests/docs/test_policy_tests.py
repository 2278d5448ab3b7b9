"""The example of the page on tests is read, and passes against the policies of the page on policies."""

from __future__ import annotations

import re
from pathlib import Path

from inward.control.bundle import load_policy
from inward.policy.cases.load import load_and_run

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = """
trust_domain: shop.internal
services:
  orders: {owner: team-orders, api: orders.yaml, listen: "127.0.0.1:0"}
  checkout: {owner: team-checkout}
  storefront: {owner: team-web}
  reporting: {owner: team-finance}
"""
API = """
openapi: 3.1.0
info: {title: Orders, version: "1"}
paths:
  /orders:
    get:
      operationId: listOrders
      parameters: [{name: status, in: query, schema: {type: string}}]
      responses: {"200": {description: ok}}
    post: {operationId: createOrder, responses: {"201": {description: made}}}
  /orders/{id}:
    get: {operationId: getOrder, responses: {"200": {description: ok}}}
"""
GRANTS = """
@id("readers") @reason("r")
permit (principal, action == Action::"orders:getOrder", resource == Service::"orders")
when { [Service::"storefront", Service::"checkout"].contains(principal) };
@id("makers") @reason("r")
permit (principal == Service::"checkout", action == Action::"orders:createOrder", resource == Service::"orders");
"""


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_example_of_the_page_passes(tmp_path: Path) -> None:
    [example] = blocks("policy-tests.md", "yaml")
    closed, _ = blocks("policies.md", "cedar")
    (tmp_path / "policies").mkdir()
    (tmp_path / "inward.yaml").write_text(SYSTEM)
    (tmp_path / "orders.yaml").write_text(API)
    listed = closed.replace(
        'action in [Action::"orders:listOrders", Action::"orders:getOrder"]', 'action == Action::"orders:listOrders"'
    )
    assert listed != closed
    (tmp_path / "policies" / "orders.cedar").write_text(GRANTS + listed)
    (tmp_path / "policies" / "orders.test.yaml").write_text(example)
    policy = load_policy(tmp_path)
    outcomes, mistakes = load_and_run(tmp_path, policy.catalog, policy.engine)
    assert mistakes == []
    assert [outcome.told(policy.policies.by_id) for outcome in outcomes if not outcome.passed] == []
    assert len(outcomes) == 14
