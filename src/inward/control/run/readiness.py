"""When a part of a run takes calls: its Envoy is live, its app listens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from inward.control.run.services import SLOW_PATH, envoy_name
from inward.envoy.admin import Admin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inward.catalog.model import Address
    from inward.control.layout import Layout
    from inward.control.run.services import Allocation

LOOK_SECONDS = 0.02
CONNECT_SECONDS = 1.0


async def listens(app: str | Address) -> bool:
    """Tell whether something accepts connections there."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            if isinstance(app, str):
                _, writer = await asyncio.open_unix_connection(app)
            else:
                _, writer = await asyncio.open_connection(app.host, app.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def until_listening(layout: Layout, allocations: Mapping[str, Allocation], alive: Callable[[str], bool]) -> None:
    """Return when the Envoys and apps of some services, and the slow path, take calls or have ended (not `alive`)."""
    for name, allocation in allocations.items():
        admin = Admin(layout.service(name).admin_socket)
        while alive(envoy_name(name)) and not await admin.live():
            await asyncio.sleep(LOOK_SECONDS)
        while allocation.app is not None and alive(name) and not await listens(allocation.app):
            await asyncio.sleep(LOOK_SECONDS)
    while alive(SLOW_PATH) and not await listens(str(layout.slow_socket)):
        await asyncio.sleep(LOOK_SECONDS)
