"""The guard as ASGI: `app = Guard(app)`, for FastAPI, Starlette, Litestar, Quart, Django and any other application.

It must be the outermost: what stands around it is not guarded. It translates, and decides nothing: see `guard.core`.

- A WebSocket is no documented operation, so it is refused, but for mode observe.
- An answer that is held back is given whole; of the server's extensions the application then sees none, since by some
  of them (a path to send, a trailer) data would go past the view.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from inward.catalog.model import Mode
from inward.guard.answer import MAX_BYTES, NOT_ASKED_FOR, HeldBack
from inward.guard.bundle import FollowedBundle, GuardError, followed_bundle
from inward.guard.core import UNQUOTED, Inbound
from inward.guard.current import serving
from inward.guard.routes import tell_routes
from inward.identity.forwarded import CALLER_HEADER
from inward.record.verdict import HEADER, Verdict, encode_verdict

if TYPE_CHECKING:
    from inward.guard.answer import Answer
    from inward.guard.core import Admission, Core

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
_HEADER = HEADER.encode()
_CALLER = CALLER_HEADER.encode()
_SENDING_RAISES = (2, 4)  # from that version on, sending to nobody is an error
_logger = logging.getLogger("inward.guard")


class Guard:
    """`app`, guarded. `inward up` tells by the environment what it guards.

    Without a word of Inward in the environment it raises `GuardError`; `allow_unguarded` (for tests and development)
    lets the application through as it is then. `max_bytes` bounds an answer that is held back. `bundle` is for tests.
    """

    def __init__(
        self,
        app: App,
        *,
        allow_unguarded: bool = False,
        max_bytes: int = MAX_BYTES,
        bundle: FollowedBundle | None = None,
    ) -> None:
        self.app = app
        self._max_bytes = max_bytes
        self._bundle = bundle or followed_bundle(os.environ, allow_unguarded=allow_unguarded)
        self._told = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI 3.0)."""
        if self._bundle is not None and "app" in scope:
            raise GuardError(
                "the guard stands inside another application, whose other routes it does not see",
                hint="put it around everything: `app = Guard(app)` as the last line, and no `add_middleware`",
            )
        if self._bundle is None or scope["type"] == "lifespan":
            if self._bundle is not None:
                send = self._telling(send)
            await self.app(scope, receive, send)
            return
        core = self._bundle.ready()
        if core is None:
            core = await asyncio.to_thread(self._bundle.follow)
        if not self._told:
            self._tell_routes(core)
        if scope["type"] == "http":
            await self._serve(core, scope, receive, send)
        elif scope["type"] != "websocket":
            _logger.warning("what is no HTTP was refused: %s", scope["type"])
        elif core.service.mode is Mode.OBSERVE:
            await self.app(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": ""})  # which is a 403 before it is accepted

    async def _serve(self, core: Core, scope: Scope, receive: Receive, send: Send) -> None:
        admission = core.admit(_inbound(scope), datetime.now(UTC))
        if admission.refused:
            await _give(send, *admission.refusal())
            return
        token = serving.set(admission.call)
        try:
            if admission.held_back:
                await self._hold_back(admission, scope, receive, send)
            else:
                await self.app(scope, receive, _with_verdict(send, admission.verdict))
        finally:
            serving.reset(token)

    async def _hold_back(self, admission: Admission, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [each for each in scope["headers"] if each[0].lower().decode("latin-1") not in NOT_ASKED_FOR]
        held = HeldBack(admission, scope["method"], self._max_bytes)
        given = False
        told = _version(scope) >= _SENDING_RAISES

        async def keep(message: Message) -> None:
            nonlocal given
            if given:
                if told:
                    raise ConnectionResetError("the answer was given already")  # as if nobody were there
                await asyncio.sleep(0)  # lets the application hear that nobody is there any more
                return
            ended = False
            if message["type"] == "http.response.start":
                held.start(message["status"], _texts(message.get("headers", ())))
            elif message["type"] == "http.response.body":
                held.add(bytes(message.get("body", b"")))
                ended = not message.get("more_body", False)
            if ended or held.shown is not None:
                given = True
                await _give(send, *held.end())

        async def hear() -> Message:
            return {"type": "http.disconnect"} if given else await receive()

        try:
            await self.app({**scope, "headers": headers, "extensions": {}}, hear, keep)
        except Exception:
            if not given:
                raise  # the server answers, and knows nothing of what was held back
            _logger.debug("the application went on after its answer was given", exc_info=True)

    def _telling(self, send: Send) -> Send:
        """Compare the routes when the application has started, and before the server takes calls."""

        async def tell(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete" and self._bundle is not None:
                self._tell_routes(await asyncio.to_thread(self._bundle.follow))
            await send(message)

        return tell

    def _tell_routes(self, core: Core) -> None:
        self._told = True
        tell_routes(self.app, core.service)


def _version(scope: Scope) -> tuple[int, ...]:
    """Return the version of the interface that the server speaks; 2.0 is what one that does not say speaks."""
    try:
        return tuple(int(part) for part in scope["asgi"]["spec_version"].split("."))
    except (KeyError, ValueError):
        return (2, 0)


def _inbound(scope: Scope) -> Inbound:
    forwarded: list[str] = []
    reference, traceparent = "", None
    for name, value in scope["headers"]:
        if name == _CALLER:
            forwarded.append(value.decode("latin-1"))
        elif name == b"x-request-id":
            reference = value.decode("latin-1")
        elif name == b"traceparent":
            traceparent = value.decode("latin-1")
    return Inbound(
        method=scope["method"],
        path=_path(scope),
        query=scope["query_string"].decode("latin-1"),
        forwarded=tuple(forwarded),
        private=_is_private(scope),
        reference=reference,
        traceparent=traceparent,
    )


def _is_private(scope: Scope) -> bool:
    """Whether the request came over a Unix socket: the server has a path and no port, and the client no address.

    Servers that say neither where they listen nor who is there have a socket that is no TCP either.
    """
    server, client = scope.get("server"), scope.get("client")
    return (not server or server[1] is None) and (not client or not client[0])


def _path(scope: Scope) -> str:
    """Return the path of the request line; a prefix that the server was told to put before it does not belong to it."""
    path = (scope.get("raw_path") or quote(scope["path"], safe=UNQUOTED).encode()).decode("latin-1").partition("?")[0]
    prefix = str(scope.get("app_root_path", scope.get("root_path", "")))
    return path.removeprefix(prefix) if path.startswith(prefix + "/") else path


def _texts(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in headers]


async def _give(send: Send, answer: Answer, verdict: Verdict | None) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    give = _with_verdict(send, verdict)
    await give({"type": "http.response.start", "status": answer.status, "headers": headers})
    await give({"type": "http.response.body", "body": answer.body})


def _with_verdict(send: Send, verdict: Verdict | None) -> Send:
    """Put the verdict into the head of an answer, in the place of whatever the application says there itself."""

    async def give(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [each for each in message.get("headers", ()) if bytes(each[0]).lower() != _HEADER]
            if verdict is not None:
                headers.append((_HEADER, encode_verdict(verdict)))
            message = {**message, "headers": headers}
        await send(message)

    return give
