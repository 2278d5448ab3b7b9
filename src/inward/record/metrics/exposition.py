"""Readings as text for Prometheus: its own format 0.0.4, or OpenMetrics 1.0 with an example call where there is one.

The text itself is written by Prometheus's client library, values of labels escaped. There are no native histograms in
it: Prometheus takes those by protobuf only.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from prometheus_client import exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from inward.record.metrics.defined import SECONDS, Histogram

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client.core import Metric as Family

    from inward.record.metrics.defined import Example, Reading

TEXT = exposition.CONTENT_TYPE_PLAIN_0_0_4
OPENMETRICS = openmetrics.CONTENT_TYPE_LATEST
_ENDS = (*(str(seconds) for seconds in SECONDS), "+Inf")
# A reference or a trace in an example: OpenMetrics allows 128 characters in all, and its parsers differ on quoted ones.
_PLAIN = re.compile(r"[A-Za-z0-9._:/~-]{1,64}")


def content_type(accept: str) -> str:
    """Return the format that is wanted by an `Accept` header: `OPENMETRICS` if it is named there, else `TEXT`."""
    named = {media.partition(";")[0].strip().lower() for media in accept.split(",")}
    return OPENMETRICS if "application/openmetrics-text" in named else TEXT


def render(readings: Iterable[Reading], form: str = TEXT) -> bytes:
    """Return readings, and what the operating system says of this process, as text in one of the two formats."""
    collector = _Collector(readings)
    if form == OPENMETRICS:
        return openmetrics.generate_latest(collector)  # type: ignore[no-any-return, no-untyped-call] # it has no types
    return exposition.generate_latest(collector)


class _Collector(Collector):
    """What the library asks for metrics."""

    def __init__(self, readings: Iterable[Reading]) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Family]:
        """Yield the metrics."""
        for reading in self._readings:
            yield _family(reading)
        yield from ProcessCollector(registry=None).collect()


def _family(reading: Reading) -> Family:
    metric = reading.metric
    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        for sample in reading.samples:
            if isinstance(sample.value, Histogram):
                histogram.add_metric(sample.labels, _buckets(sample.value), sample.value.total)
        return histogram
    if metric.kind == "counter":
        counter = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
        for sample in reading.samples:
            if not isinstance(sample.value, Histogram):
                counter.add_metric(sample.labels, sample.value, exemplar=_exemplar(sample.example))
        return counter
    gauge = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for sample in reading.samples:
        if not isinstance(sample.value, Histogram):
            gauge.add_metric(sample.labels, sample.value)
    return gauge


def _buckets(histogram: Histogram) -> Sequence[tuple[str, float, Exemplar]]:
    """Return the buckets as the library wants them: each with all that are before it."""
    found: list[tuple[str, float, Exemplar]] = []
    examples = histogram.examples or (None,) * len(_ENDS)
    below = 0
    for end, count, example in zip(_ENDS, histogram.counts, examples, strict=True):
        below += count
        found.append((end, below, _exemplar(example)))  # type: ignore[arg-type] # None is one of a sample's exemplars
    return found


def _exemplar(example: Example | None) -> Exemplar | None:
    if example is None:
        return None
    said = {"trace_id": example.trace, "reference": example.reference}
    labels = {name: text for name, text in said.items() if text and _PLAIN.fullmatch(text)}
    return Exemplar(labels, example.value, _moment(example.time)) if labels else None


def _moment(time: str) -> float | None:
    try:
        return datetime.fromisoformat(time).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
