"""Sends the record to every destination of a run, each by itself: none waits for another, and nothing for them."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from typing import TYPE_CHECKING, Any

from inward.control.exporting.delivery import Delivery, Followed
from inward.control.run.events import Event
from inward.errors import BadInputError
from inward.record.export.ocsf import Events

if TYPE_CHECKING:
    from inward.control.exporting.settings import Destination, ExportSettings
    from inward.control.exporting.state import ExportState
    from inward.control.layout import Layout
    from inward.control.run.events import Told
    from inward.record.export.encoding import Encoding
    from inward.record.follow import Durable

FINISH_SECONDS = 5.0  # that the end of a run may wait for what is not sent yet


class Exporting:
    """The deliveries of one run. Making it raises `BadInputError` where what is set cannot be used."""

    def __init__(
        self, settings: ExportSettings, layout: Layout, durable: Durable, trust_domain: str, told: Told
    ) -> None:
        self._told = told
        followed = Followed(layout.record, durable, settings.limit)
        self._deliveries: list[Delivery[Any]] = []
        for destination in settings.destinations:
            _require(destination)
            from inward.control.exporting.sender import Sender  # noqa: PLC0415 - it comes with an extra

            encoding = _encoding(destination, trust_domain, settings)
            sender = Sender(destination, encoding.content_type)
            delivery = Delivery(
                destination.name, followed, encoding, sender, layout.exports, self._warn, run=os.getpid()
            )
            self._deliveries.append(delivery)
        self._destinations = settings.destinations
        self._tasks: list[asyncio.Task[None]] = []

    def states(self) -> dict[str, ExportState]:
        """Return how far each destination has come, by name."""
        return {delivery.name: delivery.state for delivery in self._deliveries}

    async def keep(self) -> None:
        """Send for as long as this runs; what was begun when it ends is ended by `finish`."""
        for destination in self._destinations:
            self._tell_start(destination)
        self._tasks += [asyncio.create_task(delivery.keep()) for delivery in self._deliveries]
        await asyncio.Event().wait()

    async def finish(self, seconds: float = FINISH_SECONDS) -> None:
        """Send what there is, for so many seconds at most, and end. What is left is sent by the next run."""
        for delivery in self._deliveries:
            delivery.finish()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _warn(self, text: str, data: dict[str, object]) -> None:
        self._told(Event("warning", text, data))

    def _tell_start(self, destination: Destination) -> None:
        how = ", unencrypted" if destination.plain else ""
        self._told(
            Event(
                "export",
                f"the record is sent to {destination.shown}{how} ({destination.name})",
                {"destination": destination.name, "url": destination.shown},
            )
        )


def _require(destination: Destination) -> None:
    """Raise `BadInputError` where the libraries are not there by which a destination is sent to."""
    needed = ("httpx",) if destination.name == "ocsf" else ("httpx", "opentelemetry.proto")
    missing = [name for name in needed if not _is_there(name)]
    if missing:
        raise BadInputError(
            f"the record cannot be sent to {destination.shown}: `{'` and `'.join(missing)}` is not installed",
            hint="`pip install 'inward[export]'`",
        )


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it would be in
        return False


def _encoding(destination: Destination, trust_domain: str, settings: ExportSettings) -> Encoding[Any]:
    if destination.name == "ocsf":
        return Events(lines=destination.lines)
    if destination.name == "otlp-logs":
        from inward.record.export.otlp_logs import Logs  # noqa: PLC0415 - it comes with an extra

        return Logs(trust_domain, settings.resource)
    from inward.record.export.otlp_spans import Spans  # noqa: PLC0415 - it comes with an extra

    return Spans(trust_domain, settings.resource)
