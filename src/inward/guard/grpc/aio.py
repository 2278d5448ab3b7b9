"""The guard as an interceptor of `grpc.aio.server`: see `guard.grpc.server`, of which this is the other half.

A handler may be a coroutine or an asynchronous generator, and may read and write by its context: everything passes the
guard. Plain functions and generators, which `grpc.aio` runs in threads, are guarded as there.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
import grpc.aio

from inward.guard.bodies.answer import MAX_BYTES
from inward.guard.current import serving
from inward.guard.grpc.calls import Calls, Details
from inward.guard.grpc.exchange import CallRefusedError, Exchange, with_verdict
from inward.guard.grpc.server import (
    NOT_READ,
    NOT_SERVED,
    NOT_WRITTEN,
    KeptContext,
    behaviour_of,
    guarded,
    read_by,
    written_by,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from inward.guard.bundle import FollowedBundle
    from inward.guard.grpc.server import Context, Handler, Message, Metadata, Server

_logger = logging.getLogger("inward.guard")


class AioGuard(grpc.aio.ServerInterceptor):  # type: ignore[misc] # grpcio has no types
    """The guard of a `grpc.aio.server`: see `inward.guard.grpc.server.Guard`, which takes the same."""

    def __init__(
        self, *, allow_unguarded: bool = False, max_bytes: int = MAX_BYTES, bundle: FollowedBundle | None = None
    ) -> None:
        self._calls = Calls(allow_unguarded=allow_unguarded, max_bytes=max_bytes, bundle=bundle)

    def watch(self, server: Server) -> Server:
        """Return a server, of which is told what it serves and nobody described: ask before services are added."""
        self._calls.watch(server)
        return server

    async def intercept_service(
        self, continuation: Callable[[Details], Awaitable[Handler]], handler_call_details: Details
    ) -> Handler:
        """Return the handler of a method with the guard around it."""
        handler = await continuation(handler_call_details)
        bundle = self._calls.bundle
        if bundle is None:
            return handler
        if handler is not None and not _is_async(behaviour_of(handler)):
            return guarded(self._calls, bundle, handler, handler_call_details)
        return _guarded(self._calls, bundle, handler, handler_call_details)


def _is_async(behaviour: Callable[..., Any]) -> bool:
    """Tell whether `grpc.aio` would run a handler in its loop, as it tells that itself."""
    return inspect.iscoroutinefunction(behaviour) or inspect.isasyncgenfunction(behaviour)


def _guarded(calls: Calls, bundle: FollowedBundle, handler: Handler, details: Details) -> Handler:
    served = _Served(calls, bundle, handler, details)
    if handler is None:
        return grpc.stream_stream_rpc_method_handler(served.nothing)
    if not handler.response_streaming:
        if handler.request_streaming:
            return grpc.stream_unary_rpc_method_handler(served.one)
        return grpc.unary_unary_rpc_method_handler(served.one)
    many = served.many if inspect.isasyncgenfunction(behaviour_of(handler)) else served.by_context
    if handler.request_streaming:
        return grpc.stream_stream_rpc_method_handler(many)
    return grpc.unary_stream_rpc_method_handler(many)


class _Served:
    """One call of a method, from its decision to its last message."""

    def __init__(self, calls: Calls, bundle: FollowedBundle, handler: Handler, details: Details) -> None:
        self._calls = calls
        self._bundle = bundle
        self._handler = handler
        self._details = details

    async def nothing(self, _requests: object, context: Context) -> NoReturn:
        """Serve a method that there is not: whoever may not call it is not told so."""
        _, guarding = await self._begin(context, streamed=True)
        await guarding.end(grpc.StatusCode.UNIMPLEMENTED, NOT_SERVED)

    async def one(self, request: Message, context: Context) -> bytes:
        """Serve a call whose answer is one message."""
        exchange, guarding = await self._begin(context, streamed=False)
        try:
            answer = await behaviour_of(self._handler)(await self._received(request, guarding), guarding)
            if exchange.status not in {None, grpc.StatusCode.OK}:
                exchange.go_on()
                await guarding.send_head()
                return b""  # which is not sent
            shown = exchange.show(await guarding.written(answer))
            await guarding.send_head()
        except CallRefusedError as refused:
            await guarding.refuse(refused)
        except Exception as error:  # noqa: BLE001 - whatever it is, it may hold what must not get out
            await guarding.fail(error)
        return shown

    async def many(self, request: Message, context: Context) -> AsyncIterator[bytes]:
        """Serve a call whose handler yields its answers."""
        exchange, guarding = await self._begin(context, streamed=True)
        answers: Any = None
        try:
            answers = behaviour_of(self._handler)(await self._received(request, guarding), guarding)
            async for answer in answers:
                shown = exchange.show(await guarding.written(answer))
                await guarding.send_head()
                yield shown
            exchange.go_on()
            await guarding.send_head()
        except CallRefusedError as refused:
            await guarding.refuse(refused)
        except Exception as error:  # noqa: BLE001 - as above
            await guarding.fail(error)
        finally:
            if answers is not None:
                await answers.aclose()

    async def by_context(self, request: Message, context: Context) -> None:
        """Serve a call whose handler writes its answers by its context."""
        exchange, guarding = await self._begin(context, streamed=True)
        try:
            await behaviour_of(self._handler)(await self._received(request, guarding), guarding)
            exchange.go_on()
            await guarding.send_head()
        except CallRefusedError as refused:
            await guarding.refuse(refused)
        except Exception as error:  # noqa: BLE001 - as above
            await guarding.fail(error)

    async def _begin(self, context: Context, *, streamed: bool) -> tuple[Exchange, GuardedContext]:
        core = self._bundle.ready()
        if core is None:
            core = await asyncio.to_thread(self._bundle.follow)
        exchange = self._calls.begin(
            core, self._details, context.peer(), streamed=streamed, served=self._handler is not None
        )
        guarding = GuardedContext(context, exchange, self._handler, self._details.method)
        if exchange.admission.refused:
            await guarding.refuse(exchange.refusal())
        serving.set(exchange.admission.call)  # a call is a task, with a context of its own
        return exchange, guarding

    async def _received(self, request: Message, guarding: GuardedContext) -> Message:
        """Return what the handler is given: a message, or an iterator of them."""
        return _Requests(request, guarding) if self._handler.request_streaming else await guarding.accepted(request)


class _Requests:
    """The messages of a request, one after the other."""

    def __init__(self, messages: AsyncIterator[bytes], guarding: GuardedContext) -> None:
        self._messages = messages
        self._guarding = guarding

    def __aiter__(self) -> _Requests:
        return self

    async def __anext__(self) -> Message:
        return await self._guarding.accepted(await self._messages.__anext__())


class GuardedContext(KeptContext):
    """The context that a handler is given: `grpc.aio.ServicerContext`, but for what would go past the guard."""

    def __init__(self, context: Context, exchange: Exchange, handler: Handler, method: str) -> None:
        super().__init__(context, exchange)
        self._handler = handler
        self._method = method

    async def read(self) -> Message:
        """Return the next message of the request, or `grpc.aio.EOF`."""
        message = await self._context.read()
        return message if message is grpc.aio.EOF else await self.accepted(message)

    async def write(self, message: Message) -> None:
        """Send a message of the answer."""
        try:
            shown = self._exchange.show(await self.written(message))
        except CallRefusedError as refused:
            await self.refuse(refused)
        await self.send_head()
        await self._context.write(shown)

    async def send_initial_metadata(self, initial_metadata: Metadata) -> None:
        """Send the head of the answer, or keep it until it is known what is to be recorded with it."""
        self._exchange.keep_initial(initial_metadata)
        if self._exchange.streamed:
            await self._send(self._exchange.head())

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Metadata = ()) -> NoReturn:
        """End the call with a status."""
        await self._go_on()
        text = self._exchange.details(details)
        if trailing_metadata:
            self.set_trailing_metadata(trailing_metadata)
        await self.end(code, text)

    async def abort_with_status(self, status: grpc.Status) -> NoReturn:
        """End the call with a status that has metadata of its own."""
        await self.abort(status.code, status.details, status.trailing_metadata)

    # --- for the guard

    async def accepted(self, message: bytes) -> Message:
        """Return a message of the request as the handler reads it."""
        try:
            accepted = self._exchange.accept(message)
        except CallRefusedError as refused:
            await self.refuse(refused)
        try:
            return read_by(self._handler, accepted)
        except Exception:
            _logger.exception("a request of `%s` cannot be read", self._method)
            await self.end(grpc.StatusCode.INTERNAL, NOT_READ)

    async def written(self, message: Message) -> bytes:
        """Return a message of the answer as the handler writes it."""
        try:
            return written_by(self._handler, message)
        except Exception:
            _logger.exception("an answer of `%s` cannot be written", self._method)
            await self.end(*self._exchange.unwritten(NOT_WRITTEN))

    async def send_head(self) -> None:
        """Send the initial metadata, unless it is there already or nothing is to be said in it."""
        if not self._head_sent:
            head = self._exchange.head()
            if head:
                await self._send(head)

    async def end(self, code: grpc.StatusCode, details: str) -> NoReturn:
        """End the call with a status, in words that need no look."""
        self._aborted = True
        await self.send_head()
        abort: Callable[..., Awaitable[NoReturn]] = self._context.abort
        await abort(code, details)

    async def refuse(self, refused: CallRefusedError) -> NoReturn:
        """End the call as the guard says."""
        if not self._head_sent:
            await self._send(with_verdict((), refused.verdict))
        self._context.set_trailing_metadata(())
        await self.end(refused.status, refused.details)

    async def fail(self, error: Exception) -> NoReturn:
        """End the call whose handler raised an error."""
        if self._aborted or self._context.done():
            raise error  # nobody is there any more who would be told
        await self._go_on()
        if self._exchange.held_back:
            _logger.error("the handler of `%s` failed", self._exchange.admission.call.operation, exc_info=error)
            await self.end(self._exchange.status_or(grpc.StatusCode.UNKNOWN), self._exchange.failed())
        await self.send_head()
        raise error

    async def _go_on(self) -> None:
        try:
            self._exchange.go_on()
        except CallRefusedError as refused:
            await self.refuse(refused)

    async def _send(self, metadata: Metadata) -> None:
        self._head_sent = True
        await self._context.send_initial_metadata(metadata)
