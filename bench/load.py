"""A load generator: keep-alive HTTP/1.1 over mutual TLS, one request in flight a connection, answers not parsed."""

from __future__ import annotations

import itertools
import selectors
import socket
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class LoadError(Exception):
    """A call did not end as it should."""


@dataclass(frozen=True)
class Load:
    """What a run of load came to: calls, and seconds on the clock."""

    calls: int
    seconds: float


def run_load(
    address: tuple[str, int],
    contexts: Sequence[ssl.SSLContext],
    requests: Sequence[bytes],
    connections: int,
    seconds: float,
) -> Load:
    """Send `requests` in turn over `connections` connections, as the identities `contexts`; each must get a 200."""
    selector = selectors.DefaultSelector()
    following = itertools.cycle(requests)
    for _, context in zip(range(connections), itertools.cycle(contexts), strict=False):
        raw = socket.create_connection(address)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = context.wrap_socket(raw)
        connection.settimeout(0)
        selector.register(connection, selectors.EVENT_READ)
        connection.send(next(following))
    calls = 0
    started = time.perf_counter()
    end = started + seconds
    while time.perf_counter() < end:
        for key, _ in selector.select(1):
            connection = key.fileobj  # type: ignore[assignment]  # what was registered
            try:
                answer = connection.recv(65536)
            except ssl.SSLWantReadError:
                continue
            if not answer.startswith(b"HTTP/1.1 200"):
                raise LoadError(answer[:400].decode("latin-1") or "the connection was closed")
            calls += 1
            connection.send(next(following))
    passed = time.perf_counter() - started
    for key in list(selector.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]  # what was registered
    return Load(calls, passed)
