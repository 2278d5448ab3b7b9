"""The till: it asks everybody else and sells nothing by itself."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field

from shop.callee import CalleeError, call, new_app

SKU = "^[A-Z]{3}-[0-9]{3}$"
app = new_app("checkout")


class Line(BaseModel):
    sku: str = Field(pattern=SKU)
    quantity: int = Field(ge=1, le=20)


class Purchase(BaseModel):
    customer: str = Field(pattern="^c-[0-9]{1,9}$")
    card: str = Field(pattern="^tok-[a-z0-9]{1,40}$")
    lines: list[Line] = Field(min_length=1, max_length=20)


@app.get("/quotes")
async def quote(sku: Annotated[str, Query(pattern=SKU)], quantity: Annotated[int, Query(ge=1, le=20)]):
    product = await call("products", "GET", f"/api/v2/products/{sku}")
    return {
        "sku": sku,
        "quantity": quantity,
        "total": quantity * product["price"],
        "currency": product["currency"],
    }


@app.post("/checkouts", status_code=201)
async def place_order(purchase: Purchase):
    customer = await call("customers", "GET", f"/v1/customers/{purchase.customer}")
    lines = []
    for line in purchase.lines:
        quoted = await quote(line.sku, line.quantity)
        lines.append({"sku": line.sku, "quantity": line.quantity, "price": quoted["total"] // line.quantity})
    total = sum(line["quantity"] * line["price"] for line in lines)

    wanted = {"lines": [line.model_dump() for line in purchase.lines]}
    reservation = await call("inventory", "POST", "/reservations", json=wanted)
    try:
        payment = {"card": purchase.card, "amount": total, "currency": "EUR"}
        charge = await call("payments", "POST", "/charges", json=payment)
    except CalleeError:
        await call("inventory", "DELETE", f"/reservations/{reservation['id']}")
        raise
    order = await call(
        "orders",
        "POST",
        "/orders",
        json={
            "customer": customer["id"],
            "lines": lines,
            "charge": charge["id"],
            "reservation": reservation["id"],
        },
    )
    return {"order": order["id"], "total": total, "currency": "EUR", "charge": charge["id"]}
