"""Who buys at the shop: the personal data of the company."""

from __future__ import annotations

import threading
from collections import Counter

from flask import Flask, abort, request

from inward.guard.current import current_call
from inward.guard.wsgi import Guard
from shop.trace import WSGITracing

CUSTOMERS = {
    id_: {"id": id_, "name": name, "email": email, "phone": phone}
    for id_, name, email, phone in (
        ("c-1", "Ada Lindqvist", "ada@example.com", "+46 8 555 0101"),
        ("c-2", "Ben Okafor", "ben@example.net", "+44 20 7946 0102"),
        ("c-3", "Cleo Marchetti", "cleo@example.org", "+39 06 555 0103"),
        ("c-4", "Dana Novak", "dana@example.com", "+386 1 555 0104"),
    )
}
ADDRESSES = {
    id_: {"customer": id_, "street": street, "postcode": postcode, "city": city, "country": country}
    for id_, street, postcode, city, country in (
        ("c-1", "Storgatan 1", "111 29", "Stockholm", "SE"),
        ("c-2", "12 High Street", "N1 9GU", "London", "GB"),
        ("c-3", "Via Roma 7", "00184", "Roma", "IT"),
        ("c-4", "Trubarjeva 3", "1000", "Ljubljana", "SI"),
    )
}
lock = threading.Lock()
app = Flask(__name__, static_folder=None)
app.wsgi_app = Guard(WSGITracing(app.wsgi_app), allow_unguarded=True)  # its own tests run it without Inward
app.config["MAX_CONTENT_LENGTH"] = 16 * 1024


@app.get("/v1/customers")
def list_customers():
    country = request.args.get("country")
    return {"customers": [c for id_, c in CUSTOMERS.items() if country in {None, ADDRESSES[id_]["country"]}]}


@app.get("/v1/customers/<customer>")
def get_customer(customer):
    return CUSTOMERS.get(customer) or abort(404, "no such customer")


@app.patch("/v1/customers/<customer>")
def update_customer(customer):
    body = request.get_json()
    if not isinstance(body, dict) or set(body) != {"email"} or not isinstance(body["email"], str):
        abort(400, "the e-mail address is all that can be changed")
    if not 3 <= len(body["email"]) <= 200:
        abort(400, "that is no e-mail address")
    with lock:
        found = CUSTOMERS.get(customer) or abort(404, "no such customer")
        found["email"] = body["email"]
    return found


@app.get("/v1/customers/<customer>/address")
def get_address(customer):
    address = ADDRESSES.get(customer) or abort(404, "no such customer")
    current_call().enforce("customers:getAddress", resource=address, type="Address")  # or the guard answers 403
    return address


@app.get("/v1/statistics")
def get_statistics():
    countries = Counter(address["country"] for address in ADDRESSES.values())
    return {"customers": len(CUSTOMERS), "countries": dict(countries)}
