"""The sampler against admin sockets that answer as they like: what it asks, follows, keeps and outlives."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from tests.unit.envoy.test_tap import trace

from inward.control.bundle import load_policy, store_bundle
from inward.control.sampling import sampler as module
from inward.control.sampling.sampler import Sampler
from inward.envoy.tap import parse_tapped
from inward.identity.private_files import private_folder
from inward.spotting.history import add_to_history, load_history

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import date
    from pathlib import Path

    from inward.control.layout import Layout
    from inward.spotting.history import History

ADA = "ada@lindqvist.test"
SERVICE = "orders"
PATIENCE = 20.0


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STORE_SECONDS", 0.01)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)


@pytest.fixture
def bundled(system: Path, layout: Layout) -> Layout:
    """A layout with the bundle of the system, and the folder of the service that is sampled."""
    store_bundle(private_folder(layout.bundle), load_policy(system))
    private_folder(layout.service(SERVICE).path)
    return layout


class Asked(list[bytes]):
    """What an admin socket was asked, and how many went away before they had an answer."""

    left = 0


@asynccontextmanager
async def answering(layout: Layout, *answers: bytes) -> AsyncIterator[Asked]:
    """Answer the requests at the admin socket in turn, then hang; yields what was asked."""
    asked = Asked()
    pending = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            asked.append(head + await reader.readexactly(length))
            if pending:
                writer.write(pending.pop(0))
                await writer.drain()
            else:
                await reader.read()
                asked.left += 1
        finally:
            writer.close()

    server = await asyncio.start_unix_server(serve, str(layout.service(SERVICE).admin_socket))
    try:
        yield asked
    finally:
        server.close()


def ok(body: bytes) -> bytes:
    return f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


@asynccontextmanager
async def sampling(layout: Layout) -> AsyncIterator[None]:
    task = asyncio.create_task(Sampler(layout.bundle, layout.services, layout.undeclared).run())
    try:
        yield
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def until(so: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not so():
            await asyncio.sleep(0.005)


def answers(layout: Layout) -> int:
    return sum(count.answers for count in load_history(layout.undeclared).whole().counts.values())


ORDER = trace(json.dumps({"note": ADA}), path="/orders/7")


def test_answers_are_looked_at_and_counted(bundled: Layout) -> None:
    async def run() -> list[bytes]:
        async with answering(bundled, ok(ORDER + ORDER), ok(ORDER)) as asked, sampling(bundled):
            await until(lambda: answers(bundled) == 3)
            await until(lambda: len(asked) == 3)
            return asked

    for request in asyncio.run(run()):
        assert request.startswith(b"POST /tap HTTP/1.1\r\n")
        assert b'"buffered_admin"' in request
    (finding,) = load_history(bundled.undeclared).whole().findings()
    assert (finding.place, finding.having) == ("$.note", 3)
    assert ADA.encode() not in bundled.undeclared.read_bytes()


@pytest.mark.parametrize(
    "wrong", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", ok(b"nonsense"), ok(ORDER)[:-3], b"\xff" * 100]
)
def test_what_an_envoy_says_wrongly_is_passed_over(
    bundled: Layout, wrong: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is being started, or another tap is attached to it."""

    async def run() -> None:
        async with answering(bundled, wrong, wrong, ok(ORDER)), sampling(bundled):
            await until(lambda: answers(bundled) == 1)

    asyncio.run(run())
    assert capfd.readouterr() == ("", "")


def test_it_waits_for_an_envoy_that_is_not_there_yet(bundled: Layout) -> None:
    async def run() -> None:
        async with sampling(bundled):
            await asyncio.sleep(0)
            async with answering(bundled, ok(ORDER)):
                await until(lambda: answers(bundled) == 1)

    asyncio.run(run())


def test_another_policy_is_followed(system: Path, bundled: Layout) -> None:
    """A service that is no longer sampled is left alone; what was counted of it stays."""

    async def run() -> None:
        async with answering(bundled, ok(ORDER)) as asked, sampling(bundled):
            await until(lambda: len(asked) == 2)
            inward = system / "inward.yaml"
            inward.write_text(inward.read_text().replace(f"  {SERVICE}:\n", f"  {SERVICE}:\n    sample: 0\n"))
            store_bundle(bundled.bundle, load_policy(system))
            await until(lambda: asked.left)

    asyncio.run(run())
    assert answers(bundled) == 1


def test_what_cannot_be_stored_is_told_once_and_kept(
    bundled: Layout, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    state = bundled.state
    hidden = state.with_name(".elsewhere")
    tries: list[Path] = []

    def counted(path: Path, more: History, today: date) -> None:
        tries.append(path)
        add_to_history(path, more, today)

    monkeypatch.setattr(module, "add_to_history", counted)

    async def run() -> None:
        state.rename(hidden)
        async with answering(bundled, ok(ORDER), ok(ORDER)) as asked, sampling(bundled):
            await until(lambda: len(asked) == 3)
            await until(lambda: len(tries) > 3)
            hidden.rename(state)
            await until(lambda: answers(bundled) == 2)

    asyncio.run(run())
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 1
    assert told[0].startswith("what was found is not kept yet: ")


def test_an_unforeseen_failure_is_told_by_its_type_only(
    bundled: Layout, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    failing = [True]

    def fail_once(given: bytes) -> object:
        if failing:
            failing.pop()
            raise RuntimeError(ADA)
        return parse_tapped(given)

    monkeypatch.setattr(module, "parse_tapped", fail_once)

    async def run() -> None:
        async with answering(bundled, ok(ORDER), ok(ORDER)), sampling(bundled):
            await until(lambda: answers(bundled) == 1)

    asyncio.run(run())
    assert capfd.readouterr().err == "sampling orders failed: RuntimeError\n"
