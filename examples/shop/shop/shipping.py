"""Parcels. Standard library only: `http.server` on a Unix socket.

python -m shop.shipping SOCKET
"""

from __future__ import annotations

import json
import re
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingUnixStreamServer

from shop import trace

MOST_BYTES = 16 * 1024
MOST_READ = 1024 * 1024
SHIPMENTS = {
    f"S-10{order}": {"id": f"S-10{order}", "order": order, "city": city, "parcels": 1, "status": status}
    for order, city, status in (
        (37, "Stockholm", "delivered"),
        (38, "London", "delivered"),
        (40, "Stockholm", "delivered"),
        (41, "Ljubljana", "packed"),
        (42, "London", "packed"),
    )
}
lock = threading.Lock()


class AnswerError(Exception):
    """An answer that is not what was hoped for."""

    def __init__(self, status: int, title: str) -> None:
        super().__init__(title)
        self.status = status


def ask(url: str) -> dict:
    """Read from a colleague; `urllib` honours `HTTP_PROXY`."""
    request = urllib.request.Request(url, headers=trace.headers())  # noqa: S310 (only names of colleagues)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 (only names of colleagues)
            return json.load(response)
    except (OSError, ValueError) as error:
        status = 404 if isinstance(error, urllib.error.HTTPError) and error.code == 404 else 502
        raise AnswerError(status, f"{url.split('/')[2]}: {error}") from error


def list_shipments(query: dict, _body: object) -> tuple[int, dict]:
    order = query.get("order")
    if order is not None and not re.fullmatch(r"[1-9][0-9]{0,15}", order):
        raise AnswerError(400, "an order is a number")
    with lock:
        found = [shipment for shipment in SHIPMENTS.values() if order is None or shipment["order"] == int(order)]
    return 200, {"shipments": found[-100:]}


def get_shipment(_query: dict, _body: object, shipment: str) -> tuple[int, dict]:
    if shipment not in SHIPMENTS:
        raise AnswerError(404, "no such shipment")
    return 200, SHIPMENTS[shipment]


def create_shipment(_query: dict, body: object) -> tuple[int, dict]:
    number = body.get("order") if isinstance(body, dict) else None
    if type(number) is not int or not 1 <= number < 10**15:
        raise AnswerError(400, "an order is a number")
    order = ask(f"http://orders/orders/{number}")
    address = ask(f"http://customers/v1/customers/{order['customer']}/address")
    pieces = sum(line["quantity"] for line in order["lines"])
    id_ = f"S-10{number}"
    with lock:
        SHIPMENTS[id_] = {
            "id": id_,
            "order": number,
            "city": address["city"],
            "parcels": -(-pieces // 10),
            "status": "packed",
        }
    return 201, SHIPMENTS[id_]


ROUTES = (
    ("GET", re.compile(r"/shipments"), list_shipments),
    ("POST", re.compile(r"/shipments"), create_shipment),
    ("GET", re.compile(r"/shipments/([^/]+)"), get_shipment),
)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120

    def answer(self) -> None:
        trace.enter(self.headers.get("traceparent"))
        try:
            status, answer = self.route(self.body())
        except AnswerError as error:
            status, answer = error.status, {"title": str(error), "status": error.status}
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = answer  # noqa: N815 (http.server names them so)

    def body(self) -> object:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self.close_connection = True
            raise AnswerError(400, "a body has a length")
        content = self.rfile.read(min(int(length), MOST_READ))  # unread, it would cut the answer off
        if int(length) > MOST_BYTES:
            self.close_connection = True
            raise AnswerError(400, f"{MOST_BYTES} bytes at most")
        try:
            return json.loads(content) if content else None
        except ValueError as error:
            raise AnswerError(400, "the body is no JSON") from error

    def route(self, body: object) -> tuple[int, dict]:
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        found = [(verb, run, match) for verb, route, run in ROUTES if (match := route.fullmatch(url.path))]
        if not found:
            raise AnswerError(404, "no such page")
        for verb, run, match in found:
            if verb == self.command:
                return run(query, body, *match.groups())
        raise AnswerError(405, "no such method")

    def address_string(self) -> str:
        return "a colleague"  # a Unix socket has no addresses

    def log_message(self, *args) -> None:
        """Say nothing: whoever called is in the record."""


class Server(ThreadingUnixStreamServer):
    daemon_threads = True


if __name__ == "__main__":
    Server(sys.argv[1], Handler).serve_forever()
