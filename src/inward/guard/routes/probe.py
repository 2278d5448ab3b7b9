"""Asks a guard, in its own process, for every route of its application without an identity: each must be refused.

Where the application would be, a snare stands: no handler runs, and what reaches the snare would have been served. Each
route is asked as over the socket and without an identity, and as over a network with an identity that is forged. Both
are marked as questions, which are refused in mode observe too.

It leaves out what stands around the guard: whether other ways lead to the application only somebody outside can tell
(`inward up` asks over the socket).
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from inward.guard.routes.report import HEADER
from inward.guard.routes.route import WEBSOCKET, Route
from inward.identity.forwarded import CALLER_HEADER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

REFUSED = 403
_VARIABLE = re.compile(r"\{[^{}]*\}")
_SOCKET, _ELSEWHERE = ("/app.sock", None), ("192.0.2.1", 443)  # the address is one of RFC 5737
_CLIENT = ("192.0.2.2", 50000)


class Snare:
    """Stands where an application would, by either interface. `sprung` counts the requests that got so far."""

    def __init__(self) -> None:
        self.sprung = 0

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's own
        """Take one ASGI connection, and answer nothing."""
        del scope, receive, send
        self.sprung += 1

    def answer(self, environ: Any, start_response: Any) -> list[bytes]:  # noqa: ANN401 - WSGI's own
        """Take one WSGI request, and answer nothing."""
        del environ, start_response
        self.sprung += 1
        return []


async def served_asgi(
    guard: Callable[..., Awaitable[None]], snare: Snare, routes: Iterable[Route], forged: str
) -> list[Route]:
    """Return the routes that an ASGI guard around `snare` does not refuse; `forged` is a SPIFFE ID to claim."""
    asked = (HEADER.encode(), b"1")
    claim = (CALLER_HEADER.encode(), f"URI={forged}".encode())
    served = []
    for route in routes:
        for server, client, headers in ((_SOCKET, None, [asked]), (_ELSEWHERE, _CLIENT, [asked, claim])):
            scope = {**_scope(route), "server": server, "client": client, "headers": headers}
            if not await _refused(guard, snare, scope):
                served.append(route)
                break
    return served


async def _refused(guard: Callable[..., Awaitable[None]], snare: Snare, scope: dict[str, Any]) -> bool:
    sent: list[dict[str, Any]] = []
    before = snare.sprung

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"} if scope["type"] == "websocket" else {"type": "http.request", "body": b""}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await guard(scope, receive, send)
    first = sent[0] if sent else {}
    refused = first.get("status") == REFUSED or first.get("type") == "websocket.close"
    return refused and snare.sprung == before


def served_wsgi(
    guard: Callable[..., Iterable[bytes]], snare: Snare, routes: Iterable[Route], forged: str
) -> list[Route]:
    """Return the routes that a WSGI guard around `snare` does not refuse; `forged` is a SPIFFE ID to claim."""
    served = []
    for route in routes:
        for more in (
            {"REMOTE_ADDR": "", "SERVER_NAME": "", "SERVER_PORT": ""},
            {
                "REMOTE_ADDR": _CLIENT[0],
                "SERVER_NAME": _ELSEWHERE[0],
                "SERVER_PORT": str(_ELSEWHERE[1]),
                "HTTP_X_FORWARDED_CLIENT_CERT": f"URI={forged}",
            },
        ):
            before = snare.sprung
            began: list[str] = []
            guard({**_environ(route), **more}, lambda status, *_, to=began: to.append(status))
            if snare.sprung != before or not began or not began[0].startswith(str(REFUSED)):
                served.append(route)
                break
    return served


def path_of(route: Route) -> str:
    """Return a path that leads to a route."""
    return _VARIABLE.sub("x", route.path)


def _method(route: Route) -> str:
    return "GET" if route.method in {None, WEBSOCKET} else str(route.method)


def _scope(route: Route) -> dict[str, Any]:
    path = path_of(route)
    kind = "websocket" if route.method == WEBSOCKET else "http"
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": _method(route),
        "scheme": "ws" if kind == "websocket" else "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "subprotocols": [],
        "extensions": {},
        "state": {},
    }


def _environ(route: Route) -> dict[str, Any]:
    path = path_of(route)
    return {
        "REQUEST_METHOD": _method(route),
        "HTTP_X_INWARD_PROBE": "1",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "RAW_URI": path,
        "QUERY_STRING": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
