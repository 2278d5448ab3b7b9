"""`inward up`: the server parts, and for every service with a `run` line its Envoy and its process, in one run.

What must go on without this process does: the Envoys and the services are in sessions of their own and enforce what was
last written for them, their logs lie on disk, and the run after this one takes all of them over.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from inward.authority.ca import Authority
from inward.authority.keys import FolderKeyStore, KeyStore, SealedKeyStore
from inward.control import services as parts
from inward.control.bundle import Policy, SystemReader, current_bundle, load_policy, store_bundle
from inward.control.enforcement import Enforcement
from inward.control.events import Event, Told, mistakes_event
from inward.control.identities import Identities
from inward.control.intake import Intake
from inward.control.limits import require_watches
from inward.control.process import last_line
from inward.control.quarantine import apply_quarantine
from inward.control.readiness import LOOK_SECONDS, listens, until_listening
from inward.control.running import Running, load_running, store_running
from inward.control.slow_path import SLOW_PATH, slow_path_process
from inward.control.supervisor import Job, Supervisor
from inward.envoy.admin import Admin
from inward.errors import InvalidSystemError, InwardError
from inward.identity.private_files import private_folder
from inward.record.call import timestamp
from inward.record.lock import FolderLock
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from inward.catalog.model import Service
    from inward.control.layout import Layout
    from inward.control.running import RunningService
    from inward.control.settings import Settings
    from inward.envoy.tail import LogFolder

RETRY_SECONDS = 1.0
_logger = logging.getLogger(__name__)


class Up:
    """One run of a system. `run` returns when `stop` was called and everything has ended."""

    def __init__(self, layout: Layout, settings: Settings, environment: Mapping[str, str], told: Told) -> None:
        self._layout = layout
        self._settings = settings
        self._environment = dict(environment)
        self._told = told
        self._stop = asyncio.Event()
        self._reader = SystemReader(layout.system)
        self._allocations: dict[str, parts.Allocation] = {}
        self._jobs: dict[str, str] = {}  # process name → fingerprint
        self._ports: set[int] = set()
        self._rotating: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """End the run."""
        self._stop.set()

    async def run(self) -> None:
        """Hold the system, start it, keep it, and end it. Raises `InwardError` where it cannot start."""
        with FolderLock(private_folder(self._layout.state)), Recorder(private_folder(self._layout.record)) as recorder:
            self._supervisor = Supervisor(self._layout.processes, self._process_told)
            left = set(self._supervisor.leftovers())
            self._policy = self._first_policy(bool(left))
            self._intake = Intake(self._layout, recorder, lambda: self._policy.catalog, self._warn)
            self._identities = Identities(self._authority(), self._told)
            self._enforcement = Enforcement(self._layout, self._told)
            for note in recorder.notes:
                self._warn(note)
            before = load_running(self._layout) if left else None
            await self._supervisor.clear(self._names() if before else set())
            if before is None:
                require_watches(len(self._served()))
            try:
                await self._start(before.services if before else {})
                await self._keep()
            finally:
                await self._end()

    def _first_policy(self, something_runs: bool) -> Policy:  # noqa: FBT001 - what it is about
        try:
            policy = self._reader.load()
        except InvalidSystemError as error:
            kept = current_bundle(self._layout.bundle)
            if not something_runs or kept is None:
                raise
            # Services are up and protected by what an earlier run enforced: that is better kept than lost.
            self._told(mistakes_event(error))
            return load_policy(kept)
        store_bundle(private_folder(self._layout.bundle), policy)
        return policy

    def _authority(self) -> Authority:
        settings = self._settings
        store: KeyStore
        if settings.passphrase:
            store = SealedKeyStore(self._layout.state / "authority", settings.passphrase)
        else:
            store = FolderKeyStore(self._layout.run / "authority")
            if not self._layout.in_memory:
                self._warn("no memory file system: keys are on a disk, readable by this account only")
        return Authority(self._policy.catalog.trust_domain, store, settings.authority)

    def _served(self) -> dict[str, Service]:
        return {name: service for name, service in self._policy.catalog.services.items() if service.run}

    def _names(self) -> set[str]:
        return {each for name in self._served() for each in (name, parts.envoy_name(name))} | {SLOW_PATH}

    async def _start(self, before: Mapping[str, RunningService]) -> None:
        catalog = self._policy.catalog
        served = self._served()
        self._told(
            Event(
                "starting",
                f"{len(served)} services of {catalog.trust_domain}, policy {self._policy.version}",
                {"trust_domain": catalog.trust_domain, "services": sorted(served), "policy": self._policy.version},
            )
        )
        await self._reconcile(before)
        await self._all_ready()

    async def _reconcile(self, before: Mapping[str, RunningService]) -> None:
        """Make what runs what the policy in force says: folders and files first, then processes."""
        served = self._served()
        for name in [name for name in self._allocations if name not in served]:
            await self._supervisor.end(name)
            await self._supervisor.end(parts.envoy_name(name))
            del self._allocations[name]
        for name, service in served.items():
            parts.prepare_folders(name, self._layout)
            known = self._allocations.get(name)
            kept = known.running() if known else before.get(name)
            self._allocations[name] = parts.allocate(service, self._layout, kept, self._ports)
        self._write_running()
        await asyncio.to_thread(self._write_files)
        await self._run_jobs(served)

    def _write_running(self) -> None:
        services = {name: allocation.running() for name, allocation in self._allocations.items()}
        now = timestamp(datetime.now(UTC))
        store_running(self._layout, Running(pid=os.getpid(), since=now, services=services))

    def _write_files(self) -> None:
        self._enforcement.apply(self._policy, self._allocations)
        folders = {
            name: (service.spiffe_id, self._enforcement.folder(name)) for name, service in self._served().items()
        }
        self._identities.want(folders)
        apply_quarantine(self._layout, self._policy.catalog)

    async def _run_jobs(self, served: Mapping[str, Service]) -> None:
        """Start what is not running as it should: enforcers first, then who is called, then who only calls."""
        enforcers = [Job(slow_path_process(self._layout, self._environment))]
        callees: list[Job] = []
        callers: list[Job] = []
        for name, service in served.items():
            self._intake.follow(name)
            allocation = self._allocations[name]
            enforcer = parts.envoy_process(service, allocation, self._layout, self._settings, self._environment)
            enforcers.append(Job(enforcer, parts.ENVOY_VARIABLES, partial(self._before_envoy, name)))
            app = parts.app_process(service, allocation, self._layout, self._environment)
            job = Job(app, parts.APP_VARIABLES, partial(self._before_app, name))
            (callers if allocation.app is None else callees).append(job)
        for wave in (enforcers, callees, callers):
            changed = [job for job in wave if self._jobs.get(job.spec.name) != job.fingerprint]
            await asyncio.gather(*(self._supervisor.run(job) for job in changed))
            await self._until(
                until_listening(self._layout, self._allocations, self._supervisor.alive), self._settings.start_seconds
            )
            self._jobs |= {job.spec.name: job.fingerprint for job in wave}

    async def _until(self, work: Coroutine[None, None, None], seconds: float) -> None:
        """Wait for `work`, but not longer than `seconds`, and not when the run is being ended."""
        tasks = [asyncio.create_task(work), asyncio.create_task(self._stop.wait())]
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _before_envoy(self, name: str) -> None:
        self._layout.service(name).admin_socket.unlink(missing_ok=True)
        await asyncio.to_thread(self._intake.next_log, name)

    async def _before_app(self, name: str) -> None:
        self._layout.service(name).app_socket.unlink(missing_ok=True)

    async def _all_ready(self) -> None:
        await asyncio.gather(*(self._ready(name) for name in self._served()))
        if self._stop.is_set():
            return
        services = {
            name: {
                "spiffe_id": str(self._policy.catalog.services[name].spiffe_id),
                "mode": self._policy.catalog.services[name].mode.value,
                "listen": str(allocation.ingress) if allocation.ingress else None,
                "egress": str(allocation.egress),
                "app": None if allocation.app is None else str(allocation.app),
                "version": self._enforcement.enforced(name),
            }
            for name, allocation in self._allocations.items()
        }
        self._told(
            Event(
                "ready",
                f"ready: {len(services)} services, policy {self._policy.version}",
                {"system": str(self._layout.system), "policy": self._policy.version, "services": services},
            )
        )

    async def _ready(self, name: str) -> None:
        """Wait until a service takes calls, and say so."""
        deadline = time.monotonic() + self._settings.start_seconds
        admin = Admin(self._layout.service(name).admin_socket)
        late = False
        while not self._stop.is_set():
            app = self._allocations[name].app
            if await admin.live() and self._supervisor.alive(name) and (app is None or await listens(app)):
                break
            if not late and time.monotonic() > deadline:
                late = True
                self._warn(f"{name} does not listen yet; what it prints is in `{self._layout.output(name)}`")
            await asyncio.sleep(LOOK_SECONDS)
        else:
            return
        version = None
        while version is None and not self._stop.is_set():
            version = await self._enforcement.confirm(name, self._settings.start_seconds)
        allocation = self._allocations[name]
        service = self._policy.catalog.services[name]
        where = f"https://{allocation.ingress}" if allocation.ingress else "only calls"
        self._told(
            Event(
                "service",
                f"{name:<16} ready   {where:<26} {service.mode.value if service.listen else '':<8} {service.spiffe_id}",
                {
                    "service": name,
                    "state": "ready",
                    "listen": where if allocation.ingress else None,
                    "version": version,
                },
            )
        )

    async def _keep(self) -> None:
        """Keep everything going until `stop`."""
        keepers: dict[str, Callable[[], Awaitable[None]]] = {
            "identities": self._identities.keep,
            "the record": partial(self._intake.keep, self._rotate),
            "the system folder": self._watch,
        }
        tasks = [asyncio.create_task(self._go_on(name, keeper)) for name, keeper in keepers.items()]
        await self._stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _go_on(self, name: str, keeper: Callable[[], Awaitable[None]]) -> None:
        """Run one keeper again whatever happens to it: the others and every service must not end because of it."""
        while True:
            try:
                await keeper()
            except Exception as error:
                told = error.message if isinstance(error, InwardError) else f"{type(error).__name__}: {error}"
                self._warn(f"{name}: {told}; trying again")
                _logger.debug("%s failed", name, exc_info=True)
            await asyncio.sleep(RETRY_SECONDS)

    def _rotate(self, name: str, folder: LogFolder) -> None:
        if folder.due(self._settings.log_file_bytes) and self._supervisor.alive(parts.envoy_name(name)):
            admin = Admin(self._layout.service(name).admin_socket)
            task = asyncio.create_task(self._rotate_one(folder, admin))
            self._rotating.add(task)
            task.add_done_callback(self._rotating.discard)

    async def _rotate_one(self, folder: LogFolder, admin: Admin) -> None:
        with contextlib.suppress(InwardError):
            await folder.rotate(admin.reopen_logs)

    async def _watch(self) -> None:
        """Look at the system folder; what is right there is enforced, what is wrong is told."""
        while True:
            await asyncio.sleep(self._settings.reload_seconds)
            if await asyncio.to_thread(self._reader.changed):
                await self._take_over()

    async def _take_over(self) -> None:
        started = time.monotonic()
        try:
            policy = await asyncio.to_thread(self._reader.load)
        except InvalidSystemError as error:
            self._told(mistakes_event(error))
            return
        if policy.catalog.trust_domain != self._policy.catalog.trust_domain:
            self._warn("another trust domain needs a new start: the policy before stays in force")
            return
        self._policy = policy
        store_bundle(self._layout.bundle, policy)
        await self._reconcile({})
        versions = await asyncio.gather(*(self._enforcement.confirm(name, 10.0) for name in self._served()))
        seconds = time.monotonic() - started
        behind = [name for name, version in zip(self._served(), versions, strict=True) if version is None]
        count = f"{len(versions) - len(behind)} of {len(versions)}"
        text = f"policy {policy.version} is enforced by {count} Envoys ({seconds:.2f} s)"
        if behind:
            text += f"; not yet by {', '.join(behind)}"
        self._told(Event("policy", text, {"policy": policy.version, "seconds": round(seconds, 3), "behind": behind}))

    async def _end(self) -> None:
        self._told(Event("stopping", "stopping every service", {}))
        await self._supervisor.end_all()
        for task in self._rotating:
            task.cancel()
        try:
            await asyncio.to_thread(self._intake.drain)
        except InwardError as error:
            self._warn(f"calls are left in the logs: {error.message}")
        self._layout.running.unlink(missing_ok=True)

    def _process_told(self, name: str, what: str, code: int | None) -> None:
        if what == "ended" and not self._stop.is_set():
            output = self._layout.output(name)
            said = last_line(output)
            text = f"{name} has ended ({code}) and is started again; it said `{said}`, all of it in `{output}`"
            self._told(Event("service", text, {"service": name, "state": "ended", "exit_code": code}))
        elif what.startswith("cannot"):
            self._warn(f"{name} {what}")

    def _warn(self, text: str) -> None:
        self._told(Event("warning", text, {}))
