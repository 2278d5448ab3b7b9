"""One question and its answer: nothing but the refusal of a guard counts as one."""

from __future__ import annotations

import asyncio
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.control.probe.programs import Program, answer, refusal

from inward.control.probe.ask import MAX_BYTES, Reply, ask
from inward.control.probe.questions import Question
from inward.guard.routes.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator

GET, HEAD, ROUTES = Question("GET", "/x"), Question("HEAD", "/x"), Question("GET", "/x", about_routes=True)


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="inw") as folder:
        yield Path(folder) / "own.sock"


def asked(program: Program, path: Path, question: Question = GET, seconds: float = 5.0) -> Reply:
    async def run() -> Reply:
        async with program.listening(path):
            return await ask(str(path), "people", question, seconds)

    return asyncio.run(run())


def test_a_guard_refuses_and_may_tell_its_routes(path: Path) -> None:
    program = Program()
    assert asked(program, path) == Reply(403, refused=True)
    assert asked(program, path, HEAD) == Reply(403, refused=True)
    report = Report(routes=3, undocumented=("GET /hidden",))
    assert asked(program, path, ROUTES) == Reply(403, refused=True, report=report)
    assert program.asked == ["GET /x", "HEAD /x", "GET /x"]
    assert all("x-forwarded-client-cert" not in headers for headers in program.headers)
    assert len({headers["x-request-id"] for headers in program.headers}) == 3


class Other(Program):
    """A program that answers almost what a guard does."""

    def __init__(self, head: dict[str, str] | None = None, **changed: object) -> None:
        super().__init__()
        self._head, self._changed = head, changed

    def reply(self, method: str, path: str, headers: dict[str, str]) -> bytes:
        del method, path
        return refusal(headers, self._head, **self._changed)


@pytest.mark.parametrize(
    "program",
    [
        Other({"x-inward-guard": ""}),
        Other({"x-inward-guard": "{"}),
        Other({"x-inward-guard": '{"reason":"no_grant"}'}),
        Other({"content-type": "application/json"}),
        Other(code="no_grant"),
        Other(status=200),
        Other(instance=f"urn:uuid:{uuid.uuid4()}"),
        Other(report="none"),
        Program(raw=answer(403, b"Forbidden")),
        Program(raw=answer(403, b"[" * 1000, **{"x-inward-guard": '{"reason":"bad_identity"}'})),
        Program(raw=answer(500, b"")),
        Program(raw=answer(101, b"", connection="upgrade", upgrade="websocket")),
    ],
)
def test_whatever_else_is_answered_is_no_refusal(program: Program, path: Path) -> None:
    reply = asked(program, path)
    assert reply.status in {101, 403, 500}
    assert (reply.refused, reply.report) == (False, None)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "without an answer"),
        (b"HTTP/1.1 403 Forb", "without an answer"),
        (b"\x16\x03\x01 no HTTP\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 403 No\r\ncontent-length: 1\r\n\r\n{}", "no HTTP"),
    ],
)
def test_what_is_no_answer_is_said(raw: bytes, why: str, path: Path) -> None:
    reply = asked(Program(raw=raw), path)
    assert (reply.status, reply.refused) == (None, False)
    assert why in reply.why


def test_an_answer_is_not_read_without_end(path: Path) -> None:
    long = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * MAX_BYTES
    assert asked(Program(raw=long), path) == Reply(200)
    assert "without an answer" in asked(Program(raw=b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * MAX_BYTES), path).why


def test_who_does_not_answer_is_not_waited_for(path: Path) -> None:
    class Silent(Program):
        def reply(self, method: str, path: str, headers: dict[str, str]) -> None:
            del method, path, headers

    reply = asked(Silent(), path, seconds=0.05)
    assert (reply.status, reply.why) == (None, "it did not answer within 0.05 s")


def test_nobody_there_is_said(path: Path) -> None:
    assert asyncio.run(ask(str(path), "people", GET)).why == "no such file or directory"
