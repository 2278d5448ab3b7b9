"""httpx clients that pass on the trace and the end user of the call that is being served.

    from inward.guard.httpx import AsyncClient

They are httpx's own `Client` and `AsyncClient`, and take what those take. Inside a handler of a guarded application
each request to a service of the system gets what `guard.onward` says, whether it is the first or a redirection; one to
anybody else gets none of it, and loses a `Txn-Token` that somebody put there.

Internal is what leads through the service's egress: an `http` URL with the name of a service of the system, by the
proxy that `inward up` gives (`HTTP_PROXY`). So a client with a transport or proxies of its own passes nothing on. A
trace context that is in the request already, as instrumentation puts it there, stays as it is.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined] # untyped

try:
    import httpx
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("inward.guard.httpx needs httpx: `pip install inward[httpx]`", name="httpx") from error

from inward.guard.current import serving
from inward.guard.onward import NAMES, TRACEPARENT, TRACESTATE, USER_TOKEN

if TYPE_CHECKING:
    from collections.abc import Mapping

EGRESS_USER = "inward"  # the name in the proxy's URL, whose password is the credential of the run
_ADDED = "inward.onward"  # in a request's extensions, which a redirection keeps: the headers that were put there
_ROUTED = ("transport", "mounts", "proxy")
_logger = logging.getLogger("inward.guard")


class Client(httpx.Client):
    """`httpx.Client` that passes on trace and end user."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - httpx's own
        egress = _Egress(options)

        def pass_on(request: httpx.Request) -> None:
            egress.pass_on(request)

        super().__init__(**_with_hook(options, pass_on))


class AsyncClient(httpx.AsyncClient):
    """`httpx.AsyncClient` that passes on trace and end user."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - httpx's own
        egress = _Egress(options)

        async def pass_on(request: httpx.Request) -> None:
            egress.pass_on(request)

        super().__init__(**_with_hook(options, pass_on))


class _Egress:
    """Whether the requests of a client go through the egress of the service, as it is when the client is made."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        proxies = getproxies_environment()
        own = any(options.get(name) is not None for name in _ROUTED) or not options.get("trust_env", True)
        self._bypassed = proxies
        self._there = not own and _is_egress(proxies.get("http", ""))

    def pass_on(self, request: httpx.Request) -> None:
        """Put into one request what it is to have, and take out what it is not."""
        for name in request.extensions.get(_ADDED, ()):  # a redirection is a request of its own
            request.headers.pop(name, None)
        call = serving.get()
        url = request.url
        onward = call.onward if call is not None else None
        internal = self._there and onward is not None and onward.is_internal(url.scheme, url.host)
        if onward is None or not internal or proxy_bypass_environment(url.host, self._bypassed):
            request.headers.pop(USER_TOKEN, None)
            request.extensions = {**request.extensions, _ADDED: ()}
            return
        headers = onward.headers()
        if TRACEPARENT in request.headers:
            headers.pop(TRACEPARENT, None)
            headers.pop(TRACESTATE, None)
        request.headers.update(headers)
        request.extensions = {**request.extensions, _ADDED: tuple(NAMES & headers.keys())}


def _is_egress(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        return parts.username == EGRESS_USER and bool(parts.password) and parts.hostname == "127.0.0.1"
    except ValueError:
        return False


def _with_hook(options: Mapping[str, Any], hook: Any) -> dict[str, Any]:  # noqa: ANN401 - sync or not
    """Return the options with a hook that comes after all others: nobody adds a token behind its back."""
    hooks = dict(options.get("event_hooks") or {})
    return {**options, "event_hooks": {**hooks, "request": [*hooks.get("request", ()), hook]}}
