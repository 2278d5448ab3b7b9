"""Envoy's admin interface, against a server on a Unix socket that answers as it likes."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inward.envoy import admin
from inward.envoy.admin import Admin, EnvoyAdminError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

STATS = (
    b'{"stats":[{"name":"a.version_text","value":"v1"},{"name":"b","value":3},'
    b'{"histograms":{}},{"name":"c","value":0.5}]}'
)


@pytest.fixture
def socket() -> Iterator[Path]:
    """A path that is short enough for a socket, wherever the tests' own folders are."""
    with tempfile.TemporaryDirectory(prefix="inw") as folder:
        yield Path(folder) / "admin.sock"


def answer(body: bytes, status: str = "200 OK", *, more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{more}\r\n".encode() + body


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x;x=y\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + end


@asynccontextmanager
async def serving(socket: Path, *pieces: bytes, hang: bool = False) -> AsyncIterator[list[bytes]]:
    """Answer every request with `pieces`, one after another, then close (or hang)."""
    asked: list[bytes] = []
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if hang:
            await ended.wait()
        writer.close()

    server = await asyncio.start_unix_server(serve, str(socket))
    try:
        yield asked
    finally:
        ended.set()
        server.close()
        await server.wait_closed()


def versions(socket: Path, *pieces: bytes, hang: bool = False, seconds: float = 5.0) -> dict[str, str]:
    async def ask() -> dict[str, str]:
        async with serving(socket, *pieces, hang=hang):
            return await Admin(socket, seconds).versions()

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "pieces",
    [
        (answer(STATS),),
        (chunked(STATS),),
        (chunked(STATS[:7], STATS[7:]),),
        tuple(bytes([each]) for each in answer(STATS)),
        tuple(bytes([each]) for each in chunked(STATS[:50], STATS[50:])),
        (b"HTTP/1.1 200 OK\r\n\r\n" + STATS,),  # ended by the connection's end
    ],
)
def test_an_answer_is_read_whole_however_it_comes(socket: Path, pieces: Sequence[bytes]) -> None:
    assert versions(socket, *pieces) == {"a.version_text": "v1"}


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\r\n\r\n",
        b"HTTP/1.1",
        b"\xff\xfe\0\r\n\r\n",
        answer(b"", "503 Service Unavailable"),
        answer(STATS, "2000 OK"),
        answer(STATS)[:-1],
        answer(STATS[:-1]),
        answer(b"[]"),
        answer(b'{"stats":{}}'),
        answer(b'{"stats":[{"name":"a","value":[]}]}'),
        answer(b'{"stats":[{"name":"\xff"}]}'),
        answer(b'{"stats":' + b"[" * 200_000),
        answer(b"LIVE\n"),
        chunked(STATS, end=b""),
        chunked(STATS)[:-20],
        chunked(STATS, end=b"-1\r\n\r\n"),
        chunked(STATS).replace(b"\r\n0\r\n", b"XX0\r\n"),
        chunked(STATS, end=b"zz\r\n\r\n"),
        chunked(STATS, end=b"0x10\r\n\r\n"),
        chunked(STATS, end=b"ffffffffffffffff\r\nx"),
    ],
)
def test_anything_else_is_one_error_and_never_half_an_answer(socket: Path, said: bytes) -> None:
    with pytest.raises(EnvoyAdminError) as raised:
        versions(socket, said)
    assert str(socket) in raised.value.message
    assert raised.value.message.isprintable()


def test_an_answer_without_end_is_not_read_to_its_end(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "_MAX_ANSWER", 100_000)
    with pytest.raises(EnvoyAdminError, match="more than 100000 bytes"):
        versions(socket, *[b"x" * 60_000] * 4, hang=True)


@pytest.mark.parametrize("said", [b"", answer(STATS)[:-1], chunked(STATS, end=b"")])
def test_one_who_hangs_is_not_waited_for(socket: Path, said: bytes) -> None:
    with pytest.raises(EnvoyAdminError, match="does not answer: time out"):
        versions(socket, said, hang=True, seconds=0.05)


def test_no_socket_no_answer(socket: Path) -> None:
    asyncio.run(_is_live(socket, expected=False))
    with pytest.raises(EnvoyAdminError, match="does not answer"):
        asyncio.run(Admin(socket).versions())


async def _is_live(socket: Path, *, expected: bool) -> None:
    assert await Admin(socket, 0.5).live() is expected


@pytest.mark.parametrize(
    ("said", "live"),
    [
        (answer(b"LIVE\n"), True),
        (answer(b"INITIALIZING\n", "503 Service Unavailable"), False),
        (answer(b"LIVE\n", "503 Service Unavailable"), False),
        (answer(b"DRAINING\n"), False),
        (answer(b""), False),
        (b"", False),
        (b"LIVE", False),
    ],
)
def test_live_is_what_says_so_with_the_right_status(socket: Path, said: bytes, *, live: bool) -> None:
    async def ask() -> None:
        async with serving(socket, said) as asked:
            await _is_live(socket, expected=live)
            assert asked[0].startswith(b"GET /ready HTTP/1.1\r\n")

    asyncio.run(ask())


def test_counters_are_numbers_and_reopening_is_a_post(socket: Path) -> None:
    async def ask() -> None:
        async with serving(socket, answer(STATS)) as asked:
            assert await Admin(socket).counters("b$") == {"b": 3}
            await Admin(socket).reopen_logs()
            assert [each.split(b" HTTP")[0] for each in asked] == [
                b"GET /stats?filter=b$&format=json",
                b"POST /reopen_logs",
            ]

    asyncio.run(ask())


def test_a_log_that_was_not_reopened_is_an_error(socket: Path) -> None:
    async def ask() -> None:
        async with serving(socket, answer(b"no", "500 Internal Server Error")):
            with pytest.raises(EnvoyAdminError, match="500"):
                await Admin(socket).reopen_logs()

    asyncio.run(ask())
