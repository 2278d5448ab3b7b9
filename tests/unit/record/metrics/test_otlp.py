"""OTLP: what a receiver decodes is what was counted."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from inward.record.call import Call, Gap
from inward.record.export.otlp import resource
from inward.record.metrics import defined
from inward.record.metrics.counting import CallCounters
from inward.record.metrics.defined import SECONDS, Reading, Sample
from inward.record.metrics.otlp import CUMULATIVE, encode

SINCE, NOW = datetime(2026, 11, 26, 12, tzinfo=UTC), datetime(2026, 11, 26, 12, 1, tzinfo=UTC)
NAMES = SimpleNamespace(services={}, operations={}, data_classes={})


def decoded(*readings: Reading) -> Any:
    return ExportMetricsServiceRequest.FromString(encode(readings, resource("inward", "shop.internal", {}), SINCE, NOW))


def test_counters_histograms_and_gauges_arrive() -> None:
    counted = CallCounters(lambda: NAMES)
    call = Call(
        time="2026-11-26T12:00:00.000Z",
        id="r",
        caller="till\n\ud800",
        callee="orders",
        decision="allow",
        carried_out="allow",
        reason="granted",
        duration_us=3_000,
    )
    counted.add([call, call, Gap(time="", why="")])
    request = decoded(*counted.readings(), Reading(defined.CA_EXPIRY, [Sample((), 1.5)]))
    [whole] = request.resource_metrics
    assert {each.key: each.value.string_value for each in whole.resource.attributes} == {
        "service.name": "inward",
        "inward.trust_domain": "shop.internal",
    }
    metrics = {each.name: each for each in whole.scope_metrics[0].metrics}
    calls = metrics["inward_calls_total"].sum
    assert calls.is_monotonic
    assert calls.aggregation_temporality == CUMULATIVE
    [point] = calls.data_points
    assert {each.key: each.value.string_value for each in point.attributes} == {
        "caller": "till\n?",
        "callee": "orders",
        "operation": "_unknown",
        "decision": "allow",
        "carried_out": "allow",
        "reason": "granted",
    }
    assert point.as_double == 2
    assert (point.start_time_unix_nano, point.time_unix_nano) == (
        int(SINCE.timestamp()) * 10**9,
        int(NOW.timestamp()) * 10**9,
    )
    durations = metrics["inward_call_duration_seconds"]
    [histogram] = durations.histogram.data_points
    assert durations.unit == "s"
    assert durations.histogram.aggregation_temporality == CUMULATIVE
    assert list(histogram.explicit_bounds) == list(SECONDS)
    assert list(histogram.bucket_counts) == [0, 0, 2, *([0] * 12)]
    assert (histogram.count, histogram.sum) == (2, 0.006)
    [expiry] = metrics["inward_ca_expiry_timestamp_seconds"].gauge.data_points
    assert (expiry.as_double, expiry.start_time_unix_nano) == (1.5, 0)


def test_a_metric_without_values_is_not_sent() -> None:
    [whole] = decoded(Reading(defined.CALLS, [])).resource_metrics
    assert list(whole.scope_metrics[0].metrics) == []
