"""The metrics of a run are served where they were asked for, or it is told why not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.parser import text_string_to_metric_families
from tests.receiver import Receiver

from inward.catalog.model import Address
from inward.control.exporting.settings import Destination, ExportSettings
from inward.control.layout import Layout
from inward.control.recording.metrics import keeping
from inward.control.recording.metrics.keeping import Metrics
from inward.control.recording.metrics.state import Run
from inward.control.recording.metrics.tally import Tally
from inward.control.settings import Settings
from inward.errors import BadInputError
from inward.record.metrics.defined import METRICS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from inward.control.run.events import Event

RECEIVER = Destination(name="otlp-metrics", url="http://127.0.0.1:9/v1/metrics")


@dataclass
class Kept:
    make: Callable[[Settings], Metrics]
    events: list[Event] = field(default_factory=list)

    def texts(self) -> list[str]:
        return [event.text for event in self.events]

    async def until(self, kind: str) -> Event:
        while not (found := [event for event in self.events if event.kind == kind]):
            await asyncio.sleep(0.01)
        return found[-1]

    @contextlib.asynccontextmanager
    async def serving(self, where: Address | Path) -> AsyncIterator[None]:
        task = asyncio.create_task(self.make(Settings(metrics=where)).serve())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    (tmp_path / "inward.yaml").write_text("trust_domain: shop.internal\n")
    layout = Layout.of(tmp_path)
    catalog = SimpleNamespace(services={}, operations={}, data_classes={})
    policy: Any = SimpleNamespace(version="abc", catalog=catalog)
    signing: Any = SimpleNamespace(checkpoint_size=None, checkpoint_at=None, signed_until=None)
    run = Run(layout, lambda: policy, list, lambda _: True, dict, lambda: None, signing, lambda: None, dict)
    events: list[Event] = []
    tally = Tally(lambda: catalog, pytest.fail)
    return Kept(lambda settings: Metrics(settings, "shop.internal", tally, run, events.append), events)


async def fetch(address: Address) -> bytes:
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n\r\n")[2]


def free() -> Address:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return Address("127.0.0.1", taken.getsockname()[1])


def test_a_run_has_a_value_for_every_metric_that_there_is(kept: Kept) -> None:
    readings = asyncio.run(kept.make(Settings()).readings())
    assert [each.metric for each in readings if readings.count(each) > 1] == []
    assert {each.metric for each in readings} == set(METRICS)


def test_the_page_is_served_and_it_is_told_where(kept: Kept) -> None:
    async def run() -> bytes:
        async with kept.serving(address := free()):
            await kept.until("metrics")
            return await fetch(address)

    families = {each.name for each in text_string_to_metric_families(asyncio.run(run()).decode())}
    assert {"inward_build_info", "inward_gaps", "inward_record_delay_seconds"} <= families
    [text] = kept.texts()
    assert text.startswith("metrics are at http://127.0.0.1:")


def test_an_address_that_others_can_reach_is_a_warning(kept: Kept) -> None:
    async def run() -> None:
        async with kept.serving(Address("0.0.0.0", 0)):
            await kept.until("metrics")

    asyncio.run(run())
    warning, _ = kept.events
    assert warning.kind == "warning"
    assert warning.text.endswith("asks for no credential: whoever reaches it reads the metrics")


def test_a_place_that_is_taken_is_told_once_and_tried_again(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "AGAIN_SECONDS", 0.001)

    async def run() -> bytes:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = Address("127.0.0.1", taken.getsockname()[1])
            serving = kept.serving(address)
            await serving.__aenter__()
            await kept.until("warning")
            for _ in range(50):
                await asyncio.sleep(0.001)
        await kept.until("metrics")
        page = await fetch(address)
        await serving.__aexit__(None, None, None)
        return page

    assert b"inward_build_info" in asyncio.run(run())
    told, where = kept.texts()
    assert "address already in use" in told
    assert "INWARD_METRICS" in told
    assert where.startswith("metrics are at")


def test_a_unix_socket_is_removed_at_the_end(kept: Kept, tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"

    async def run() -> None:
        async with kept.serving(path):
            event = await kept.until("metrics")
            assert event.data == {"metrics": f"unix:{path}"}
            assert path.is_socket()

    asyncio.run(run())
    assert not path.exists()


@pytest.mark.parametrize(
    ("settings", "library"),
    [
        (Settings(metrics=Address("127.0.0.1", 9464)), "prometheus_client"),
        (Settings(exporting=ExportSettings(metrics=RECEIVER)), "httpx"),
        (Settings(exporting=ExportSettings(metrics=RECEIVER)), "opentelemetry"),
    ],
)
def test_what_is_missing_is_said_before_anything_starts(
    kept: Kept, settings: Settings, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == library else name)
    with pytest.raises(BadInputError, match=f"{library}.* is not installed"):
        kept.make(settings)


def test_where_nobody_looks_nothing_is_done(kept: Kept) -> None:
    async def run() -> None:
        metrics = kept.make(Settings())
        await asyncio.gather(metrics.serve(), metrics.send(), metrics.finish())

    asyncio.run(run())
    assert kept.events == []


def test_metrics_are_sent_and_those_of_the_end_too(kept: Kept) -> None:
    with Receiver() as receiver:
        destination = Destination(name="otlp-metrics", url=f"{receiver.url}/v1/metrics?key=secret")
        exporting = ExportSettings(metrics=destination, metrics_seconds=0.01)

        async def run() -> None:
            metrics = kept.make(Settings(exporting=exporting))
            sending = asyncio.create_task(metrics.send())
            while not receiver.requests:
                await asyncio.sleep(0.01)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            before = len(receiver.requests)
            await metrics.finish()
            assert len(receiver.requests) == before + 1

        asyncio.run(run())
        for request in receiver.requests:
            [whole] = ExportMetricsServiceRequest.FromString(request.body).resource_metrics
            assert "inward_build_info" in {metric.name for metric in whole.scope_metrics[0].metrics}
    assert kept.texts() == [f"metrics are sent to {receiver.url}/v1/metrics every 0.01 s"]
