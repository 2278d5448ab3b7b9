"""Calls are handed to a program once its guard refused, and to that very one; what answers is not handed any."""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.control.probe.programs import Program

from inward.catalog.model import Mode
from inward.control.run import gate
from inward.control.run.gate import Gates
from inward.control.run.readiness import listens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from inward.catalog.model import Service
    from inward.control.bundle import Policy
    from inward.control.layout import Layout
    from inward.control.run.events import Event

SECONDS = 10.0


class Renewed:
    """A supervisor of which is only wanted that it ends a program."""

    def __init__(self) -> None:
        self.names: list[str] = []

    async def renew(self, name: str) -> None:
        self.names.append(name)


class Run:
    """The gates of one service, and what came of it."""

    def __init__(self, layout: Layout, service: Service) -> None:
        self.folder = layout.service(service.name)
        self.folder.path.mkdir(parents=True, exist_ok=True)
        self.renewed = Renewed()
        self.told: list[Event] = []
        self.gates = Gates(layout, self.renewed, self.told.append)  # type: ignore[arg-type] # a part of a supervisor
        self.gates.want([service])

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        keeper = asyncio.create_task(self.gates.keep())
        try:
            yield
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)

    def called(self) -> Any:
        return listens(str(self.folder.app_socket))

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.told]


async def until(look: Callable[[], Any]) -> None:
    async with asyncio.timeout(SECONDS):
        while not (await found if asyncio.iscoroutine(found := look()) else found):
            await asyncio.sleep(0.005)


@pytest.fixture
def service(policy: Policy) -> Service:
    return dataclasses.replace(policy.catalog.services["orders"], guarded=True, mode=Mode.ENFORCE)


@pytest.fixture
def observed(service: Service) -> Service:
    operations = tuple(dataclasses.replace(each, mode=Mode.OBSERVE) for each in service.operations)
    return dataclasses.replace(service, mode=Mode.OBSERVE, operations=operations)


@pytest.fixture
def run(layout: Layout, service: Service) -> Run:
    return Run(layout, service)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "AGAIN_SECONDS", 0.05)


def test_a_guarded_program_is_handed_calls_once_it_was_asked_everything(run: Run) -> None:
    program = Program()

    async def test() -> None:
        async with run.kept(), program.listening(run.folder.own_socket):
            await until(run.called)
            first = len(program.asked)
            assert first > 10
            await until(lambda: len(program.asked) >= first + 4)  # and again, less each time
            assert await run.called()

    asyncio.run(test())
    assert run.told == []
    assert run.renewed.names == []


def test_nothing_is_handed_over_before_the_last_question_is_refused(run: Run) -> None:
    early: list[bool] = []

    class Watched(Program):
        def reply(self, method: str, path: str, headers: dict[str, str]) -> bytes | None:
            early.append(run.folder.app_socket.exists())
            return super().reply(method, path, headers)

    program = Watched()

    async def test() -> None:
        async with run.kept(), program.listening(run.folder.own_socket):
            await until(run.called)

    asyncio.run(test())
    before = early[: len(program.asked)]
    assert len(before) > 10
    assert not any(before)


def test_one_that_answers_is_not_handed_calls_until_its_guard_stands(run: Run) -> None:
    program = Program(open=("/metrics",))

    async def test() -> None:
        async with run.kept(), program.listening(run.folder.own_socket):
            await until(lambda: program.asked.count("GET /metrics") >= 3)
            assert not await run.called()
            assert run.gates.holds("orders")
            program.open = ()
            await until(run.called)
            await until(lambda: not run.gates.holds("orders"))

    asyncio.run(test())
    assert run.texts == [
        "`orders` answers `GET /metrics` with 200, where its guard should refuse it: no call is handed to it",
        "`orders` is guarded: calls are handed to it",
    ]
    assert run.renewed.names == []  # nobody has a connection to it


def test_one_that_answers_later_loses_the_name_and_is_ended(run: Run) -> None:
    program = Program()

    async def test() -> None:
        async with run.kept(), program.listening(run.folder.own_socket):
            await until(run.called)
            program.open = ("/metrics",)
            await until(lambda: run.renewed.names)
            assert not run.folder.app_socket.exists()

    asyncio.run(test())
    assert set(run.renewed.names) == {"orders"}
    assert len(run.texts) == 1


def test_one_that_was_started_again_is_asked_again(run: Run) -> None:
    first, second = Program(), Program(open=("/",))

    async def test() -> None:
        async with run.kept():
            async with first.listening(run.folder.own_socket):
                await until(run.called)
            async with second.listening(run.folder.own_socket):
                assert not await run.called()  # the name is still that of the first one's socket
                await until(lambda: "GET /" in second.asked)
                await until(lambda: run.told)
                assert not await run.called()

    asyncio.run(test())


