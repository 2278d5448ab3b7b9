from __future__ import annotations

from typing import TYPE_CHECKING

from inward.alerting.view import View
from inward.control.bundle import load_policy

if TYPE_CHECKING:
    from pathlib import Path

SYSTEM = """
trust_domain: shop.internal
services:
  orders: {owner: team, api: orders.yaml, listen: "127.0.0.1:7002"}
data:
  pii: {owner: team}
  pii.email: {owner: team}
"""
API = """
openapi: 3.1.0
info: {title: Orders, version: "1"}
paths:
  /orders/{id}:
    get:
      operationId: getOrder
      responses:
        "200":
          description: ok
          content:
            application/json:
              schema: {type: object, properties: {contact: {type: string, x-inward-data: [pii.email, pii]}}}
    delete: {operationId: cancelOrder, responses: {"204": {description: gone}}}
"""


def test_a_view_has_each_operation_with_the_classes_of_its_answers(tmp_path: Path) -> None:
    (tmp_path / "inward.yaml").write_text(SYSTEM)
    (tmp_path / "orders.yaml").write_text(API)
    view = View.of(load_policy(tmp_path).catalog)
    assert dict(view.classes) == {"orders:getOrder": ("pii", "pii.email"), "orders:cancelOrder": ()}
