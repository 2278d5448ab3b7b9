"""Metrics sent by OTLP over HTTP, every so many seconds.

All of them are counted from the start of the run on, so nothing is kept for a receiver that is away: the next request
says all that the lost one did. What goes wrong is told once, until it is right again.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from inward.control.exporting.sender import Sender
from inward.record.export.otlp import CONTENT_TYPE, SERVICE, resource
from inward.record.metrics.otlp import encode, refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from inward.control.exporting.answer import Answer
    from inward.control.exporting.settings import Destination
    from inward.record.metrics.defined import Reading

FINISH_SECONDS = 3.0


class Push:
    """Sends what `readings` gives. Making one raises `BadInputError` for certificates that are none."""

    def __init__(
        self,
        destination: Destination,
        trust_domain: str,
        more: Mapping[str, str],
        since: datetime,
        readings: Callable[[], Awaitable[list[Reading]]],
        told: Callable[[str], None],
    ) -> None:
        self._name = destination.name
        self._sender = Sender(destination, CONTENT_TYPE)
        self._resource = resource(SERVICE, trust_domain, more)
        self._since = since
        self._readings = readings
        self._told = told
        self._trouble = ""
        self._sending: asyncio.Task[None] | None = None

    async def keep(self, seconds: float) -> None:
        """Send for as long as this runs, every so many seconds; what is under way then is left to `finish`."""
        while True:
            await asyncio.sleep(seconds)
            self._sending = asyncio.create_task(self.send())
            await asyncio.shield(self._sending)

    async def finish(self) -> None:
        """Send what was counted last, if that does not take long, and let the receiver go."""
        if self._sending is not None:
            await asyncio.wait([self._sending], timeout=FINISH_SECONDS)
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        try:
            if not self._trouble:
                async with asyncio.timeout(FINISH_SECONDS):
                    await self.send()
        except Exception as error:  # noqa: BLE001 - the end of a run has more to do, whatever this is
            self._told(f"{self._name}: the last metrics are not sent: {str(error) or 'it takes too long'}")
        await self._sender.close()

    async def send(self) -> None:
        """Send all metrics as they are now."""
        readings = await self._readings()
        body = await asyncio.to_thread(encode, readings, self._resource, self._since, datetime.now(UTC))
        trouble = _trouble(await self._sender.send(body))
        if trouble and not self._trouble:
            self._told(f"{self._name}: metrics are not taken: {trouble}")
        elif self._trouble and not trouble:
            self._told(f"{self._name}: metrics are taken again")
        self._trouble = trouble


def _trouble(answer: Answer) -> str:
    """Return what is wrong with what a receiver said; empty where nothing is."""
    return refused(answer.body) if answer.kind == "taken" else answer.why
