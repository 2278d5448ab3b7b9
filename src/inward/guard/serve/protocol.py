"""The connections of the server: mutual TLS, then HTTP/1.1 as uvicorn speaks it, with an end to what is not finished.

A connection begins as a plain one, on which nothing but a handshake is understood. Each handshake takes the identity
that is in use at that moment, so a new SVID needs no new listener, and connections that are open stay. One that proves
no identity is closed and logged. What asks slowly holds up nobody else, and not for long.

It leaves out what a request means: that is for `guard.serve.front`.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from inward.guard.bodies.answer import refusal
from inward.guard.serve.connection import Connection, presented
from inward.guard.serve.front import BAD_REQUEST, CONNECTION, TARGET, Front
from inward.guard.serve.log import Asked, CallLogError
from inward.guard.serve.target import MAX_HEAD_BYTES
from inward.identity.certificate import InvalidCertificateError
from inward.policy.decision import Reason

if TYPE_CHECKING:
    from uvicorn.server import ServerState

    from inward.catalog.model import Address
    from inward.guard.serve.identity import FollowedIdentity

HANDSHAKE_SECONDS = 10.0
HEAD_SECONDS = 10.0  # from the first byte of a request to the end of its headers; and for a connection's first byte
KEEP_ALIVE_SECONDS = 60  # an open connection without a request; longer than a caller's Envoy keeps one
MAX_HANDSHAKES = 1024  # that are not finished, at a time
_PIECE = 16 * 1024  # bytes that the parser is given at a time, so that nothing can grow beyond its limit unseen
_logger = logging.getLogger("inward.guard")


class ServeConfig(Config):
    """uvicorn's settings for a front and an identity."""

    def __init__(self, front: Front, identity: FollowedIdentity, address: Address) -> None:
        self.address = address
        self.front = front
        self.identity = identity
        self.handshakes: set[Handshake] = set()
        super().__init__(
            front,
            host=address.host,
            port=address.port,
            http=Handshake,
            ws="none",
            interface="asgi3",
            access_log=False,
            log_level="warning",  # it would say `http`, which is nothing that this listens for
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            workers=1,  # one log, one writer
        )


class Handshake(asyncio.Protocol):
    """A connection before it has proven whose it is. uvicorn makes one for each that it accepts."""

    def __init__(
        self,
        config: ServeConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._config = config
        self._state = server_state
        self._app_state = app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        raw = self._transport = cast("asyncio.Transport", transport)
        raw.pause_reading()  # nothing is read but by the handshake
        if len(self._config.handshakes) >= MAX_HANDSHAKES:
            raw.abort()
            return
        self._config.handshakes.add(self)
        self._task = self._loop.create_task(self._handshake(raw))

    def shutdown(self) -> None:
        """End, since the server does."""
        if self._task is not None:
            self._task.cancel()
        if self._transport is not None:
            self._transport.abort()

    async def _handshake(self, raw: asyncio.Transport) -> None:
        http = HTTPConnection(self._config, self._state, self._app_state, self._loop)
        address = str((raw.get_extra_info("peername") or ("",))[0])
        self._state.connections.add(cast("Any", self))  # which are asked for nothing but `shutdown`
        tls: asyncio.Transport | None = None
        try:
            tls = await self._loop.start_tls(
                raw,
                http,
                self._config.identity.current().context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
            )
            if tls is None:
                return
            ssl_object = tls.get_extra_info("ssl_object")
            chain, now = presented(ssl_object), self._config.front.clock()
            connection = Connection(chain, self._config.identity, now, address)
        except ssl.SSLError as error:
            if not isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):  # who goes has asked for nothing
                self._tell(getattr(error, "verify_message", None) or error.reason or "no handshake", address)
        except InvalidCertificateError as error:
            self._tell(error.message, address)
        except OSError as error:
            _logger.debug("a connection ended before it was one: %s", error)
        else:
            http.begin(tls, connection, connection.extension(ssl_object))
            tls = None
        finally:
            self._config.handshakes.discard(self)
            self._state.connections.discard(cast("Any", self))
            if tls is not None:
                tls.abort()

    def _tell(self, why: str, address: str) -> None:
        try:
            self._config.front.log.handshake(self._config.front.clock(), str(uuid4()), why, address)
        except CallLogError:
            _logger.exception("a failed handshake is not recorded")


class HTTPConnection(HttpToolsProtocol):
    """A connection whose peer is known. It understands nothing before `begin`."""

    def __init__(
        self,
        config: ServeConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(config, server_state, app_state, loop)
        self._front = config.front
        self._peer: Connection | None = None
        self._extension: dict[str, Any] = {}
        self._early: list[bytes] = []  # what came with the end of the handshake
        self._lost = False
        self._in_head = False
        self._bodiless = 0  # bytes since the last one of a body: of a head, trailers, extensions of chunks
        self._had_body = False
        self._head_timer: asyncio.TimerHandle | None = None

    def begin(self, transport: asyncio.Transport, peer: Connection, extension: dict[str, Any]) -> None:
        """Take requests of a verified peer."""
        if self._lost:
            transport.abort()
            return
        self._peer = peer
        self._extension = extension
        self.connection_made(transport)
        self._await_head()
        early, self._early = self._early, []
        for data in early:
            self.data_received(data)

    def data_received(self, data: bytes) -> None:
        """Take what the peer sent, piece by piece: what is no body has an end."""
        if self._peer is None:
            self._early.append(data)
            return
        for start in range(0, len(data), _PIECE):
            if self._lost or self.transport.is_closing():
                return
            piece = data[start : start + _PIECE]
            self._had_body = False
            super().data_received(piece)
            self._bodiless = 0 if self._had_body else self._bodiless + len(piece)
            if self._bodiless > MAX_HEAD_BYTES:
                self.send_400_response("")
                return

    def eof_received(self) -> None:
        """Do as without it."""
        if self._peer is not None:
            super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._lost = True
        self._forget_head()
        if self._peer is not None:
            super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Begin a request, which does not choose for itself where in the scope it stands."""
        super().on_message_begin()
        self._in_head = True
        self._bodiless = 0
        self._await_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. What stands behind a body, a trailer, is none (RFC 9110 section 6.5.1): it is dropped."""
        if self._in_head:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._had_body = True
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """Hand the request on, with what is known of its connection."""
        self._in_head = False
        self._forget_head()
        scope = cast("dict[str, Any]", self.scope)
        scope[CONNECTION] = self._peer
        scope[TARGET] = self.url
        scope["extensions"] = {"tls": self._extension}
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, and log it; nothing is written into the midst of another answer."""
        del msg
        self._in_head = False
        asked = Asked(self._front.clock(), str(uuid4()))
        if self._peer is not None:
            asked.peer = self._peer.peer
            asked.address = self._peer.address
        asked.refuse(Reason.BAD_REQUEST, BAD_REQUEST)
        try:
            self._front.log.call(asked, asked.time)
        except CallLogError:
            _logger.exception("a malformed request is not recorded")
        answered = cast("Any", self.cycle)  # none before the first request, which its type does not say
        if answered is None or answered.response_complete:
            answer = refusal(Reason.BAD_REQUEST, BAD_REQUEST, asked.reference)
            head = [("connection", "close"), ("x-request-id", asked.reference), *answer.headers]
            lines = ["HTTP/1.1 400 Bad Request", *(f"{name}: {value}" for name, value in head), "", ""]
            self.transport.write("\r\n".join(lines).encode("latin-1") + answer.body)
        self.transport.close()

    def _await_head(self) -> None:
        self._forget_head()
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _forget_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
