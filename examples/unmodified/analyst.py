"""A repricing job: reads the sales from Datasette, and sets the price of a tea that sells well.

python analyst.py [SECONDS BETWEEN ROUNDS]
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request

SKU = "TEA-001"


def ask(method: str, url: str, body: object = None) -> object:
    """Make one call; `urllib` honours `HTTP_PROXY`."""
    content = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, content, headers, method=method)  # noqa: S310 (fixed names)
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 (fixed names)
        return json.load(response)


def reprice() -> str:
    """Do one round."""
    sales = ask("GET", f"http://datasette/lab/sales.json?sku={SKU}&_shape=array&_size=100")
    sold = sum(row["quantity"] for row in sales)
    product = ask("PUT", f"http://products/api/v2/products/{SKU}/price", {"price": 1190 + sold // 10})
    return f"analyst: {sold} of {SKU} sold, now {product['price'] / 100:.2f}"


if __name__ == "__main__":
    while True:
        try:
            print(reprice(), flush=True)
        except (OSError, ValueError) as error:
            print(f"analyst: {getattr(error, 'url', '')} {error}", flush=True)
        time.sleep(float(sys.argv[1]) if len(sys.argv) > 1 else 15)
