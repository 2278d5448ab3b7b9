"""The metrics of a running system: scraped as Prometheus does, sent by OTLP, and held against its record."""

from __future__ import annotations

import http.client
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from tests import forge
from tests.receiver import Receiver
from tests.system import wire
from tests.system.company import SMALL, TRUST_DOMAIN
from tests.system.guarded import eventually

from inward.record.metrics.labels import STRANGERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client.samples import Sample
    from tests.system.guarded import Guarded

ENVIRONMENT = {
    "INWARD_METRICS": "127.0.0.1:0",
    "INWARD_CHECKPOINT_SECONDS": "0.2",
    "OTEL_METRIC_EXPORT_INTERVAL": "200",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_TRACES_EXPORTER": "none",
}
TRACE = "0af7651916cd43dd8448eb211c80319c"
EDGE = ("caller", "callee", "operation", "decision", "carried_out", "reason")


def scrape(system: Guarded) -> list[Sample]:
    """Return all samples of the page."""
    address = system.event("metrics")["metrics"].removeprefix("http://").removesuffix("/metrics")
    connection = http.client.HTTPConnection(address, timeout=20)
    try:
        connection.request("GET", "/metrics", headers={"accept": "application/openmetrics-text;version=1.0.0"})
        answer = connection.getresponse()
        page = answer.read().decode()
    finally:
        connection.close()
    assert answer.status == 200, page
    families = text_string_to_metric_families(page)  # type: ignore[no-untyped-call] # it has no types
    return [sample for family in families for sample in family.samples]


def value(samples: list[Sample], name: str, **labels: str) -> float | None:
    found = [each.value for each in samples if each.name == name and each.labels.items() >= labels.items()]
    assert len(found) <= 1, found
    return found[0] if found else None


def recorded(system: Guarded) -> Counter[tuple[str, ...]]:
    calls = system.calls()
    return Counter(tuple(getattr(call, name) or "_unknown" for name in EDGE) for call in calls)


def counted(samples: list[Sample]) -> Counter[tuple[str, ...]]:
    found = [each for each in samples if each.name == "inward_calls_total"]
    return Counter({tuple(each.labels[name] for name in EDGE): int(each.value) for each in found})


def test_the_page_says_what_the_record_and_the_envoys_say(guard: Callable[..., Guarded]) -> None:
    with Receiver() as receiver:
        system = guard(SMALL, {**ENVIRONMENT, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}).start()
        calls_are_counted(system)
        the_run_is_told(system)
        the_record_is_signed(system)
        what_goes_wrong_is_told(system)
        strangers_do_not_make_the_page_grow(system)
        assert system.stop() == 0
        requests = [each for each in receiver.requests if each.path == "/v1/metrics"]
    assert len(requests) > 1
    assert sent(requests[-1].body).total() == len(system.calls())


def calls_are_counted(system: Guarded) -> None:
    for _ in range(3):
        system.call("orders", "auditor", "GET", "/orders/42", traceparent=f"00-{TRACE}-{'1' * 16}-01")
    refused = system.call("orders", "stranger", "GET", "/orders/42")
    system.call("orders", "auditor", "GET", "/orders/%22%7D%207")
    eventually("every call is recorded", lambda: len(system.calls()) == 5)
    eventually("the page has every call", lambda: counted(scrape(system)) == recorded(system))
    samples = scrape(system)
    assert value(samples, "inward_call_duration_seconds_count", callee="orders", operation="orders:getOrder") == 5
    [denied] = [each for each in samples if each.name == "inward_calls_total" and each.labels["decision"] == "deny"]
    assert denied.exemplar is not None
    assert denied.exemplar.labels["reference"] == refused.reference
    assert TRACE in [each.exemplar.labels.get("trace_id") for each in samples if each.exemplar is not None]


def the_run_is_told(system: Guarded) -> None:
    samples, policy = scrape(system), system.event("ready")["policy"]
    of_orders = {"inward_policy_enforced": 1, "inward_service_up": 1, "inward_quarantined": 0, "inward_gaps_total": 0}
    assert {name: value(samples, name, service="orders") for name in of_orders} == of_orders
    assert value(samples, "inward_policy_info", version=policy) == 1
    assert value(samples, "inward_enforced_policy_info", service="orders", version=policy) == 1
    assert 0 < (value(samples, "inward_svid_expiry_timestamp_seconds", service="orders") or 0) - time.time() < 3700
    assert (value(samples, "inward_ca_expiry_timestamp_seconds") or 0) > time.time() + 3600
    assert (value(samples, "inward_record_delay_seconds_count") or 0) > 0
    assert (value(samples, "inward_record_free_bytes") or 0) > 0
    assert value(samples, "inward_rollup_up") == 1


def the_record_is_signed(system: Guarded) -> None:
    def signed() -> bool:
        samples = scrape(system)
        late = time.time() - (value(samples, "inward_record_signed_timestamp_seconds") or 0)
        acts = sum(each.value for each in samples if each.name == "inward_acts_total")
        return late < 5 and value(samples, "inward_checkpoint_entries") == acts + len(system.calls())

    eventually("all of the record is signed", signed)


def what_goes_wrong_is_told(system: Guarded) -> None:
    assert system.inward("quarantine", "checkout", "--reason", "a test", "--yes").returncode == 0
    eventually("quarantine is told", lambda: value(scrape(system), "inward_quarantined", service="checkout") == 1)
    system.write("policies/orders.cedar", "nonsense")
    eventually("mistakes are told", lambda: (value(scrape(system), "inward_policy_mistakes") or 0) > 0)
    assert value(scrape(system), "inward_policy_enforced", service="orders") == 1  # what was written for it before


def strangers_do_not_make_the_page_grow(system: Guarded) -> None:
    before, issuer = len(system.calls()), system.issuer
    for number in range(STRANGERS + 3):
        leaf = forge.good(issuer, f"spiffe://{TRUST_DOMAIN}/made-up-{number}")
        system.call("orders", wire.Identity.of(leaf, system.folder), "GET", "/orders/42")
    eventually("all are counted", lambda: counted(scrape(system)).total() == before + STRANGERS + 3)
    calls = counted(scrape(system))
    assert calls["_other", "orders", "orders:getOrder", "deny", "deny", "unknown_caller"] == 3
    assert len([edge for edge in calls if edge[0].startswith("spiffe://")]) == STRANGERS
    assert value(scrape(system), "inward_metrics_folded_total", label="caller") == 3


def sent(body: bytes) -> Counter[tuple[str, ...]]:
    """Return the calls in a request of OTLP."""
    [whole] = ExportMetricsServiceRequest.FromString(body).resource_metrics
    metrics: dict[str, Any] = {each.name: each for each in whole.scope_metrics[0].metrics}
    found: Counter[tuple[str, ...]] = Counter()
    for point in metrics["inward_calls_total"].sum.data_points:
        labels = {each.key: each.value.string_value for each in point.attributes}
        found[tuple(labels[name] for name in EDGE)] = int(point.as_double)
    return found
