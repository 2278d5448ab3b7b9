"""Ports of a run: free, nobody else's, and what is in use told before anything starts."""

from __future__ import annotations

import dataclasses
import socket
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from inward.catalog.model import Address
from inward.control.run.ports import AddressInUseError, Ports, known_ports, require_free
from inward.control.running import RunningService

if TYPE_CHECKING:
    from inward.control.bundle import Policy

BEFORE = RunningService(listen="127.0.0.1:41001", egress="127.0.0.1:41002", credential="kept", app="127.0.0.1:41003")


def bound(port: int, *, shared: bool) -> socket.socket:
    taken = socket.socket()
    if shared:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        taken.bind(("127.0.0.1", port))
    except OSError:
        taken.close()
        raise
    return taken


def test_no_port_is_given_twice(ports: Ports) -> None:
    found = [ports.hold() if number % 2 else ports.find() for number in range(40)]
    assert len(set(found)) == 40


def test_a_port_to_be_avoided_is_not_given(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    with bound(0, shared=False) as taken:
        number = taken.getsockname()[1]
    ports.avoid([number])
    asked = []

    class Socket(socket.socket):
        """Is given the port that is to be avoided, the first time."""

        def bind(self, address: object) -> None:
            asked.append(address)
            super().bind(("127.0.0.1", number if len(asked) == 1 else 0))

    monkeypatch.setattr(socket, "socket", Socket)
    assert ports.find() != number
    assert len(asked) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is held")
def test_a_port_that_is_held_is_for_an_envoy_alone() -> None:
    ports = Ports()
    port = ports.hold()
    with pytest.raises(OSError, match="in use"):
        bound(port, shared=False)
    with bound(port, shared=True) as envoy:  # as Envoy listens
        envoy.listen()
        with socket.create_connection(("127.0.0.1", port), timeout=5) as caller:
            accepted, _ = envoy.accept()  # every call is the Envoy's: who holds the port does not listen
            accepted.close()
            assert caller.getpeername()[1] == port
    other = ports.hold()
    ports.close()
    ports.close()
    bound(other, shared=False).close()


def test_no_free_port_is_one_that_some_service_has_or_will_have(policy: Policy) -> None:
    assert known_ports(policy.catalog, {"x": BEFORE}) == {0, 7443, 41001, 41002, 41003}
    sockets = msgspec.structs.replace(BEFORE, listen=None, app="/run/app.sock")
    assert known_ports(policy.catalog, {"x": sockets}) == {0, 7443, 41002}


def test_an_address_in_use_is_one_clear_error(policy: Policy) -> None:
    orders = policy.catalog.services["orders"]
    require_free([orders])  # any port that is free
    with bound(0, shared=True) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        fixed = dataclasses.replace(orders, listen=Address("127.0.0.1", port))
        with pytest.raises(AddressInUseError, match=f"`orders` cannot listen on `127.0.0.1:{port}`") as raised:
            require_free([fixed])
        assert "inward.yaml" in raised.value.hint
    require_free([fixed])
    elsewhere = dataclasses.replace(orders, listen=Address("192.0.2.7", 7443))
    with pytest.raises(AddressInUseError, match="cannot assign"):
        require_free([elsewhere])
