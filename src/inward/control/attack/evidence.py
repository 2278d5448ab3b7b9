"""What the record has of an attack: the calls that were made, by their references, and the handshakes that failed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from inward.policy.decision import Reason
from inward.record.call import Call
from inward.record.reader import Reading

if TYPE_CHECKING:
    from pathlib import Path

    from inward.control.attack.attempt import Sent

LOOK_SECONDS = 0.05


class Evidence:
    """Reads the record on from now; of all that it reads it keeps what was expected. Raises `RecordError`."""

    def __init__(self, record: Path) -> None:
        self._reading = Reading(record)
        self._reading.newest(1)  # so that it goes on behind it
        self._calls: dict[str, Call | None] = {}
        self._twice: set[str] = set()  # references that several answers gave
        self._handshakes: dict[tuple[str, str], Call | None] = {}

    def expect(self, sent: Sent, callee: str = "") -> None:
        """Expect what was sent to be in the record: a call; or else, at the ingress of `callee`, a handshake."""
        if sent.reference in self._calls:
            self._twice.add(sent.reference)  # one of them is of somebody who lets another call speak for this one
        elif sent.reference is not None:
            self._calls[sent.reference] = None
        elif sent.port is not None and callee:
            self._handshakes.setdefault((callee, _from(sent.port)), None)

    def collect(self, seconds: float) -> None:
        """Read until all that is expected is there, but no longer than that."""
        deadline = time.monotonic() + seconds
        while True:
            for entry in self._reading.read_on():
                if isinstance(entry, Call):
                    self._take(entry)
            if all(self._calls.values()) and all(self._handshakes.values()):
                return
            if time.monotonic() > deadline:
                return
            time.sleep(LOOK_SECONDS)

    def call(self, reference: str | None) -> Call | None:
        """Return the call with that reference; None of one by which several attempts were answered."""
        return self._calls.get(reference) if reference is not None and reference not in self._twice else None

    def recorded(self, reference: str | None) -> Call | None:
        """Return the call or the failed handshake with that reference."""
        handshakes = (each for each in self._handshakes.values() if each is not None and each.id == reference)
        return self.call(reference) or next(handshakes, None)

    def handshake(self, callee: str, port: int | None) -> Call | None:
        """Return the handshake that failed at a callee's ingress, from that port."""
        return self._handshakes.get((callee, _from(port))) if port is not None else None

    def _take(self, call: Call) -> None:
        if call.id in self._calls:
            self._calls[call.id] = call
        if call.reason == Reason.BAD_IDENTITY:
            key = (call.callee or "", " ".join((call.detail or "").split(" ", 2)[:2]))
            if key in self._handshakes:
                self._handshakes[key] = call


def _from(port: int) -> str:
    return f"port {port}:"  # how the detail of a failed handshake begins
