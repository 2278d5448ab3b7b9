"""One POST to a receiver of alerts, and what its answer means. It never raises for what a receiver does.

Rules: those of `control.exporting.sender`, which sends it. No path of a URL is told: that of an incoming webhook is a
secret. A web page is an answer as any other: Slack says so that it took a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inward.control.exporting.answer import Answer
from inward.control.exporting.sender import Sender, retry_seconds
from inward.control.exporting.settings import Destination

if TYPE_CHECKING:
    import httpx

    from inward.alerting.sinks.sink import Request, Target

SECONDS = 10.0
MOST_WAIT_SECONDS = 3600.0  # that a receiver may ask for
_OK, _REDIRECT = 200, 300
# What is wrong with what was sent, and would be with whatever comes after it only if the receiver is wrong.
_UNFIT = frozenset({400, 413, 422})


class Poster(Sender):
    """Posts to one receiver, over one connection that is kept."""

    def __init__(self, target: Target, *, seconds: float = SECONDS) -> None:
        hidden = () if target.path == "/" else (target.path,)
        destination = Destination(name="alerts", url=target.origin + target.path, timeout=seconds)
        super().__init__(destination, "application/json", hidden=hidden)

    async def post(self, request: Request) -> Answer:
        """Send one request."""
        return await self.send(request.body, request.headers)

    def understood(self, response: httpx.Response, said: bytes) -> Answer:
        """Return what an answer means; `said` is the beginning of its body."""
        status = response.status_code
        if _OK <= status < _REDIRECT:
            return Answer("taken")
        why = f"it answers {status} {self.harmless(said.decode('utf-8', 'replace'))}".rstrip()
        wait = retry_seconds(response.headers.get("retry-after", ""), MOST_WAIT_SECONDS)
        return Answer("unfit" if status in _UNFIT else "away", why, wait=wait)
