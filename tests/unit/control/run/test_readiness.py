"""When a part of a run takes calls."""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from inward.catalog.model import Address
from inward.control.run import readiness
from inward.control.run.readiness import listens, until_listening
from inward.control.run.services import SLOW_PATH, Allocation
from inward.envoy.admin import Admin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inward.control.layout import Layout


@contextmanager
def listening(address: str | tuple[str, int]) -> Iterator[Any]:
    """Listen at an address, and yield where that is."""
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as listener:
        listener.bind(address)
        listener.listen()
        yield listener.getsockname()


def test_it_listens_where_somebody_accepts(layout: Layout) -> None:
    path = layout.run / "app.sock"
    assert not asyncio.run(listens(str(path)))
    path.write_text("a file")
    assert not asyncio.run(listens(str(path)))
    path.unlink()
    with listening(str(path)):
        assert asyncio.run(listens(str(path)))
    assert not asyncio.run(listens(str(path)))  # the name is left, and nobody behind it
    with listening(("127.0.0.1", 0)) as (host, port):
        assert asyncio.run(listens(Address(host, port)))
    assert not asyncio.run(listens(Address("127.0.0.1", port)))


def test_one_whose_queue_is_full_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would hold a run, and its end, for minutes: that long a TCP handshake is tried again."""
    monkeypatch.setattr(readiness, "CONNECT_SECONDS", 0.05)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = []
        try:
            for _ in range(3):
                one = socket.socket()
                one.settimeout(0)
                one.connect_ex(address)
                waiting.append(one)
            assert not asyncio.run(listens(Address("127.0.0.1", address[1])))
        finally:
            for one in waiting:
                one.close()


class Parts:
    """Envoys and apps that take calls when they are told to."""

    def __init__(self, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
        self.up: set[object] = set()
        self.places = {
            "orders.envoy": str(layout.service("orders").admin_socket),
            "orders": str(layout.service("orders").app_socket),
            "checkout.envoy": str(layout.service("checkout").admin_socket),
            SLOW_PATH: str(layout.slow_socket),
        }
        at = Address("127.0.0.1", 1)
        self.allocations = {
            "orders": Allocation(None, at, "c", self.places["orders"]),
            "checkout": Allocation(None, at, "c", None),
        }

        async def is_listening(app: str | Address) -> bool:
            return app in self.up

        async def is_live(admin: Admin) -> bool:
            return str(admin.socket) in self.up

        monkeypatch.setattr(readiness, "listens", is_listening)
        monkeypatch.setattr(Admin, "live", is_live)
        monkeypatch.setattr(readiness, "LOOK_SECONDS", 0)


@pytest.fixture
def parts(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Parts:
    return Parts(layout, monkeypatch)


def test_every_part_is_waited_for(layout: Layout, parts: Parts) -> None:
    async def run() -> None:
        alive = {*parts.places, "checkout"}
        waiting = asyncio.create_task(until_listening(layout, parts.allocations, alive.__contains__))
        for place in parts.places.values():
            for _ in range(50):
                await asyncio.sleep(0)
            assert not waiting.done(), place
            parts.up.add(place)
        async with asyncio.timeout(5):
            await waiting

    asyncio.run(run())


@pytest.mark.parametrize("dead", ["orders.envoy", "orders", "checkout.envoy", SLOW_PATH])
def test_one_that_has_ended_keeps_nobody_waiting(layout: Layout, parts: Parts, dead: str) -> None:
    """An Envoy whose port is taken would otherwise hold up the start of every other service."""

    async def run() -> None:
        parts.up |= {place for name, place in parts.places.items() if name != dead}
        async with asyncio.timeout(5):
            await until_listening(layout, parts.allocations, lambda name: name != dead)

    asyncio.run(run())
