"""The sampler: attaches taps to the Envoys of a run, looks at what they give, and adds to the tallies.

It is a process of its own, of low priority: what services answer is parsed where no key of the authority is, and
neither a call nor a decision waits for it. It takes a tenth of a core at most, and follows the policy in force.

# INVARIANT: an answer is in memory only, for as long as it is looked at. Nothing of one is printed, and no core is
# dumped.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from inward.catalog.system import load_catalog
from inward.control.bundle import current_bundle
from inward.control.sampling.looking import Looker, share_of
from inward.envoy.admin import Admin, EnvoyAdminError
from inward.envoy.tap import SECONDS, TapError, parse_tapped, tap_request
from inward.errors import InwardError
from inward.spotting.history import add_to_history

if TYPE_CHECKING:
    from inward.catalog.model import Service

STORE_SECONDS = 1.0
RETRY_SECONDS = 1.0
_REST = 9  # times as long as looking took: a tenth of a core
_LEAST_PAUSE = 0.02
_NICE = 10


class Sampler:
    """Samples the services of the current bundle. `services` is the folder of their private folders."""

    def __init__(self, bundle: Path, services: Path, store: Path) -> None:
        self._bundle = bundle
        self._services = services
        self._store = store
        self._current: Path | None = None
        self._sampled: dict[str, Service] = {}
        self._looker: Looker | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._told = ""

    async def run(self) -> None:
        """Sample, and store what was counted, until cancelled."""
        try:
            while True:
                self._follow()
                await asyncio.sleep(STORE_SECONDS)
                self._keep()
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            self._keep()

    def _follow(self) -> None:
        """Take over the current bundle, where it is another one."""
        current = current_bundle(self._bundle)
        if current is None or current == self._current:
            return
        catalog, mistakes = load_catalog(current)
        if catalog is None or mistakes:
            return  # it is being deleted, since another has become current
        self._keep()
        self._current = current
        self._looker = Looker(catalog)
        self._sampled = {name: service for name, service in catalog.services.items() if share_of(service) > 0}
        for name in self._tasks.keys() - self._sampled.keys():
            self._tasks.pop(name).cancel()
        for name in self._sampled.keys() - self._tasks.keys():
            self._tasks[name] = asyncio.create_task(self._sample(name))

    def _keep(self) -> None:
        """Add what was counted to the file. Where that fails it is tried again, and told once."""
        if self._looker is None or self._looker.history.since is None:
            return
        try:
            add_to_history(self._store, self._looker.history, datetime.now(UTC).date())
        except InwardError as error:
            self._tell(f"what was found is not kept yet: {error.message}")
            return
        self._looker.take()

    def _tell(self, text: str) -> None:
        # INVARIANT: nothing of an answer is in it.
        if text != self._told:
            self._told = text
            sys.stderr.write(f"{text}\n")

    async def _sample(self, name: str) -> None:
        """Tap the Envoy of a service again and again."""
        admin = Admin(self._services / name / "admin.sock")
        while True:
            try:
                pause = await self._tap(name, admin)
            except (EnvoyAdminError, TapError):
                pause = RETRY_SECONDS  # it is being started, or another one has just begun to tap it
            except Exception as error:  # noqa: BLE001 - one Envoy's trouble must not end the others'
                self._tell(f"sampling {name} failed: {type(error).__name__}")
                pause = RETRY_SECONDS
            await asyncio.sleep(pause)

    async def _tap(self, name: str, admin: Admin) -> float:
        """Take a few answers and look at them; return how long to rest."""
        looker, service = self._looker, self._sampled.get(name)
        if looker is None or service is None:
            return RETRY_SECONDS
        request = tap_request(share_of(service), looker.known(name, datetime.now(UTC)))
        given = await admin.tap(request, SECONDS)
        looker = self._looker or looker  # what is declared may have changed meanwhile
        began = time.process_time()
        for tapped in parse_tapped(given):
            looker.look(name, tapped, datetime.now(UTC))
        return max(_LEAST_PAUSE, _REST * (time.process_time() - began))


async def _run(sampler: Sampler) -> None:
    task = asyncio.ensure_future(sampler.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def main(bundle: str, services: str, store: str) -> None:
    """Sample the services whose private folders are in `services`, and add what is found to the file `store`."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    os.nice(_NICE)
    asyncio.run(_run(Sampler(Path(bundle), Path(services), Path(store))))


if __name__ == "__main__":
    main(*sys.argv[1:])
