"""Sending on under faults, over real HTTP and with real kills: no entry is lost untold, whatever the receiver does."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from tests.receiver import Receiver, Reply, Request
from tests.unit.record.export.calls import FULL

from inward.control.exporting import delivery as delivery_module
from inward.control.exporting.exporter import Exporting
from inward.control.exporting.settings import ExportSettings
from inward.control.exporting.state import load_state
from inward.control.layout import Layout
from inward.record.call import Call
from inward.record.export.encoding import entry_uid
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "otlp-logs"


def calls(count: int, start: int = 0) -> list[Call]:
    return [
        Call(
            time=FULL.time,
            id=f"call-{number}",
            callee="orders",
            decision="allow",
            carried_out="allow",
            reason="granted",
            src=f"orders/access-00000001.log:{number + 1}",
        )
        for number in range(start, start + count)
    ]


def uids(entries: list[Call]) -> list[str]:
    return [entry_uid(entry).hex() for entry in entries]


def environment(url: str, timeout_ms: int = 300) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"{url}/v1/logs", "OTEL_EXPORTER_OTLP_TIMEOUT": str(timeout_ms)}


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    for name in ("IDLE_SECONDS", "FIRST_WAIT_SECONDS", "LONGEST_WAIT_SECONDS"):
        monkeypatch.setattr(delivery_module, name, 0.01)
    (tmp_path / "inward.yaml").write_text("trust_domain: shop.internal\n")
    return Layout.of(tmp_path)


def send_until(layout: Layout, recorder: Recorder, url: str, done: Callable[[], bool]) -> None:
    async def all_of_it() -> None:
        settings = ExportSettings.from_environment(environment(url))
        exporting = Exporting(settings, layout, recorder.durable, "shop.internal", lambda _: None)
        keeping = asyncio.create_task(exporting.keep())
        while not done():
            await asyncio.sleep(0.01)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await exporting.finish()

    asyncio.run(asyncio.wait_for(all_of_it(), 60))


FAULTS = {
    "500": Reply(500),
    "503": Reply(503, {"retry-after": "0"}),
    "429": Reply(429),
    "hanging": Reply(hang=True),
    "reset": Reply(reset=True),
    "endless refusal": Reply(503, endless=True),
    "redirect": Reply(302, {"location": "http://127.0.0.1:1/"}),
    "a web page": Reply(200, {"content-type": "text/html"}, b"<html>"),
    "nonsense taken": Reply(200, {"content-type": "application/x-protobuf"}, b"\xff" * 100),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_receiver_is_given_everything_in_the_end(layout: Layout, fault: str) -> None:
    turns = itertools.count()

    def behave(_: Request) -> Reply:
        return FAULTS[fault] if next(turns) in {0, 2, 3} else Reply()

    entries = calls(1200)
    with Recorder(layout.record) as recorder, Receiver(behave) as receiver:
        Exporting(ExportSettings.from_environment(environment(receiver.url)), layout, recorder.durable, "d", print)
        recorder.append(entries)
        send_until(layout, recorder, receiver.url, lambda: len(set(receiver.uids())) == len(entries))
        assert list(dict.fromkeys(receiver.uids())) == uids(entries)
    state = load_state(layout.exports, NAME)
    assert state is not None
    assert (state.sent, state.skipped, state.refused) == (1200, 0, 0)


def test_a_receiver_that_is_started_late_is_given_everything(layout: Layout) -> None:
    entries = calls(100)
    with Recorder(layout.record) as recorder:
        with Receiver() as gone:
            nowhere = gone.url
        send_until(layout, recorder, nowhere, lambda: True)
        recorder.append(entries)
        send_until(layout, recorder, nowhere, lambda: bool(getattr(load_state(layout.exports, NAME), "trouble", None)))
        with Receiver() as receiver:
            send_until(layout, recorder, receiver.url, lambda: len(receiver.uids()) >= 100)
            assert receiver.uids() == uids(entries)


ALONE = """
import asyncio, sys
from pathlib import Path
from inward.control.exporting import delivery
from inward.control.exporting.exporter import Exporting
from inward.control.exporting.settings import ExportSettings
from inward.control.layout import Layout
from inward.record.follow import checkpointed

