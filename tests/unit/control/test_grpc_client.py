"""A gRPC call as a service: messages from JSON and back, and what an egress says, against a server in its place."""

from __future__ import annotations

from concurrent import futures
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import descriptor_pb2

from inward.catalog.model import Rpc
from inward.catalog.protobuf.descriptors import parse_descriptors, serialise
from inward.control.egress_client import NoAnswerError, Outgoing
from inward.control.grpc_client import make_grpc_call
from inward.control.running import RunningService
from inward.envoy.resources.egress import proxy_authorization
from inward.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KIND = descriptor_pb2.FieldDescriptorProto
URL = b"http://orders:80/shop.Orders/Get"
REFERENCE = "urn:uuid:6f9a0000-0000-0000-0000-000000000000"


def rpc(*, streams: bool = False) -> Rpc:
    file = descriptor_pb2.FileDescriptorProto(name="a.proto", package="shop", syntax="proto3")
    file.message_type.add(name="Id").field.add(
        name="the_id", number=1, type=KIND.TYPE_STRING, label=KIND.LABEL_OPTIONAL
    )
    content = descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()
    descriptors = serialise(parse_descriptors(content))
    return Rpc(streams, streams, "shop.Id", "shop.Id", descriptors=descriptors)


@pytest.fixture
def egress() -> Iterator[Callable[[Any], RunningService]]:
    """Start a server that takes every method, and answers as the given function does; return it as an egress."""
    started: list[grpc.Server] = []

    class Any_(grpc.GenericRpcHandler):  # type: ignore[misc] # noqa: N801 - no types; it stands for any method
        def __init__(self, behaviour: Any) -> None:
            self._behaviour = behaviour

        def service(self, details: Any) -> Any:
            def serve(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
                yield from self._behaviour(details.method, requests, context)

            return grpc.stream_stream_rpc_method_handler(serve)

    def start(behaviour: Any) -> RunningService:
        server = grpc.server(futures.ThreadPoolExecutor(4))
        server.add_generic_rpc_handlers((Any_(behaviour),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        started.append(server)
        return RunningService(listen=None, egress=f"127.0.0.1:{port}", credential="secret", app=None)

    yield start
    for server in started:
        server.stop(None).wait()


def echo(_method: str, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
    context.send_initial_metadata((("x-request-id", "6f9a"),))
    yield from requests


def test_messages_are_json_and_fields_keep_their_names(egress: Callable[[Any], RunningService]) -> None:
    answer = make_grpc_call(egress(echo), Outgoing(b"GRPC", URL, (), b'{"the_id": "7"}'), rpc())
    assert (answer.body, answer.grpc_status, answer.title) == (b'{"the_id": "7"}\n', 0, "grpc 0 OK")
    assert (answer.reference, answer.problem) == ("6f9a", {})


@pytest.mark.parametrize("body", [b'[{"the_id": "1"}, {"the_id": "2"}]', b'{"the_id": "1"}\n\n{"the_id": "2"}\n'])
def test_a_stream_is_a_list_or_lines(egress: Callable[[Any], RunningService], body: bytes) -> None:
    answer = make_grpc_call(egress(echo), Outgoing(b"GRPC", URL, (), body), rpc(streams=True))
    assert answer.body == b'{"the_id": "1"}\n{"the_id": "2"}\n'


def test_it_goes_to_the_service_with_the_credential(egress: Callable[[Any], RunningService]) -> None:
    asked: list[Any] = []

    def note(method: str, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        asked.append((method, dict(context.invocation_metadata()), list(requests)))
        yield b""

    make_grpc_call(egress(note), Outgoing(b"GRPC", URL, ((b"X-One", b"1"), (b"x-two-bin", b"\xff"))), rpc())
    ((method, metadata, messages),) = asked
    assert (method, messages) == ("/shop.Orders/Get", [b""])
    assert metadata["proxy-authorization"] == proxy_authorization("secret")
    assert (metadata["x-one"], metadata["x-two-bin"]) == ("1", b"\xff")


def test_a_refusal_is_told_with_its_code_and_reference(egress: Callable[[Any], RunningService]) -> None:
    def refuse(_method: str, _requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        context.abort(grpc.StatusCode.PERMISSION_DENIED, f"no_grant: No grant allows this ({REFERENCE})")
        yield b""

    answer = make_grpc_call(egress(refuse), Outgoing(b"GRPC", URL), rpc())
    assert (answer.grpc_status, answer.title) == (7, "grpc 7 PERMISSION_DENIED")
    assert answer.problem == {"code": "no_grant", "title": "No grant allows this", "instance": REFERENCE}
    assert answer.reference == REFERENCE.removeprefix("urn:uuid:")


def test_what_a_service_says_is_no_refusal(egress: Callable[[Any], RunningService]) -> None:
    def fail(_method: str, _requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        context.abort(grpc.StatusCode.NOT_FOUND, f"something: else ({REFERENCE})")
        yield b""

    answer = make_grpc_call(egress(fail), Outgoing(b"GRPC", URL), rpc())
    assert (answer.grpc_status, answer.problem) == (5, {})


def test_messages_that_came_before_a_failure_are_shown(egress: Callable[[Any], RunningService]) -> None:
    def half(_method: str, _requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        yield b"\x0a\x011"
        context.abort(grpc.StatusCode.ABORTED, "half way")

    answer = make_grpc_call(egress(half), Outgoing(b"GRPC", URL), rpc())
    assert (answer.body, answer.grpc_status) == (b'{"the_id": "1"}\n', 10)


@pytest.mark.parametrize(
    ("body", "described", "expected"),
    [
        (b'{"nope": 1}', True, "the body is no `shop.Id`"),
        (b"[1", True, "the body is no `shop.Id`"),
        (b'{"the_id": "7"}', False, "no description has this method"),
    ],
)
def test_what_is_no_message_is_told(body: bytes, described: bool, expected: str) -> None:  # noqa: FBT001 - a parameter of the test
    nobody = RunningService(listen=None, egress="127.0.0.1:1", credential="", app=None)
    with pytest.raises(BadInputError, match=expected):
        make_grpc_call(nobody, Outgoing(b"GRPC", URL, (), body), rpc() if described else None)


def test_an_egress_that_is_not_there_and_one_that_is_silent_are_told(egress: Callable[[Any], RunningService]) -> None:
    nobody = RunningService(listen=None, egress="127.0.0.1:1", credential="", app=None)
    with pytest.raises(NoAnswerError, match="does not answer"):
        make_grpc_call(nobody, Outgoing(b"GRPC", URL), rpc(), 5.0)

    def wait(_method: str, requests: Iterator[bytes], _context: grpc.ServicerContext) -> Iterator[bytes]:
        yield from ()
        list(requests)
        _context.add_callback(lambda: None)
        import threading  # noqa: PLC0415 - only here

        ended = threading.Event()
        _context.add_callback(ended.set)
        ended.wait(10)

    with pytest.raises(NoAnswerError, match=r"`orders` did not answer within 0\.3 seconds"):
        make_grpc_call(egress(wait), Outgoing(b"GRPC", URL), rpc(), 0.3)
