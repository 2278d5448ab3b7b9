"""One gRPC call as a service, through its egress: messages from JSON, and back to JSON.

For development, like `inward.control.egress_client`. Messages are made by the description that is in force; a method
that it does not have can be called with an empty message only, to see it refused.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inward.catalog.document import shown
from inward.catalog.protobuf.compiler import INSTALL
from inward.catalog.protobuf.descriptors import pool_of
from inward.control.egress_client import Answer, NoAnswerError
from inward.envoy.resources.egress import proxy_authorization
from inward.errors import BadInputError, InwardError
from inward.policy.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inward.catalog.model import Rpc
    from inward.control.egress_client import Outgoing
    from inward.control.running import RunningService

METHOD = b"GRPC"  # what stands in the place of an HTTP method
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
_REFUSAL = re.compile(r"(?P<code>[a-z_]+): (?P<title>.*) \((?P<instance>urn:uuid:[0-9a-f-]+)\)")


class NoGrpcError(InwardError):
    """There is no gRPC library."""

    code = "no_grpc"


@dataclass(frozen=True, slots=True)
class GrpcAnswer(Answer):
    """What came back: messages as lines of JSON, and the gRPC status; `status` is that of HTTP."""

    grpc_status: int = 0
    details: str = ""

    @property
    def title(self) -> str:
        """The status as people read it."""
        return f"grpc {self.grpc_status} {self.reason}"

    @property
    def problem(self) -> dict[str, str]:
        """What an enforcer says of its refusal; a service could say the like, so it proves nothing."""
        found = _REFUSAL.fullmatch(self.details)
        return found.groupdict() if found and found["code"] in set(Reason) else {}


def make_grpc_call(service: RunningService, outgoing: Outgoing, rpc: Rpc | None, seconds: float = 30.0) -> GrpcAnswer:
    """Make one call as `service`; raise `NoAnswerError` where nothing answers within `seconds`.

    `rpc` is the method that `outgoing` means, None for an unknown one. The body is JSON: an object for one message; a
    list of them, or one a line, for a stream.
    """
    try:
        import grpc  # noqa: PLC0415 - few systems have gRPC services
    except ImportError:
        raise NoGrpcError("a gRPC call needs grpcio", hint=INSTALL) from None
    messages = list(_messages(outgoing.body, rpc))
    authorization = ("proxy-authorization", proxy_authorization(service.credential))
    options = [
        ("grpc.default_authority", outgoing.callee),
        ("grpc.enable_http_proxy", 0),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ]
    started = time.monotonic()
    received: list[bytes] = []
    with grpc.insecure_channel(service.egress, options) as channel:
        call = channel.stream_stream(outgoing.target.decode("utf-8", "replace"))
        metadata = [*_metadata(outgoing.headers), authorization]
        stream = call(iter(messages), timeout=seconds, metadata=metadata)
        try:
            received.extend(stream)
            headers = _told((*stream.initial_metadata(), *stream.trailing_metadata()))
        except grpc.RpcError:
            headers = _told((*(stream.initial_metadata() or ()), *(stream.trailing_metadata() or ())))
            _require_answer(grpc, stream, headers, service, outgoing, seconds)
        code, details = stream.code(), stream.details() or ""
    body = b"".join(_json(message, rpc) for message in received)
    return GrpcAnswer(200, code.name, headers, body, time.monotonic() - started, code.value[0], details)


def _require_answer(
    grpc: Any,  # noqa: ANN401 - the library, which has no types
    stream: Any,  # noqa: ANN401 - as above
    headers: tuple[tuple[str, str], ...],
    service: RunningService,
    outgoing: Outgoing,
    seconds: float,
) -> None:
    if stream.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        raise NoAnswerError(
            f"`{outgoing.callee}` did not answer within {seconds:g} seconds", hint="wait longer: `--timeout SECONDS`"
        )
    if stream.code() is grpc.StatusCode.UNAVAILABLE and not headers:
        raise NoAnswerError(
            f"the egress of this service at `{service.egress}` does not answer: {shown(stream.details() or '', 200)}",
            hint="`inward status` says what runs",
        )


def _metadata(headers: Sequence[tuple[bytes, bytes]]) -> Iterator[tuple[str, str | bytes]]:
    for name, value in headers:
        key = name.decode("utf-8", "replace").lower()
        yield key, value if key.endswith("-bin") else value.decode("utf-8", "replace")


def _told(metadata: Sequence[tuple[str, str | bytes]]) -> tuple[tuple[str, str], ...]:
    return tuple((key, value if isinstance(value, str) else value.hex()) for key, value in metadata)


def _messages(body: bytes | None, rpc: Rpc | None) -> Iterator[bytes]:
    if rpc is None:
        if body:
            raise BadInputError("no description has this method, so no message can be made", hint="leave `--data` out")
        yield b""
        return
    texts = _texts((body or b"").decode("utf-8", "replace").strip() or "{}", streams=rpc.client_streaming)
    for text in texts:
        yield _parsed(text, rpc)


def _texts(text: str, *, streams: bool) -> list[str]:
    import json  # noqa: PLC0415 - only here, and the name is often an option's

    if not streams:
        return [text]
    if text.startswith("["):
        try:
            return [json.dumps(each) for each in json.loads(text)]
        except (ValueError, RecursionError):
            raise BadInputError("the body is no JSON", hint="give a list of messages, or one a line") from None
    return [line for line in text.splitlines() if line.strip()]


def _parsed(text: str, rpc: Rpc) -> bytes:
    from google.protobuf import json_format, message_factory  # noqa: PLC0415 - few systems have gRPC services

    pool = pool_of(rpc.descriptors)
    message = message_factory.GetMessageClass(pool.FindMessageTypeByName(rpc.input))()
    try:
        content: bytes = json_format.Parse(text, message, descriptor_pool=pool).SerializeToString()
    except (json_format.ParseError, ValueError, RecursionError) as error:
        raise BadInputError(
            f"the body is no `{rpc.input}`: {shown(str(error), 200)}", hint='write JSON, such as `{"id": 42}`'
        ) from None
    return content


def _json(content: bytes, rpc: Rpc | None) -> bytes:
    from google.protobuf import json_format, message_factory  # noqa: PLC0415 - few systems have gRPC services
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - as above

    if rpc is None:
        return content
    pool = pool_of(rpc.descriptors)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(rpc.output))
    try:
        text: str = json_format.MessageToJson(
            kind.FromString(content), preserving_proto_field_name=True, indent=None, descriptor_pool=pool
        )
    except (DecodeError, TypeError, ValueError):
        return content + b"\n"
    return text.encode() + b"\n"
