"""The services of a run: what each of them needs, started in order, and told when it takes calls.

It makes what runs what the policy in force says; when, and what happens besides, is for `up`.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from inward.control.quarantine import apply_quarantine
from inward.control.run import services as parts
from inward.control.run.events import Event, Told
from inward.control.run.own_tls import identity_folder
from inward.control.run.ports import Ports, known_ports
from inward.control.run.readiness import LOOK_SECONDS, listens, until_listening
from inward.control.run.slow_path import slow_path_process
from inward.control.run.supervisor import Job, Supervisor
from inward.control.running import Running, store_running
from inward.control.sampling.process import can_sample, sampler_process
from inward.envoy.admin import Admin
from inward.guard.serve.log import KIND as GUARD_LOG
from inward.record.call import timestamp

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from inward.catalog.model import Service
    from inward.control.bundle import Policy
    from inward.control.layout import Layout
    from inward.control.recording.intake import Intake
    from inward.control.run.enforcement import Enforcement
    from inward.control.run.gate import Gates
    from inward.control.run.identities import Identities
    from inward.control.running import RunningService
    from inward.control.settings import Settings


@dataclass(frozen=True, slots=True)
class Keepers:
    """What looks after the services of a run, each after one side of them."""

    supervisor: Supervisor
    intake: Intake
    identities: Identities
    enforcement: Enforcement
    gates: Gates


def served(policy: Policy) -> dict[str, Service]:
    """Return the services that a run starts: those with a `run` line."""
    return {name: service for name, service in policy.catalog.services.items() if service.run}


def process_names(policy: Policy, settings: Settings) -> set[str]:
    """Return the names of all processes of a run."""
    found = {each for name in served(policy) for each in (name, parts.envoy_name(name))} | {parts.SLOW_PATH}
    return found | {parts.SAMPLER} if samples(settings) else found


def samples(settings: Settings) -> bool:
    """Tell whether a run has a sampler."""
    return settings.sampling and can_sample()


class Fleet:
    """The services that run. `stopped` is set when the run is being ended; nothing more is started then."""

    def __init__(
        self,
        layout: Layout,
        settings: Settings,
        environment: Mapping[str, str],
        keepers: Keepers,
        told: Told,
        stopped: asyncio.Event,
    ) -> None:
        self._layout = layout
        self._settings = settings
        self._environment = environment
        self._supervisor = keepers.supervisor
        self._intake = keepers.intake
        self._identities = keepers.identities
        self._enforcement = keepers.enforcement
        self._gates = keepers.gates
        self._told = told
        self._stop = stopped
        self._allocations: dict[str, parts.Allocation] = {}
        self._ports = Ports()

    @property
    def names(self) -> frozenset[str]:
        """The services that were started, or are being started."""
        return frozenset(self._allocations)

    def close(self) -> None:
        """Let the ports go."""
        self._ports.close()

    async def all_ready(self, policy: Policy) -> None:
        """Wait until every service takes calls, and say so with every address."""
        await asyncio.gather(*(self.ready(name, policy) for name in served(policy)))
        services = {
            name: {
                "spiffe_id": str(policy.catalog.services[name].spiffe_id),
                "mode": policy.catalog.services[name].mode.value,
                "listen": str(allocation.ingress) if allocation.ingress else None,
                "egress": str(allocation.egress),
                "app": None if allocation.app is None else str(allocation.app),
                "version": self._enforcement.enforced(name),
            }
            for name, allocation in self._allocations.items()
            if name in policy.catalog.services  # one that was added meanwhile tells of itself
        }
        self._told(
            Event(
                "ready",
                f"ready: {len(services)} services, policy {policy.version}",
                {"system": str(self._layout.system), "policy": policy.version, "services": services},
            )
        )

    async def ready(self, name: str, policy: Policy) -> None:
        """Wait until a service takes calls, and say so."""
        deadline = time.monotonic() + self._settings.start_seconds
        late = False
        while not await self._takes_calls(name):
            if name not in self._allocations:
                return  # taken out of the system
            if not late and time.monotonic() > deadline and not self._gates.holds(name):
                late = True
                output = self._layout.output(name)
                text = f"{name} does not listen yet; what it prints is in `{output}`"
                self._told(Event("warning", text, {"service": name}))
            await asyncio.sleep(LOOK_SECONDS)
        version = None
        while version is None:
            version = await self._enforcement.confirm(name, self._settings.start_seconds)
            if name not in self._allocations:
                return
        allocation = self._allocations[name]
        service = policy.catalog.services[name]
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

    async def _takes_calls(self, name: str) -> bool:
        allocation = self._allocations.get(name)
        admin = Admin(self._layout.service(name).admin_socket)
        if allocation is None or not self._supervisor.alive(name) or not await admin.live():
            return False
        return allocation.app is None or await listens(allocation.app)

    async def reconcile(self, policy: Policy, before: Mapping[str, RunningService]) -> None:
        """Make what runs what `policy` says: folders and files first, then processes.

        `before` is what an earlier run left, whose addresses and credentials are kept.
        """
        wanted = served(policy)
        for name in [name for name in self._allocations if name not in wanted]:
            await self._supervisor.end(name)
            await self._supervisor.end(parts.envoy_name(name))
            del self._allocations[name]
        self._ports.avoid(known_ports(policy.catalog, before))
        for name, service in wanted.items():
            parts.prepare_folders(name, self._layout)
            known = self._allocations.get(name)
            kept = known.running() if known else before.get(name)
            self._allocations[name] = parts.allocate(service, self._layout, kept, self._ports)
        self._gates.want(wanted.values())
        parts.prepare_token_key(self._layout)
        self._write_running()
        await asyncio.to_thread(self._write_files, policy)
        await self._run_jobs(wanted)

    def _write_running(self) -> None:
        services = {name: allocation.running() for name, allocation in self._allocations.items()}
        now = timestamp(datetime.now(UTC))
        may = self._settings.may_be_attacked
        store_running(self._layout, Running(pid=os.getpid(), since=now, services=services, may_be_attacked=may))

    def _write_files(self, policy: Policy) -> None:
        self._enforcement.apply(policy, self._allocations)
        folders = {
            name: (service.spiffe_id, self._enforcement.folder(name)) for name, service in served(policy).items()
        }
        own_tls = {name: identity_folder(self._layout, name) for name, at in self._allocations.items() if at.own_tls}
        self._identities.want(folders, own_tls)
        apply_quarantine(self._layout, policy.catalog)

    async def _run_jobs(self, wanted: Mapping[str, Service]) -> None:
        """Start what is not running as it should: enforcers first, then who is called, then who only calls."""
        enforcers = [Job(slow_path_process(self._layout, self._environment))]
        if samples(self._settings):
            enforcers.append(Job(sampler_process(self._layout, self._environment)))
        callees: list[Job] = []
        callers: list[Job] = []
        for name, service in wanted.items():
            self._intake.follow(name)
            if service.serves_tls:
                self._intake.follow(name, GUARD_LOG)
            allocation = self._allocations[name]
            enforcer = parts.envoy_process(service, allocation, self._layout, self._settings, self._environment)
            enforcers.append(Job(enforcer, parts.ENVOY_VARIABLES, partial(self._before_envoy, name)))
            app = parts.app_process(service, allocation, self._layout, self._environment)
            job = Job(app, parts.APP_VARIABLES, partial(self._before_app, name))
            (callers if allocation.app is None else callees).append(job)
        for wave in (enforcers, callees, callers):
            changed = [job for job in wave if not self._supervisor.runs(job)]
            if not changed or self._stop.is_set():
                continue
            await asyncio.gather(*(self._supervisor.run(job) for job in changed))
            names = {job.spec.name for job in changed}
            begun = {name: at for name, at in self._allocations.items() if names & {name, parts.envoy_name(name)}}
            listening = until_listening(self._layout, begun, partial(self._may_listen, names))
            await self._until(listening, self._settings.start_seconds)

    def _may_listen(self, begun: set[str], process: str) -> bool:
        """Tell whether a process is still to be waited for: it has begun and runs, and its calls are not held back.

        One whose turn comes later may be about to listen elsewhere than it does now.
        """
        return process in begun and self._supervisor.alive(process) and not self._gates.holds(process)

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
        folder = self._layout.service(name)
        for socket in (folder.app_socket, folder.own_socket, folder.asked_socket):
            socket.unlink(missing_ok=True)
        if name in self._allocations and self._allocations[name].own_tls:
            await asyncio.to_thread(self._intake.next_log, name, GUARD_LOG)
