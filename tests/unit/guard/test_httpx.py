"""Clients of a handler: what they pass on, to whom, and that nobody else ever gets it."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest

from inward.guard.core import Call
from inward.guard.current import serving
from inward.guard.httpx import AsyncClient, Client
from inward.guard.onward import Onward

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE = "0af7651916cd43dd8448eb211c80319c"
TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmVk"
GIVEN = (("traceparent", f"00-{TRACE}-b7ad6b7169203331-01"), ("tracestate", "a=1"), ("txn-token", TOKEN))


@dataclass
class Proxy:
    """A proxy that answers itself, and remembers what it was asked: URL and headers."""

    url: str
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def last(self) -> dict[str, str]:
        return self.asked[-1][1]


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            to = urlsplit(self.path).query.partition("to=")[2]
            self.send_response(302 if to else 200)
            if to:
                self.send_header("location", to)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    found = Proxy(f"http://inward:secret@127.0.0.1:{server.server_address[1]}")
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", found.url)
    monkeypatch.setenv("http_proxy", found.url)
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def a_call(given: tuple[tuple[str, str], ...] = GIVEN) -> Iterator[None]:
    """Serve a call that brought these headers."""
    token = serving.set(Call("storefront", "orders:get", "r", None, onward=Onward(given, {"orders", "stock"})))
    try:
        yield
    finally:
        serving.reset(token)


def get(url: str, headers: dict[str, str] | None = None, *, kind: type = Client, **options: Any) -> httpx.Response:
    if kind is Client:
        with Client(**options) as client:
            return client.get(url, headers=headers)

    async def ask() -> httpx.Response:
        async with AsyncClient(**options) as client:
            return await client.get(url, headers=headers)

    return asyncio.run(ask())


def is_told(headers: dict[str, str]) -> bool:
    """Whether all of it is there, or nothing: something between is a failure."""
    there = {name for name in ("traceparent", "tracestate", "txn-token") if name in headers}
    assert len(there) in {0, 3}
    return bool(there)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_service_of_the_system_gets_trace_and_end_user(proxy: Proxy, kind: type) -> None:
    with a_call():
        assert get("http://orders/orders/42", kind=kind).status_code == 200
    headers = proxy.last
    assert headers["txn-token"] == TOKEN
    assert headers["traceparent"].startswith(f"00-{TRACE}-")
    assert headers["tracestate"] == "a=1"


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("url", ["http://elsewhere.example/", "http://orders.example/", "http://127.0.0.2/"])
def test_nobody_else_does(proxy: Proxy, url: str, kind: type) -> None:
    with a_call():
        get(url, kind=kind)
    assert not is_told(proxy.last)


def test_nothing_is_passed_on_outside_of_a_call(proxy: Proxy) -> None:
    get("http://orders/")
    assert not is_told(proxy.last)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_redirection_is_a_request_of_its_own(proxy: Proxy, kind: type) -> None:
    with a_call():
        get("http://orders/?to=http://stock/?to=http://elsewhere.example/", kind=kind, follow_redirects=True)
    assert [urlsplit(url).hostname for url, _ in proxy.asked] == ["orders", "stock", "elsewhere.example"]
    assert [is_told(headers) for _, headers in proxy.asked] == [True, True, False]


def test_a_redirection_back_is_told_again(proxy: Proxy) -> None:
    with a_call():
        get("http://elsewhere.example/?to=http://orders/", follow_redirects=True)
    assert [is_told(headers) for _, headers in proxy.asked] == [False, True]


def test_a_token_that_somebody_put_there_does_not_leave_either(proxy: Proxy) -> None:
    with a_call():
        get("http://elsewhere.example/", {"Txn-Token": TOKEN})
    get("http://elsewhere.example/", {"Txn-Token": TOKEN})
    assert not any("txn-token" in headers for _, headers in proxy.asked)


def test_a_trace_that_is_there_already_stays(proxy: Proxy) -> None:
    own = f"00-{'1' * 32}-{'2' * 16}-01"
    with a_call():
        get("http://orders/", {"traceparent": own, "tracestate": "b=2"})
    assert (proxy.last["traceparent"], proxy.last["tracestate"]) == (own, "b=2")
    assert proxy.last["txn-token"] == TOKEN


def test_a_client_that_takes_another_way_passes_nothing_on(proxy: Proxy) -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    with a_call():
        get("http://orders/", transport=httpx.MockTransport(handler))
        get("http://orders/", mounts={"http://orders": httpx.MockTransport(handler)})
        assert [is_told(dict(request.headers)) for request in seen] == [False, False]
        get("http://orders/", proxy=proxy.url.replace("inward:secret@", ""))
        assert not is_told(proxy.last)


@pytest.mark.parametrize("user", ["", "squid:secret@", "inward@", "inward:@"])
def test_a_proxy_that_is_not_the_egress_is_told_nothing(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy.url.replace("inward:secret@", user))
    with a_call():
        get("http://orders/")
    assert not is_told(proxy.last)


def test_a_name_that_goes_past_the_proxy_is_told_nothing(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "orders")
    seen: list[httpx.Request] = []

    def stop(request: httpx.Request) -> None:
        seen.append(request)
        raise httpx.ConnectError("stopped")

    with a_call(), Client() as client:
        client.event_hooks = {"request": [*client.event_hooks["request"], stop]}
        with pytest.raises(httpx.ConnectError, match="stopped"):
            client.get("http://orders/")
    assert not is_told(dict(seen[0].headers))
    assert proxy.asked == []


def test_hooks_of_ones_own_are_kept_and_come_before(proxy: Proxy) -> None:
    def add(request: httpx.Request) -> None:
        request.headers["txn-token"] = TOKEN

    with a_call():
        get("http://elsewhere.example/", event_hooks={"request": [add], "response": []})
    assert not is_told(proxy.last)


def test_a_guard_alone_needs_no_httpx() -> None:
    guards = "import inward.guard.asgi, inward.guard.wsgi"
    code = f"import sys; sys.modules['httpx'] = None; {guards}; import inward.guard.httpx"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("inward.guard.httpx needs httpx: `pip install inward[httpx]`")
