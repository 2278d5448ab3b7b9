"""Asks a program all its questions, until one is answered by anything but its guard.

It stops there: a program without a guard carries out what it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inward.catalog.model import Mode
from inward.control.probe.ask import ask
from inward.control.probe.ask_grpc import ask_grpc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inward.catalog.model import Service
    from inward.control.probe.questions import Question
    from inward.guard.routes.report import Report


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. `asked` is how many questions were refused by a guard.

    `open` says of the first one that was not how it was answered; `silent` why one was not answered at all.
    """

    asked: int
    report: Report | None = None
    open: str | None = None
    silent: str | None = None

    @property
    def closed(self) -> bool:
        """Whether a guard refused everything that was asked, and something was."""
        return self.asked > 0 and self.open is None and self.silent is None


def enforces(service: Service) -> bool:
    """Tell whether anything of a service is in mode enforce."""
    return Mode.ENFORCE in {service.mode, *(operation.mode for operation in service.operations)}


async def look(socket: str, service: Service, questions: Sequence[Question]) -> Outcome:
    """Ask the program of a service that listens on `socket`."""
    report = None
    for number, question in enumerate(questions):
        asked = ask_grpc(socket, question) if question.by_grpc else ask(socket, service.name, question)
        reply = await asked
        if reply.status is None:
            return Outcome(number, report, silent=reply.why)
        if not reply.refused:
            status = f"gRPC status {reply.status}" if question.by_grpc else str(reply.status)
            said = f"`{service.name}` answers `{question}` with {status}, where its guard should refuse it"
            return Outcome(number, report, open=said)
        report = report or reply.report
    return Outcome(len(questions), report)
