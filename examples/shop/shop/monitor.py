"""A customer who never sleeps: walks through the shop every few seconds and says when it cannot.

python -m shop.monitor [SECONDS BETWEEN WALKS]
"""

from __future__ import annotations

import itertools
import json
import sys
import time
import urllib.error
import urllib.request

from shop import trace

SHOP = "http://storefront"


def ask(method: str, path: str, body: object = None) -> dict:
    """Do one step as a customer's browser would."""
    content = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **trace.headers()}
    request = urllib.request.Request(SHOP + path, content, headers, method=method)  # noqa: S310 (one fixed host)
    with urllib.request.urlopen(request, timeout=15) as response:  # noqa: S310 (one fixed host)
        return json.load(response)


def walk(number: int) -> int:
    """Look, choose, buy, look where the parcel is, and give it back. Return the order's number."""
    trace.enter(None)
    cart = f"monitor-{number}"
    ask("GET", "/browse?category=tea")
    ask("GET", "/items/TEA-003")
    ask("PUT", f"/carts/{cart}/items/TEA-003", {"quantity": 1})
    receipt = ask("POST", f"/carts/{cart}/checkout", {"customer": "c-1", "card": "tok-ada"})
    ask("GET", f"/orders/{receipt['order']}")
    ask("POST", f"/orders/{receipt['order']}/cancel")
    return receipt["order"]


if __name__ == "__main__":
    for number in itertools.count(1):
        try:
            walk(number)
        except (OSError, ValueError, KeyError) as error:
            where = getattr(error, "url", SHOP)
            print(f"monitor: {where}: {error}", flush=True)
        time.sleep(float(sys.argv[1]) if len(sys.argv) > 1 else 15)
