"""Metrics sent by OTLP: what a receiver decodes, and what is told of one that does not take them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from tests.receiver import Receiver, Reply

from inward.control.exporting.settings import Destination, ExportSettings
from inward.control.recording.metrics import push as module
from inward.control.recording.metrics.push import Push
from inward.errors import BadInputError
from inward.record.metrics import defined
from inward.record.metrics.defined import Reading, Sample

if TYPE_CHECKING:
    from collections.abc import Callable

RECEIVER = Destination(name="otlp-metrics", url="http://127.0.0.1:9/", timeout=1.0)
SINCE = datetime(2026, 11, 26, 12, tzinfo=UTC)


async def readings() -> list[Reading]:
    return [Reading(defined.WARNINGS, [Sample((), 3)])]


def push(destination: Destination, told: Callable[[str], None] = pytest.fail) -> Push:
    return Push(destination, "shop.internal", {"deployment.environment.name": "test"}, SINCE, readings, told)


def send(destination: Destination, times: int = 1) -> list[str]:
    told: list[str] = []

    async def run() -> None:
        sending = push(destination, told.append)
        for _ in range(times):
            await sending.send()
        await sending._sender.close()

    asyncio.run(run())
    return told


def at(receiver: Receiver) -> Destination:
    return Destination(name="otlp-metrics", url=f"{receiver.url}/v1/metrics", headers={"x-key": "secret"}, gzip=True)


def test_a_receiver_is_given_all_metrics() -> None:
    with Receiver() as receiver:
        assert send(at(receiver)) == []
    [request] = receiver.requests
    assert request.path == "/v1/metrics"
    assert request.headers["content-type"] == "application/x-protobuf"
    assert request.headers["x-key"] == "secret"
    [whole] = ExportMetricsServiceRequest.FromString(request.body).resource_metrics
    assert {each.key: each.value.string_value for each in whole.resource.attributes} == {
        "service.name": "inward",
        "inward.trust_domain": "shop.internal",
        "deployment.environment.name": "test",
    }
    [metric] = whole.scope_metrics[0].metrics
    [point] = metric.sum.data_points
    assert (metric.name, point.as_double) == ("inward_warnings_total", 3)
    assert point.start_time_unix_nano == int(SINCE.timestamp()) * 10**9


def test_trouble_is_told_once_and_its_end_too() -> None:
    answers = [Reply(503), Reply(500), Reply(404), Reply(200), Reply(200), Reply(401)]
    with Receiver(lambda _: answers.pop(0)) as receiver:
        told = send(at(receiver), 6)
    assert len(told) == 3
    assert told[0].startswith("otlp-metrics: metrics are not taken: it answers 503")
    assert told[1] == "otlp-metrics: metrics are taken again"
    assert told[2].startswith("otlp-metrics: metrics are not taken: it answers 401")


def test_what_a_receiver_drops_is_told() -> None:
    partial = ExportMetricsPartialSuccess(rejected_data_points=2, error_message="too old" * 100)
    body = ExportMetricsServiceResponse(partial_success=partial).SerializeToString()
    with Receiver(lambda _: Reply(200, body=body)) as receiver:
        [told] = send(at(receiver), 2)
    assert told.startswith("otlp-metrics: metrics are not taken: 2 values are dropped: too old")
    assert len(told) < 300


def test_an_answer_that_is_none_is_taken_for_one() -> None:
    with Receiver(lambda _: Reply(200, body=b"\xff\xff\xff")) as receiver:
        assert send(at(receiver)) == []


def test_a_receiver_that_is_away_holds_up_neither_the_run_nor_its_end() -> None:
    told: list[str] = []

    async def run() -> None:
        away = push(RECEIVER, told.append)
        await away.send()
        await asyncio.wait_for(away.finish(), 1)  # it is not tried again

    asyncio.run(run())
    assert len(told) == 1


def test_the_end_waits_for_a_receiver_that_hangs_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FINISH_SECONDS", 0.05)
    told: list[str] = []
    with Receiver(lambda _: Reply(hang=True)) as receiver:
        asyncio.run(asyncio.wait_for(push(at(receiver), told.append).finish(), 5))
    assert told == ["otlp-metrics: the last metrics are not sent: it takes too long"]


def test_what_cannot_be_read_at_the_end_does_not_stop_the_end() -> None:
    told: list[str] = []

    async def broken() -> list[Reading]:
        raise LookupError("gone")

    async def run() -> None:
        sending = Push(RECEIVER, "shop.internal", {}, SINCE, broken, told.append)
        await sending.finish()

    asyncio.run(run())
    assert told == ["otlp-metrics: the last metrics are not sent: gone"]


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, "http://collector:4318/v1/metrics"),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://collector:4318/own"}, "http://collector:4318/own"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_METRICS_EXPORTER": "none"}, None),
    ],
)
def test_it_is_configured_as_others_are(environment: dict[str, str], url: str | None) -> None:
    found = ExportSettings.from_environment(environment)
    assert (found.metrics.url if found.metrics else None) == url
    assert found.metrics_seconds == 60
    assert [each.name for each in found.destinations if each.name == "otlp-metrics"] == []


def test_the_interval_is_in_milliseconds() -> None:
    assert ExportSettings.from_environment({"OTEL_METRIC_EXPORT_INTERVAL": "1500"}).metrics_seconds == 1.5


@pytest.mark.parametrize("text", ["0", "99", "-1", "1s", "1e9", "\u0661\u0661\u0661"])
def test_an_interval_that_is_none_is_named(text: str) -> None:
    with pytest.raises(BadInputError, match="OTEL_METRIC_EXPORT_INTERVAL"):
        ExportSettings.from_environment({"OTEL_METRIC_EXPORT_INTERVAL": text})
