"""Calls to record."""

from __future__ import annotations

from typing import Any, Protocol

import pytest

from inward.record.call import Call


class MakeCall(Protocol):
    def __call__(self, offset: int | None = None, **fields: Any) -> Call: ...


@pytest.fixture
def make_call() -> MakeCall:
    def make(offset: int | None = None, **fields: Any) -> Call:
        return Call(
            **{
                "time": "2026-08-01T12:00:00.000Z",
                "id": f"id-{offset}",
                "caller": "checkout",
                "callee": "orders",
                "operation": "orders:getOrder",
                "method": "GET",
                "path": "/orders/42",
                "decision": "allow",
                "carried_out": "allow",
                "reason": "granted",
                "src": None if offset is None else f"orders/access-00000001.log:{offset}",
                **fields,
            }
        )

    return make
