"""The page of metrics is held to the metrics that there are."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from inward.record.metrics import defined
from inward.record.metrics.counting import OPERATIONS, SERIES
from inward.record.metrics.defined import METRICS, Metric
from inward.record.metrics.labels import STRANGERS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "metrics.md").read_text()
NAMED = {metric.name: metric for metric in METRICS}


def rules() -> list[dict[str, str]]:
    [block] = [text for text in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) if "groups:" in text]
    [group] = yaml.safe_load(block)["groups"]
    found: list[dict[str, str]] = group["rules"]
    return found


def metric_of(series: str) -> Metric:
    """Return the metric that an expression's name is a series of."""
    return NAMED.get(series) or NAMED[re.sub(r"_(bucket|count|sum)$", "", series)]


def test_every_metric_is_on_the_page_with_its_kind_and_labels() -> None:
    rows = re.findall(r"^\| `(inward_[a-z_]+)` \| ([a-z]+) \|([^|]*)\| [^|]+ \|$", PAGE, re.MULTILINE)
    listed = {name: (kind, tuple(re.findall(r"`([a-z_]+)`", labels))) for name, kind, labels in rows}
    assert len(listed) == len(rows)
    assert listed == {metric.name: (metric.kind, metric.labels) for metric in METRICS}


def test_every_metric_that_is_defined_is_in_the_list() -> None:
    assert {value for value in vars(defined).values() if isinstance(value, Metric)} == set(METRICS)


def test_rules_name_metrics_and_labels_that_there_are() -> None:
    expressions = [rule["expr"] for rule in rules()] + re.findall(r"`([^`]*(?:rate|quantile)\([^`)][^`]+)`", PAGE)
    assert len(expressions) == len(rules()) + 2
    for expression in expressions:
        names = re.findall(r"\binward_[a-z_]+", expression)
        assert names or expression.startswith("up{"), expression
        metrics = [metric_of(name) for name in names]
        for name in re.findall(r'([a-z_]+)="', expression):
            assert name == "job" or all(name in metric.labels for metric in metrics), expression
        for by in re.findall(r"by \(([^)]*)\)", expression):
            assert all({*by.split(", ")} <= {*metric.labels, "le"} for metric in metrics), expression
        assert expression.count("(") == expression.count(")")


def test_every_rule_says_what_to_do() -> None:
    told = re.findall(r"^- \*\*(Inward[A-Za-z]+)\.\*\*", PAGE, re.MULTILINE)
    assert told == [rule["alert"] for rule in rules()]
    assert [rule for rule in rules() if not rule.keys() <= {"alert", "expr", "for"}] == []


def test_the_limits_on_the_page_are_those_that_hold() -> None:
    assert f"the first {STRANGERS}," in PAGE
    assert f"{SERIES:,} series of calls and {OPERATIONS:,} of operations" in PAGE
