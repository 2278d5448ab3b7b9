"""A service of each framework, served over a Unix socket by a server of its interface, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 20.0


@contextlib.contextmanager
def served(app: Any, path: Path, *, asgi: bool) -> Iterator[str]:
    """Serve an application on `path` until the end of the block."""
    with _by_asgi(app, path) if asgi else _by_wsgi(app, path):
        yield str(path)


@contextlib.contextmanager
def _by_asgi(app: Any, path: Path) -> Iterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, uds=str(path), log_level="critical", access_log=False))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        deadline = time.monotonic() + PATIENCE
        while not server.started and thread.is_alive():
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.005)
        yield
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
    assert not thread.is_alive()


class _Handler(WSGIRequestHandler):
    def __init__(self, request: Any, _address: Any, server: Any) -> None:
        super().__init__(request, ("", 0), server)  # nobody has an address there

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """Say nothing."""


class _Server(WSGIServer):
    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "people", 0
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: an error of a guard is what a test is about."""


@contextlib.contextmanager
def _by_wsgi(app: Any, path: Path) -> Iterator[None]:
    server = _Server(str(path), _Handler)  # type: ignore[arg-type] # a path
    server.set_app(app)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)
    assert not thread.is_alive()
