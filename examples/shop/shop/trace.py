"""W3C Trace Context: the trace that a request came with goes on to the calls made for it.

https://www.w3.org/TR/trace-context-2/#traceparent-header
"""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")
_current: ContextVar[tuple[str, str] | None] = ContextVar("trace", default=None)


def enter(traceparent: str | None) -> None:
    """Go on with the trace of an incoming request, or begin a new one where it has none."""
    found = _TRACEPARENT.fullmatch(traceparent or "")
    _current.set((found[1], found[2]) if found else (secrets.token_hex(16), "01"))


def headers() -> dict[str, str]:
    """Return the headers that an outgoing call carries: the same trace, a span of its own."""
    trace, flags = _current.get() or (secrets.token_hex(16), "01")
    return {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-{flags}"}


class ASGITracing:
    """Middleware for FastAPI."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            enter(dict(scope["headers"]).get(b"traceparent", b"").decode("latin-1"))
        await self.app(scope, receive, send)


class WSGITracing:
    """Middleware for Flask and plain WSGI."""

    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        enter(environ.get("HTTP_TRACEPARENT"))
        return self.app(environ, start_response)
