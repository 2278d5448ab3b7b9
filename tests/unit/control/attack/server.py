"""A server that answers each connection with the same bytes, with or without TLS, and asks for no certificate."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from inward.catalog.model import Address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


@contextmanager
def serving(answer: bytes = ANSWER, certificate: Path | None = None) -> Iterator[Address]:
    """Give the address of a server; with a certificate (PEM, with its key) it speaks TLS."""
    listening = socket.create_server(("127.0.0.1", 0))
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return  # it was closed
            with contextlib.suppress(OSError), connection:
                plain = context.wrap_socket(connection, server_side=True) if context is not None else connection
                with plain:
                    plain.recv(65536)
                    plain.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        host, port = listening.getsockname()
        yield Address(host, port)
    finally:
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)
