"""`inward up`: the server parts, and for every service with a `run` line its Envoy and its process, in one run.

What must go on without this process does: the Envoys and the services are in sessions of their own and enforce what was
last written for them, their logs lie on disk, and the run after this one takes all of them over.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import time
from functools import partial
from typing import TYPE_CHECKING

from inward.authority.ca import Authority
from inward.authority.keys import FolderKeyStore, KeyStore, SealedKeyStore
from inward.control.acts import ActError, account, changes_of, note_act
from inward.control.bundle import BundleError, Policy, SystemReader, load_bundle, store_bundle
from inward.control.exporting.exporter import Exporting
from inward.control.recording.intake import Intake
from inward.control.recording.metrics.keeping import Metrics
from inward.control.recording.metrics.state import Run
from inward.control.recording.metrics.tally import Tally
from inward.control.recording.rolling import Rolling, state_database
from inward.control.recording.sealing import Sealing
from inward.control.recording.signing import Signing
from inward.control.run import services as parts
from inward.control.run.enforcement import Enforcement
from inward.control.run.events import Event, Told, mistakes_event
from inward.control.run.fleet import Fleet, Keepers, process_names, served
from inward.control.run.gate import Gates
from inward.control.run.identities import Identities
from inward.control.run.limits import require_watches
from inward.control.run.ports import require_free
from inward.control.run.process import last_line
from inward.control.run.remembered import changed_meanwhile, remember
from inward.control.run.supervisor import Supervisor
from inward.control.running import Running, load_running
from inward.control.sampling.process import MISSING, can_sample
from inward.control.watching.start import make_watching
from inward.envoy.admin import Admin
from inward.errors import InvalidSystemError, InwardError
from inward.guard.serve.log import KIND as GUARD_LOG
from inward.identity.private_files import private_folder
from inward.record.lock import FolderLock
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from inward.control.layout import Layout
    from inward.control.running import RunningService
    from inward.control.settings import Settings
    from inward.envoy.log_folder import LogFolder

RETRY_SECONDS = 1.0
CONFIRM_SECONDS = 10.0
_logger = logging.getLogger(__name__)


async def _goes_on_by_itself() -> None:
    """Wait for nothing: a guard looks at its log's symlink before each line."""


