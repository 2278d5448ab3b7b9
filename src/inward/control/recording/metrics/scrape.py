"""The page for Prometheus: `GET /metrics` by HTTP/1.1, and nothing else.

It asks for no credential, so it has no secret to keep; and whoever may connect is taken for hostile:

1. A connection is one request and one answer, each with an end in time and in size.
2. So many connections at a time. One more takes the place of the one that has asked for nothing the longest.
3. A page is made for one asker at a time, and given to all that ask soon after: who asks all day long costs a tenth of
   one core at most.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httptools

from inward.errors import InwardError
from inward.record.metrics.exposition import content_type

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from inward.catalog.model import Address

    Page = Callable[[str], Awaitable[bytes]]  # by content type

PATH = b"/metrics"
MAX_HEAD_BYTES = 8 * 1024
MAX_CONNECTIONS = 16
HEAD_SECONDS = 5.0
ANSWER_SECONDS = 10.0
KEPT_SECONDS = 1.0  # how long a page is given to all who ask
KEPT_TIMES = 9  # or as many times as long as it took to make, if that is more
_BACKLOG = 32
_ANSWERS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
}


class MetricsAddressError(InwardError):
    """The metrics cannot be served where they should be."""

    code = "metrics_address"


def listen(where: Address | Path) -> socket.socket:
    """Return a socket on which nothing is accepted yet. A Unix socket is for this account only.

    Raises `MetricsAddressError`, also where something listens there already.
    """
    try:
        return _listen_unix(where) if isinstance(where, Path) else _listen_tcp(where)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else error.strerror or str(error)
        raise MetricsAddressError(
            f"metrics cannot be served at `{where}`: {why.lower()}", hint="choose another place by `INWARD_METRICS`"
        ) from error


def _listen_tcp(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    return socket.create_server((address.host, address.port), family=family, backlog=_BACKLOG)


def _listen_unix(path: Path) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            with socket.socket(socket.AF_UNIX) as asked, contextlib.suppress(ConnectionRefusedError):
                asked.settimeout(HEAD_SECONDS)
                asked.connect(str(path))
                raise OSError(0, "something listens there")
            path.unlink()  # left by somebody who was killed
    made = socket.socket(socket.AF_UNIX)
    try:
        made.bind(str(path))
        path.chmod(0o600)  # before anybody can connect
        made.listen(_BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


def remove(where: Address | Path) -> None:
    """Remove what `listen` has made in the file system."""
    if isinstance(where, Path):
        with contextlib.suppress(OSError):
            where.unlink()


class Scrape:
    """Serves a page. `page` makes it; what it raises is an answer of 500, and `failed` is told."""

    def __init__(self, page: Page, failed: Callable[[Exception], None]) -> None:
        self._page = page
        self._failed = failed
        self._turn = asyncio.Lock()
        self._made: dict[str, tuple[float, bytes]] = {}  # by content type: until when, and the page
        self._connections: set[asyncio.StreamWriter] = set()
        self._waiting: dict[asyncio.StreamWriter, None] = {}  # those that have not asked yet, the oldest first

    async def serve(self, listening: socket.socket) -> None:
        """Serve at a socket of `listen` until this is cancelled; the socket is closed then."""
        serving = asyncio.start_unix_server if listening.family == socket.AF_UNIX else asyncio.start_server
        server = await serving(self._connected, sock=listening, limit=MAX_HEAD_BYTES)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            for writer in self._connections:
                writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= MAX_CONNECTIONS:
            oldest = next(iter(self._waiting), writer)
            self._waiting.pop(oldest, None)
            oldest.transport.abort()
            if oldest is writer:
                return
        self._connections.add(writer)
        self._waiting[writer] = None
        try:
            await self._converse(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            writer.transport.abort()  # it went, or was too slow
        finally:
            self._waiting.pop(writer, None)
            self._connections.discard(writer)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            head = None
        self._waiting.pop(writer, None)
        async with asyncio.timeout(ANSWER_SECONDS):
            writer.transport.set_write_buffer_limits(0)  # so that `drain` waits until it is gone
            writer.write(_answer(431) if head is None else await self._answer(head))
            await writer.drain()

    async def _answer(self, head: bytes) -> bytes:
        request = _Request()
        try:
            parser = httptools.HttpRequestParser(request)
            parser.feed_data(head)
            path = httptools.parse_url(request.url).path
            method = parser.get_method()
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return _answer(400)
        if path != PATH:
            return _answer(404)
        if method not in {b"GET", b"HEAD"}:
            return _answer(405, allow="GET, HEAD")
        form = content_type(request.accept)
        try:
            page = await self._current(form)
        except Exception as error:  # noqa: BLE001 - whatever it is: it is told, and the next one who asks is answered
            self._failed(error)
            return _answer(500)
        answer = _answer(200, page, form=form)
        return answer if method == b"GET" else answer[: len(answer) - len(page)]

    async def _current(self, form: str) -> bytes:
        async with self._turn:
            now = time.monotonic()
            until, page = self._made.get(form, (now, b""))
            if until <= now:
                page = await self._page(form)
                spent = time.monotonic() - now
                self._made[form] = (now + spent + max(KEPT_SECONDS, KEPT_TIMES * spent), page)
            return page


class _Request:
    """What of a request is looked at."""

    def __init__(self) -> None:
        self.url = b""
        self.accept = ""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"accept":
            self.accept += ("," if self.accept else "") + value.decode("latin-1")


def _answer(status: int, body: bytes | None = None, *, form: str = "", allow: str = "") -> bytes:
    if body is None:
        body, form = f"{_ANSWERS[status].lower()}\n".encode(), "text/plain; charset=utf-8"
    lines = [
        f"HTTP/1.1 {status} {_ANSWERS[status]}",
        f"content-type: {form}",
        f"content-length: {len(body)}",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        *([f"allow: {allow}"] if allow else []),
        "connection: close",
    ]
    return "\r\n".join((*lines, "", "")).encode("latin-1") + body
