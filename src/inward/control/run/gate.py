"""Between a guarded program and its Envoy: calls are handed on once a guard has refused who has no identity.

The program listens on a socket of its own. Its Envoy knows another path, which becomes a second name of that very
socket when every question (`control.probe`) was refused by a guard. So what is asked is what is called: a program that
was started again has a new socket, which is asked anew.

- In mode enforce a program that answers, or is silent, is not handed calls. It is asked again every `AGAIN_SECONDS`.
- One that was handed calls and answers later (it has reloaded itself; it is enforced only now) loses the name, and is
  ended, as its Envoy still has connections to it. The supervisor starts it again. One that is slow then stays.
- In mode observe calls are handed on at once, and it is told what answers.

Later looks ask less: the path that nobody has, and one of the other questions in turn.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from inward.catalog.model import Mode
from inward.control.probe.look import Outcome, enforces, look
from inward.control.probe.questions import can_be_asked, questions_of
from inward.control.run.events import Event, Told
from inward.control.run.readiness import LOOK_SECONDS, listens

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from inward.catalog.model import Service
    from inward.control.layout import Layout, ServiceFolder
    from inward.control.run.supervisor import Supervisor

AGAIN_SECONDS = 10.0
MOST_NAMED = 5  # routes in one text

Mark = tuple[int, int]  # of a socket: its inode, and when it was made in nanoseconds


@dataclass
class _Gate:
    """One service's gate: as what the service was asked last, when to ask again, and what was told."""

    service: Service
    asked: Service | None = None
    mark: Mark | None = None
    again_at: float = 0.0
    looks: int = 0
    told: tuple[str, ...] = ()


class Gates:
    """The gates of all guarded services of a run."""

    def __init__(self, layout: Layout, supervisor: Supervisor, told: Told) -> None:
        self._layout = layout
        self._supervisor = supervisor
        self._told = told
        self._gates: dict[str, _Gate] = {}
        self._looking: dict[str, asyncio.Task[None]] = {}

    def want(self, services: Iterable[Service]) -> None:
        """Keep the gates of those of these services that have a guard, from now on."""
        gates = {}
        for service in services:
            if can_be_asked(service):
                gate = gates[service.name] = self._gates.get(service.name) or _Gate(service)
                if gate.service != service:  # else the one that was asked stays, which is known by what it is
                    gate.service = service
        self._gates = gates

    async def keep(self) -> None:
        """Look at each program as soon as it listens, and again when it may have changed; until cancelled."""
        try:
            while True:
                for name, gate in self._gates.items():
                    if name not in self._looking and self._due(gate):
                        task = self._looking[name] = asyncio.create_task(self._look_safely(gate))
                        task.add_done_callback(partial(self._looked, name))
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            looking = list(self._looking.values())
            for task in looking:
                task.cancel()
            await asyncio.gather(*looking, return_exceptions=True)

    def _looked(self, name: str, _: asyncio.Task[None]) -> None:
        del self._looking[name]

    def holds(self, name: str) -> bool:
        """Tell whether a service is kept from its Envoy, of which it was told why."""
        gate = self._gates.get(name)
        return gate is not None and bool(gate.told) and not self._layout.service(name).app_socket.exists()

    def _due(self, gate: _Gate) -> bool:
        folder = self._layout.service(gate.service.name)
        own = _mark(folder.own_socket)
        if own is None:
            return False
        if time.monotonic() >= gate.again_at or gate.asked is not gate.service:
            return True
        return own != gate.mark

    async def _look_safely(self, gate: _Gate) -> None:
        mark = _mark(self._layout.service(gate.service.name).own_socket)
        try:
            await self._look(gate)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was opened by it
            gate.asked, gate.mark, gate.again_at = gate.service, mark, time.monotonic() + AGAIN_SECONDS
            said = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
            self._tell(gate, [f"whether calls can be handed to `{gate.service.name}` is not known: {said.lower()}"])

    async def _look(self, gate: _Gate) -> None:
        """Ask one program, and open or close its gate."""
        service, folder = gate.service, self._layout.service(gate.service.name)
        if not _link(folder.own_socket, folder.asked_socket):
            return
        # INVARIANT: that of what is asked, and never of what has the name now: it may be started again at any moment.
        mark = _mark(folder.asked_socket)
        opened = _mark(folder.app_socket) == mark
        if not enforces(service):
            _open(folder)
        if not await listens(str(folder.own_socket)):
            return  # it is about to
        questions = questions_of(service)
        again = opened and gate.asked is service
        if again and len(questions) > 1:
            gate.looks += 1
            questions = [questions[0], questions[1 + gate.looks % (len(questions) - 1)]]
        outcome = await look(str(folder.asked_socket), service, questions)
        gate.asked, gate.mark, gate.again_at = service, mark, time.monotonic() + AGAIN_SECONDS
        if outcome.closed or not enforces(service):
            _open(folder)
        elif outcome.open is not None or not opened:
            folder.app_socket.unlink(missing_ok=True)
        if outcome.closed and not again and gate.told and enforces(service):
            text = f"`{service.name}` is guarded: calls are handed to it"
            self._told(Event("service", text, {"service": service.name, "state": "guarded"}))
        self._tell(gate, [*(gate.told if again else ()), *_texts(service, outcome)])  # one that asks less knows less
        if opened and outcome.open is not None and enforces(service):
            await self._supervisor.renew(service.name)

    def _tell(self, gate: _Gate, texts: list[str]) -> None:
        """Tell what is not as it should be, where that is not what was told last."""
        for text in texts:
            if text not in gate.told:
                self._told(Event("warning", text, {"service": gate.service.name}))
        gate.told = tuple(dict.fromkeys(texts))


def _texts(service: Service, outcome: Outcome) -> Iterator[str]:
    """Yield what a person should know of an outcome."""
    held = enforces(service)
    if outcome.open is not None:
        yield f"{outcome.open}: {'no call is handed to it' if held else 'it only observes, so calls go on'}"
    elif outcome.silent is not None:
        yield f"`{service.name}` could not be asked whether a guard stands before it: {outcome.silent}"
    undocumented = outcome.report.undocumented if outcome.report is not None else ()
    if undocumented and service.mode is Mode.OBSERVE:
        more = f" and {len(undocumented) - MOST_NAMED} more" if len(undocumented) > MOST_NAMED else ""
        shown = ", ".join(f"`{each}`" for each in undocumented[:MOST_NAMED])
        yield f"`{service.name}` serves what no API description has, and only observes: {shown}{more}"


def _mark(path: Path) -> Mark | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns  # not the time of change, which another name of it moves on


def _link(own: Path, asked: Path) -> bool:
    """Give the socket of a program another name, by which it is asked; False where it is gone."""
    asked.unlink(missing_ok=True)
    try:
        os.link(own, asked)
    except FileNotFoundError:
        return False
    return True


def _open(folder: ServiceFolder) -> None:
    """Give what was asked the name that the Envoy knows; nothing where it is gone."""
    if _mark(folder.app_socket) == _mark(folder.asked_socket):
        return  # where both are the same, renaming would do nothing
    try:
        folder.new_socket.unlink(missing_ok=True)  # a run that was killed may have left one
        os.link(folder.asked_socket, folder.new_socket)
        folder.new_socket.replace(folder.app_socket)
    except FileNotFoundError:
        return
