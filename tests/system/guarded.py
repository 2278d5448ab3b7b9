"""A system behind real Envoys, started as a person would: `inward up --json` in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psutil
from tests import forge
from tests.system import wire
from tests.system.company import COMPANY, TRUST_DOMAIN

from inward.authority.ca import Authority
from inward.authority.keys import FolderKeyStore
from inward.control.layout import Layout
from inward.control.run.services import envoy_name
from inward.control.running import RunningService, load_running, parse_address
from inward.record.call import Call, Gap
from inward.record.reader import read_calls, read_entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PATIENCE = 20.0  # seconds until a test gives up: the machine may be busy
PAUSE = 0.01
INWARD = [str(Path(sys.executable).parent / "inward")]


class TimeOutError(AssertionError):
    """Something did not happen in time."""


def eventually(what: str, look: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Return what `look` returns as soon as that is true in a condition."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeOutError(f"{what} did not happen in {seconds} s")
        time.sleep(PAUSE)
    return found


@dataclass(frozen=True)
class Seen:
    """A request as an app received it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: str
    trailers: list[str]

    @classmethod
    def parse(cls, content: bytes) -> Seen:
        found = json.loads(content)
        headers = [(name, value) for name, value in found["headers"]]
        return cls(found["method"], found["target"], headers, found["body"], found["trailers"])

    def header(self, name: str) -> list[str]:
        return [value for each, value in self.headers if each.lower() == name]