def test_one_that_is_started_again_while_it_is_looked_at_is_asked_everything(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one before is known; between the look at its socket and the questions another one takes its place."""
    own, early = run.folder.own_socket, []

    class Second(Program):
        def reply(self, method: str, path: str, headers: dict[str, str]) -> bytes | None:
            early.append(run.folder.app_socket.exists() and run.folder.app_socket.samefile(own))
            return super().reply(method, path, headers)

    first, second = Program(), Second(open=("/metrics",))
    other, link = own.with_suffix(".other"), gate._link

    def link_late(own: Path, asked: Path) -> bool:
        if other.exists():
            other.replace(own)
        return link(own, asked)

    monkeypatch.setattr(gate, "_link", link_late)

    async def test() -> None:
        async with first.listening(own), run.kept():
            await until(run.called)
            async with second.listening(other):
                await until(lambda: run.told)
                assert not await run.called()

    asyncio.run(test())
    assert "GET /metrics" in second.asked
    assert not any(early)


def test_one_that_is_silent_is_not_handed_calls_and_a_slow_one_keeps_them(run: Run) -> None:
    program = Program(raw=b"")

    async def test() -> None:
        async with run.kept(), program.listening(run.folder.own_socket):
            await until(lambda: run.told)
            assert not await run.called()
            program.raw = None
            await until(run.called)
            program.raw = b""
            await until(lambda: len(run.told) >= 3)
            assert await run.called()

    asyncio.run(test())
    silent = "`orders` could not be asked whether a guard stands before it: it ended the connection without an answer"
    assert run.texts == [silent, "`orders` is guarded: calls are handed to it", silent]
    assert run.renewed.names == []


def test_in_mode_observe_calls_are_handed_on_and_it_is_told(layout: Layout, observed: Service) -> None:
    run, program = Run(layout, observed), Program(open=("/metrics",))

    async def test() -> None:
        async with run.kept(), program.listening(run.folder.own_socket):
            await until(lambda: program.asked.count("GET /metrics") >= 2)
            assert await run.called()

    asyncio.run(test())
    assert run.texts == [
        "`orders` answers `GET /metrics` with 200, where its guard should refuse it: it only observes, so calls go on",
        "`orders` serves what no API description has, and only observes: `GET /hidden`",
    ]
    assert run.renewed.names == []


def test_what_is_enforced_from_now_on_is_asked_everything_at_once(
    layout: Layout, service: Service, observed: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "AGAIN_SECONDS", 1000.0)
    run, program = Run(layout, observed), Program(open=("/metrics",))

    async def test() -> None:
        async with run.kept(), program.listening(run.folder.own_socket):
            await until(lambda: run.told)
            run.gates.want([dataclasses.replace(observed)])  # the same, read again
            run.gates.want([service])
            await until(lambda: run.renewed.names)
            assert not run.folder.app_socket.exists()

    asyncio.run(test())


def test_what_was_read_again_and_is_the_same_is_not_asked_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "AGAIN_SECONDS", 1000.0)
    program = Program()
    monkeypatch.setattr(gate, "LOOK_SECONDS", 0)

    async def test() -> None:
        async with run.kept(), program.listening(run.folder.own_socket):
            await until(run.called)
            asked = len(program.asked)
            (kept,) = run.gates._gates.values()
            run.gates.want([dataclasses.replace(kept.service)])
            for _ in range(50):
                await asyncio.sleep(0)
            assert len(program.asked) == asked

    asyncio.run(test())


def test_a_socket_that_cannot_be_named_again_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("inward.control.run.gate.os.link", forbidden)

    async def test() -> None:
        async with run.kept(), Program().listening(run.folder.own_socket):
            await until(lambda: run.told)
            assert not await run.called()

    asyncio.run(test())
    assert run.texts == ["whether calls can be handed to `orders` is not known: operation not permitted"]


def test_what_a_killed_run_has_left_is_in_nobodys_way(run: Run) -> None:
    for left in (run.folder.asked_socket, run.folder.new_socket, run.folder.app_socket):
        left.write_text("left")

    async def test() -> None:
        async with run.kept(), Program().listening(run.folder.own_socket):
            await until(run.called)

    asyncio.run(test())
    assert run.told == []


def test_services_without_a_guard_have_no_gate(layout: Layout, service: Service) -> None:
    run = Run(layout, dataclasses.replace(service, guarded=False))
    assert run.gates._gates == {}
    assert not run.gates.holds("orders")
