"""Asks a gRPC server for a method that nobody has, and judges the answer: its guard has spoken, or it has not.

The guard of a gRPC server is an interceptor, which is asked for every method, served or not, so one question is enough.
It is answered without a handler in every mode: what mode observe lets through is then no method of the server.

Where grpcio is not installed nothing can be asked; the catalog of a system with gRPC services needs it anyway.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from inward.control.probe.ask import ANSWER_SECONDS, Reply
from inward.policy.decision import Reason
from inward.record import verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inward.control.probe.questions import Question


async def ask_grpc(socket: str, question: Question, seconds: float = ANSWER_SECONDS) -> Reply:
    """Ask what listens on `socket` a question, as nobody; the status of the reply is that of gRPC.

    Never raises for what the server does.
    """
    try:
        import grpc  # noqa: PLC0415 - an extra, which systems without gRPC services do not need
        import grpc.aio  # noqa: PLC0415 - as above
    except ImportError:
        return Reply(why="grpcio is not installed")
    options = [("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0), ("grpc.default_authority", "inward-probe")]
    async with grpc.aio.insecure_channel(f"unix:{socket}", options=options) as channel:
        metadata = (("x-request-id", str(uuid.uuid4())),)
        call = channel.unary_unary(question.path)(b"", timeout=seconds, metadata=metadata)
        code = await call.code()
        said = [*(await call.initial_metadata() or ()), *(await call.trailing_metadata() or ())]
    if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
        return Reply(why="it did not answer as a gRPC server")
    return Reply(code.value[0], refused=_of_a_guard(said))


def _of_a_guard(metadata: Iterable[tuple[str, str | bytes]]) -> bool:
    said = [str(value) for name, value in metadata if name == verdict.HEADER]
    told = verdict.parse_verdict(said[0]) if len(said) == 1 else None
    return told is not None and told.reason == Reason.BAD_IDENTITY
