"""What customers see: browsing, the cart, the way to the till, their account."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import HTTPException, Path
from pydantic import BaseModel, ConfigDict, Field

from shop.callee import call, new_app

MOST_CARTS = 1000
Sku = Annotated[str, Path(pattern="^[A-Z]{3}-[0-9]{3}$")]
CartName = Annotated[str, Path(pattern="^[a-z0-9-]{1,40}$")]
CustomerID = Annotated[str, Path(pattern="^c-[0-9]{1,9}$")]

carts: dict[str, dict[str, dict]] = {}
app = new_app("storefront")


class Quantity(BaseModel):
    quantity: int = Field(ge=1, le=20)


class Purchase(BaseModel):
    customer: str = Field(pattern="^c-[0-9]{1,9}$")
    card: str = Field(pattern="^tok-[a-z0-9]{1,40}$")


class Contact(BaseModel):
    model_config = ConfigDict(extra="forbid")
    email: str = Field(min_length=3, max_length=200)


@app.get("/browse")
async def browse(category: str | None = None):
    return await call("products", "GET", "/api/v2/products", params={"category": category} if category else {})


@app.get("/items/{sku}")
async def show_item(sku: Sku):
    product, stock = await asyncio.gather(
        call("products", "GET", f"/api/v2/products/{sku}"), call("inventory", "GET", f"/stock/{sku}")
    )
    return {**product, "available": stock["available"]}


@app.get("/carts/{cart}")
async def show_cart(cart: CartName):
    return {"cart": cart, "lines": list(carts.get(cart, {}).values())}


@app.put("/carts/{cart}/items/{sku}")
async def put_item(cart: CartName, sku: Sku, body: Quantity):
    quote = await call("checkout", "GET", "/quotes", params={"sku": sku, "quantity": body.quantity})
    if cart not in carts and len(carts) >= MOST_CARTS:
        carts.pop(next(iter(carts)))  # the oldest; nobody pays for a cart of last month
    carts.setdefault(cart, {})[sku] = {"sku": sku, "quantity": body.quantity, "total": quote["total"]}
    return await show_cart(cart)


@app.post("/carts/{cart}/checkout", status_code=201)
async def buy(cart: CartName, body: Purchase):
    lines = [{"sku": line["sku"], "quantity": line["quantity"]} for line in carts.get(cart, {}).values()]
    if not lines:
        raise HTTPException(409, "the cart is empty")
    receipt = await call("checkout", "POST", "/checkouts", json={**body.model_dump(), "lines": lines})
    carts.pop(cart, None)
    return receipt


@app.get("/orders/{id}")
async def track_order(id: Annotated[int, Path(ge=1)]):  # noqa: A002 (the document names it so)
    order, shipments = await asyncio.gather(
        call("orders", "GET", f"/orders/{id}"), call("shipping", "GET", "/shipments", params={"order": id})
    )
    return {"id": id, "status": order["status"], "total": order["total"], "shipments": shipments["shipments"]}


@app.post("/orders/{id}/cancel")
async def cancel(id: Annotated[int, Path(ge=1)]):  # noqa: A002 (the document names it so)
    order = await call("orders", "POST", f"/orders/{id}/cancel")
    return {"id": id, "status": order["status"]}


@app.get("/account/{customer}")
async def show_account(customer: CustomerID):
    return await call("customers", "GET", f"/v1/customers/{customer}")


@app.patch("/account/{customer}")
async def change_account(customer: CustomerID, body: Contact):
    return await call("customers", "PATCH", f"/v1/customers/{customer}", json=body.model_dump())
