"""A gRPC server of the tests: says what reached it, and does as it is told.

    python grpc_app.py SOCKET LOG     # in the folder with apis/orders.proto

Each order has in `note` the metadata that arrived, as JSON. LOG has a line for each call that reached it, and one with
`ended` for each that was ended from outside.
"""

from __future__ import annotations

import json
import sys
import threading
from concurrent import futures
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

from inward.catalog.protobuf.compiler import INCLUDE

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 16 * 1024 * 1024


class Orders:
    """The service. `messages` is the module that was compiled of the description, `common` of what it imports."""

    def __init__(self, messages: Any, common: Any, log: Path) -> None:
        self._messages = messages
        self._common = common
        self._log = log

    def _order(self, identifier: str, context: grpc.ServicerContext) -> Any:
        metadata = [[key, str(value)] for key, value in context.invocation_metadata()]
        return self._messages.Order(id=identifier, note=json.dumps(metadata), contact="ada@example.com")

    def _write(self, line: str) -> None:
        with self._log.open("a") as file:
            file.write(line + "\n")

    def Get(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - the name of the method
        self._write(f"Get {len(request.id)}")
        context.set_trailing_metadata((("x-trailer", "kept"), ("x-trailer-bin", b"\x00\xff")))
        return self._order(request.id, context)

    Watch = Create = Get

    def GetSecret(self, _request: Any, _context: grpc.ServicerContext) -> Any:  # noqa: N802 - as above
        self._write("GetSecret")
        return self._messages.Secret(key="undisclosed")

    def Fail(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - as above
        self._write("Fail")
        context.set_trailing_metadata((("x-why", request.id),))
        context.abort(grpc.StatusCode.NOT_FOUND, "no such order: ünknown")

    def Wait(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - as above
        self._write("Wait")
        ended = threading.Event()
        context.add_callback(ended.set)
        ended.wait()
        self._write(f"ended {request.id}")
        return self._messages.Order()

    def List(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802 - as above
        for number in range(int(request.id)):
            yield self._order(str(number), context)

    def Upload(self, requests: Iterator[Any], _context: grpc.ServicerContext) -> Any:  # noqa: N802 - as above
        return self._common.GetOrder(id=",".join(request.id for request in requests))

    def Chat(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802 - as above
        for request in requests:
            yield self._order(f"re: {request.id}", context)


def main(path: str, log: str) -> None:
    sys.path += [str(Path.cwd()), str(INCLUDE)]
    messages, services = grpc.protos_and_services("apis/orders.proto")
    size = [("grpc.max_receive_message_length", MAX_BYTES)]
    server = grpc.server(futures.ThreadPoolExecutor(16), options=size)
    services.add_OrdersServicer_to_server(Orders(messages, grpc.protos("apis/common.proto"), Path(log)), server)
    server.add_insecure_port(f"unix:{path}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main(*sys.argv[1:])
