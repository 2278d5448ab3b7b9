"""A real PostgreSQL, where there is one: started on a free port, as an account that it agrees to run as."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

START_SECONDS = 60


@dataclass
class Server:
    """A PostgreSQL that may be stopped, as with a power cut, and started again."""

    data: Path
    port: int
    account: int | None
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"postgresql://inward@127.0.0.1:{self.port}/postgres"

    def run(self, *argv: str) -> subprocess.Popen[bytes]:
        quiet = subprocess.DEVNULL
        return subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=quiet, user=self.account, cwd="/")

    def start(self) -> None:
        options = ("-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=20")
        self.process = self.run(
            _program("postgres"), "-D", str(self.data), "-h", "127.0.0.1", "-p", str(self.port), *options
        )
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.process.poll() is None, "PostgreSQL has ended"
            assert time.monotonic() < end, "PostgreSQL does not answer"
            time.sleep(0.05)

    def _answers(self) -> bool:
        # The first message of a client that asks for TLS, and the answer that there is none (protocol, section 55.2).
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f")
            return connection.recv(1) == b"N"
        return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(3)  # SIGQUIT: at once, and recover at the next start
            self.process.wait()
            self.process = None


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name} here")
    return found


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    initdb = _program("initdb")
    account = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None  # it refuses to run as root
    with tempfile.TemporaryDirectory(prefix="inward-postgres-", ignore_cleanup_errors=True) as folder:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        server = Server(Path(folder) / "data", port, account)
        if account is not None:
            os.chown(folder, account, -1)
        made = server.run(
            initdb, "-D", str(server.data), "-U", "inward", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"
        )
        if made.wait() != 0:
            pytest.skip("initdb makes no database here")
        server.start()
        yield server
        server.stop()
