"""All destinations of a run: each by itself, over real HTTP; and an end that waits for none of them for long."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import time
from typing import TYPE_CHECKING

import pytest
from tests.receiver import Receiver, Reply
from tests.unit.record.export.calls import FULL

from inward.control.exporting.exporter import Exporting
from inward.control.exporting.settings import ExportSettings
from inward.control.exporting.state import stored_states
from inward.control.layout import Layout
from inward.errors import BadInputError
from inward.record.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from inward.control.run.events import Event


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / "inward.yaml").write_text("trust_domain: shop.internal\n")
    return Layout.of(tmp_path)


@pytest.fixture
def recorder(layout: Layout) -> Iterator[Recorder]:
    with Recorder(layout.record) as recorder:
        yield recorder


def run(
    layout: Layout,
    recorder: Recorder,
    during: Callable[[], Awaitable[None]],
    environment: dict[str, str],
    seconds: float = 5.0,
) -> list[Event]:
    """Send while `during` runs, then end; return what was told."""
    told: list[Event] = []

    async def all_of_it() -> None:
        settings = ExportSettings.from_environment(environment)
        exporting = Exporting(settings, layout, recorder.durable, "shop.internal", told.append)
        keeping = asyncio.create_task(exporting.keep())
        await asyncio.sleep(0)  # so that it begins
        await during()
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await exporting.finish(seconds)

    asyncio.run(asyncio.wait_for(all_of_it(), 60))
    return told


def environment(url: str) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "INWARD_OCSF_URL": f"{url}/in"}


def test_every_form_arrives_and_the_end_sends_what_is_left(layout: Layout, recorder: Recorder) -> None:
    with Receiver() as receiver:

        async def during() -> None:
            recorder.append([FULL])

        told = run(layout, recorder, during, environment(receiver.url))
        paths = sorted(request.path for request in receiver.taken)
        assert paths == ["/in", "/v1/logs", "/v1/traces"]
        assert len(set(receiver.uids())) == 2  # a log record and an event have the uid of the entry
    assert [event.kind for event in told] == ["export"] * 3
    assert told[0].text == f"the record is sent to {receiver.url}/v1/logs (otlp-logs)"


def test_a_receiver_that_hangs_keeps_back_neither_the_others_nor_the_end(layout: Layout, recorder: Recorder) -> None:
    def behave(request: object) -> Reply:
        return Reply(hang=getattr(request, "path", "") == "/v1/logs")

    with Receiver(behave) as receiver:

        async def during() -> None:
            recorder.append([FULL])
            while len(receiver.taken) < 2:
                await asyncio.sleep(0.01)

        started = time.monotonic()
        run(layout, recorder, during, environment(receiver.url), 0.2)
        assert time.monotonic() - started < 10

    states = stored_states(layout.exports, os.getpid())
    assert {name: state.sent for name, state in states.items()} == {"ocsf": 1, "otlp-logs": 0, "otlp-traces": 1}


def test_nothing_is_done_where_nothing_is_asked_for(layout: Layout, recorder: Recorder) -> None:
    async def during() -> None:
        recorder.append([FULL])

    assert run(layout, recorder, during, {}) == []
    assert not layout.exports.exists()


def test_it_says_what_goes_unencrypted(layout: Layout, recorder: Recorder) -> None:
    async def during() -> None:
        pass

    told = run(layout, recorder, during, {"INWARD_OCSF_URL": "http://siem.invalid/in?token=s3cret"})
    assert told[0].text == "the record is sent to http://siem.invalid/in, unencrypted (ocsf)"
    assert "s3cret" not in str(told)


def test_what_is_not_installed_is_said(layout: Layout, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    settings = ExportSettings.from_environment({"INWARD_OCSF_URL": "https://siem.example"})
    with pytest.raises(BadInputError, match="`httpx` is not installed") as caught:
        Exporting(settings, layout, recorder.durable, "shop.internal", lambda _: None)
    assert "inward[export]" in caught.value.hint
