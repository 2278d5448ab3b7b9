"""What became of one request, whatever the receiver did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request. `why` is for people; `wait` are the seconds that the receiver asked for."""

    kind: Literal["taken", "unfit", "away"]  # unfit: it, or something in it, is refused; away: it may be tried again
    why: str = ""
    broken: bool = False  # an unfit one failed the receiver, which may have been by chance
    wait: float = 0.0
    body: bytes = b""


class Sending(Protocol):
    """Where requests go."""

    async def send(self, body: bytes) -> Answer:
        """Send one request; never raises for what a receiver does."""

    async def close(self) -> None:
        """End the connection."""