class Up:
    """One run of a system. `run` returns when `stop` was called and everything has ended."""

    def __init__(self, layout: Layout, settings: Settings, environment: Mapping[str, str], told: Told) -> None:
        self._layout = layout
        self._settings = settings
        self._environment = dict(environment)
        self._listener = told
        self._stop = asyncio.Event()
        self._reader = SystemReader(layout.system)
        self._tasks: set[asyncio.Task[None]] = set()
        self._behind = False  # whether what runs is not yet what the policy in force says
        self._tally = Tally(lambda: self._policy.catalog, self._warn, counts=settings.has_metrics)

    def _told(self, event: Event) -> None:
        """Tell an event. Whoever listens may be gone (a closed pipe): that is no reason to end, nor not to end."""
        self._tally.noticed(event)
        try:
            self._listener(event)
        except Exception:
            _logger.debug("nobody took the event %s", event.kind, exc_info=True)

    def stop(self) -> None:
        """End the run."""
        self._stop.set()

    async def run(self) -> None:
        """Hold the system, start it, keep it, and end it. Raises `InwardError` where it cannot start."""
        with FolderLock(private_folder(self._layout.state)), Recorder(private_folder(self._layout.record)) as recorder:
            self._supervisor = Supervisor(self._layout.processes, self._process_told)
            left = set(self._supervisor.leftovers())
            self._policy = self._first_policy(bool(left))
            self._intake = Intake(
                self._layout, recorder, lambda: self._policy.catalog, self._warn, self._tally.recorded
            )
            self._identities = Identities(self._authority(), self._told, self._note)
            self._signing = Signing(
                self._layout, recorder, self._policy.catalog.trust_domain, self._settings.passphrase, self._warn
            )
            self._sealing = Sealing(
                recorder,
                self._signing,
                keep=lambda: self._policy.catalog.keep,
                bucket=self._settings.bucket,
                told=self._warn,
            )
            database = state_database(self._layout, self._settings.state_url)
            self._rolling = Rolling(self._layout.record, database, recorder.durable, self._warn)
            domain = self._policy.catalog.trust_domain
            self._exporting = Exporting(self._settings.exporting, self._layout, recorder.durable, domain, self._told)
            self._watching = make_watching(
                layout=self._layout,
                durable=recorder.durable,
                catalog=lambda: self._policy.catalog,
                settings=self._settings.alerts,
                told=self._told,
                note=self._note,
            )
            self._metrics = self._make_metrics()
            self._enforcement = Enforcement(self._layout, self._told)
            self._gates = Gates(self._layout, self._supervisor, self._told)
            keepers = Keepers(self._supervisor, self._intake, self._identities, self._enforcement, self._gates)
            self._fleet = Fleet(self._layout, self._settings, self._environment, keepers, self._told, self._stop)
            for note in recorder.notes:
                self._warn(note)
            if self._settings.may_be_attacked:
                self._warn("this run may be attacked: INWARD_ALLOW_ATTACK is set, which is for no production")
            changed = changed_meanwhile(self._layout.enforced, self._policy)
            self._note("start", self._policy.version, f"{len(served(self._policy))} services{changed}", by=account())
            remember(self._layout.enforced, self._policy)
            before = self._run_before() if left else None
            await self._supervisor.clear(process_names(self._policy, self._settings) if before else set())
            if before is None:
                require_watches(len(served(self._policy)))
                require_free(served(self._policy).values())
            try:
                await self._keep(before.services if before else {})
            finally:
                await self._end()

    def _run_before(self) -> Running | None:
        try:
            return load_running(self._layout)
        except InwardError as error:
            self._warn(f"{error.message}; everything is started anew")
            return None

    def _first_policy(self, something_runs: bool) -> Policy:  # noqa: FBT001 - what it is about
        try:
            policy = self._reader.load()
        except InvalidSystemError as error:
            try:
                kept = load_bundle(self._layout.bundle) if something_runs else None
            except BundleError:
                kept = None
            if kept is None:
                raise
            # Services are up and protected by what an earlier run enforced: that is better kept than lost.
            self._told(mistakes_event(error))
            return kept
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

    def _tell_start(self) -> None:
        catalog = self._policy.catalog
        names = sorted(served(self._policy))
        self._told(
            Event(
                "starting",
                f"{len(names)} services of {catalog.trust_domain}, policy {self._policy.version}",
                {"trust_domain": catalog.trust_domain, "services": names, "policy": self._policy.version},
            )
        )

    async def _keep(self, before: Mapping[str, RunningService]) -> None:
        """Start everything, and keep it going until `stop`."""
        self._tell_start()
        self._intake.follow_left()
        # Calls are recorded and identities renewed from the first moment, however long some service takes to start.
        self._go_on_with("identities", self._identities.keep)
        self._go_on_with("the record", partial(self._intake.keep, self._rotate))
        self._go_on_with("signing", partial(self._signing.keep, self._settings.checkpoint_seconds))
        self._go_on_with("sealing", self._sealing.keep_on)
        self._go_on_with("the rollups", self._rolling.keep)
        self._go_on_with("the page of metrics", self._metrics.serve)
        self._go_on_with("sending metrics", self._metrics.send)
        self._go_on_with("sending on", self._exporting.keep)
        if self._watching is not None:
            self._go_on_with("alerts", self._watching.keep)
        if self._settings.sampling and not can_sample():
            self._warn(MISSING)
        self._go_on_with("what is guarded", self._gates.keep)
        await self._fleet.reconcile(self._policy, before)
        self._go_on_with("readiness", partial(self._fleet.all_ready, self._policy))
        self._go_on_with("the system folder", self._watch)
        await self._stop.wait()

    def _make_metrics(self) -> Metrics:
        run = Run(
            self._layout,
            policy=lambda: self._policy,
            services=lambda: list(served(self._policy)),
            alive=self._supervisor.alive,
            unrecorded=self._intake.unrecorded,
            authority_expires=lambda: self._identities.authority_expires,
            signing=self._signing,
            rollup_behind=self._rolling.behind,
            exports=self._exporting.states,
        )
        return Metrics(self._settings, self._policy.catalog.trust_domain, self._tally, run, self._told)

    def _go_on_with(self, name: str, keeper: Callable[[], Awaitable[None]]) -> None:
        self._aside(self._go_on(name, keeper))

    def _aside(self, work: Coroutine[None, None, None]) -> None:
        """Do something beside everything else, until the end of the run."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _go_on(self, name: str, keeper: Callable[[], Awaitable[None]]) -> None:
        """Run one keeper again where it fails: the others and every service must not end because of it."""
        while True:
            try:
                return await keeper()
            except Exception as error:
                told = error.message if isinstance(error, InwardError) else f"{type(error).__name__}: {error}"
                self._warn(f"{name}: {told}; trying again")
                _logger.debug("%s failed", name, exc_info=True)
            await asyncio.sleep(RETRY_SECONDS)

    def _rotate(self, name: str, folder: LogFolder) -> None:
        most = self._settings.log_file_bytes, self._settings.log_file_seconds
        if folder.kind == GUARD_LOG:
            if folder.due(*most) and self._supervisor.alive(name):
                self._aside(self._rotate_one(folder, _goes_on_by_itself))
        elif folder.due(*most) and self._supervisor.alive(parts.envoy_name(name)):
            self._aside(self._rotate_one(folder, Admin(self._layout.service(name).admin_socket).reopen_logs))

    async def _rotate_one(self, folder: LogFolder, reopen: Callable[[], Awaitable[None]]) -> None:
        with contextlib.suppress(InwardError):
            await folder.rotate(reopen)

    async def _watch(self) -> None:
        """Look at the system folder; what is right there is enforced, what is wrong is told."""
        while True:
            await asyncio.sleep(self._settings.reload_seconds)
            started = time.monotonic()
            if await asyncio.to_thread(self._reader.changed):
                await self._take_over()
            if self._behind:
                known = self._fleet.names
                await asyncio.to_thread(store_bundle, self._layout.bundle, self._policy)
                await self._fleet.reconcile(self._policy, {})
                self._behind = False
                self._aside(self._tell_enforced(self._policy, started))
                for name in self._fleet.names - known:
                    self._go_on_with(name, partial(self._fleet.ready, name, self._policy))

    async def _take_over(self) -> None:
        """Make the system folder, as it is now, the policy in force, unless something is wrong with it."""
        try:
            policy = await asyncio.to_thread(self._reader.load)
        except InvalidSystemError as error:
            self._told(mistakes_event(error))
            return
        if policy.catalog.trust_domain != self._policy.catalog.trust_domain:
            self._warn("another trust domain needs a new start: the policy before stays in force")
            return
        for act in changes_of(self._policy, policy) if policy.version != self._policy.version else ():
            await asyncio.to_thread(self._note, *act)
        self._policy = policy
        self._behind = True
        await asyncio.to_thread(remember, self._layout.enforced, policy)

    async def _tell_enforced(self, policy: Policy, started: float) -> None:
        names = list(served(self._policy))
        versions = await asyncio.gather(*(self._enforcement.confirm(name, CONFIRM_SECONDS) for name in names))
        if policy is not self._policy:
            return  # the one that came after it is told
        seconds = time.monotonic() - started
        behind = [name for name, version in zip(names, versions, strict=True) if version is None]
        count = f"{len(versions) - len(behind)} of {len(versions)}"
        text = f"policy {policy.version} is enforced by {count} Envoys ({seconds:.2f} s)"
        if behind:
            text += f"; not yet by {', '.join(behind)}"
        self._told(Event("policy", text, {"policy": policy.version, "seconds": round(seconds, 3), "behind": behind}))

    async def _end(self) -> None:
        self._told(Event("stopping", "stopping every service", {}))
        self._sealing.end()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._supervisor.end_all()
        self._note("stop", self._policy.version, by=account())
        try:
            await asyncio.to_thread(self._intake.drain)
            await asyncio.to_thread(self._signing.sign)
            await asyncio.to_thread(self._rolling.finish)
        except InwardError as error:
            self._warn(f"calls are left in the logs: {error.message}")
        if self._watching is not None:
            await asyncio.to_thread(self._watching.end)
        await self._exporting.finish()
        await self._metrics.finish()
        self._fleet.close()
        # Keys, credentials and sockets end with the run; the authority too, unless a passphrase keeps it in the state.
        shutil.rmtree(self._layout.run, ignore_errors=True)

    def _process_told(self, name: str, what: str, code: int | None) -> None:
        if what in {"ended", "lost"} and (service := parts.service_of_envoy(name)) is not None:
            self._intake.interrupted(service)
        if what == "ended" and not self._stop.is_set():
            output = self._layout.output(name)
            said = last_line(output)
            text = f"{name} has ended ({code}) and is started again; it said `{said}`, all of it in `{output}`"
            self._told(Event("service", text, {"service": name, "state": "ended", "exit_code": code}))
        elif what.startswith("cannot"):
            self._warn(f"{name} {what}".strip())

    def _note(self, what: str, about: str, detail: str | None = None, by: str | None = None) -> None:
        """Note an act for the record; what is done goes on where that is not possible, and it is told."""
        try:
            note_act(self._layout, what, about, detail=detail, by=by)
        except ActError as error:
            self._warn(error.message)

    def _warn(self, text: str) -> None:
        self._told(Event("warning", text, {}))
