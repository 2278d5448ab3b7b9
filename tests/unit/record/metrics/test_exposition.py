"""The page is read by Prometheus's own parsers, whatever a call held."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from inward.record.call import Act, Call, Entry, Gap
from inward.record.metrics.counting import CallCounters
from inward.record.metrics.defined import METRICS, SECONDS, Example, Histogram, Reading, Sample
from inward.record.metrics.exposition import OPENMETRICS, TEXT, content_type, render

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client.samples import Sample as Parsed

NAMES = SimpleNamespace(services={"orders": 0}, operations={"orders:getOrder": 0}, data_classes={})
NASTY = [
    'say "no"',
    "a\nb 1\n# TYPE inward_calls_total gauge",
    "\\",
    '\\"} 7\n',
    "\r\n\t\0\x1b[31m",
    "\u2028\u2029\x85\u202e",
    "caf\u00e9 \U0001f5dd",
    "\ud800 alone",
    "",
    "} 1 # {",
    "<script>alert(1)</script>",
    "=HYPERLINK(1)",
    "x" * 10_000,
]


def parse(page: bytes, form: str) -> Iterator[Parsed]:
    families = list((parse_openmetrics if form == OPENMETRICS else parse_text)(page.decode()))
    assert len({family.name for family in families}) == len(families)
    for family in families:
        yield from family.samples


def call(text: str, **fields: object) -> Call:
    told = {
        "time": text,
        "id": text,
        "caller": text,
        "callee": text,
        "operation": text,
        "reason": text,
        "trace": text,
        "withheld": (text,),
        **fields,
    }
    return Call(decision="allow", carried_out="allow", **told)  # type: ignore[arg-type] # what a test makes up


def page(entries: Sequence[Entry], form: str) -> bytes:
    counted = CallCounters(lambda: NAMES)
    counted.add(entries)
    return render(counted.readings(), form)


@pytest.mark.parametrize("form", [TEXT, OPENMETRICS])
def test_a_page_says_what_was_counted(form: str) -> None:
    time = "2026-11-26T12:00:00.250Z"
    told = call("orders", time=time, operation="orders:getOrder", reason="granted", withheld=(), duration_us=3_000)
    samples = list(parse(page([told, told], form), form))
    labels = {"callee": "orders", "operation": "orders:getOrder"}
    outcome = {"decision": "allow", "carried_out": "allow", "reason": "granted"}
    [calls] = [each for each in samples if each.name == "inward_calls_total"]
    assert (calls.labels, calls.value) == ({"caller": "orders", **labels, **outcome}, 2)
    buckets = {each.labels["le"]: each for each in samples if each.name == "inward_call_duration_seconds_bucket"}
    assert [float(end) for end in buckets] == [*SECONDS, float("inf")]
    assert (buckets["0.0025"].value, buckets["0.005"].value, buckets["+Inf"].value) == (0, 2, 2)
    [total] = [each for each in samples if each.name == "inward_call_duration_seconds_sum"]
    assert (total.labels, total.value) == (labels, 0.006)
    if form == OPENMETRICS:
        example = buckets["0.005"].exemplar
        assert example is not None
        assert (example.labels, example.value) == ({"trace_id": "orders", "reference": "orders"}, 0.003)
        assert float(example.timestamp or 0) == 1795694400.25


@pytest.mark.parametrize("form", [TEXT, OPENMETRICS])
@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_hostile_text_is_a_value_and_nothing_else(text: str, form: str) -> None:
    entries: list[Entry] = [call(text), Gap(time=text, why=text, service=text), Act(time=text, what=text)]
    samples = list(parse(page(entries, form), form))
    [calls] = [each for each in samples if each.name == "inward_calls_total"]
    kept = text[:256].encode("utf-8", "replace").decode()
    assert calls.labels["caller"] == kept
    assert calls.value == 1
    assert {each.labels["service"]: each.value for each in samples if each.name == "inward_gaps_total"}[kept] == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.text(max_size=300), st.text(max_size=80), st.integers()), max_size=12),
    st.sampled_from([TEXT, OPENMETRICS]),
)
def test_no_call_is_lost_between_the_record_and_the_parser(told: list[tuple[str, str, int]], form: str) -> None:
    entries = [call(text, id=more, trace=more, callee=more, duration_us=number) for text, more, number in told]
    samples = list(parse(page(entries, form), form))
    assert sum(each.value for each in samples if each.name == "inward_calls_total") == len(told)
    names = Counter((each.name, *sorted(each.labels.items())) for each in samples)
    assert max(names.values()) == 1


def test_every_metric_keeps_to_the_rules_for_names() -> None:
    readings = []
    for metric in METRICS:
        labels = tuple("x" for _ in metric.labels)
        value = Histogram((1,) * (len(SECONDS) + 1), 1.5) if metric.kind == "histogram" else 1
        readings.append(Reading(metric, [Sample(labels, value)]))
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.name.startswith("inward_")
        assert metric.help.endswith(".")
        assert (metric.unit == "s") == metric.name.endswith("_seconds")
        assert (metric.unit == "By") == ("_bytes" in metric.name)
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for form in (TEXT, OPENMETRICS):
        found = {each.name for each in parse(render(readings, form), form)}
        assert {metric.name for metric in METRICS if metric.kind != "histogram"} <= found
        assert "process_start_time_seconds" in found


@pytest.mark.parametrize("reference", ["r" * 65, "caf\u00e9", "", 'a"b', "a\\", "a\n"])
def test_an_example_that_openmetrics_has_no_room_for_is_left_out(reference: str) -> None:
    example = Example(1, time="2026-11-26T12:00:00Z", reference=reference)
    calls = next(metric for metric in METRICS if metric.name == "inward_warnings_total")
    [sample] = [
        each
        for each in parse(render([Reading(calls, [Sample((), 3, example)])], OPENMETRICS), OPENMETRICS)
        if each.name == "inward_warnings_total"
    ]
    assert (sample.value, sample.exemplar) == (3, None)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/plain", TEXT),
        ("application/openmetrics-text", OPENMETRICS),
        ("Application/OpenMetrics-Text; version=99.0.0; escaping=allow-utf-8", OPENMETRICS),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", OPENMETRICS),
        ("x" * 5_000, TEXT),
    ],
)
def test_the_format_is_the_one_that_is_asked_for(accept: str, form: str) -> None:
    assert content_type(accept) == form
