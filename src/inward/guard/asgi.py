"""The guard as ASGI: `app = Guard(app)`, for FastAPI, Starlette, Litestar, Quart, Django and any other application.

It must be the outermost: what stands around it is not guarded. It translates, and decides nothing: see `guard.core`.

- A WebSocket is no documented operation, so it is refused, but for mode observe.
- An answer that is held back is given whole; of the server's extensions the application then sees none, since by some
  of them (a path to send, a trailer) data would go past the view.
- A body that is held back is given as one message. A caller that goes away before its end has asked for nothing.
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
from inward.guard.bodies.answer import MAX_BYTES, HeldBack
from inward.guard.bodies.sent import HeldBody
from inward.guard.bundle import FollowedBundle, GuardError, followed_bundle
from inward.guard.core import UNGUARDED, UNQUOTED, Inbound
from inward.guard.current import serving
from inward.guard.onward import NAMES as PASSED_ON
from inward.guard.routes import report as reports
from inward.guard.routes.start import Start, report
from inward.guard.serve.arrival import arrival_of
from inward.identity.forwarded import CALLER_HEADER
from inward.record.verdict import HEADER, Verdict, encode_verdict
from inward.viewing.head import NOT_ASKED_FOR

if TYPE_CHECKING:
    from inward.guard.bodies.answer import Answer
    from inward.guard.core import Admission, Core
    from inward.guard.serve.arrival import Arrival

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
_HEADER = HEADER.encode()
_CALLER = CALLER_HEADER.encode()
_PROBE, _ROUTES = reports.HEADER.encode(), reports.ROUTES.encode()
_PASSED_ON = frozenset(name.encode() for name in PASSED_ON)
_SENDING_RAISES = (2, 4)  # from that version on, sending to nobody is an error
_logger = logging.getLogger("inward.guard")


class Guard:
    """`app`, guarded. `inward up` tells by the environment what it guards.

    Without a word of Inward in the environment it raises `GuardError`; `allow_unguarded` (for tests and development)
    lets the application through as it is then. `max_bytes` bounds an answer that is held back, and a request's body.
    `bundle` is for tests.
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
        self.start = Start()

    @property
    def bundle(self) -> FollowedBundle | None:
        """The policies that are followed; None where nothing is guarded."""
        return self._bundle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI 3.0)."""
        if self._bundle is not None and "app" in scope:
            raise GuardError(
                "the guard stands inside another application, whose other routes it does not see",
                hint="put it around everything: `app = Guard(app)` as the last line, and no `add_middleware`",
            )
        if self._bundle is None or scope["type"] == "lifespan":
            if self._bundle is not None:
                await self.start.lifespan(self, self._bundle.follow, scope, receive, send)
                return
            token = serving.set(UNGUARDED)
            try:
                await self.app(scope, receive, send)
            finally:
                serving.reset(token)
            return
        core = self._bundle.ready()
        if core is None:
            core = await asyncio.to_thread(self._bundle.follow)
        if not self.start.over:
            await self.start.of_asgi(self, core.service)
        if scope["type"] == "http":
            await self._serve(core, scope, receive, send)
        elif scope["type"] != "websocket":
            _logger.warning("what is no HTTP was refused: %s", scope["type"])
        elif core.service.mode is Mode.OBSERVE and not _is_question(scope):
            await self.app(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": ""})  # which is a 403 before it is accepted

    async def _serve(self, core: Core, scope: Scope, receive: Receive, send: Send) -> None:
        arrival = arrival_of(scope)
        admission = core.admit(_inbound(scope, arrival), datetime.now(UTC))
        if arrival is not None and self._bundle is not None:
            arrival.decided(admission, self._bundle.version)
        if admission.search is not None and not admission.refused:
            held = HeldBody(admission.search, _texts(scope["headers"]), self._max_bytes)
            receive, complete = await _received(held, scope, receive)
            if not complete and admission.mode is Mode.ENFORCE:
                return  # nobody is there any more who would be answered
            admission = admission.received(held.end())
            if arrival is not None and self._bundle is not None:
                arrival.decided(admission, self._bundle.version)
        if admission.refused:
            refusal, verdict = admission.refusal()
            if _asks_for_routes(scope):
                refusal = report(self, core.service, refusal)
            await _give(send, refusal, verdict)
            return
        token = serving.set(admission.call)
        try:
            if admission.held_back:
                await self._hold_back(admission, scope, receive, send)
            else:
                await self._pass_on(admission, scope, receive, send)
        finally:
            serving.reset(token)

    async def _pass_on(self, admission: Admission, scope: Scope, receive: Receive, send: Send) -> None:
        passing = _Passing(admission, send)
        try:
            await self.app(scope, receive, passing.give)
        except Exception:
            if not await passing.refuse():
                raise
            _logger.debug("the application raised after an object had been refused", exc_info=True)
        else:
            await passing.end()

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
            if not given and not (given := await _Passing(admission, send).refuse()):
                raise  # the server answers, and knows nothing of what was held back
            _logger.debug("the application went on after its answer was given", exc_info=True)


class _Passing:
    """An answer that is passed on as it comes, with the verdict in its head, until an object is refused to the caller.

    Then a refusal takes its place, or where it has begun, it ends unfinished. The head waits for what follows it: no
    server sends it earlier (ASGI, `http.response.start`).
    """

    def __init__(self, admission: Admission, send: Send) -> None:
        self._admission = admission
        self._send = send
        self._head: Message | None = None
        self._begun = False
        self._refused = False

    async def give(self, message: Message) -> None:
        """Take a message of the application."""
        if await self.refuse():
            return
        if self._begun and self._admission.object_refusal() is not None:
            raise ConnectionResetError("an object was refused after the answer had begun, so it ends here")
        if message["type"] == "http.response.start" and not self._begun:
            self._head = message
            return
        await self.end()  # what comes before the head, of some extension of the server's, is nothing of the answer
        await self._send(message)

    async def refuse(self) -> bool:
        """Give a refusal if there is one and nothing was given yet; return whether one was given, now or before."""
        refusal = None if self._begun else self._admission.object_refusal()
        if refusal is not None:
            self._begun = self._refused = True
            await _give(self._send, *refusal)
        return self._refused

    async def end(self) -> None:
        """Give the head, if that is still to be done."""
        if not await self.refuse() and self._head is not None:
            head, self._head, self._begun = self._head, None, True
            await _with_verdict(self._send, self._admission.verdict)(head)


async def _received(held: HeldBody, scope: Scope, receive: Receive) -> tuple[Receive, bool]:
    """Take a body as far as it must be; return how the application is to receive it, and whether the caller stayed."""
    for name, value in scope["headers"]:
        if name.lower() == b"content-length":
            held.expect(value.decode("latin-1"))
    ended, gone = False, None
    while held.found is None and not ended:
        message = await receive()
        if message["type"] != "http.request":
            held.cannot_be_read()
            gone = message
            break
        held.add(bytes(message.get("body", b"")))
        ended = not message.get("more_body", False)
    body = held.body
    again: list[Message] = [{"type": "http.request", "body": body, "more_body": not ended}] if body or ended else []
    again += [gone] if gone is not None else []

    async def hear() -> Message:
        return again.pop(0) if again else await receive()

    return hear, gone is None


def _version(scope: Scope) -> tuple[int, ...]:
    """Return the version of the interface that the server speaks; 2.0 is what one that does not say speaks."""
    try:
        return tuple(int(part) for part in scope["asgi"]["spec_version"].split("."))
    except (KeyError, ValueError):
        return (2, 0)


def _inbound(scope: Scope, arrival: Arrival | None) -> Inbound:
    forwarded: list[str] = []
    reference, traceparent, probe = "", None, False
    passed: list[tuple[str, str]] = []
    for name, value in scope["headers"]:
        if name in _PASSED_ON:
            passed.append((name.decode("ascii"), value.decode("latin-1")))
        if name == _CALLER:
            forwarded.append(value.decode("latin-1"))
        elif name == b"x-request-id":
            reference = value.decode("latin-1")
        elif name == b"traceparent":
            traceparent = value.decode("latin-1")
        elif name == _PROBE:
            probe = True
    return Inbound(
        method=scope["method"],
        path=_path(scope),
        query=scope["query_string"].decode("latin-1"),
        forwarded=tuple(forwarded),
        private=_is_private(scope),
        reference=reference,
        traceparent=traceparent,
        probe=probe,
        verified=arrival.peer if arrival is not None else None,
        passed=tuple(passed),
    )


def _is_question(scope: Scope) -> bool:
    """Whether somebody asks whether there is a guard: see `guard.routes.report`."""
    return any(name == _PROBE for name, _ in scope["headers"])


def _asks_for_routes(scope: Scope) -> bool:
    headers = [(bytes(name), bytes(value)) for name, value in scope["headers"]]
    asked = (_PROBE, _ROUTES) in headers and all(name != _CALLER for name, _ in headers)
    return asked and _is_private(scope)


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
