"""The guard of gRPC services: `grpc.server(executor, interceptors=[Guard()])`, or `grpc.aio.server` and `AioGuard`.

It must be the first interceptor: those before it would be handed bytes in the place of messages. It translates, and
decides nothing: see `guard.core`. Needs the extra `inward[grpc]`.
"""

try:
    import grpc  # noqa: F401 - only whether it is there
    from google.protobuf import descriptor  # noqa: F401 - as above
except ModuleNotFoundError as error:
    told = "inward.guard.grpc needs grpcio and protobuf: `pip install inward[grpc]`"
    raise ModuleNotFoundError(told, name=error.name) from error

from inward.guard.grpc.aio import AioGuard
from inward.guard.grpc.server import Guard

__all__ = ["AioGuard", "Guard"]
