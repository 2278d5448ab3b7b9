"""The page for Prometheus, and what somebody hostile may try on it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from inward.catalog.model import Address
from inward.control.recording.metrics import scrape
from inward.control.recording.metrics.scrape import MetricsAddressError, Scrape, listen, remove
from inward.record.metrics.exposition import OPENMETRICS, TEXT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

HERE = Address("127.0.0.1", 0)
ASKED = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n"


class Pages:
    """Makes pages, and knows how many."""

    def __init__(self, page: bytes = b"inward_up 1\n") -> None:
        self.page = page
        self.asked: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self.failures: list[str] = []
        self.fail = False
        self.server: Scrape | None = None

    async def __call__(self, form: str) -> bytes:
        self.asked.append(form)
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if self.fail:
            raise ValueError("no")
        return self.page

    def failed(self, error: Exception) -> None:
        self.failures.append(str(error))


@contextlib.asynccontextmanager
async def serving(pages: Pages) -> AsyncIterator[int]:
    listening = listen(HERE)
    port = listening.getsockname()[1]
    pages.server = Scrape(pages, pages.failed)
    task = asyncio.create_task(pages.server.serve(listening))
    try:
        yield port
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert listening.fileno() == -1


async def ask(port: int, request: bytes = ASKED) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


def answers(*requests: bytes, pages: Pages | None = None) -> list[bytes]:
    async def run() -> list[bytes]:
        async with serving(pages or Pages()) as port:
            return [await ask(port, request) for request in requests]

    return asyncio.run(run())


def run(test: Callable[[Pages, int], Awaitable[None]], pages: Pages | None = None) -> Pages:
    used = pages or Pages()

    async def inside() -> None:
        async with serving(used) as port:
            await asyncio.wait_for(test(used, port), 20)

    asyncio.run(inside())
    return used


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_the_page_is_whole_and_the_connection_ends() -> None:
    [answer] = answers(ASKED)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == b"inward_up 1\n"
    assert f"content-type: {TEXT}".encode() in head
    assert b"content-length: 12\r\n" in head
    assert b"x-content-type-options: nosniff" in head
    assert head.endswith(b"connection: close")


def test_the_format_follows_the_accept_headers() -> None:
    pages = Pages()
    openmetrics = b"GET /metrics?x=1 HTTP/1.1\r\nAccept: text/html\r\nACCEPT: application/openmetrics-text\r\n\r\n"
    [text, other] = answers(ASKED, openmetrics, pages=pages)
    assert pages.asked == [TEXT, OPENMETRICS]
    assert f"content-type: {OPENMETRICS}".encode() in other
    assert f"content-type: {TEXT}".encode() in text


def test_head_has_everything_but_the_page() -> None:
    [asked, head] = answers(ASKED, ASKED.replace(b"GET", b"HEAD"))
    assert head == asked.removesuffix(b"inward_up 1\n")
    assert status(head) == 200


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"GET /metrics/ HTTP/1.1\r\n\r\n", 404),
        (b"GET /metrics/../metrics HTTP/1.1\r\n\r\n", 404),
        (b"GET /%6detrics HTTP/1.1\r\n\r\n", 404),
        (b"GET /debug/pprof HTTP/1.1\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello", 405),
        (b"DELETE /metrics HTTP/1.1\r\n\r\n", 405),
        (b"OPTIONS * HTTP/1.1\r\n\r\n", 404),
        (b"CONNECT metrics:1 HTTP/1.1\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\n", 404),
        (b"GET /metrics HTTP/1.1\r\nbad header\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nx: " + b"y" * 9_000 + b"\r\n\r\n", 431),
    ],
)
def test_whatever_else_is_asked_for_is_not_there(request_: bytes, expected: int) -> None:
    pages = Pages()
    [answer] = answers(request_, pages=pages)
    assert status(answer) == expected
    assert pages.asked == []


def test_what_is_sent_behind_a_request_is_not_answered() -> None:
    [answer] = answers(ASKED + ASKED)
    assert answer.count(b"HTTP/1.1 200 OK") == 1


def test_a_page_is_made_once_for_all_who_ask_meanwhile() -> None:
    async def test(pages: Pages, port: int) -> None:
        found = await asyncio.gather(*(ask(port) for _ in range(12)))
        assert {status(answer) for answer in found} == {200}
        assert len(pages.asked) == 1

    assert run(test).most_at_once == 1


def test_a_page_that_is_old_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrape, "KEPT_SECONDS", 0.0)
    monkeypatch.setattr(scrape, "KEPT_TIMES", 0)
    pages = Pages()
    answers(ASKED, ASKED, pages=pages)
    assert len(pages.asked) == 2


def test_a_page_that_cannot_be_made_is_told_and_the_next_one_is_given() -> None:
    async def test(pages: Pages, port: int) -> None:
        pages.fail = True
        assert status(await ask(port)) == 500
        pages.fail = False
        assert status(await ask(port)) == 200

    pages = run(test)
    assert pages.failures == ["no"]


def test_who_asks_slowly_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrape, "HEAD_SECONDS", 0.05)

    async def test(pages: Pages, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /metrics HTT")
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        assert pages.asked == []

    run(test)


def test_who_does_not_read_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrape, "ANSWER_SECONDS", 0.05)
    whole = 32 << 20

    async def test(pages: Pages, port: int) -> None:
        assert pages.server is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(ASKED)
        while not pages.asked or pages.server._connections:
            await asyncio.sleep(0.01)
        got = 0
        with contextlib.suppress(ConnectionResetError):
            while piece := await reader.read(1 << 20):
                got += len(piece)
        writer.close()
        assert got < whole

    run(test, Pages(b"x" * whole))


def test_many_connections_that_ask_nothing_keep_nobody_out() -> None:
    async def test(_: Pages, port: int) -> None:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(scrape.MAX_CONNECTIONS * 3)]
        assert status(await ask(port)) == 200
        ended = 0
        for reader, writer in idle:
            with contextlib.suppress(TimeoutError, ConnectionResetError):
                await asyncio.wait_for(reader.read(), 0.01)
            ended += reader.at_eof() or reader.exception() is not None
            writer.close()
        assert ended >= scrape.MAX_CONNECTIONS * 2

    run(test)


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(MetricsAddressError, match=f"cannot be served at `{address}`: address already in use$"):
            listen(address)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_an_ipv6_address_is_listened_on() -> None:
    with listen(Address("::1", 0)) as listening:
        assert listening.getsockname()[0] == "::1"


def test_a_unix_socket_is_for_this_account_only(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"

    async def test() -> bytes:
        pages = Pages()
        task = asyncio.create_task(Scrape(pages, pages.failed).serve(listen(path)))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(ASKED)
        answer = await reader.read()
        writer.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return answer

    assert status(asyncio.run(test())) == 200
    remove(path)
    assert not path.exists()


def test_a_unix_socket_that_nobody_listens_at_is_replaced_and_any_other_file_is_not(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with listen(path), pytest.raises(MetricsAddressError, match="something listens there"):
        listen(path)
    path.unlink()
    path.write_text("precious")
    with pytest.raises(MetricsAddressError, match="address already in use"):
        listen(path)
    assert path.read_text() == "precious"
    with pytest.raises(MetricsAddressError, match="no such file"):
        listen(tmp_path / "none" / "metrics.sock")
    with pytest.raises(MetricsAddressError, match="too long"):
        listen(tmp_path / ("x" * 200))
