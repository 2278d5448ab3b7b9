"""`inward up`: start a system and keep it running."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import option_for, print_event, print_line
from inward.control.events import Event
from inward.control.settings import Settings
from inward.control.up import Up


def up(system: SystemOption = Path(), json: JSONOption = False) -> None:
    """Start every service of the system behind its Envoy, and keep them running until Ctrl-C."""
    layout = system_layout(system)
    settings = Settings.from_environment(os.environ)
    option = option_for(system)

    def told(event: Event) -> None:
        print_event(event, as_json=json)
        if event.kind == "ready" and not json:
            print_line(f"what the services print is in {layout.output('SERVICE')}")
            print_line(f"try `inward call{option} CALLER GET http://SERVICE/…`, `inward calls{option} --follow`, `inward status{option}`")
            print_line("a change to the system folder is live at once; Ctrl-C stops everything")

    async def serve() -> None:
        run = Up(layout, settings, os.environ, told)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, run.stop)
        await run.run()

    asyncio.run(serve())
