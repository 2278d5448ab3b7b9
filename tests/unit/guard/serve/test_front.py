"""What stands in front of the guard, without a server: nobody is let in who came another way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from inward.envoy.log_folder import LogFolder
from inward.guard.serve.front import CONNECTION, TARGET, Front
from inward.guard.serve.log import KIND, CallLog
from inward.guard.serve.quarantine import FollowedQuarantine
from inward.identity.spiffe_id import SpiffeID

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWN = SpiffeID.parse("spiffe://a.test/orders")


class Impostor:
    """Something that says whose it is."""

    def verified(self, _now: object) -> str:
        return "spiffe://a.test/till"

    def is_old(self, _now: object) -> bool:
        return False


@pytest.fixture
def reached() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def front(tmp_path: Path, reached: list[dict[str, Any]]) -> Iterator[Front]:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        reached.append(scope)
        await send({"type": "lifespan.startup.complete"})

    folder = LogFolder(tmp_path, KIND)
    folder.switch()
    log = CallLog(folder.symlink)
    yield Front(app, FollowedQuarantine(tmp_path / "quarantine.json", OWN), log)
    log.close()


def asked(front: Front, scope: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    asyncio.run(front(scope, receive, send))
    return sent


@pytest.mark.parametrize("connection", [None, "spiffe://a.test/till", Impostor()])
def test_a_request_of_another_server_is_refused(front: Front, reached: list[Any], connection: Any) -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "http_version": "1.1",
        "headers": [(b"host", b"orders")],
        "extensions": {"tls": {"client_cert_name": "CN=till"}},
        CONNECTION: connection,
        TARGET: b"/orders/1",
    }
    start, body = asked(front, scope)
    assert start["status"] == 403
    assert b'"bad_identity"' in body["body"]
    assert reached == []


def test_the_lifespan_is_the_applications(front: Front, reached: list[Any]) -> None:
    assert asked(front, {"type": "lifespan"}) == [{"type": "lifespan.startup.complete"}]
    assert len(reached) == 1


def test_what_is_neither_is_not_served(front: Front, reached: list[Any]) -> None:
    assert asked(front, {"type": "websocket"}) == []
    assert reached == []