class Guarded:
    """One system in the folder `folder`, and the `inward up` on it."""

    def __init__(
        self, folder: Path, files: Mapping[str, str] = COMPANY, environment: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.tag = secrets.token_hex(8)
        self.environment = {**os.environ, "INWARD_TEST_TAG": self.tag, **(environment or {})}
        self.process: subprocess.Popen[str] | None = None
        self.events: list[dict[str, Any]] = []
        self.errors = ""
        self._readers: list[threading.Thread] = []
        for name, content in files.items():
            self.write(name, content)

    # --- the run

    def start(self) -> Self:
        """Start it; return when it takes calls."""
        self.launch()
        self.event("ready")
        return self

    def launch(self) -> None:
        self.events.clear()
        argv = [*INWARD, "up", "--json", "--system", str(self.folder)]
        self.process = subprocess.Popen(
            argv, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._readers = [
            threading.Thread(target=read, args=(self.process,), daemon=True)
            for read in (self._read_events, self._read_errors)
        ]
        for reader in self._readers:
            reader.start()

    def _read_events(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.events.append({"at": time.monotonic(), **json.loads(line)})

    def _read_errors(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        self.errors += process.stderr.read()

    def event(self, kind: str, since: int = 0, seconds: float = PATIENCE, **fields: Any) -> dict[str, Any]:
        """Wait for an event with these fields; `since` is how many events to pass over."""

        def look() -> dict[str, Any] | None:
            for event in self.events[since:]:
                if event["event"] == kind and all(event.get(name) == value for name, value in fields.items()):
                    return event
            if self.process is None or self.process.poll() is None:
                return None
            raise AssertionError(f"`inward up` has ended: {self.errors}")

        found: dict[str, Any] = eventually(f"{kind} {fields} after {self.events[-3:]}", look, seconds)
        return found

    def kill(self) -> None:
        """End the control process by SIGKILL, and only it."""
        assert self.process is not None
        self.process.kill()
        self._finish()

    def stop(self) -> int:
        """End the run as a person does; return its exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._finish()

    def _finish(self) -> int:
        assert self.process is not None
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        self.process = None
        return code

    def processes(self) -> list[psutil.Process]:
        """Return every process of this system that is there, however it was started."""
        marks = (str(self.layout.run), str(self.folder))
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                told = " ".join(process.cmdline())
                ours = any(mark in told for mark in marks) or process.environ().get("INWARD_TEST_TAG") == self.tag
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def destroy(self) -> None:
        """End everything, whatever state it is in."""
        if self.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop()
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()

    def inward(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command on this system."""
        return subprocess.run(
            [*INWARD, *arguments, "--system", str(self.folder)],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    # --- its files

    def write(self, name: str, content: str) -> None:
        """Put a file into the system folder, whole."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.write_text(content)
        new.replace(path)

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()

    @cached_property
    def layout(self) -> Layout:
        return Layout.of(self.folder)

    def running(self, service: str) -> RunningService:
        running = load_running(self.layout)
        assert running is not None
        return running.services[service]

    def ingress(self, service: str) -> tuple[str, int]:
        listen = self.running(service).listen
        assert listen is not None
        address = parse_address(listen)
        return address.host, address.port

    def egress(self, service: str) -> tuple[str, int]:
        address = parse_address(self.running(service).egress)
        return address.host, address.port

    def pid(self, name: str) -> int:
        """Return the pid of a process of the run: `orders`, `orders.envoy`, `inward.slow-path`."""
        return int(json.loads(self.layout.processes.read_bytes())[name]["pid"])

    def envoy_pid(self, service: str) -> int:
        return self.pid(envoy_name(service))

    # --- identities

    @property
    def issuer(self) -> forge.Issuer:
        """The CA that signs now."""
        return forge.issuer_of(Authority(TRUST_DOMAIN, FolderKeyStore(self.layout.run / "authority")))

    def spiffe_id(self, service: str) -> str:
        return f"spiffe://{TRUST_DOMAIN}/{service}"

    def identity(self, service: str) -> wire.Identity:
        """Return a certificate for a service, with nothing wrong."""
        return wire.Identity.of(forge.good(self.issuer, self.spiffe_id(service)), self.folder)

    @cached_property
    def reader(self) -> wire.Identity:
        """An identity of `reader` for as long as a system of ordinary lifetimes is tested."""
        return self.identity("reader")

    def connect(self, service: str, caller: str | wire.Identity | None) -> wire.Connection:
        """Connect to a service's ingress by HTTP/1.1 over TLS, as a service or with any certificate."""
        identity = self.identity(caller) if isinstance(caller, str) else caller
        return wire.Connection.tls(self.ingress(service), identity)

    def call(self, service: str, caller: str | wire.Identity, method: str, target: str, **headers: str) -> wire.Answer:
        """Make one well-formed call on a connection of its own."""
        with self.connect(service, caller) as connection:
            return connection.call(method, target, host=service, **headers)

    # --- what arrived, and what was recorded

    def seen(self, service: str, since: int = 0) -> list[Seen]:
        """Return the requests that reached an app, but for the first `since`."""
        try:
            lines = (self.folder / f"{service}.seen").read_bytes().splitlines()
        except FileNotFoundError:
            return []
        return [Seen.parse(line) for line in lines[since:]]

    def seen_count(self, service: str) -> int:
        try:
            return (self.folder / f"{service}.seen").read_bytes().count(b"\n")
        except FileNotFoundError:
            return 0

    def calls(self) -> list[Call]:
        """Return the whole record."""
        return list(read_calls(self.layout.record))

    def gaps(self) -> list[Gap]:
        return [entry for entry in read_entries(self.layout.record) if isinstance(entry, Gap)]

    def recorded(self, answer: wire.Answer) -> Call:
        """Wait for the call that was answered so."""
        reference = answer.header("x-request-id") or answer.reference
        found: list[Call] = eventually(
            f"call {reference} in the record", lambda: [call for call in self.calls() if call.id == reference]
        )
        assert len(found) == 1, found
        return found[0]

    def recorded_since(self, count: int) -> list[Call]:
        """Return what was recorded after the first `count` calls, all that happened before now included."""
        fence = self.call("orders", "auditor", "GET", "/orders/fence")
        self.recorded(fence)
        reference = fence.header("x-request-id")
        return [call for call in self.calls()[count:] if call.id != reference]


def stop_and_look(system: Guarded) -> Iterator[str]:
    """End a system; yield what is wrong with how it ended."""
    code = system.stop()
    if code != 0:
        yield f"`inward up` ended with {code}: {system.errors}"
    if "Traceback" in system.errors:
        yield system.errors
    deadline = time.monotonic() + 5
    while (left := system.processes()) and time.monotonic() < deadline:
        time.sleep(PAUSE)
    yield from (f"left behind: {process.pid} {' '.join(process.cmdline())}" for process in left)
