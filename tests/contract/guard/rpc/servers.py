"""Guarded gRPC servers of every kind on a Unix socket and on a port, and one way to ask them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import grpc
import grpc.aio
from tests.contract.guard.rpc.people import SHAPES, Classes, Handled, written

from inward.guard.current import current_call
from inward.guard.grpc import AioGuard, Guard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from inward.guard.bundle import FollowedBundle

KINDS = ("sync", "aio", "aio-context", "aio-threads")
PATIENCE = 20.0  # seconds until a call is given up


@dataclass
class Got:
    """An answer as it left the guard."""

    code: grpc.StatusCode
    details: str
    messages: list[Any]
    initial: list[tuple[str, str | bytes]]
    trailing: list[tuple[str, str | bytes]]
    raw: list[bytes] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        found = [value for each, value in self.initial if each == name]
        assert len(found) <= 1, found
        return str(found[0]) if found else None

    def said(self) -> bytes:
        """Return everything that the caller was sent, in one piece."""
        return repr((self.details, self.initial, self.trailing, self.raw)).encode()


class Served:
    """A server of one kind; `private` is its address on a Unix socket, `public` one on a port."""

    def __init__(self, kind: str, folder: Path, bundle: FollowedBundle, **options: Any) -> None:
        self.kind = kind
        self.handled = Handled()
        self.classes = Classes(folder)
        self.private = f"unix:{folder / kind}.sock"
        self.public = ""
        self._bundle = bundle
        self._options = options
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: Any = None

    # --- serving

    def start(self) -> Self:
        if self.kind == "sync":
            guard = Guard(bundle=self._bundle, **self._options)
            self._server = guard.watch(grpc.server(ThreadPoolExecutor(8), interceptors=[guard]))
            self._add()
            self._server.start()
        else:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever)
            self._thread.start()
            self._in_loop(self._start_aio())
        return self

    async def _start_aio(self) -> None:
        guard = AioGuard(bundle=self._bundle, **self._options)
        self._server = guard.watch(grpc.aio.server(ThreadPoolExecutor(8), interceptors=[guard]))
        self._add()
        await self._server.start()

    def _add(self) -> None:
        for service in sorted({name.partition("/")[0] for name in SHAPES}):
            mine = {name.partition("/")[2]: self._handler(name) for name in SHAPES if name.startswith(service + "/")}
            generic = grpc.method_handlers_generic_handler(service, mine)
            self._server.add_generic_rpc_handlers((generic,))
            if not service.startswith("hidden"):  # that one is there as nothing but a handler of any method
                self._server.add_registered_method_handlers(service, mine)
        self._server.add_insecure_port(self.private)
        self.public = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"

    def stop(self) -> None:
        if self._loop is None or self._thread is None:
            self._server.stop(None).wait(PATIENCE)
            return
        self._in_loop(self._server.stop(None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def _in_loop(self, work: Any) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    # --- handlers

    def _handler(self, method: str) -> Any:
        asks, answers = SHAPES[method]
        kind = f"{'stream' if asks else 'unary'}_{'stream' if answers else 'unary'}"
        make: Callable[..., Any] = getattr(grpc, f"{kind}_rpc_method_handler")
        request = self.classes.request(method)
        return make(self._behaviour(asks=asks, answers=answers), request.FromString, written)

    def _behaviour(self, *, asks: bool, answers: bool) -> Callable[..., Any]:
        plain = {
            (False, False): self._sync_one,
            (True, False): self._sync_merge,
            (False, True): self._sync_many,
            (True, True): self._sync_chat,
        }
        by_loop: dict[tuple[bool, bool], Callable[..., Any]] = {
            (False, False): self._aio_one,
            (True, False): self._aio_merge,
            (False, True): self._aio_many,
            (True, True): self._aio_chat,
        }
        if self.kind in {"sync", "aio-threads"}:
            return plain[asks, answers]
        if self.kind == "aio-context":
            by_loop |= {(False, True): self._context_many, (True, True): self._context_chat}
            by_loop |= {(True, False): self._context_merge}
        return by_loop[asks, answers]

    def _swallowing(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.suppress(Exception) if self.handled.script.swallows else contextlib.nullcontext()

    def _sync_one(self, request: Any, context: Any) -> Any:
        self.handled.requests.append(request)
        script = self.handled.begin()
        if script.initial:
            context.send_initial_metadata(script.initial)
        if script.trailing:
            context.set_trailing_metadata(script.trailing)
        if script.error is not None:
            raise script.error
        if script.aborts:
            context.abort(script.code, script.details)
        if script.code is not None:
            context.set_code(script.code)
            context.set_details(script.details)
        return script.messages[0] if script.messages else None

    def _sync_merge(self, requests: Iterator[Any], context: Any) -> Any:
        taken: list[Any] = []
        with self._swallowing():
            taken.extend(requests)
        return self._sync_one(taken, context)

    def _sync_many(self, request: Any, context: Any) -> Iterator[Any]:
        handled = self.handled
        try:
            last = self._sync_one(request, context)
            yield from handled.script.messages
            while handled.script.endless:
                current_call()
                yield last
        finally:
            handled.close()

    def _sync_chat(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        for request in requests:
            yield from self._sync_many(request, context)

    async def _aio_one(self, request: Any, context: Any) -> Any:
        self.handled.requests.append(request)
        script = self.handled.begin()
        if script.initial:
            await context.send_initial_metadata(script.initial)
        if script.trailing:
            context.set_trailing_metadata(script.trailing)
        if script.error is not None:
            raise script.error
        if script.aborts:
            await context.abort(script.code, script.details)
        if script.code is not None:
            context.set_code(script.code)
            context.set_details(script.details)
        return script.messages[0] if script.messages else None

    async def _aio_merge(self, requests: AsyncIterator[Any], context: Any) -> Any:
        taken: list[Any] = []
        with self._swallowing():
            taken = [request async for request in requests]
        return await self._aio_one(taken, context)

    async def _aio_many(self, request: Any, context: Any) -> AsyncIterator[Any]:
        handled = self.handled
        try:
            last = await self._aio_one(request, context)
            for message in handled.script.messages:
                yield message
            while handled.script.endless:
                current_call()
                yield last
                await asyncio.sleep(0)
        finally:
            handled.close()

    async def _aio_chat(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            async for message in self._aio_many(request, context):
                yield message

    async def _context_merge(self, _requests: object, context: Any) -> Any:
        taken = []
        with self._swallowing():
            while (request := await context.read()) is not grpc.aio.EOF:
                taken.append(request)
        return await self._aio_one(taken, context)

    async def _context_many(self, request: Any, context: Any) -> None:
        handled = self.handled
        try:
            last = await self._aio_one(request, context)
            for message in handled.script.messages:
                await context.write(message)
            while handled.script.endless:
                current_call()
                await context.write(last)
                await asyncio.sleep(0)
        finally:
            handled.close()

    async def _context_chat(self, _requests: object, context: Any) -> None:
        while (request := await context.read()) is not grpc.aio.EOF:
            await self._context_many(request, context)

    def wait_for_closed(self) -> None:
        """Return when a handler of a stream has ended."""
        assert self.handled.ended.wait(PATIENCE)

    # --- asking

    def call(self, channel: grpc.Channel, method: str, requests: list[Any], metadata: Any, **options: Any) -> Any:
        """Begin a call; the answer is an iterator of bytes, whatever its kind."""
        asks, _ = SHAPES.get(method, (False, False))
        one = iter([written(each) for each in requests])
        options.setdefault("timeout", PATIENCE)
        asked = channel.stream_stream if asks else channel.unary_stream
        return asked(f"/{method}")(one if asks else next(one), metadata=metadata, **options)

    def ask(
        self, method: str, requests: list[Any], metadata: list[tuple[str, str]], *, private: bool = True, **options: Any
    ) -> Got:
        limits = [("grpc.max_receive_message_length", -1)]
        with grpc.insecure_channel(self.private if private else self.public, limits) as channel:
            call = self.call(channel, method, requests, metadata, **options)
            raw: list[bytes] = []
            with contextlib.suppress(grpc.RpcError):  # its status tells
                raw.extend(call)
            answer = self.classes.answer(method)
            return Got(
                call.code(),
                call.details(),
                [answer.FromString(each) for each in raw],
                [(each.key, each.value) for each in call.initial_metadata() or ()],
                [(each.key, each.value) for each in call.trailing_metadata() or ()],
                raw,
            )
