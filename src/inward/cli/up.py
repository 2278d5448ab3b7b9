"""`inward up`: start a system and keep it running."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import option_for, print_commands, print_event, print_line, printable
from inward.control.run.up import Up
from inward.control.settings import Settings
from inward.errors import InwardError
from inward.record.lock import FolderLockedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inward.control.layout import Layout
    from inward.control.run.events import Event


class AlreadyRunningError(InwardError):
    """Another process runs the system."""

    code = "already_running"


@contextmanager
def told_who_runs() -> Iterator[None]:
    """Say of a locked system folder who runs it."""
    try:
        yield
    except FolderLockedError as error:
        who = f"process {error.holder.pid} since {error.holder.since}" if error.holder else "another process"
        raise AlreadyRunningError(
            f"it runs here already: {who}", hint="end that with Ctrl-C where it runs, or with `inward down --force`"
        ) from None


def up(system: SystemOption = Path(), json: JSONOption = False) -> None:
    """Start every service of the system behind its Envoy, and keep them running until Ctrl-C."""
    layout = system_layout(system)
    settings = Settings.from_environment(os.environ)

    def tell(event: Event) -> None:
        print_event(event, as_json=json)
        if event.kind == "ready" and not json:
            _print_next(layout, option_for(system))

    teller = Teller(tell)
    run = Up(layout, settings, os.environ, teller)
    with told_who_runs():
        asyncio.run(keep_up(run, teller))


class Teller:
    """Prints events. Where that fails (the reader has gone, the disk is full) it is silent, and ends the run."""

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell
        self.failure: OSError | None = None
        self.stop: Callable[[], None] = lambda: None

    def __call__(self, event: Event) -> None:
        """Print an event."""
        # INVARIANT: nothing is raised into the run, which would leave processes behind.
        if self.failure is None:
            try:
                self._tell(event)
            except OSError as error:
                self.failure = error
                self.stop()


async def keep_up(run: Up, teller: Teller) -> None:
    """Run until a signal, or until nobody can be told any more."""
    teller.stop = run.stop
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, run.stop)
    await run.run()
    if teller.failure is not None:
        raise teller.failure


def _print_next(layout: Layout, option: str) -> None:
    print_line(f"what the services print is in {printable(str(layout.output('SERVICE')))}")
    print_line("a change to the system folder is enforced at once; Ctrl-C stops everything")
    print_line("in another terminal:")
    print_commands(
        [
            (f"inward call{option} CALLER GET http://SERVICE/…", "make one call as a service"),
            (f"inward calls{option} --follow", "watch the record"),
            (f"inward status{option}", "what each Envoy enforces, read back from it"),
        ]
    )
