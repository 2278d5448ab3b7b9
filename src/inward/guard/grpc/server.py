"""The guard as an interceptor of `grpc.server`, and around the plain handlers that a `grpc.aio` server runs in threads.

Messages pass the guard as bytes: it is handed what was received and hands on what is to be sent, and the handler's own
classes read and write between. So nothing of a refused request is parsed by anything of the application's.

The decision is made where the handler would run, in a thread of the server's: that is the first place where gRPC says
who is there, and one where new policies may be loaded. Handlers that gRPC calls experimental, such as
`experimental_non_blocking`, fail.
"""

from __future__ import annotations

import contextvars
import logging
from typing import TYPE_CHECKING, Any, Final, NoReturn

import grpc

from inward.guard.bodies.answer import MAX_BYTES
from inward.guard.current import serving
from inward.guard.grpc.calls import Calls, Details
from inward.guard.grpc.exchange import CallRefusedError, Exchange, with_verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inward.guard.bundle import FollowedBundle

# grpcio has no types, and messages are of any class
Context = Any  # grpc.ServicerContext
Handler = Any  # grpc.RpcMethodHandler, or None
Message = Any
Metadata = Any
Server = Any
# what gRPC itself says
NOT_SERVED, NOT_READ, NOT_WRITTEN = (
    "Method not found!",
    "Exception deserializing request!",
    "Failed to serialize response!",
)
_END: Final = object()
_logger = logging.getLogger("inward.guard")


class Guard(grpc.ServerInterceptor):  # type: ignore[misc] # grpcio has no types
    """The guard of a `grpc.server`: its first interceptor. `inward up` tells by the environment what it guards.

    Without a word of Inward in the environment it raises `GuardError`; `allow_unguarded` (for tests and development)
    lets every call through as it is then. `max_bytes` bounds a message that is looked into. `bundle` is for tests.
    """

    def __init__(
        self, *, allow_unguarded: bool = False, max_bytes: int = MAX_BYTES, bundle: FollowedBundle | None = None
    ) -> None:
        self._calls = Calls(allow_unguarded=allow_unguarded, max_bytes=max_bytes, bundle=bundle)

    def watch(self, server: Server) -> Server:
        """Return a server, of which is told what it serves and nobody described: ask before services are added."""
        self._calls.watch(server)
        return server

    def intercept_service(self, continuation: Callable[[Details], Handler], handler_call_details: Details) -> Handler:
        """Return the handler of a method with the guard around it."""
        handler = continuation(handler_call_details)
        bundle = self._calls.bundle
        if bundle is None:
            return handler
        return guarded(self._calls, bundle, handler, handler_call_details)


def guarded(calls: Calls, bundle: FollowedBundle, handler: Handler, details: Details) -> Handler:
    """Return a handler that is asked with bytes and answers bytes; `handler` is None where the server has none."""
    served = _Served(calls, bundle, handler, details)
    if handler is None:
        return grpc.stream_stream_rpc_method_handler(served.nothing)
    if handler.request_streaming and handler.response_streaming:
        return grpc.stream_stream_rpc_method_handler(served.many)
    if handler.request_streaming:
        return grpc.stream_unary_rpc_method_handler(served.one)
    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler(served.many)
    return grpc.unary_unary_rpc_method_handler(served.one)


def behaviour_of(handler: Handler) -> Callable[..., Any]:
    """Return the function of a handler that does the work."""
    kinds = (handler.unary_unary, handler.unary_stream, handler.stream_unary, handler.stream_stream)
    found: Callable[..., Any] = next(kind for kind in kinds if kind is not None)
    return found


class _Served:
    """One call of a method, from its decision to its last message."""

    def __init__(self, calls: Calls, bundle: FollowedBundle, handler: Handler, details: Details) -> None:
        self._calls = calls
        self._bundle = bundle
        self._handler = handler
        self._details = details

    def nothing(self, _requests: object, context: Context) -> NoReturn:
        """Serve a method that there is not: whoever may not call it is not told so."""
        _, guarding = self._begin(context, streamed=True)
        guarding.end(grpc.StatusCode.UNIMPLEMENTED, NOT_SERVED)

    def one(self, request: Message, context: Context) -> bytes:
        """Serve a call whose answer is one message."""
        exchange, guarding = self._begin(context, streamed=False)
        inside = _inside(exchange)
        try:
            received = self._received(exchange, request, guarding)
            answer = inside.run(behaviour_of(self._handler), received, guarding)
            shown = exchange.show(self._sent(answer, exchange, guarding))
            guarding.send_head()
        except CallRefusedError as refused:
            guarding.refuse(refused)
        except Exception as error:  # noqa: BLE001 - whatever it is, it may hold what must not get out
            guarding.fail(error)
        return shown

    def many(self, request: Message, context: Context) -> Iterator[bytes]:
        """Serve a call whose answer is a stream of messages."""
        exchange, guarding = self._begin(context, streamed=True)
        inside = _inside(exchange)
        answers: Iterator[Any] = iter(())
        try:
            received = self._received(exchange, request, guarding)
            answers = iter(inside.run(behaviour_of(self._handler), received, guarding))
            while (answer := inside.run(next, answers, _END)) is not _END:
                shown = exchange.show(self._sent(answer, exchange, guarding))
                guarding.send_head()
                yield shown
            exchange.go_on()
            guarding.send_head()
        except CallRefusedError as refused:
            guarding.refuse(refused)
        except Exception as error:  # noqa: BLE001 - as above
            guarding.fail(error)
        finally:
            close = getattr(answers, "close", None)
            if close is not None:
                inside.run(close)

    def _begin(self, context: Context, *, streamed: bool) -> tuple[Exchange, GuardedContext]:
        core = self._bundle.ready() or self._bundle.follow()
        exchange = self._calls.begin(
            core, self._details, context.peer(), streamed=streamed, served=self._handler is not None
        )
        guarding = GuardedContext(context, exchange)
        if exchange.admission.refused:
            guarding.refuse(exchange.refusal())
        return exchange, guarding

    def _received(self, exchange: Exchange, request: Message, guarding: GuardedContext) -> Message:
        """Return what the handler is given: a message, or an iterator of them."""

        def read(message: bytes) -> Message:
            try:
                accepted = exchange.accept(message)
            except CallRefusedError as refused:
                guarding.refuse(refused)
            try:
                return read_by(self._handler, accepted)
            except Exception:
                _logger.exception("a request of `%s` cannot be read", self._details.method)
                guarding.end(grpc.StatusCode.INTERNAL, NOT_READ)

        return map(read, request) if self._handler.request_streaming else read(request)

    def _sent(self, answer: Message, exchange: Exchange, guarding: GuardedContext) -> bytes:
        try:
            return written_by(self._handler, answer)
        except Exception:
            _logger.exception("an answer of `%s` cannot be written", self._details.method)
            guarding.end(*exchange.unwritten(NOT_WRITTEN))


