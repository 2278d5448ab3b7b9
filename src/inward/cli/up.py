"""`inward up`: start a system and keep it running."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from inward.cli.options import JSONOption, SystemOption
from inward.cli.output import print_event
from inward.control.layout import Layout
from inward.control.settings import Settings
from inward.control.up import Up

def up(system: SystemOption = Path(), json: JSONOption = False) -> None:
    """Start every service of the system behind its Envoy, and keep them running until Ctrl-C."""
    layout = Layout.of(system)
    settings = Settings.from_environment(os.environ)

    async def serve() -> None:
        run = Up(layout, settings, os.environ, lambda event: print_event(event, as_json=json))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, run.stop)
        await run.run()

    asyncio.run(serve())
