"""Envoy's admin interface on its Unix socket: is it live, what does it really enforce, reopen the log, drain."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from inward.errors import InwardError

if TYPE_CHECKING:
    from pathlib import Path

_MAX_ANSWER = 16 * 1024 * 1024


class EnvoyAdminError(InwardError):
    """An Envoy's admin socket did not answer, or not as it should."""

    code = "envoy_admin"


@dataclass(frozen=True, slots=True)
class Admin:
    """One Envoy's admin interface. `socket` is the path of its Unix socket."""

    socket: Path
    seconds: float = 2.0

    async def _ask(self, method: str, target: str) -> bytes:
        try:
            async with asyncio.timeout(self.seconds):
                reader, writer = await asyncio.open_unix_connection(str(self.socket), limit=_MAX_ANSWER)
                try:
                    request = f"{method} {target} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n"
                    writer.write(request.encode())
                    answer = await reader.read(-1)
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise EnvoyAdminError(
                f"the admin socket `{self.socket}` does not answer: {str(error) or 'time out'}"
            ) from error
        head, _, body = answer.partition(b"\r\n\r\n")
        status = head.split(b" ", 2)[1:2]
        if b"transfer-encoding: chunked" in head.lower():
            body = _unchunk(body)
        if status != [b"200"]:
            raise EnvoyAdminError(f"the admin socket answered `{target}` with `{head.splitlines()[0].decode()}`")
        return body

    async def live(self) -> bool:
        """Tell whether the Envoy has taken its configuration and accepts calls."""
        try:
            return (await self._ask("GET", "/ready")).strip() == b"LIVE"
        except EnvoyAdminError:
            return False

    async def reopen_logs(self) -> None:
        """Make Envoy open its access log anew, through its path."""
        await self._ask("POST", "/reopen_logs")

    async def drain(self) -> None:
        """Stop listening and let the calls in flight end."""
        await self._ask("POST", "/drain_listeners?graceful&skip_exit")

    async def versions(self) -> dict[str, str]:
        """Return the version of every watched file as Envoy enforces it now, by the name of its statistic."""
        body = await self._ask("GET", "/stats?filter=version_text$&type=TextReadouts&format=json")
        stats = msgspec.json.decode(body)["stats"]
        return {stat["name"]: stat["value"] for stat in stats if "name" in stat}

    async def counters(self, expression: str) -> dict[str, int]:
        """Return the counters and gauges whose names match a regular expression."""
        body = await self._ask("GET", f"/stats?filter={expression}&format=json")
        stats = msgspec.json.decode(body)["stats"]
        return {stat["name"]: stat["value"] for stat in stats if isinstance(stat.get("value"), int)}


def _unchunk(body: bytes) -> bytes:
    """Undo the chunked transfer coding (RFC 9112 section 7.1) of an answer that arrived whole."""
    parts = []
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.split(b";")[0] or b"0", 16)
        if length == 0:
            break
        parts.append(body[:length])
        body = body[length + 2 :]
    return b"".join(parts)
