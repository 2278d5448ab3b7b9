"""Asks a running gRPC server what it serves (gRPC Server Reflection Protocol, v1 and v1alpha), once.

What comes of it is a descriptor set for the system folder: nothing is fetched when a system is loaded. What the server
says is bounded, checked like any descriptor set, and cut down to the services that it lists; that protocol itself is
left out. It is asked directly, past any Envoy, so this is for a server that one has started oneself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inward.catalog.document import shown
from inward.catalog.protobuf.compiler import INSTALL
from inward.catalog.protobuf.descriptors import MAX_FILES, parse_descriptors, serialise
from inward.errors import BadInputError, InwardError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_BYTES = 16 * 1024 * 1024
_VERSIONS = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
_METHOD = "ServerReflectionInfo"
_OWN = "grpc.reflection."


class ReflectionError(InwardError):
    """A server does not say what it serves."""

    code = "reflection"


@dataclass(frozen=True, slots=True)
class Reflected:
    """What a server says of itself: a serialised `FileDescriptorSet`, and the full names of its services."""

    descriptors: bytes
    services: tuple[str, ...]


def reflect_server(target: str, only: Sequence[str], *, tls: bool, seconds: float) -> Reflected:
    """Ask the server at `target` (`HOST:PORT` or `unix:PATH`) for its services, or those named in `only`.

    Raises `ReflectionError`, and `BadInputError` for a service that it does not have.
    """
    try:
        import grpc  # noqa: PLC0415 - few systems have gRPC services
        from grpc_reflection.v1alpha import reflection_pb2  # noqa: PLC0415 - as above
    except ImportError:
        raise ReflectionError("reflection needs grpcio and grpcio-reflection", hint=INSTALL) from None
    options = [("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", MAX_BYTES)]
    secure = grpc.ssl_channel_credentials() if tls else None
    with grpc.secure_channel(target, secure, options) if tls else grpc.insecure_channel(target, options) as channel:
        server = _Server(grpc, channel, reflection_pb2, time.monotonic() + seconds, target)
        listed = [each.name for each in server.ask(list_services="").list_services_response.service]
        for name in only:
            if name not in listed:
                have = ", ".join(f"`{shown(each)}`" for each in listed[:20])
                raise BadInputError(f"the server has no service `{shown(name)}`", hint=f"it has {have}")
        wanted = list(only) or [name for name in listed if not name.startswith(_OWN)]
        if not wanted:
            raise ReflectionError(f"the server at `{shown(target)}` lists no services")
        files = server.files(wanted)
    read = parse_descriptors(b"".join(_of_set(content) for content in files))
    for file in read.file:
        kept = [each for each in file.service if _full_name(file.package, each.name) in wanted]
        del file.service[:]
        file.service.extend(kept)
    return Reflected(serialise(read), tuple(wanted))


def _full_name(package: str, name: str) -> str:
    return f"{package}.{name}" if package else name


def _of_set(content: bytes) -> bytes:
    """Return a serialised file as the field `file` of a serialised set: a tag, a length, the bytes."""
    length, size = bytearray(), len(content)
    while size > 0x7F:  # noqa: PLR2004 - base 128 varints (protobuf encoding)
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return b"\x0a" + bytes([*length, size]) + content


class _Server:
    """One server that is asked. `messages` is the module with the messages of the protocol."""

    def __init__(self, grpc: Any, channel: Any, messages: Any, deadline: float, target: str) -> None:  # noqa: ANN401 - untyped libraries
        self._grpc = grpc
        self._channel = channel
        self._messages = messages
        self._deadline = deadline
        self._target = f"`{shown(target)}`"
        self._versions = list(_VERSIONS)

    def files(self, symbols: Sequence[str]) -> list[bytes]:
        """Return the serialised files in which the symbols are, and all that these import."""
        from google.protobuf.descriptor_pb2 import FileDescriptorProto  # noqa: PLC0415 - few systems need it
        from google.protobuf.message import DecodeError  # noqa: PLC0415 - as above

        found: dict[str, bytes] = {}
        missing: set[str] = set()
        given_up: set[str] = set()
        size = 0

        def take(answer: Any) -> None:  # noqa: ANN401 - a message of the protocol
            nonlocal size
            for content in answer.file_descriptor_response.file_descriptor_proto:
                try:
                    file = FileDescriptorProto.FromString(content)
                except DecodeError:
                    raise ReflectionError(f"the server at {self._target} sends what is no descriptor") from None
                if file.name not in found:
                    size += len(content)
                    found[file.name] = content
                    missing.update(file.dependency)
            if len(found) > MAX_FILES or size > MAX_BYTES:
                raise ReflectionError(f"the server at {self._target} describes more than {MAX_BYTES >> 20} MiB")

        for symbol in symbols:
            take(self.ask(file_containing_symbol=symbol))
        while left := sorted(missing - found.keys() - given_up):
            given_up.add(left[0])  # it may be one that everybody has
            take(self.ask(optional=True, file_by_filename=left[0]))
        return list(found.values())

    def ask(self, *, optional: bool = False, **question: str) -> Any:  # noqa: ANN401 - a message of the protocol
        """Return the answer to one question; an empty one where it is `optional` and the server does not know."""
        asked = self._messages.ServerReflectionRequest(**question).SerializeToString()
        while True:
            call = self._channel.stream_stream(f"/{self._versions[0]}/{_METHOD}")
            stream = call(iter([asked]), timeout=max(0.001, self._deadline - time.monotonic()), wait_for_ready=True)
            try:
                content = next(stream, None)
            except self._grpc.RpcError as error:
                if error.code() is self._grpc.StatusCode.UNIMPLEMENTED and len(self._versions) > 1:
                    del self._versions[0]
                    continue
                raise self._failed(error) from None
            finally:
                stream.cancel()
            answer = self._messages.ServerReflectionResponse.FromString(content or b"")
            if answer.HasField("error_response") and not optional:
                said = shown(answer.error_response.error_message, 200)
                raise ReflectionError(f"the server at {self._target} does not describe itself: {said}")
            return answer

    def _failed(self, error: Any) -> ReflectionError:  # noqa: ANN401 - a grpc.RpcError, which is a call too
        codes = self._grpc.StatusCode
        if error.code() is codes.UNIMPLEMENTED:
            return ReflectionError(
                f"the server at {self._target} has no reflection",
                hint="switch it on, or make the descriptor set with `protoc --descriptor_set_out --include_imports`",
            )
        if error.code() in {codes.DEADLINE_EXCEEDED, codes.UNAVAILABLE}:
            return ReflectionError(f"no server answers at {self._target}", hint="give HOST:PORT or unix:PATH")
        said = shown(str(error.details() or error.code().name), 200)
        return ReflectionError(f"the server at {self._target} does not say what it serves: {said}")