def read_by(handler: Handler, message: bytes) -> Message:
    """Return the message that a handler makes of bytes."""
    read = handler.request_deserializer
    return message if read is None else read(message)


def written_by(handler: Handler, message: Message) -> bytes:
    """Return the bytes that a handler makes of a message."""
    write = handler.response_serializer
    written = message if write is None else write(message)
    if not isinstance(written, bytes):
        raise TypeError("a message was not written as bytes")
    return written


class KeptContext:
    """What is alike in the contexts of both kinds of server: what is set is held to the guard's rules."""

    def __init__(self, context: Context, exchange: Exchange) -> None:
        self._context = context
        self._exchange = exchange
        self._head_sent = False
        self._aborted = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._context, name)

    def set_trailing_metadata(self, trailing_metadata: Metadata) -> None:
        """Set the metadata that follows the answer."""
        self._context.set_trailing_metadata(self._exchange.metadata(trailing_metadata))

    def set_code(self, code: grpc.StatusCode) -> None:
        """Set the status."""
        self._exchange.status = code
        self._context.set_code(code)

    def set_details(self, details: str) -> None:
        """Set the text of the status."""
        self._context.set_details(self._exchange.details(details))


class GuardedContext(KeptContext):
    """The context that a handler is given: `grpc.ServicerContext`, but for what would go past the guard."""

    def send_initial_metadata(self, initial_metadata: Metadata) -> None:
        """Send the head of the answer, or keep it until it is known what is to be recorded with it."""
        self._exchange.keep_initial(initial_metadata)
        if self._exchange.streamed:
            self._send(self._exchange.head())

    def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Metadata = None) -> NoReturn:
        """End the call with a status."""
        self._go_on()
        text = self._exchange.details(details)
        if trailing_metadata:
            self.set_trailing_metadata(trailing_metadata)
        self.end(code, text)

    def abort_with_status(self, status: grpc.Status) -> NoReturn:
        """End the call with a status that has metadata of its own."""
        self.abort(status.code, status.details, status.trailing_metadata)

    # --- for the guard

    def send_head(self) -> None:
        """Send the initial metadata, unless it is there already or nothing is to be said in it."""
        if not self._head_sent:
            head = self._exchange.head()
            if head:
                self._send(head)

    def end(self, code: grpc.StatusCode, details: str) -> NoReturn:
        """End the call with a status, in words that need no look."""
        self._aborted = True
        self.send_head()
        abort: Callable[..., NoReturn] = self._context.abort
        abort(code, details)

    def refuse(self, refused: CallRefusedError) -> NoReturn:
        """End the call as the guard says."""
        if not self._head_sent:
            self._send(with_verdict((), refused.verdict))
        self._context.set_trailing_metadata(())
        self.end(refused.status, refused.details)

    def fail(self, error: Exception) -> NoReturn:
        """End the call whose handler raised an error."""
        active = getattr(self._context, "is_active", None)
        if self._aborted or (active is not None and not active()):
            raise error  # nobody is there any more who would be told
        self._go_on()
        if self._exchange.held_back:
            _logger.error("the handler of `%s` failed", self._exchange.admission.call.operation, exc_info=error)
            self.end(self._exchange.status_or(grpc.StatusCode.UNKNOWN), self._exchange.failed())
        self.send_head()
        raise error

    def _go_on(self) -> None:
        try:
            self._exchange.go_on()
        except CallRefusedError as refused:
            self.refuse(refused)

    def _send(self, metadata: Metadata) -> None:
        self._head_sent = True
        self._context.send_initial_metadata(metadata)


def _inside(exchange: Exchange) -> contextvars.Context:
    """Return the context of everything that the handler does, in whichever thread."""
    inside = contextvars.copy_context()
    inside.run(serving.set, exchange.admission.call)
    return inside
