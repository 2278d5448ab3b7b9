"""The app of the tests: answers every request with the request as it arrived, and writes each of them down.

    python echo.py SOCKET [LOG]

It takes whatever it is given: it splits at the first blank line and asks no questions, since what matters is
what an enforcer let through. Each line of LOG, and each answer, is one JSON object: `method`, `target` (as it
stood in the request line), `headers` (pairs, in order, names as they were), `body`, `trailers`. The header
`x-delay` makes it wait so many seconds; it is written down before that.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys


class Echo(asyncio.Protocol):
    """One connection."""

    def __init__(self, log: int | None) -> None:
        self._log = log
        self._data = bytearray()
        self._busy = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        self._go_on()

    def _go_on(self) -> None:
        while not self._busy:
            head, blank, rest = bytes(self._data).partition(b"\r\n\r\n")
            if not blank:
                return
            line, *fields = head.decode("latin-1").split("\r\n")
            headers = [[name, value.strip()] for name, _, value in (field.partition(":") for field in fields)]
            lower = [(name.lower(), value) for name, value in headers]
            chunked = any(name == "transfer-encoding" for name, _ in lower)
            length = next((int(value) for name, value in lower if name == "content-length"), 0)
            taken = unchunk(rest) if chunked else (rest[:length], [], length) if len(rest) >= length else None
            if taken is None:
                return
            body, trailers, size = taken
            del self._data[: len(head) + 4 + size]
            method, _, target = line.partition(" ")
            seen = {
                "method": method,
                "target": target.removesuffix(" HTTP/1.1"),
                "headers": headers,
                "body": body.decode("latin-1"),
                "trailers": trailers,
            }
            content = json.dumps(seen).encode()
            if self._log is not None:
                os.write(self._log, content + b"\n")
            delay = float(next((value for name, value in lower if name == "x-delay"), "0"))
            self._busy = delay > 0
            if self._busy:
                asyncio.get_running_loop().call_later(delay, self._answer_late, content)
            else:
                self._answer(content)

    def _answer(self, content: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        self._transport.write(head.encode() + content)

    def _answer_late(self, content: bytes) -> None:
        self._busy = False
        self._answer(content)
        self._go_on()


def unchunk(data: bytes) -> tuple[bytes, list[str], int] | None:
    """Return the body, the trailers and the size of a chunked message; None where there is more to come."""
    body, at = b"", 0
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        size = int(data[at:end].partition(b";")[0], 16)
        at = end + 2
        if size == 0:
            end = data.find(b"\r\n\r\n", at - 2)
            if end < 0:
                return None
            return body, data[at:end].decode("latin-1").split("\r\n") if end > at else [], end + 4
        if len(data) < at + size + 2:
            return None
        body += data[at : at + size]
        at += size + 2


async def serve(socket: str, log: str | None) -> None:
    """Serve until killed."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if log else None
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(lambda: Echo(descriptor), socket, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