layout = Layout.of(Path(sys.argv[1]))
delivery.BATCH_ENTRIES = 64
settings = ExportSettings.from_environment({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": sys.argv[2]})
asyncio.run(Exporting(settings, layout, checkpointed(layout.record), "shop.internal", lambda _: None).keep())
"""


def test_who_is_killed_between_sending_and_noting_sends_again_and_loses_nothing(layout: Layout) -> None:
    """Kill the sender by SIGKILL at a random request, after it was taken and before it is answered, or after."""
    entries = calls(2000)
    chance = random.Random(20260101)  # noqa: S311 - no secret
    sender: list[subprocess.Popen[bytes]] = []
    kill_at = [chance.randrange(1, 6) for _ in range(3)]
    turn = threading.Lock()

    def behave(_: Request) -> Reply:
        with turn:
            if kill_at and sender:
                kill_at[0] -= 1
                if kill_at[0] == 0:
                    kill_at.pop(0)
                    sender.pop().send_signal(signal.SIGKILL)
        return Reply()

    with Recorder(layout.record) as recorder, Receiver(behave) as receiver:
        settings = ExportSettings.from_environment(environment(receiver.url))
        Exporting(settings, layout, recorder.durable, "shop.internal", lambda _: None)
        recorder.append(entries)
        recorder.checkpoint()
        kills = len(kill_at)
        for _ in range(kills):
            process = subprocess.Popen(
                [sys.executable, "-c", ALONE, str(layout.system), f"{receiver.url}/v1/logs"],
            )
            sender.append(process)
            assert process.wait(60) == -signal.SIGKILL
        send_until(layout, recorder, receiver.url, lambda: len(set(receiver.uids())) == len(entries))
        taken = receiver.uids()
    assert list(dict.fromkeys(taken)) == uids(entries)
    doubles = len(taken) - len(entries)
    assert 0 < doubles <= kills * 64  # a batch for each kill, and each is told by its uid


def test_what_is_skipped_and_what_is_sent_is_all_there_was(layout: Layout) -> None:
    """Let a receiver be away for longer than the limit: sent and skipped add up, and it is told how many."""
    limit = 40_000
    with Recorder(layout.record, segment_bytes=10_000) as recorder, Receiver(lambda _: Reply(503)) as away:
        given = {**environment(away.url), "INWARD_EXPORT_LIMIT": str(limit)}

        async def all_of_it(url: str, done: Callable[[], bool]) -> None:
            settings = ExportSettings.from_environment({**given, **environment(url)})
            exporting = Exporting(settings, layout, recorder.durable, "shop.internal", lambda _: None)
            keeping = asyncio.create_task(exporting.keep())
            while not done():
                await asyncio.sleep(0.01)
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await exporting.finish()

        asyncio.run(all_of_it(away.url, lambda: True))
        for start in range(0, 3000, 50):
            recorder.append(calls(50, start))
        asyncio.run(asyncio.wait_for(all_of_it(away.url, lambda: len(away.requests) > 2), 60))
        last = uids(calls(1, 2999))
        with Receiver() as receiver:
            asyncio.run(asyncio.wait_for(all_of_it(receiver.url, lambda: receiver.uids()[-1:] == last), 60))
            taken = receiver.uids()
            first = next(receiver.taken[0].logs())
    state = load_state(layout.exports, NAME)
    assert state is not None
    assert state.skipped > 2000
    assert state.sent + state.skipped == 3000
    assert taken == uids(calls(3000)[state.skipped :])
    told = [each.value.int_value for each in first.attributes if each.key == "inward.skipped"]
    assert told == [state.skipped]
