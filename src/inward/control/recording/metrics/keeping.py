"""Keeps the metrics of a run where they were asked for: on a page for Prometheus, and at a receiver of OTLP.

What they need beyond Inward is imported only then. A place that cannot be had is told, and tried again: no call, and
nothing else of the run, waits for it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING

from inward.control.recording.metrics.state import ask_services, read_run
from inward.control.run.events import Event
from inward.errors import BadInputError, InwardError

if TYPE_CHECKING:
    from inward.catalog.model import Address
    from inward.control.recording.metrics.push import Push
    from inward.control.recording.metrics.state import Run
    from inward.control.recording.metrics.tally import Tally
    from inward.control.run.events import Told
    from inward.control.settings import Settings
    from inward.record.metrics.defined import Reading

AGAIN_SECONDS = 10.0


class Metrics:
    """The metrics of one run. Making it raises `BadInputError` where what is asked for cannot be had."""

    def __init__(self, settings: Settings, trust_domain: str, tally: Tally, run: Run, told: Told) -> None:
        self._tally = tally
        self._run = run
        self._told = told
        self._said = ""  # what was told last of what does not work
        self._where = settings.metrics
        self._push: Push | None = None
        exporting = settings.exporting
        self._seconds = exporting.metrics_seconds
        if self._where is not None:
            _require("metrics", "prometheus_client")
        if exporting.metrics is not None:
            _require("export", "httpx", "opentelemetry.proto")
            from inward.control.recording.metrics.push import Push  # noqa: PLC0415 - it comes with an extra

            self._push = Push(
                exporting.metrics, trust_domain, exporting.resource, tally.since, self.readings, self._warn
            )
            self._shown = exporting.metrics.shown

    async def readings(self) -> list[Reading]:
        """Return all metrics as they are now."""
        states = await ask_services(self._run)
        return await asyncio.to_thread(lambda: [*self._tally.readings(), *read_run(self._run, states)])

    async def serve(self) -> None:
        """Serve the page, where one is asked for, for as long as this runs."""
        where = self._where
        if where is None:
            return
        # Here, and not above: both come with an extra.
        from inward.control.recording.metrics.scrape import Scrape, listen, remove  # noqa: PLC0415 - see above
        from inward.record.metrics.exposition import render  # noqa: PLC0415 - see above

        async def page(form: str) -> bytes:
            readings = await self.readings()
            return await asyncio.to_thread(render, readings, form)

        scrape = Scrape(page, lambda error: self._warn(f"the metrics cannot be read: {type(error).__name__}: {error}"))
        while True:
            try:
                listening = listen(where)
            except InwardError as error:
                self._warn(error.advice)
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            self._tell_where(where, listening.getsockname())
            try:
                await scrape.serve(listening)
            finally:
                remove(where)

    async def send(self) -> None:
        """Send to the receiver, where there is one, for as long as this runs."""
        if self._push is not None:
            text = f"metrics are sent to {self._shown} every {self._seconds:g} s"
            self._told(Event("export", text, {"destination": "otlp-metrics", "url": self._shown}))
            await self._push.keep(self._seconds)

    async def finish(self) -> None:
        """Send what was counted last, at the end of a run."""
        if self._push is not None:
            await self._push.finish()

    def _tell_where(self, where: Address | Path, name: object) -> None:
        if isinstance(where, Path) or not isinstance(name, tuple):
            url = f"unix:{where}"
        else:
            host, port = name[:2]
            url = f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics"
            if not ipaddress.ip_address(host).is_loopback:
                self._told(Event("warning", f"{url} asks for no credential: whoever reaches it reads the metrics"))
        self._told(Event("metrics", f"metrics are at {url}", {"metrics": url}))

    def _warn(self, text: str) -> None:
        """Tell what does not work, once for as long as it is the same."""
        if text != self._said:
            self._said = text
            self._told(Event("warning", text))


def _require(extra: str, *libraries: str) -> None:
    """Raise `BadInputError` where libraries are missing."""
    missing = [name for name in libraries if importlib.util.find_spec(name.partition(".")[0]) is None]
    if missing:
        raise BadInputError(
            f"metrics cannot be had: {', '.join(missing)} is not installed", hint=f"`pip install 'inward[{extra}]'`"
        )
