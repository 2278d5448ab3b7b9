"""The warehouse: a program older than its colleagues. Plain WSGI on a port; it cannot use a socket.

python -m shop.inventory PORT
"""

from __future__ import annotations

import itertools
import json
import re
import sys
import threading
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

STOCK = {"TEA-001": 400, "TEA-002": 250, "TEA-003": 900, "POT-001": 12, "POT-002": 160, "BOK-001": 75}
RESERVATIONS = {f"r-{number}": {} for number in range(37, 43)}  # packed long ago: nothing is left to give back
MOST_BYTES = 16 * 1024
MOST_READ = 1024 * 1024
numbers = itertools.count(43)
lock = threading.Lock()


class AnswerError(Exception):
    """An answer that is not what was hoped for."""

    def __init__(self, status: str, title: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title


def _body(environ) -> dict:
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        content = environ["wsgi.input"].read(max(0, min(length, MOST_READ)))  # unread, it would cut the answer off
        body = json.loads(content) if length <= MOST_BYTES else None
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise AnswerError("400 Bad Request", "the body is no JSON object")
    return body


def list_stock(_environ):
    with lock:
        return "200 OK", {"stock": [{"sku": sku, "available": left} for sku, left in STOCK.items()]}


def get_stock(_environ, sku):
    if sku not in STOCK:
        raise AnswerError("404 Not Found", "no such product")
    return "200 OK", {"sku": sku, "available": STOCK[sku]}


def reserve(environ):
    lines = _body(environ).get("lines")
    if not isinstance(lines, list) or not 1 <= len(lines) <= 20:
        raise AnswerError("400 Bad Request", "there are 1 to 20 lines")
    wanted: dict[str, int] = {}
    for line in lines:
        sku, quantity = (line.get("sku"), line.get("quantity")) if isinstance(line, dict) else (None, None)
        if type(quantity) is not int or not 1 <= quantity <= 20:
            raise AnswerError("400 Bad Request", "a quantity is 1 to 20")
        if not isinstance(sku, str) or sku not in STOCK:
            raise AnswerError("404 Not Found", "no such product")
        wanted[sku] = wanted.get(sku, 0) + quantity
    with lock:
        for sku, quantity in wanted.items():
            if STOCK[sku] < quantity:
                raise AnswerError("409 Conflict", f"only {STOCK[sku]} of {sku} are left")
        for sku, quantity in wanted.items():
            STOCK[sku] -= quantity
        id_ = f"r-{next(numbers)}"
        RESERVATIONS[id_] = wanted
    return "201 Created", {
        "id": id_,
        "lines": [{"sku": sku, "quantity": many} for sku, many in wanted.items()],
    }


def release(_environ, reservation):
    with lock:
        wanted = RESERVATIONS.pop(reservation, None)
        if wanted is None:
            raise AnswerError("404 Not Found", "no such reservation")
        for sku, quantity in wanted.items():
            STOCK[sku] += quantity
    return "204 No Content", None


ROUTES = (
    ("GET", re.compile(r"/stock"), list_stock),
    ("GET", re.compile(r"/stock/([^/]+)"), get_stock),
    ("POST", re.compile(r"/reservations"), reserve),
    ("DELETE", re.compile(r"/reservations/([^/]+)"), release),
)


def route(environ):
    """Find the handler of a request and let it answer."""
    path, method = environ.get("PATH_INFO", ""), environ["REQUEST_METHOD"]
    found = [(verb, handler, match) for verb, where, handler in ROUTES if (match := where.fullmatch(path))]
    for verb, handler, match in found:
        if verb == method:
            return handler(environ, *match.groups())
    if found:
        raise AnswerError("405 Method Not Allowed", "no such method")
    raise AnswerError("404 Not Found", "no such page")


def app(environ, start_response):
    try:
        status, answer = route(environ)
    except AnswerError as error:
        status, answer = error.status, {"title": error.title, "status": int(error.status[:3])}
    content = b"" if answer is None else json.dumps(answer).encode()
    length = ("Content-Length", str(len(content)))
    start_response(status, [] if answer is None else [("Content-Type", "application/json"), length])
    return [content]


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *args) -> None:
        """Say nothing: whoever called is in the record."""


if __name__ == "__main__":
    make_server("127.0.0.1", int(sys.argv[1]), app, Server, QuietHandler).serve_forever()
