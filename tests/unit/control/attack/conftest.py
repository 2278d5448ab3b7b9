"""An intruder in a small system of which nothing runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.tokens import Signer, key_set

from inward.control.attack.intruder import Intruder
from inward.control.bundle import load_policy
from inward.control.layout import Layout
from inward.control.running import Running, RunningService
from inward.identity.private_files import private_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    MakeIntruder = Callable[..., Intruder]

SYSTEM = """\
trust_domain: company.test
services:
  orders: {owner: team-orders, api: orders.yaml, listen: "127.0.0.1:7001", MODE run: "orders {socket}", guard: true}
  till: {owner: team-till}
  office: {owner: team-office}
data:
  pii: {owner: team-orders}
  pii.phone: {owner: team-orders, undisclosed: mask}
users: {issuer: "https://tokens.company.test", keys: users.json}
"""
API: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "orders", "version": "1"},
    "paths": {
        "/orders/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
            "get": {
                "operationId": "getOrder",
                "responses": {
                    "200": {
                        "description": "done",
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "properties": {
                                        "email": {"type": "string", "x-inward-data": "pii"},
                                        "lines": {
                                            "type": "array",
                                            "items": {
                                                "type": "object",
                                                "properties": {
                                                    "phone": {"type": "string", "x-inward-data": "pii.phone"}
                                                },
                                            },
                                        },
                                    },
                                }
                            }
                        },
                    }
                },
            },
            "delete": {"operationId": "deleteOrder", "responses": {"204": {"description": "done"}}},
        },
        "/admin/keys": {"get": {"operationId": "getKeys", "responses": {"200": {"description": "done"}}}},
    },
}
POLICY = """\
@id("till-reads") @reason("a test")
permit (principal == Service::"till", action == Action::"orders:getOrder", resource == Service::"orders");
@id("office-does-all") @reason("a test")
permit (principal == Service::"office", action, resource == Service::"orders");
"""


@pytest.fixture
def make_intruder(tmp_path: Path) -> MakeIntruder:
    """Make an intruder in the place of `till`."""

    def make(*, mode: str = "", safe_only: bool = False, **running: str | None) -> Intruder:
        folder = tmp_path / "attacked"
        (folder / "policies").mkdir(parents=True)
        (folder / "inward.yaml").write_text(SYSTEM.replace("MODE", mode))
        (folder / "orders.yaml").write_text(json.dumps(API))
        (folder / "users.json").write_bytes(key_set(Signer()))
        (folder / "policies" / "orders.cedar").write_text(POLICY)
        orders = {"listen": "127.0.0.1:1", "egress": "127.0.0.1:1", "credential": "other", "app": None} | running
        services = {
            "till": RunningService(listen=None, egress="127.0.0.1:1", credential="own", app=None),
            "orders": RunningService(**orders),  # type: ignore[arg-type]  # what a test gives is right
        }
        state = private_folder(folder / ".inward")
        layout = Layout(folder, private_folder(state / "run"), in_memory=False)
        return Intruder("till", Running(pid=1, since="", services=services), load_policy(folder), layout, safe_only)

    return make
