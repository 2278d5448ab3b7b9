"""What metrics there are: the name, kind, labels and meaning of each, and the form in which their values are read.

Names keep to Prometheus's rules: base units, `_total` for what only rises, timestamps in seconds since 1970.
docs/metrics.md has the same list, and a test holds it to this one. Renaming one breaks somebody's alerts: don't.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["counter", "gauge", "histogram"]
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # ends of buckets


@dataclass(frozen=True, slots=True)
class Example:
    """One call that a value counts: its reference and its trace, either of which may be missing.

    `value` is what it added (seconds in a histogram, else 1), `time` when it arrived, as the record has it.
    """

    value: float
    time: str
    reference: str | None = None
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many observations fell into each bucket of `SECONDS`, the one behind the last too; and their sum."""

    counts: tuple[int, ...]
    total: float
    examples: tuple[Example | None, ...] = ()

    @property
    def count(self) -> int:
        """All observations."""
        return sum(self.counts)


Value: TypeAlias = float | Histogram


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric. `name` is that of Prometheus; `unit` is that of OpenTelemetry (UCUM)."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """A value of a metric for one choice of its labels, in their order."""

    labels: tuple[str, ...]
    value: Value
    example: Example | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """All values of a metric at one moment. No two samples have the same labels."""

    metric: Metric
    samples: Sequence[Sample] = field(default_factory=tuple)


_EDGE = ("caller", "callee", "operation", "decision", "carried_out", "reason")

CALLS = Metric("inward_calls_total", "counter", "Calls that were recorded.", _EDGE)
DURATION = Metric(
    "inward_call_duration_seconds",
    "histogram",
    "From a request to the end of its answer.",
    ("callee", "operation"),
    "s",
)
REQUEST_BYTES = Metric(
    "inward_request_bytes_total", "counter", "Bytes of the bodies of requests.", ("callee", "operation"), "By"
)
RESPONSE_BYTES = Metric(
    "inward_response_bytes_total", "counter", "Bytes of the bodies of answers.", ("callee", "operation"), "By"
)
WITHHELD = Metric(
    "inward_withheld_total",
    "counter",
    "Answers from which a data class was cut; in mode observe, in which it would be looked for.",
    ("class", "callee", "operation", "mode"),
)
UNDISCLOSED = Metric(
    "inward_undisclosed_total",
    "counter",
    "Requests refused for a data class that is not disclosed to the callee; in mode observe, that would be.",
    ("class", "callee", "operation", "mode"),
)
GAPS = Metric("inward_gaps_total", "counter", "Gaps of the record: something was lost, or may have been.", ("service",))
LOST_LINES = Metric("inward_lost_lines_total", "counter", "Lines that gaps say were lost, where known.", ("service",))
LOST_BYTES = Metric(
    "inward_lost_bytes_total", "counter", "Bytes that gaps say were lost, where known.", ("service",), "By"
)
ACTS = Metric("inward_acts_total", "counter", "Administrative acts that were recorded.", ("what",))
FOLDED = Metric(
    "inward_metrics_folded_total",
    "counter",
    "Values that are counted under `_other`, as there were too many different ones of that label.",
    ("label",),
)
SERIES = Metric("inward_metrics_series", "gauge", "Different choices of labels that are counted.", ("table",))
SERIES_LIMIT = Metric("inward_metrics_series_limit", "gauge", "How many there can be.", ("table",))

BUILD = Metric("inward_build_info", "gauge", "1; the version of Inward is a label.", ("version",))
WARNINGS = Metric("inward_warnings_total", "counter", "Warnings that `inward up` has told.")
RECORD_DELAY = Metric(
    "inward_record_delay_seconds", "histogram", "From the end of a call until it is durable; one call a batch.", (), "s"
)
UNRECORDED = Metric(
    "inward_log_unrecorded_bytes", "gauge", "Bytes in an enforcer's logs that are not recorded yet.", ("service",), "By"
)
FREE = Metric("inward_record_free_bytes", "gauge", "Room that is left on the disk of the record.", (), "By")
CHECKPOINT_SIZE = Metric("inward_checkpoint_entries", "gauge", "Entries of the record that the last checkpoint signs.")
CHECKPOINT_TIME = Metric(
    "inward_checkpoint_timestamp_seconds", "gauge", "When this run last signed a checkpoint; 0: it has not.", (), "s"
)
SIGNED_TIME = Metric(
    "inward_record_signed_timestamp_seconds",
    "gauge",
    "Until when all that was recorded is signed, for as long as this run; 0: nothing is.",
    (),
    "s",
)
POLICY = Metric("inward_policy_info", "gauge", "1; the version of the policy in force is a label.", ("version",))
ENFORCED = Metric(
    "inward_enforced_policy_info",
    "gauge",
    "1; the policy version from which a service's Envoy has its routes, read back from it, is a label.",
    ("service", "version"),
)
UP_TO_DATE = Metric(
    "inward_policy_enforced", "gauge", "Whether a service's Envoy enforces what was written for it.", ("service",)
)
MISTAKES = Metric(
    "inward_policy_mistakes", "gauge", "Mistakes in the system folder, for which an older policy stays in force."
)
SERVICE_UP = Metric("inward_service_up", "gauge", "Whether a service and its Envoy run.", ("service",))
ENDED = Metric(
    "inward_process_ended_total", "counter", "Times that a process ended and was started again.", ("process",)
)
SVID_EXPIRY = Metric(
    "inward_svid_expiry_timestamp_seconds", "gauge", "When the SVID that a service uses expires.", ("service",), "s"
)
CA_EXPIRY = Metric(
    "inward_ca_expiry_timestamp_seconds", "gauge", "When the newest authority of the trust bundle expires.", (), "s"
)
QUARANTINED = Metric("inward_quarantined", "gauge", "Whether a service is in quarantine.", ("service",))

ROLLUP_UP = Metric("inward_rollup_up", "gauge", "Whether the rollups are kept: their database can be used.")
ROLLUP_BEHIND = Metric(
    "inward_rollup_behind_bytes", "gauge", "About how much of the record is not in the rollups yet.", (), "By"
)
EXPORTED = Metric(
    "inward_export_sent_total", "counter", "Entries that a destination has taken, over all runs.", ("destination",)
)
SKIPPED = Metric(
    "inward_export_skipped_total",
    "counter",
    "Entries that a destination was not sent, as too much was waiting, over all runs.",
    ("destination",),
)
REFUSED = Metric(
    "inward_export_refused_total",
    "counter",
    "Entries that a destination did not take, over all runs.",
    ("destination",),
)
WAITING = Metric(
    "inward_export_waiting_bytes",
    "gauge",
    "About how much of the record waits for a destination.",
    ("destination",),
    "By",
)
EXPORT_UP = Metric("inward_export_up", "gauge", "Whether a destination takes what it is sent.", ("destination",))
ALERTS = Metric("inward_alerts_total", "counter", "New alerts of this run.", ("detector", "severity"))

OF_CALLS = (
    CALLS,
    DURATION,
    REQUEST_BYTES,
    RESPONSE_BYTES,
    WITHHELD,
    UNDISCLOSED,
    GAPS,
    LOST_LINES,
    LOST_BYTES,
    ACTS,
    FOLDED,
    SERIES,
    SERIES_LIMIT,
)
OF_INWARD = (
    BUILD,
    WARNINGS,
    RECORD_DELAY,
    UNRECORDED,
    FREE,
    CHECKPOINT_SIZE,
    CHECKPOINT_TIME,
    SIGNED_TIME,
    POLICY,
    ENFORCED,
    UP_TO_DATE,
    MISTAKES,
    SERVICE_UP,
    ENDED,
    SVID_EXPIRY,
    CA_EXPIRY,
    QUARANTINED,
    ROLLUP_UP,
    ROLLUP_BEHIND,
    EXPORTED,
    SKIPPED,
    REFUSED,
    WAITING,
    EXPORT_UP,
    ALERTS,
)
METRICS = OF_CALLS + OF_INWARD
