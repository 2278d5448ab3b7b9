"""Readings as OpenTelemetry has them: the body of a request of OTLP over HTTP, in protobuf.

Names are the same as on the page for Prometheus: what takes OTLP into Prometheus leaves such names as they are. Sums
and histograms are cumulative, from the start of the run on, so that a request that is lost costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1 import metrics_pb2 as otlp

from inward.record.export.otlp import SCOPE, attribute
from inward.record.metrics.defined import SECONDS, Histogram

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

    from inward.record.metrics.defined import Metric, Reading, Sample

CUMULATIVE: Final = otlp.AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
_NANOSECONDS = 1_000_000_000
_WHY_CHARACTERS = 200


def encode(readings: Iterable[Reading], resource: Resource, since: datetime, now: datetime) -> bytes:
    """Return the body of a request: readings of `now`, counted from `since` on. Both are aware."""
    start, end = (int(moment.timestamp() * _NANOSECONDS) for moment in (since, now))
    metrics = [_metric(reading, start, end) for reading in readings if reading.samples]
    scope = otlp.ScopeMetrics(scope=SCOPE, metrics=metrics)
    whole = otlp.ResourceMetrics(resource=resource, scope_metrics=[scope])
    body: bytes = ExportMetricsServiceRequest(resource_metrics=[whole]).SerializeToString()
    return body


def refused(answer: bytes) -> str:
    """Return what a receiver that took a request says it did not take of it; empty where it says nothing."""
    try:
        partial = ExportMetricsServiceResponse.FromString(answer).partial_success
    except DecodeError:
        return ""
    count, why = partial.rejected_data_points, partial.error_message[:_WHY_CHARACTERS]
    return f"{count} values are dropped: {why}" if count > 0 else ""


def _metric(reading: Reading, start: int, end: int) -> otlp.Metric:
    metric = reading.metric
    told = otlp.Metric(name=metric.name, description=metric.help, unit=metric.unit)
    if metric.kind == "histogram":
        told.histogram.aggregation_temporality = CUMULATIVE
        told.histogram.data_points.extend(_histogram(metric, sample, start, end) for sample in reading.samples)
    elif metric.kind == "counter":
        told.sum.aggregation_temporality = CUMULATIVE
        told.sum.is_monotonic = True
        told.sum.data_points.extend(_number(metric, sample, start, end) for sample in reading.samples)
    else:
        told.gauge.data_points.extend(_number(metric, sample, 0, end) for sample in reading.samples)
    return told


def _histogram(metric: Metric, sample: Sample, start: int, end: int) -> otlp.HistogramDataPoint:
    value = sample.value
    assert isinstance(value, Histogram)  # noqa: S101 - what a histogram has
    return otlp.HistogramDataPoint(
        attributes=[attribute(name, label) for name, label in zip(metric.labels, sample.labels, strict=True)],
        start_time_unix_nano=start,
        time_unix_nano=end,
        count=value.count,
        sum=value.total,
        bucket_counts=value.counts,
        explicit_bounds=SECONDS,
    )


def _number(metric: Metric, sample: Sample, start: int, end: int) -> otlp.NumberDataPoint:
    assert not isinstance(sample.value, Histogram)  # noqa: S101 - what a counter and a gauge have not
    return otlp.NumberDataPoint(
        attributes=[attribute(name, label) for name, label in zip(metric.labels, sample.labels, strict=True)],
        start_time_unix_nano=start,
        time_unix_nano=end,
        as_double=sample.value,
    )
