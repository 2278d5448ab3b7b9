"""Cards and charges. The only service that has ever seen a card, and so in a zone of its own."""

from __future__ import annotations

import itertools
import threading

from flask import Flask, abort, request

from shop.trace import WSGITracing

CARDS = {
    token: {"token": token, "holder": holder, "last4": last4, "expires": expires}
    for token, holder, last4, expires in (
        ("tok-ada", "A. LINDQVIST", "4242", "2029-11"),
        ("tok-ben", "B. OKAFOR", "1881", "2028-03"),
        ("tok-cleo", "C. MARCHETTI", "0005", "2030-01"),
        ("tok-declined", "D. TEST", "0002", "2027-09"),
    )
}
CHARGES = {
    id_: {
        "id": id_,
        "amount": amount,
        "currency": "EUR",
        "card": card,
        "last4": CARDS[card]["last4"],
        "status": status,
    }
    for id_, amount, card, status in (
        ("ch-37", 1290, "tok-ada", "paid"),
        ("ch-38", 1900, "tok-ben", "paid"),
        ("ch-39", 6900, "tok-cleo", "refunded"),
        ("ch-40", 2070, "tok-ada", "paid"),
        ("ch-41", 7200, "tok-cleo", "paid"),
        ("ch-42", 3250, "tok-ben", "paid"),
    )
}
numbers = itertools.count(43)
lock = threading.Lock()
app = Flask(__name__, static_folder=None)
app.wsgi_app = WSGITracing(app.wsgi_app)
app.config["MAX_CONTENT_LENGTH"] = 16 * 1024


@app.post("/charges")
def create_charge():
    body = request.get_json()
    amount, card = (body.get("amount"), body.get("card")) if isinstance(body, dict) else (None, None)
    if type(amount) is not int or not 0 < amount <= 10_000_000 or body.get("currency") != "EUR":
        abort(400, "no such amount")
    if not isinstance(card, str) or card not in CARDS:
        abort(404, "no such card")
    if card == "tok-declined":
        return {"title": "the bank declined the card", "status": 402}, 402
    with lock:
        id_ = f"ch-{next(numbers)}"
        CHARGES[id_] = {
            "id": id_,
            "amount": amount,
            "currency": "EUR",
            "card": card,
            "last4": CARDS[card]["last4"],
            "status": "paid",
        }
    return CHARGES[id_], 201


@app.get("/charges/<charge>")
def get_charge(charge):
    return CHARGES.get(charge) or abort(404, "no such charge")


@app.post("/charges/<charge>/refunds")
def refund_charge(charge):
    with lock:
        found = CHARGES.get(charge) or abort(404, "no such charge")
        if found["status"] == "refunded":
            return {"title": "refunded already", "status": 409}, 409
        found["status"] = "refunded"
    return found, 201


@app.get("/cards/<token>")
def get_card(token):
    return CARDS.get(token) or abort(404, "no such card")


@app.get("/totals")
def get_totals():
    with lock:
        charges = list(CHARGES.values())
    sums = {
        status: sum(charge["amount"] for charge in charges if charge["status"] == status)
        for status in ("paid", "refunded")
    }
    return {**sums, "currency": "EUR"}
