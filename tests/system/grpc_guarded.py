"""A gRPC service with a guard in it, sync or aio.

python grpc_guarded.py sync|aio SOCKET    # in the folder with people.proto
"""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from inward.catalog.protobuf.compiler import INCLUDE
from inward.guard.current import current_call
from inward.guard.grpc import AioGuard, Guard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SECRET = "ada@example.com"


class People:
    """The service; `messages` is the module that was compiled of the description."""

    def __init__(self, messages: Any) -> None:
        self._messages = messages

    def _person(self, number: int) -> Any:
        call = current_call()
        return self._messages.Person(id=number, email=SECRET, phone="+46 8 555 0101", caller=call.caller)

    def Get(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name of the method
        if request.what == "nothing":
            context.abort(grpc.StatusCode.NOT_FOUND, f"no {SECRET}")
        return self._person(1)

    def List(self, request: Any, _context: Any) -> Iterator[Any]:  # noqa: N802 - as above
        del request
        yield from map(self._person, range(3))

    def Keep(self, request: Any, _context: Any) -> Any:  # noqa: N802 - as above
        return self._messages.Ask(what=f"kept {request.id}")

    def Hidden(self, _request: Any, _context: Any) -> Any:  # noqa: N802 - as above
        return self._person(1)


class AioPeople(People):
    """The same by coroutines."""

    async def Get(self, request: Any, context: Any) -> Any:  # noqa: N802 - as above
        if request.what == "nothing":
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no {SECRET}")
        return self._person(1)

    async def List(self, request: Any, _context: Any) -> AsyncIterator[Any]:  # type: ignore[override] # noqa: N802 - as above
        del request
        for number in range(3):
            yield self._person(number)

    async def Keep(self, request: Any, _context: Any) -> Any:  # noqa: N802 - as above
        return self._messages.Ask(what=f"kept {request.id}")


async def serve(services: Any, messages: Any, path: str) -> None:
    server = grpc.aio.server(interceptors=[AioGuard()])
    services.add_PeopleServicer_to_server(AioPeople(messages), server)
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    await server.wait_for_termination()


def main(kind: str, path: str) -> None:
    sys.path += [str(Path.cwd()), str(INCLUDE)]
    messages, services = grpc.protos_and_services("people.proto")
    if kind == "aio":
        asyncio.run(serve(services, messages, path))
        return
    server = grpc.server(ThreadPoolExecutor(8), interceptors=[Guard()])
    services.add_PeopleServicer_to_server(People(messages), server)
    hidden = grpc.unary_unary_rpc_method_handler(
        People(messages).Hidden, messages.Ask.FromString, messages.Person.SerializeToString
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("people.v1.Hidden", {"Get": hidden}),))
    server.add_insecure_port(f"unix:{path}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main(*sys.argv[1:])
