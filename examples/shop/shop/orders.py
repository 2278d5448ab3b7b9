"""Every order ever placed, in SQLite."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from fastapi import HTTPException, Query
from fastapi import Path as PathParameter
from pydantic import BaseModel, Field

from shop.callee import CalleeError, call, new_app

Status = Literal["open", "closed", "cancelled"]
OrderID = Annotated[int, PathParameter(ge=1, le=2**53)]
app = new_app("orders")

database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
database.row_factory = sqlite3.Row
database.executescript(Path(__file__).with_name("orders.sql").read_text("utf-8"))


class Line(BaseModel):
    sku: str = Field(pattern="^[A-Z]{3}-[0-9]{3}$")
    quantity: int = Field(ge=1, le=20)
    price: int = Field(ge=0, le=10_000_000)


class NewOrder(BaseModel):
    customer: str = Field(pattern="^c-[0-9]{1,9}$")
    lines: list[Line] = Field(min_length=1, max_length=20)
    charge: str = Field(max_length=40)
    reservation: str = Field(max_length=40)


def _order(row: sqlite3.Row) -> dict:
    lines = json.loads(row["lines"])
    total = sum(line["quantity"] * line["price"] for line in lines)
    return {**dict(row), "lines": lines, "total": total, "currency": "EUR"}


@app.get("/orders")
async def list_orders(status: Status | None = None, limit: Annotated[int, Query(ge=1, le=100)] = 20):
    rows = database.execute(
        "SELECT * FROM orders WHERE ?1 IS NULL OR status = ?1 ORDER BY id DESC LIMIT ?2", (status, limit)
    )
    return {"orders": [_order(row) for row in rows]}


@app.get("/orders/{id}")
async def get_order(id: OrderID):  # noqa: A002 (the document names it so)
    row = database.execute("SELECT * FROM orders WHERE id = ?", (id,)).fetchone()
    if row is None:
        raise HTTPException(404, "no such order")
    return _order(row)


@app.post("/orders", status_code=201)
async def create_order(new: NewOrder):
    lines = json.dumps([line.model_dump() for line in new.lines])
    placed = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    added = database.execute(
        "INSERT INTO orders (customer, status, lines, charge, reservation, placed) VALUES (?, 'open', ?, ?, ?, ?)",
        (new.customer, lines, new.charge, new.reservation, placed),
    )
    await call("shipping", "POST", "/shipments", json={"order": added.lastrowid})
    return await get_order(added.lastrowid)


@app.post("/orders/{id}/cancel")
async def cancel_order(id: OrderID):  # noqa: A002 (the document names it so)
    order = await get_order(id)
    taken = database.execute("UPDATE orders SET status = 'cancelled' WHERE id = ? AND status = 'open'", (id,))
    if not taken.rowcount:
        raise HTTPException(409, f"the order is {order['status']}")
    try:
        await call("payments", "POST", f"/charges/{order['charge']}/refunds")
    except CalleeError:
        database.execute("UPDATE orders SET status = 'open' WHERE id = ?", (id,))
        raise
    await call("inventory", "DELETE", f"/reservations/{order['reservation']}")
    return await get_order(id)
