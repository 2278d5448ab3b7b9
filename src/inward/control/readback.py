"""What a running system really does, read back from it: who supervises it, and what each Envoy enforces.

Nothing here needs the control process: the Envoys' admin sockets answer without it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psutil

from inward.control.bundle import CURRENT, BundleError, load_bundle
from inward.control.run.readiness import listens as listens_at
from inward.control.running import parse_address
from inward.envoy.admin import Admin, EnvoyAdminError
from inward.envoy.folder import VERSION_STATS, EnvoyFolder
from inward.envoy.resources.render import service_routes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from inward.control.bundle import Policy
    from inward.control.layout import Layout
    from inward.control.running import Running

POLL_SECONDS = 0.004
ADMIN_SECONDS = 1.0
_ROUTES = VERSION_STATS["routes.json"]
_QUARANTINE = VERSION_STATS["quarantine.json"]
_SVID_EXPIRY = r"ssl\.certificate\.svid\.expiration_unix_time_seconds$"


@dataclass(frozen=True, slots=True)
class EnvoyState:
    """What one Envoy says of itself. Not `live`: it does not answer, and its service takes no calls."""

    service: str
    live: bool
    versions: Mapping[str, str] = field(default_factory=dict)  # enforced, by the name of the statistic
    outdated: frozenset[str] = frozenset()  # files of which it enforces an older version
    svid_expires: datetime | None = None

    @property
    def policy_version(self) -> str | None:
        """The policy under which its routes last changed; None for a service that takes no calls."""
        return self.versions.get(_ROUTES, "").partition(".")[0] or None


def supervised(layout: Layout, running: Running) -> bool:
    """Tell whether the control process of a run is still there; its Envoys and services may be all the same."""
    if not psutil.pid_exists(running.pid):
        return False
    # The number may be another process's by now. The lock says so: as long as the run lives, this cannot take it.
    try:
        descriptor = os.open(layout.state / "lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def policy_in_force(layout: Layout) -> Policy | None:
    """Return the policy that the Envoys were last given; None where nothing was ever started."""
    try:
        return load_bundle(layout.bundle)
    except BundleError:
        return None  # made by another version of Inward


async def read_envoy(layout: Layout, service: str) -> EnvoyState:
    """Ask one Envoy what it enforces."""
    folder = EnvoyFolder(layout.service(service).path)
    admin = Admin(layout.service(service).admin_socket, ADMIN_SECONDS)
    folder.recall()
    try:
        versions = await admin.versions()
        expiries = await admin.counters(_SVID_EXPIRY)
    except EnvoyAdminError:
        return EnvoyState(service, live=False)
    # Each TLS context counts for itself: what was not handed to all of them yet is what matters. Zero is "none yet".
    first = min((seconds for seconds in expiries.values() if seconds > 0), default=None)
    return EnvoyState(
        service,
        live=True,
        versions=versions,
        outdated=frozenset(folder.outdated(versions)),
        svid_expires=None if first is None else datetime.fromtimestamp(first, UTC),
    )


async def read_envoys(layout: Layout, services: Iterable[str]) -> list[EnvoyState]:
    """Ask the Envoys of some services what they enforce, all at once."""
    return list(await asyncio.gather(*(read_envoy(layout, name) for name in services)))


async def wait_for_quarantine(layout: Layout, services: Iterable[str], seconds: float) -> list[str]:
    """Wait until Envoys enforce the quarantine as it was written; return the services whose Envoys do not yet."""
    return await _wait(services, seconds, lambda name: _enforces_quarantine(layout, name))


async def wait_for_policy(layout: Layout, policy: Policy, services: Iterable[str], seconds: float) -> list[str]:
    """Wait until Envoys, and the slow path, enforce a policy; return the services whose Envoys do not yet."""
    wanted = {}
    for name in services:
        service = policy.catalog.services[name]
        own = service.serves_tls
        wanted[name] = None if own else service_routes(service, policy.catalog, policy.engine).content
    return await _wait(wanted, seconds, lambda name: _enforces_policy(layout, policy.version, name, wanted[name]))


async def _enforces_quarantine(layout: Layout, name: str) -> bool:
    state = await read_envoy(layout, name)
    return state.live and "quarantine.json" not in state.outdated and bool(state.versions.get(_QUARANTINE))


async def _enforces_policy(layout: Layout, version: str, name: str, content: str | None) -> bool:
    # The slow path decides by the current bundle, which is written before any routes are.
    try:
        current = (layout.bundle / CURRENT).read_text()
    except OSError:
        return False
    if content is None:
        return current == version  # its guard takes the bundle over with the next request, before it decides
    state = await read_envoy(layout, name) if current == version else None
    return state is not None and state.versions.get(_ROUTES, "").partition(".")[2] == content


async def _wait(services: Iterable[str], seconds: float, is_so: Callable[[str], Awaitable[bool]]) -> list[str]:
    deadline = time.monotonic() + seconds

    async def one(name: str) -> bool:
        while not await is_so(name):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True

    names = list(services)
    done = await asyncio.gather(*(one(name) for name in names))
    return [name for name, so in zip(names, done, strict=True) if not so]


async def listens(app: str) -> bool:
    """Tell whether something accepts connections at an address as `RunningService.app` says it."""
    return await listens_at(app if app.startswith("/") else parse_address(app))
