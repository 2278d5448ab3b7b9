"""What an Envoy does in front of a guarded service, done here where there is none. An ASGI application around a guard.

For each request:

1. The connection still proves the identity that it was opened with, or the request is refused (`bad_identity`).
2. The request can be read in one way only, or it is refused (`bad_request`): see `guard.serve.target`. Upgrades are.
3. Headers that claim an identity are dropped; the application is given a reference and the verified caller anew.
4. Neither caller nor callee is in quarantine, or the request is refused (`quarantined`), in mode observe too.
5. The guard decides, and views the answer.
6. The call is logged before its answer ends (`guard.serve.log`). What the guard says of it is taken out of the answer.

It leaves out the slow path and shadow rules: the guard decides every condition itself.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from inward.guard.bodies.answer import refusal
from inward.guard.serve.arrival import ARRIVAL, Arrival
from inward.guard.serve.connection import Connection
from inward.guard.serve.log import Asked, CallLog
from inward.guard.serve.target import has_one_host, is_dropped, is_plain
from inward.identity.forwarded import CALLER_HEADER
from inward.policy.decision import Reason
from inward.record.verdict import HEADER

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.guard.asgi import App, Message, Receive, Scope, Send
    from inward.guard.serve.quarantine import FollowedQuarantine

CONNECTION, TARGET = "inward.connection", "inward.target"  # what the server puts into a scope
VERSIONS = frozenset({"1.0", "1.1"})  # what else a request line names, its parser reads as one of them all the same
BAD_REQUEST, FORBIDDEN, FAILED = 400, 403, 500
_VERDICT = HEADER.encode("ascii")
_REFERENCE = b"x-request-id"
_logger = logging.getLogger("inward.guard")


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class Front:
    """`guard`, a guarded application, as the server of this package serves it."""

    def __init__(
        self, guard: App, quarantine: FollowedQuarantine, log: CallLog, clock: Callable[[], datetime] = now
    ) -> None:
        self.log = log
        self.clock = clock
        self._guard = guard
        self._quarantine = quarantine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan (ASGI 3.0)."""
        if scope["type"] == "lifespan":
            await self._guard(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = self.clock()
        connection = scope.pop(CONNECTION, None)
        target = scope.pop(TARGET, b"")
        path, _, query = target.decode("latin-1").partition("?")
        asked = Asked(began, str(uuid4()), method=scope["method"], path=path, traceparent=_traceparent(scope))
        answering = _Answering(self, asked, send)
        # 1. The connection still proves the identity that it was opened with.
        peer = connection.verified(began) if type(connection) is Connection else None
        asked.peer = peer
        asked.address = connection.address if type(connection) is Connection else None
        if peer is None or type(connection) is not Connection:
            await answering.refuse(Reason.BAD_IDENTITY, FORBIDDEN)
            return
        answering.closes = connection.is_old(began)
        # 2. The request can be read in one way only.
        headers = scope["headers"]
        upgrade = any(name == b"upgrade" for name, _ in headers)
        version = scope["http_version"]
        if upgrade or version not in VERSIONS or not (is_plain(path, query) and has_one_host(headers, version)):
            await answering.refuse(Reason.BAD_REQUEST, BAD_REQUEST)
            return
        # 3. Headers that claim an identity are dropped.
        kept = [each for each in headers if not is_dropped(each[0])]
        kept.append((_REFERENCE, asked.reference.encode("ascii")))
        kept.append((CALLER_HEADER.encode("ascii"), b"URI=" + peer.encode("ascii")))
        # 4. Neither caller nor callee is in quarantine.
        if self._quarantine.holds(peer):
            await answering.refuse(Reason.QUARANTINED, FORBIDDEN)
            return
        # 5. The guard decides, and views the answer.
        arrival = Arrival(peer)
        answering.arrival = arrival
        try:
            await self._guard({**scope, "headers": kept, ARRIVAL: arrival}, _counted(receive, asked), answering)
        except Exception:
            if asked.status is None:
                asked.status = FAILED  # which is what the server answers then
            raise
        finally:
            # 6. The call is logged, whether or not it was answered.
            answering.end()


class _Answering:
    """Sends an answer, and logs the call before the answer ends."""

    def __init__(self, front: Front, asked: Asked, send: Send) -> None:
        self.closes = False  # whether the connection is to be closed after the answer
        self.arrival: Arrival | None = None
        self._front = front
        self._asked = asked
        self._send = send
        self._logged = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": self._head(message)}
            self._asked.status = message["status"]
        elif message["type"] == "http.response.body":
            self._asked.bytes_out += len(message.get("body", b""))
            if not message.get("more_body", False):
                self.end()
        await self._send(message)

    def _head(self, message: Message) -> list[tuple[bytes, bytes]]:
        headers: list[tuple[bytes, bytes]] = []
        for name, value in message.get("headers", ()):
            lower = bytes(name).lower()
            if lower == _VERDICT:
                self._asked.verdict = bytes(value)
            elif lower != _REFERENCE:
                headers.append((bytes(name), bytes(value)))
        headers.append((_REFERENCE, self._asked.reference.encode("ascii")))
        if self.closes:
            headers.append((b"connection", b"close"))
        return headers

    async def refuse(self, reason: Reason, status: int) -> None:
        """Refuse the request in the place of the guard. The connection, which may be out of step, ends with it."""
        self._asked.refuse(reason, status)
        self.closes = True
        answer = refusal(reason, status, self._asked.reference)
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
        await self({"type": "http.response.start", "status": status, "headers": headers})
        await self({"type": "http.response.body", "body": answer.body})

    def end(self) -> None:
        """Log the call, once."""
        if self._logged:
            return
        if self.arrival is not None:
            self._asked.admission = self.arrival.admission
            self._asked.policy_version = self.arrival.policy_version
        self._front.log.call(self._asked, self._front.clock())
        self._logged = True


def _counted(receive: Receive, asked: Asked) -> Receive:
    async def counted() -> Message:
        message = await receive()
        asked.bytes_in += len(message.get("body", b""))
        return message

    return counted


def _traceparent(scope: Scope) -> str | None:
    found: list[Any] = [value for name, value in scope["headers"] if name == b"traceparent"]
    return found[0].decode("latin-1") if len(found) == 1 else None
