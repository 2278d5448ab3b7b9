"""A program behind a Unix socket that answers as it is told to, with or without a guard."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inward.guard.routes.report import HEADER, ROUTES
from inward.record.verdict import HEADER as VERDICT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def answer(status: int, body: bytes, **headers: str) -> bytes:
    """Return an answer in bytes; a header without a value is left out."""
    told = {"content-type": "text/plain", "content-length": str(len(body)), **headers}
    lines = [
        f"HTTP/1.1 {status} Told",
        *(f"{name.replace('_', '-')}: {value}" for name, value in told.items() if value),
    ]
    return "\r\n".join([*lines, "\r\n"]).encode() + body


def refusal(asked: dict[str, str], head: dict[str, str] | None = None, **changed: Any) -> bytes:
    """Return what a guard answers to a question with these headers; what is `changed` in it makes it something else."""
    told = {"status": 403, "code": "bad_identity", "instance": f"urn:uuid:{asked['x-request-id']}", "title": "no"}
    if asked[HEADER] == ROUTES:
        told["report"] = {"routes": 3, "undocumented": ["GET /hidden"]}
    body = json.dumps({**told, **changed}).encode()
    headers = {"content-type": "application/problem+json", VERDICT: '{"reason":"bad_identity"}', **(head or {})}
    return answer(403, body, **headers)


@dataclass
class Program:
    """`open` are the paths that it answers itself; `raw` is answered to everything, where it is there."""

    open: tuple[str, ...] = ()
    raw: bytes | None = None
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def reply(self, method: str, path: str, headers: dict[str, str]) -> bytes | None:
        """Return what is answered; None for never."""
        self.asked.append(f"{method} {path}")
        self.headers.append(headers)
        said = self.raw if self.raw is not None else answer(200, b"hello") if path in self.open else refusal(headers)
        return said.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else said

    async def _serve(self, connection: socket.socket) -> None:
        loop, head = asyncio.get_running_loop(), b""
        with connection, suppress(ConnectionError):
            while not head.endswith(b"\r\n\r\n"):
                piece = await loop.sock_recv(connection, 4096)
                if not piece:
                    return  # somebody only looked whether it listens
                head += piece
            first, *rest = head.decode().split("\r\n")[:-2]
            method, path, _ = first.split(" ")
            said = self.reply(method, path, dict(line.split(": ", 1) for line in rest))
            if said is None:
                await loop.sock_recv(connection, 1)  # until the other side has gone
            else:
                await loop.sock_sendall(connection, said)

    @asynccontextmanager
    async def listening(self, path: Path) -> AsyncIterator[Program]:
        """Listen on a Unix socket within the block, and leave neither a file nor a connection."""
        serving: set[asyncio.Task[None]] = set()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.setblocking(False)  # noqa: FBT003 - the standard library's
            listener.bind(str(path))
            listener.listen()

            def accept() -> None:
                connection, _ = listener.accept()
                connection.setblocking(False)  # noqa: FBT003 - as above
                task = asyncio.create_task(self._serve(connection))
                task.add_done_callback(lambda _: connection.close())  # it may not even have begun
                serving.add(task)

            loop = asyncio.get_running_loop()
            loop.add_reader(listener, accept)
            try:
                yield self
            finally:
                loop.remove_reader(listener)
                for task in serving:
                    task.cancel()
                await asyncio.gather(*serving, return_exceptions=True)
                path.unlink(missing_ok=True)  # noqa: ASYNC240 - which blocks nobody
