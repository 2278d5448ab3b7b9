"""The policy in force, into the files of every Envoy of a run, and back: which version each of them really enforces."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from inward.control.run.events import Event, Told
from inward.control.run.services import Allocation, callee_addresses, envoy_name
from inward.envoy.admin import Admin, EnvoyAdminError
from inward.envoy.folder import VERSION_STATS, EnvoyFolder
from inward.envoy.resources import render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inward.control.bundle import Policy
    from inward.control.layout import Layout

POLL_SECONDS = 0.004


class Enforcement:
    """Writes and confirms. A service's routes keep the version under which they last changed."""

    def __init__(self, layout: Layout, told: Told) -> None:
        self._layout = layout
        self._told = told
        self._folders: dict[str, EnvoyFolder] = {}
        self._enforced: dict[str, str] = {}

    def folder(self, name: str) -> EnvoyFolder:
        """Return the folder of a service's Envoy."""
        folder = self._folders.get(name)
        if folder is None:
            folder = self._folders[name] = EnvoyFolder(self._layout.service(name).path)
            folder.recall()
        return folder

    def enforced(self, name: str) -> str | None:
        """Return the policy version that a service's Envoy was last seen to enforce."""
        return self._enforced.get(name)

    def apply(self, policy: Policy, allocations: Mapping[str, Allocation]) -> None:
        """Write what changed, clusters before the routes that use them."""
        addresses = callee_addresses(policy.catalog, allocations)
        for name, allocation in allocations.items():
            folder = self.folder(name)
            path = str(folder.path)
            slow = str(self._layout.slow_socket)
            app = None if allocation.own_tls else allocation.app
            folder.write("clusters.json", render.clusters(policy.catalog, addresses, path, app, slow))
            folder.write("egress.json", render.egress(addresses, allocation.credential))
        for name in allocations:
            folder = self.folder(name)
            service = policy.catalog.services[name]
            compiled = render.service_routes(service, policy.catalog, policy.engine)
            written = folder.written.get("routes.json", "")
            if written.partition(".")[2] != compiled.content:
                version = f"{policy.version}.{compiled.content}"
                folder.write("routes.json", [compiled.resource(policy.version)], version)

    async def confirm(self, name: str, seconds: float) -> str | None:
        """Wait until an Envoy enforces all that was written for it; return the policy version, None after `seconds`."""
        folder = self.folder(name)
        admin = Admin(folder.path / "admin.sock")
        deadline = time.monotonic() + seconds
        versions: dict[str, str] = {}
        while time.monotonic() < deadline:
            try:
                versions = await admin.versions()
            except EnvoyAdminError:
                versions = {}
            folder.recall(["quarantine.json"])  # which is written by whoever changes it
            if versions and not folder.outdated(versions):
                routes = versions.get(VERSION_STATS["routes.json"], folder.written.get("routes.json", ""))
                self._enforced[name] = routes.partition(".")[0]
                return self._enforced[name]
            await asyncio.sleep(POLL_SECONDS)
        output = self._layout.output(envoy_name(name))
        behind = ", ".join(sorted(folder.outdated(versions))) if versions else "its admin interface does not answer"
        text = f"the Envoy of {name} does not enforce what was written for it ({behind}); what it says is in `{output}`"
        self._told(Event("warning", text, {"service": name}))
        return None
