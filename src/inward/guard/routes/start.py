"""When a guard looks at its application: once before it serves, and again whenever somebody asks over its socket.

A server that tells an application when it starts (the ASGI lifespan) hears that the start has failed, after the
application has cleaned up. Else the look is taken before the first request, and each request fails until it finds
nothing open.
"""

from __future__ import annotations

import asyncio
import copy
import threading
from typing import TYPE_CHECKING, Any

from inward.guard.bundle import GuardError
from inward.guard.routes.look import look_at, require_closed, tell
from inward.guard.routes.probe import Snare, served_asgi, served_wsgi

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.catalog.model import Service
    from inward.guard.bodies.answer import Answer
    from inward.guard.core import Core
    from inward.guard.routes.look import Look


class Start:
    """The start of one guard. `over` tells whether it has looked, so that it may serve."""

    def __init__(self, *, over: bool = False) -> None:
        self.over = over
        self._turn = asyncio.Lock()
        self._thread_turn = threading.Lock()

    async def of_asgi(self, guard: Any, service: Service) -> None:  # noqa: ANN401 - the adapter's class is above
        """Look at the application of an ASGI guard; raise `GuardError` where it must not serve."""
        async with self._turn:
            if not self.over:
                snare, look = Snare(), _told(guard, service)
                served = await served_asgi(_twin(guard, snare.serve), snare, look.asked, str(service.spiffe_id))
                require_closed(look, served)
                self.over = True

    def of_wsgi(self, guard: Any, service: Service) -> None:  # noqa: ANN401 - as above
        """Look at the application of a WSGI guard; raise `GuardError` where it must not serve."""
        with self._thread_turn:
            if not self.over:
                snare, look = Snare(), _told(guard, service)
                served = served_wsgi(_twin(guard, snare.answer), snare, look.asked, str(service.spiffe_id))
                require_closed(look, served)
                self.over = True

    async def lifespan(self, guard: Any, follow: Callable[[], Core], scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's own
        """Serve the lifespan of an application, which has started when there was nothing open."""
        failed: GuardError | None = None

        async def hear() -> Any:  # noqa: ANN401 - as above
            return {"type": "lifespan.shutdown"} if failed else await receive()

        async def told(message: Any) -> None:  # noqa: ANN401 - as above
            nonlocal failed
            if failed:
                return
            if message["type"] == "lifespan.startup.complete":
                core = await asyncio.to_thread(follow)
                try:
                    await self.of_asgi(guard, core.service)
                except GuardError as error:
                    failed = error
                    return
            await send(message)

        try:
            await guard.app(scope, hear, told)
        finally:
            if failed:
                await send({"type": "lifespan.startup.failed", "message": f"{failed.message}; {failed.hint}"})


def report(guard: Any, service: Service, refusal: Answer) -> Answer:  # noqa: ANN401 - as above
    """Return a refusal with what the application serves now, which may be more than when it started."""
    return look_at(guard, service).answered(refusal)


def _told(guard: Any, service: Service) -> Look:  # noqa: ANN401 - as above
    look = look_at(guard, service)
    tell(look)
    return look


def _twin(guard: Any, app: Any) -> Any:  # noqa: ANN401 - as above
    """Return the same guard, of the same class, around something else."""
    twin = copy.copy(guard)
    twin.app, twin.start = app, Start(over=True)
    return twin
