"""`inward status`: what runs, and what each Envoy really enforces, read back from it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inward.cli.options import JSONOption, SystemOption, system_layout
from inward.cli.output import Table, option_for, print_json, print_line, remark, styled
from inward.control.bundle import load_policy
from inward.control.exporting.state import stored_states
from inward.control.quarantine import load_quarantine
from inward.control.readback import listens, policy_in_force, read_envoys, supervised
from inward.control.running import load_running
from inward.errors import ExitCode, InvalidSystemError

if TYPE_CHECKING:
    from rich.text import Text

    from inward.catalog.model import Catalog
    from inward.cli.output import Cell
    from inward.control.bundle import Policy
    from inward.control.exporting.state import ExportState
    from inward.control.layout import Layout
    from inward.control.readback import EnvoyState
    from inward.control.running import Running, RunningService


def status(system: SystemOption = Path(), json: JSONOption = False) -> int:
    """Say what runs, and what each Envoy enforces, as read back from it. Exit 0: everything is up; 1: not."""
    layout = system_layout(system)
    running = load_running(layout)
    if running is None:
        if json:
            print_json({"system": str(layout.system), "running": False})
        else:
            print_line(f"nothing runs in {layout.system}: start it with `inward up{option_for(system)}`")
        return ExitCode.FAILURE
    found = _Found(layout, running)
    if json:
        print_json(found.as_json())
    else:
        found.print(option_for(system))
    return ExitCode.SUCCESS if found.well else ExitCode.FAILURE


class _Found:
    """What was found out about a run."""

    def __init__(self, layout: Layout, running: Running) -> None:
        self._layout = layout
        self._running = running
        self._supervised = supervised(layout, running)
        self._policy = policy_in_force(layout)
        self._quarantined = load_quarantine(layout)
        self._exports = stored_states(layout.exports, running.pid)
        self._envoys, self._apps = asyncio.run(self._look())

    async def _look(self) -> tuple[dict[str, EnvoyState], dict[str, bool]]:
        names = list(self._running.services)
        envoys, apps = await asyncio.gather(
            read_envoys(self._layout, names),
            asyncio.gather(*(self._app_listens(service) for service in self._running.services.values())),
        )
        return dict(zip(names, envoys, strict=True)), dict(zip(names, apps, strict=True))

    async def _app_listens(self, service: RunningService) -> bool:
        return service.app is None or await listens(service.app)

    @property
    def well(self) -> bool:
        return self._supervised and all(self._state(name) == "up" for name in self._running.services)

    def _state(self, name: str) -> str:
        envoy = self._envoys[name]
        if not envoy.live:
            return "Envoy down"
        if not self._apps[name]:
            return "down"
        return "not current" if envoy.outdated else "up"

    def as_json(self) -> dict[str, Any]:
        return {
            "system": str(self._layout.system),
            "running": True,
            "supervised": self._supervised,
            "pid": self._running.pid,
            "since": self._running.since,
            "policy": self._policy.version if self._policy else None,
            "services": {
                name: {
                    "state": self._state(name),
                    "listen": service.listen,
                    "egress": service.egress,
                    "mode": self._mode(name) or None,
                    "policy": self._version(name),
                    "not_current": sorted(self._envoys[name].outdated),
                    "quarantined": name in self._quarantined,
                    "svid_expires": _moment(self._envoys[name].svid_expires),
                }
                for name, service in self._running.services.items()
            },
            "exports": {
                name: {
                    "sent": state.sent,
                    "skipped": state.skipped,
                    "refused": state.refused,
                    "waiting_bytes": state.waiting,
                    "trouble": state.trouble,
                }
                for name, state in self._exports.items()
            },
        }

    def print(self, option: str) -> None:
        version = self._policy.version if self._policy else "unknown"
        domain = f"{self._policy.catalog.trust_domain}, " if self._policy else ""
        print_line(f"{domain}policy {version} in force, {self._layout.system}")
        if self._supervised:
            print_line(f"supervised by `inward up`, process {self._running.pid}")
        else:
            gone = f"`inward up` (process {self._running.pid}) is gone: calls are decided as before,"
            print_line(styled(f"{gone} and nothing is renewed or recorded", "red"))
            print_line(f"`inward up{option}` takes over what runs, `inward down{option}` ends it")
        table = Table(["service", "state", "takes calls at", "mode", "routes of", "SVID expires in", ""])
        table.add([self._row(name, service) for name, service in self._running.services.items()])
        for name, state in self._exports.items():
            print_line(_export(name, state))
        self._remark_on_folder()

    def _row(self, name: str, service: RunningService) -> list[Cell]:
        envoy = self._envoys[name]
        state = self._state(name)
        left = "" if envoy.svid_expires is None else _left(envoy.svid_expires - datetime.now(UTC))
        return [
            name,
            styled(state, "green" if state == "up" else "red"),
            service.listen or "only calls",
            self._mode(name),
            self._version(name) or "",
            left,
            styled("in quarantine" if name in self._quarantined else "", "red"),
        ]

    def _version(self, name: str) -> str | None:
        if self._running.services[name].serves_tls:  # its guard takes the bundle over before it decides again
            return self._policy.version if self._policy else None
        return self._envoys[name].policy_version

    def _mode(self, name: str) -> str:
        catalog: Catalog | None = self._policy.catalog if self._policy else None
        service = catalog.services.get(name) if catalog else None
        return service.mode.value if service and service.listen else ""

    def _remark_on_folder(self) -> None:
        """Say where the system folder says something else than what is enforced."""
        try:
            wanted: Policy | None = load_policy(self._layout.system)
        except InvalidSystemError as error:
            count = len(error.mistakes)
            mistakes = f"{count} mistake{'s' if count > 1 else ''}"
            remark(styled(f"the system folder has {mistakes}, so it is not enforced: see `inward check`", "yellow"))
            return
        if self._policy and wanted and wanted.version != self._policy.version:
            remark(styled(f"the system folder is at {wanted.version}, which is not enforced yet", "yellow"))


def _export(name: str, state: ExportState) -> Text:
    counts = f"{state.sent:,} entries sent, {state.skipped:,} skipped, {state.refused:,} refused"
    if state.trouble is None:
        return styled(f"{name}: {counts}", "yellow" if state.skipped or state.refused else "")
    return styled(f"{name}: nothing is sent, {state.waiting:,} bytes wait: {state.trouble}; {counts}", "red")


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _left(left: timedelta) -> str:
    seconds = int(left.total_seconds())
    if seconds <= 0:
        return "expired"
    return f"{seconds // 60} min" if seconds >= 120 else f"{seconds} s"  # noqa: PLR2004 - below two minutes, seconds
