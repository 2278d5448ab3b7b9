"""The service `people`, served over mutual TLS without an Envoy, in a thread of the test's own."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import uvicorn
from tests import forge
from tests.contract.guard.people import DESCRIPTION, FILES, KEY, PERSON, write
from tests.system import wire
from tests.system.guarded import eventually

from inward.catalog.model import Address
from inward.catalog.system import load_catalog
from inward.envoy.access_log import parse_line
from inward.envoy.log_folder import LogFolder
from inward.envoy.tail import Line, Tailer
from inward.guard.asgi import Guard
from inward.guard.bundle import FollowedBundle
from inward.guard.current import current_call
from inward.guard.serve.front import Front
from inward.guard.serve.identity import FollowedIdentity, IdentityFiles
from inward.guard.serve.log import KIND, CallLog
from inward.guard.serve.protocol import ServeConfig
from inward.guard.serve.quarantine import FollowedQuarantine
from inward.identity.private_files import private_folder, write_private
from inward.identity.spiffe_id import SpiffeID

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from inward.record.call import Call

TRUST_DOMAIN = "people.test"
OWN = SpiffeID.of_service(TRUST_DOMAIN, "people")
SYSTEM = FILES["inward.yaml"].replace(
    "    run: serve {socket}\n", "    run: python -m inward.guard.serve people:app\n    guard: tls\n"
)


def spiffe_id(service: str) -> str:
    return f"spiffe://{TRUST_DOMAIN}/{service}"


@dataclass
class App:
    """An application that answers with what it was asked, and remembers that."""

    scopes: list[dict[str, Any]] = field(default_factory=list)
    callers: list[str | None] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        self.scopes.append(scope)
        self.callers.append(current_call().caller)
        if scope["path"].endswith("/crash"):
            raise RuntimeError("the application has failed")
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.bodies.append(body)
        streamed = scope["path"].endswith("/streamed")
        content = json.dumps(PERSON | {"path": scope["raw_path"].decode()}).encode()
        headers = [(b"content-type", b"application/json"), (b"x-request-id", b"of the application")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in (content[:7], content[7:]) if streamed else (content,):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body"})


class Clock:
    """The time, which can be moved on."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Served:
    """A server that runs as long as the context does. `mode` is that of the service."""

    def __init__(self, folder: Path, mode: str = "enforce") -> None:
        self.folder = folder
        self.issuer = forge.own_ca(TRUST_DOMAIN)
        self.files = private_folder(folder / "identity")
        self.identity_files = IdentityFiles(self.files / "svid.pem", self.files / "svid.key", self.files / "bundle.pem")
        self.trust(self.issuer)
        self.issue(self.issuer)
        system = SYSTEM.replace("    api: people.json\n", f"    api: people.json\n    mode: {mode}\n")
        write(folder, FILES | {"inward.yaml": system, "people.json": json.dumps(DESCRIPTION)})
        self.log = LogFolder(private_folder(folder / "log"), KIND)
        self.log.switch()
        self.quarantine = self.files / "quarantine.json"
        self.app = App()
        self.clock = Clock()
        self.guard = Guard(self.app, bundle=FollowedBundle(folder / "bundle", "people", KEY))
        self.identity = FollowedIdentity(self.identity_files, OWN)
        quarantine = FollowedQuarantine(self.quarantine, OWN)
        self.calls_log = CallLog(self.log.symlink)
        self.front = Front(self.guard, quarantine, self.calls_log, self.clock)
        self.config = ServeConfig(self.front, self.identity, Address("127.0.0.1", 0))
        self.server = uvicorn.Server(self.config)
        self._thread = threading.Thread(target=self.server.run)
        self._tailer = Tailer(self.log, "people")
        self._recorded: list[Call] = []

    # --- its identity

    def trust(self, *issuers: forge.Issuer) -> None:
        """Replace the trust bundle."""
        write_private(self.identity_files.bundle, b"".join(issuer.pem for issuer in issuers))

    def issue(self, issuer: forge.Issuer) -> None:
        """Replace the service's own SVID."""
        chain, key = forge.good(issuer, str(OWN))
        write_private(self.identity_files.key, key)
        write_private(self.identity_files.svid, chain)

    # --- who calls

    def pair(self, pair: forge.Pair) -> wire.Identity:
        return wire.Identity.of(pair, self.folder)

    def caller(self, service: str) -> wire.Identity:
        return self.pair(forge.good(self.issuer, spiffe_id(service)))

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.server.servers[0].sockets[0].getsockname()
        return host, port

    def connect(self, caller: str | wire.Identity | None) -> wire.Connection:
        identity = self.caller(caller) if isinstance(caller, str) else caller
        return wire.Connection.tls(self.address, identity)

    def call(self, caller: str | wire.Identity, method: str, target: str, **headers: str) -> wire.Answer:
        with self.connect(caller) as connection:
            return connection.call(method, target, host="people", **headers)

    # --- what is recorded

    def recorded(self) -> list[Call]:
        """Return what was recorded until now, as `inward up` reads it."""
        catalog, mistakes = load_catalog(self.folder / "system")
        assert catalog is not None
        assert not mistakes
        while found := self._tailer.read():
            for line in found:
                assert isinstance(line, Line), line
                call = parse_line(line.data, "people", catalog, line.src)
                assert call is not None
                self._recorded.append(call)
        return self._recorded

    def record_of(self, count: int) -> list[Call]:
        """Wait for so many calls in the record."""
        calls: list[Call] = eventually(f"{count} calls", lambda: len(self.recorded()) >= count and self.recorded())
        assert len(calls) == count, calls
        return calls

    def forget(self) -> Self:
        """Forget what was asked and recorded until now."""
        self.app.scopes.clear()
        self.app.callers.clear()
        self.app.bodies.clear()
        self.recorded().clear()
        return self

    def __enter__(self) -> Self:
        self._thread.start()
        eventually("the server has started", lambda: self.server.started or not self._thread.is_alive())
        assert self.server.started
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive()
        self._tailer.close()
        self.calls_log.close()
