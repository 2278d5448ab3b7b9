"""`inward up`: start a system and keep it running."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import option_for, print_event, print_line, printable, styled
from inward.control.settings import Settings
from inward.control.up import Up

if TYPE_CHECKING:
    from inward.control.events import Event
    from inward.control.layout import Layout


def up(system: SystemOption = Path(), json: JSONOption = False) -> None:
    """Start every service of the system behind its Envoy, and keep them running until Ctrl-C."""
    layout = system_layout(system)
    settings = Settings.from_environment(os.environ)

    def told(event: Event) -> None:
        print_event(event, as_json=json)
        if event.kind == "ready" and not json:
            _print_next(layout, option_for(system))

    async def serve() -> None:
        run = Up(layout, settings, os.environ, told)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, run.stop)
        await run.run()

    asyncio.run(serve())


def _print_next(layout: Layout, option: str) -> None:
    print_line(f"what the services print is in {printable(str(layout.output('SERVICE')))}")
    print_line("a change to the system folder is enforced at once; Ctrl-C stops everything")
    print_line("in another terminal:")
    for command, what in (
        (f"inward call{option} CALLER GET http://SERVICE/…", "make one call as a service"),
        (f"inward calls{option} --follow", "watch the record"),
        (f"inward status{option}", "what each Envoy enforces, read back from it"),
    ):
        print_line(styled(f"  {command}", "bold") + styled(f"   # {what}", "dim"))
