"""An attempt: one thing that an intruder tries, what came back, and what is to be said of it.

What came back is never proof by itself, since a service may answer what it likes: what counts is what enforcers put
into the record. So an attempt is sent first and judged later, when the record has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from inward.record.call import Call

# `open`: it gave way, and inward.yaml says that it does (mode observe, `{port}`). `untried`: nothing can be said.
Outcome = Literal["held", "breached", "open", "untried"]


@dataclass(frozen=True, slots=True)
class Sent:
    """What came back of one attempt, without its body.

    `status` is None where nothing answered, and `said` then why. `code` is the reason code of a refusal, `reference`
    that of the call in the record. `port` is the attempt's own, by which a failed handshake is recorded.
    """

    status: int | None = None
    code: str | None = None
    reference: str | None = None
    port: int | None = None
    said: str = ""
    shown: tuple[str, ...] = ()  # places of an answer that held what was not disclosed


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of an attempt: `why` is for people, `reference` is of the call that proves it."""

    outcome: Outcome
    why: str
    reference: str | None = None

    @property
    def gave_way(self) -> bool:
        """Whether an intruder got what was tried."""
        return self.outcome in {"breached", "open"}


class Found(Protocol):
    """What the record says of attempts."""

    def call(self, reference: str | None) -> Call | None:
        """Return the call with that reference."""

    def handshake(self, callee: str, port: int | None) -> Call | None:
        """Return the handshake that failed at a callee's ingress, from that port."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try. `target` is a service or an operation, `what` one line for people.

    `send` sends it; `judge` says what came of it, once the record has it. One that is not sent has no `send`.
    """

    kind: str
    target: str
    what: str
    judge: Callable[[Sent, Found], Verdict]
    send: Callable[[], Sent] | None = None
    callee: str = ""  # whose handshake may be looked for


def not_sent(kind: str, target: str, what: str, verdict: Verdict) -> Attempt:
    """Return an attempt of which something can be said without trying it."""
    return Attempt(kind, target, what, lambda _sent, _found: verdict)


@dataclass(frozen=True, slots=True)
class Result:
    """An attempt, and what came of it."""

    attempt: Attempt
    verdict: Verdict
