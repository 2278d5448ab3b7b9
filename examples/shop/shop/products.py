"""What the shop sells, and for how much."""

from __future__ import annotations

import os
import sys
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import HTTPException, Path, Query
from pydantic import BaseModel, Field

from shop.callee import CalleeError, call, new_app

PRODUCTS = {
    sku: {"sku": sku, "name": name, "category": category, "price": price, "currency": "EUR"}
    for sku, name, category, price in (
        ("TEA-001", "Assam, second flush, 100 g", "tea", 1290),
        ("TEA-002", "Sencha, 100 g", "tea", 1450),
        ("TEA-003", "Rooibos, 100 g", "tea", 690),
        ("POT-001", "Cast-iron pot, 0.8 l", "pottery", 6900),
        ("POT-002", "Cup, celadon glaze", "pottery", 1800),
        ("BOK-001", "The Book of Tea", "books", 950),
    )
}
Sku = Annotated[str, Path(pattern="^[A-Z]{3}-[0-9]{3}$")]
# who wants to be told of new prices: a URL such as http://NAME/path, or nobody
SUBSCRIBER = urlsplit(os.environ.get("PRICE_WEBHOOK", ""))
app = new_app("products")


class Price(BaseModel):
    price: int = Field(ge=1, le=10_000_000)


@app.get("/api/v2/products")
async def list_products(category: str | None = None, limit: Annotated[int, Query(ge=1, le=100)] = 50):
    found = [product for product in PRODUCTS.values() if category in {None, product["category"]}]
    return {"products": found[:limit]}


@app.get("/api/v2/products/{sku}")
async def get_product(sku: Sku):
    if sku not in PRODUCTS:
        raise HTTPException(404, "no such product")
    return PRODUCTS[sku]


@app.put("/api/v2/products/{sku}/price")
async def set_price(sku: Sku, body: Price):
    product = await get_product(sku)
    product["price"] = body.price
    if SUBSCRIBER.netloc:
        try:
            await call(SUBSCRIBER.netloc, "POST", SUBSCRIBER.path, json=product)
        except CalleeError as error:  # the price is set all the same
            print(f"products: {error}", file=sys.stderr, flush=True)
    return product
