"""The ports of a run: found free, held for the Envoys, and never shared with another run without a word.

Envoy listens with SO_REUSEPORT, so two Envoys of one account can listen on one address, and the kernel then deals the
calls out between them. A port that was free a moment ago may be another run's by the time an Envoy listens there.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

from inward.control.running import parse_address
from inward.errors import InwardError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inward.catalog.model import Catalog, Service
    from inward.control.running import RunningService

LOOPBACK = "127.0.0.1"


class AddressInUseError(InwardError):
    """Something else listens where a service is to listen."""

    code = "address_in_use"


class Ports:
    """The loopback ports that a run has chosen, and those that it must not choose."""

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self._holders: list[int] = []  # descriptors of sockets; the end of the process closes them too

    def avoid(self, ports: Iterable[int]) -> None:
        """Choose none of these from now on."""
        self._taken.update(ports)

    def hold(self) -> int:
        """Return a free port on which an Envoy can listen, and nothing else, for as long as this process lives."""
        if sys.platform != "linux":  # elsewhere Envoy shares a port with nobody, its holder included
            return self.find()
        # A socket that is bound and does not listen: no other process is given the port, and it gets no calls.
        with socket.socket() as holder:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            holder.bind((LOOPBACK, 0))
            port: int = holder.getsockname()[1]
            self._holders.append(holder.detach())
        return port if self._choose(port) else self.hold()

    def find(self) -> int:
        """Return a port that is free now, for a program that would not listen on one that is held."""
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port: int = probe.getsockname()[1]
        return port if self._choose(port) else self.find()

    def _choose(self, port: int) -> bool:
        free = port not in self._taken
        self._taken.add(port)
        return free

    def close(self) -> None:
        """Hold nothing any more."""
        for holder in self._holders:
            os.close(holder)
        self._holders.clear()


def known_ports(catalog: Catalog, before: Mapping[str, RunningService]) -> set[int]:
    """Return the ports that are, or will be, those of some service: none of them is free for another one."""
    ports = {service.listen.port for service in catalog.services.values() if service.listen}
    for kept in before.values():
        ports |= {
            parse_address(text).port
            for text in (kept.listen, kept.egress, kept.app)
            if text and not text.startswith("/")
        }
    return ports


def require_free(services: Iterable[Service]) -> None:
    """Raise `AddressInUseError` where something listens already at the address of a service that is to be started."""
    for service in services:
        if service.listen is None or service.listen.port == 0:
            continue
        address = (service.listen.host, service.listen.port)
        with socket.socket(socket.AF_INET6 if ":" in service.listen.host else socket.AF_INET) as probe:
            # So that connections that have just ended are no obstacle, as they are none to Envoy.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                raise AddressInUseError(
                    f"`{service.name}` cannot listen on `{service.listen}`: {(error.strerror or str(error)).lower()}",
                    hint="end what listens there, or change `listen` in inward.yaml",
                ) from error
