"""Fetching a description: bounded in size and time, from the host that was named and no other."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from inward.discovery import fetch as module
from inward.discovery.fetch import FetchError, fetch
from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def test_a_document_is_fetched_past_any_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/old":
            reply(handler, 307, location="/openapi.json?a=b")
        else:
            reply(handler, 200, handler.path.encode())

    with serving(answer) as url:
        fetched = fetch(f"{url}/old")
    assert (fetched.content, fetched.address) == (b"/openapi.json?a=b", "127.0.0.1")
    assert fetched.url == f"{url}/openapi.json?a=b"


def test_a_redirect_to_another_host_is_not_followed() -> None:
    asked: list[str] = []

    def other(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        reply(handler, 200)

    with (
        serving(other) as elsewhere,
        serving(lambda handler: reply(handler, 302, location=f"{elsewhere}/secret")) as url,
        pytest.raises(FetchError, match="leads to another host"),
    ):
        fetch(url)
    assert asked == []


def test_a_circle_of_redirects_ends() -> None:
    with (
        serving(lambda handler: reply(handler, 302, location="/again")) as url,
        pytest.raises(FetchError, match="more than 3 other places"),
    ):
        fetch(url)


def test_what_is_too_large_or_too_slow_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    with (
        serving(lambda handler: reply(handler, 200, b"x" * 1001)) as url,
        pytest.raises(FetchError, match="larger than"),
    ):
        fetch(url)
    release = threading.Event()

    def trickle(handler: BaseHTTPRequestHandler) -> None:
        reply(handler, 200, b"x")
        release.wait(20)

    with serving(trickle) as url:
        try:
            with pytest.raises(FetchError, match="no whole answer within"):
                fetch(url, 0.2)
        finally:
            release.set()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8000",
        "file:///etc/passwd",
        "http://",
        "http://a b/",
        "http://a:99999/",
        "http://[::1",
        "http://a/\n",
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(BadInputError, match="is no URL"):
        fetch(url)


def test_a_password_is_not_taken_nor_printed() -> None:
    with pytest.raises(BadInputError) as caught:
        fetch("http://ada:geheim@localhost/")
    assert "geheim" not in caught.value.advice


def test_who_does_not_answer_or_has_nothing_is_named() -> None:
    with pytest.raises(FetchError, match="connection refused"):
        fetch("http://127.0.0.1:1/")
    with serving(lambda handler: reply(handler, 404)) as url, pytest.raises(FetchError, match="answered by 404"):
        fetch(url)
