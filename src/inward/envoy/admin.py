"""Envoy's admin interface on its Unix socket: is it live, what does it really enforce, reopen the log, tap answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from inward.errors import InwardError
from inward.record.format import printable

if TYPE_CHECKING:
    from pathlib import Path

_MAX_ANSWER = 16 * 1024 * 1024
_PIECE = 64 * 1024


class EnvoyAdminError(InwardError):
    """An Envoy's admin socket did not answer, or not as it should."""

    code = "envoy_admin"


@dataclass(frozen=True, slots=True)
class Admin:
    """One Envoy's admin interface. `socket` is the path of its Unix socket."""

    socket: Path
    seconds: float = 2.0

    async def _ask(self, method: str, target: str, sent: bytes = b"", more_seconds: float = 0.0) -> bytes:
        length = f"content-length: {len(sent)}\r\n" if sent else ""
        request = f"{method} {target} HTTP/1.1\r\nhost: admin\r\n{length}connection: close\r\n\r\n"
        try:
            async with asyncio.timeout(self.seconds + more_seconds):
                reader, writer = await asyncio.open_unix_connection(str(self.socket))
                try:
                    writer.write(request.encode() + sent)
                    answer = await _whole(reader)
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise EnvoyAdminError(
                f"the admin socket `{self.socket}` does not answer: {str(error) or 'time out'}"
            ) from error
        try:
            return _body(answer)
        except ValueError as error:
            raise EnvoyAdminError(f"the admin socket `{self.socket}` answered `{target}` with {error}") from error

    async def _stats(self, query: str) -> dict[str, object]:
        """Return statistics by name; histograms, which have none, are left out."""
        body = await self._ask("GET", f"/stats?{query}&format=json")
        try:
            stats = msgspec.json.decode(body, type=_Stats).stats
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise EnvoyAdminError(f"the admin socket `{self.socket}` has damaged statistics: {error}") from error
        return {stat.name: stat.value for stat in stats if stat.name is not None}

    async def live(self) -> bool:
        """Tell whether the Envoy has taken its configuration and accepts calls."""
        try:
            return (await self._ask("GET", "/ready")).strip() == b"LIVE"
        except EnvoyAdminError:
            return False

    async def reopen_logs(self) -> None:
        """Make Envoy open its access log anew, through its path."""
        await self._ask("POST", "/reopen_logs")

    async def tap(self, request: bytes, seconds: float) -> bytes:
        """Attach a tap (`envoy.tap`) that takes itself off within so many seconds, and return what it has seen."""
        return await self._ask("POST", "/tap", request, seconds)

    async def versions(self) -> dict[str, str]:
        """Return the version of every watched file as Envoy enforces it now, by the name of its statistic."""
        stats = await self._stats("filter=version_text$&type=TextReadouts")
        return {name: value for name, value in stats.items() if isinstance(value, str)}

    async def counters(self, expression: str) -> dict[str, int]:
        """Return the counters and gauges whose names match a regular expression."""
        stats = await self._stats(f"filter={expression}")
        return {name: value for name, value in stats.items() if isinstance(value, int)}


class _Stat(msgspec.Struct):
    name: str | None = None
    value: str | int | float | None = None


class _Stats(msgspec.Struct):
    stats: list[_Stat]


async def _whole(reader: asyncio.StreamReader) -> bytes:
    """Return all that comes until the end; `OSError` for more than an answer can be."""
    answer = bytearray()
    while piece := await reader.read(_PIECE):
        answer += piece
        if len(answer) > _MAX_ANSWER:
            raise OSError(f"more than {_MAX_ANSWER} bytes")
    return bytes(answer)


def _body(answer: bytes) -> bytes:
    """Return the body of a whole answer; `ValueError` says what is wrong with it."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    if first.split(" ")[1:2] != ["200"]:
        raise ValueError(f"`{printable(first, limit=80)}`" if first else "nothing")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _unchunk(body)
    if headers.get("content-length", str(len(body))) != str(len(body)):
        raise ValueError("half of an answer")
    return body


def _unchunk(body: bytes) -> bytes:
    """Undo the chunked transfer coding (RFC 9112 section 7.1) of a whole answer; `ValueError` where it is not whole."""
    parts: list[bytes] = []
    while True:
        size, _, body = body.partition(b"\r\n")
        digits = size.partition(b";")[0].strip()
        if not digits or not set(digits) <= set(b"0123456789abcdefABCDEF"):
            raise ValueError("half of an answer")
        length = int(digits, 16)
        if length == 0:
            return b"".join(parts)
        if body[length : length + 2] != b"\r\n":
            raise ValueError("half of an answer")
        parts.append(body[:length])
        body = body[length + 2 :]
