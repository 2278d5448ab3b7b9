"""Reflection: what a server says of itself, in both versions of the protocol, and servers that say odd things."""

from __future__ import annotations

from concurrent import futures
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection, reflection_pb2

from inward.catalog.protobuf.descriptors import parse_descriptors
from inward.control import reflection as module
from inward.control.reflection import ReflectionError, reflect_server
from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECONDS = 20.0
V1 = "grpc.reflection.v1.ServerReflection"
V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"
Server = tuple[str, grpc.Server]


def described() -> list[descriptor_pb2.FileDescriptorProto]:
    """Return two files: one with two services, which imports another and one that everybody has."""
    money = descriptor_pb2.FileDescriptorProto(name="money.proto", package="shop", syntax="proto3")
    money.message_type.add(name="Money")
    orders = descriptor_pb2.FileDescriptorProto(
        name="orders.proto",
        package="shop",
        syntax="proto3",
        dependency=["money.proto", "google/protobuf/empty.proto"],
    )
    for name in ("Orders", "Admin"):
        method = orders.service.add(name=name).method.add(name="Get")
        method.input_type, method.output_type = ".google.protobuf.Empty", ".shop.Money"
    return [money, orders]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Start servers with one handler each; return where."""
    started: list[grpc.Server] = []

    def start(*handlers: grpc.GenericRpcHandler, add: Callable[[grpc.Server], None] = lambda _: None) -> str:
        server = grpc.server(futures.ThreadPoolExecutor(4))
        server.add_generic_rpc_handlers(handlers)
        add(server)
        target = f"unix:{tmp_path}/{len(started)}.sock"
        server.add_insecure_port(target)
        server.start()
        started.append(server)
        return target

    yield start
    for server in started:
        server.stop(None).wait()


def answering(
    answer: Callable[[reflection_pb2.ServerReflectionRequest], Any], version: str = V1
) -> grpc.GenericRpcHandler:
    """Return a server's handler that answers each question of the protocol so."""

    def serve(requests: Iterator[Any], _context: grpc.ServicerContext) -> Iterator[Any]:
        for request in requests:
            yield answer(request)

    handler = grpc.stream_stream_rpc_method_handler(
        serve,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(version, {"ServerReflectionInfo": handler})


def true_answer(request: Any) -> Any:
    """Answer as a server does that sends one file a question, and does not know what everybody has."""
    files = {each.name: each for each in described()}
    response = reflection_pb2.ServerReflectionResponse()
    if request.HasField("list_services"):
        for name in ("shop.Orders", "shop.Admin", V1):
            response.list_services_response.service.add(name=name)
        return response
    name = "orders.proto" if request.HasField("file_containing_symbol") else request.file_by_filename
    if name in files:
        response.file_descriptor_response.file_descriptor_proto.append(files[name].SerializeToString())
    else:
        response.error_response.error_code, response.error_response.error_message = 5, "no such file"
    return response


def services(descriptors: bytes) -> list[str]:
    return [service.name for file in parse_descriptors(descriptors).file for service in file.service]


@pytest.mark.parametrize("version", [V1, V1ALPHA])
def test_a_server_is_asked_in_either_version(serve: Callable[..., str], version: str) -> None:
    reflected = reflect_server(serve(answering(true_answer, version)), (), tls=False, seconds=SECONDS)
    assert reflected.services == ("shop.Orders", "shop.Admin")
    assert [each.name for each in parse_descriptors(reflected.descriptors).file] == [
        "google/protobuf/empty.proto",
        "money.proto",
        "orders.proto",
    ]
    assert services(reflected.descriptors) == ["Orders", "Admin"]


def test_the_servers_of_the_library_are_understood(serve: Callable[..., str]) -> None:
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(
        descriptor_pb2.FileDescriptorProto(
            name="google/protobuf/empty.proto",
            package="google.protobuf",
            message_type=[descriptor_pb2.DescriptorProto(name="Empty")],
        ).SerializeToString()
    )
    for file in described():
        pool.AddSerializedFile(file.SerializeToString())
    names = ("shop.Orders", "shop.Admin", reflection.SERVICE_NAME)
    target = serve(add=lambda server: reflection.enable_server_reflection(names, server, pool=pool))
    reflected = reflect_server(target, (), tls=False, seconds=SECONDS)
    assert sorted(services(reflected.descriptors)) == ["Admin", "Orders"]


def test_only_what_is_wanted_is_kept(serve: Callable[..., str]) -> None:
    target = serve(answering(true_answer))
    reflected = reflect_server(target, ["shop.Admin"], tls=False, seconds=SECONDS)
    assert (reflected.services, services(reflected.descriptors)) == (("shop.Admin",), ["Admin"])
    with pytest.raises(BadInputError, match=r"the server has no service `shop\.Nope`"):
        reflect_server(target, ["shop.Nope"], tls=False, seconds=SECONDS)


def test_a_server_without_reflection_says_so(serve: Callable[..., str]) -> None:
    with pytest.raises(ReflectionError, match="has no reflection") as caught:
        reflect_server(serve(), (), tls=False, seconds=SECONDS)
    assert "protoc --descriptor_set_out" in caught.value.hint


def test_nobody_there_is_told_in_time(tmp_path: Path) -> None:
    with pytest.raises(ReflectionError, match="no server answers at"):
        reflect_server(f"unix:{tmp_path}/none.sock", (), tls=False, seconds=0.3)


def sending(content: bytes) -> Callable[[Any], Any]:
    def answer(request: Any) -> Any:
        response = true_answer(request)
        if not request.HasField("list_services"):
            del response.file_descriptor_response.file_descriptor_proto[:]
            response.file_descriptor_response.file_descriptor_proto.append(content)
        return response

    return answer


def empty(_request: Any) -> Any:
    return reflection_pb2.ServerReflectionResponse()


def failing(request: Any) -> Any:
    response = true_answer(request)
    if not request.HasField("list_services"):
        response.error_response.error_message = "\x1b[31mred"
    return response


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (sending(b"\xff\xff"), "sends what is no descriptor"),
        (empty, "lists no services"),
        (failing, "does not describe itself: \ufffd"),
    ],
)
def test_a_server_that_says_odd_things_is_refused(
    serve: Callable[..., str], answer: Callable[[Any], Any], expected: str
) -> None:
    with pytest.raises(ReflectionError, match=expected):
        reflect_server(serve(answering(answer)), (), tls=False, seconds=SECONDS)


def test_what_is_too_much_is_refused(serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FILES", 1)
    with pytest.raises(ReflectionError, match="describes more than"):
        reflect_server(serve(answering(true_answer)), (), tls=False, seconds=SECONDS)
