"""Asks one question over a Unix socket, and judges the answer: it is the refusal of a guard, or it is not.

The answer is read by a real parser, within a bounded time and length: a program that sends anything else has not
refused. HTTP/1.1, one connection a question.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httptools
import msgspec

from inward.guard.routes import report
from inward.policy.decision import Reason
from inward.policy.refusal import CONTENT_TYPE
from inward.record import verdict

if TYPE_CHECKING:
    from inward.control.probe.questions import Question
    from inward.guard.routes.report import Report

ANSWER_SECONDS = 10.0  # the first request of a program may take long: much is loaded only then
MAX_BYTES = 256 * 1024
_REFUSED = 403
_PIECE = 16 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a question. `status` is None where no answer came, and `why` says why not.

    `refused`: it is the refusal of a guard, which may have said what its application serves (`report`).
    """

    status: int | None = None
    refused: bool = False
    report: Report | None = None
    why: str = ""


@dataclass
class _Answer:
    """What the parser calls back with (the names are its own)."""

    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    headed: bool = False
    ended: bool = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.headed = True

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.ended = True

    def header(self, name: str) -> str:
        return b",".join(value for each, value in self.headers if each == name.encode()).decode("latin-1")


async def ask(socket: str, host: str, question: Question, seconds: float = ANSWER_SECONDS) -> Reply:
    """Ask what listens on `socket` a question, as nobody. Never raises for what it does."""
    reference = str(uuid.uuid4())
    lines = [
        f"{question.method} {question.path} HTTP/1.1",
        f"host: {host}",
        "connection: close",
        "user-agent: inward-probe",
        f"{report.HEADER}: {report.ROUTES if question.about_routes else 1}",
        f"x-request-id: {reference}",
    ]
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_unix_connection(socket)
            try:
                writer.write("\r\n".join([*lines, "\r\n"]).encode("ascii"))
                return await _reply(reader, question, reference)
            finally:
                writer.close()
    except TimeoutError:
        return Reply(why=f"it did not answer within {seconds:g} s")
    except OSError as error:
        return Reply(why=(error.strerror or str(error)).lower())


async def _reply(reader: asyncio.StreamReader, question: Question, reference: str) -> Reply:
    answer = _Answer()
    parser = httptools.HttpResponseParser(answer)
    taken = 0
    try:
        while not answer.ended and not (answer.headed and question.method == "HEAD"):
            piece = await reader.read(_PIECE)
            taken += len(piece)
            if not piece or taken > MAX_BYTES:
                break
            parser.feed_data(piece)
    except httptools.HttpParserError:
        return Reply(why="what it answered is no HTTP")
    except httptools.HttpParserUpgrade:
        pass  # it has answered, and whatever it speaks from now on, its status is no refusal
    if not answer.headed:
        return Reply(why="it ended the connection without an answer")
    status = parser.get_status_code()
    said = verdict.parse_verdict(answer.header(verdict.HEADER))
    if status != _REFUSED or said is None or said.reason != Reason.BAD_IDENTITY:
        return Reply(status)
    if question.method == "HEAD":
        return Reply(status, refused=True)
    try:
        told = msgspec.json.decode(bytes(answer.body), type=report.Refusal)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return Reply(status)
    of_a_guard = (told.status, told.code, told.instance) == (_REFUSED, Reason.BAD_IDENTITY, f"urn:uuid:{reference}")
    refused = of_a_guard and answer.header("content-type") == CONTENT_TYPE
    return Reply(status, refused, told.report if refused else None)
