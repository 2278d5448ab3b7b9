"""The record as OTLP log records: each call, each gap and each act is one.

What is refused, or would be, is a warning; so is a gap. The text of a record has no word that a caller chose: those are
in the attributes, as they came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs, SeverityNumber

from inward.record.call import Act, Call, Gap
from inward.record.export.encoding import entry_uid
from inward.record.export.otlp import (
    CONTENT_TYPE,
    SAMPLED,
    SCOPE,
    SERVICE,
    attribute,
    call_attributes,
    framed,
    nanoseconds,
    resource,
    span_bytes,
    trace_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue

    from inward.record.call import Entry

_RESOURCE_LOGS = ExportLogsServiceRequest.RESOURCE_LOGS_FIELD_NUMBER
_RESOURCE, _SCOPE_LOGS = ResourceLogs.RESOURCE_FIELD_NUMBER, ResourceLogs.SCOPE_LOGS_FIELD_NUMBER
_LOG_RECORDS = ScopeLogs.LOG_RECORDS_FIELD_NUMBER
_SCOPE_FRAMED = framed(ScopeLogs.SCOPE_FIELD_NUMBER, SCOPE.SerializeToString())
_LEVELS = {"INFO": SeverityNumber.SEVERITY_NUMBER_INFO, "WARN": SeverityNumber.SEVERITY_NUMBER_WARN}
_OF_GAPS = ("why", "service", "lost_bytes", "lost_lines", "detail", "src")
_OF_ACTS = ("what", "about", "detail", "by", "src")


class Logs:
    """Encodes entries as log records of the service `inward`."""

    content_type = CONTENT_TYPE

    def __init__(self, trust_domain: str, more: Mapping[str, str]) -> None:
        self._resource = framed(_RESOURCE, resource(SERVICE, trust_domain, more).SerializeToString())

    def item(self, entry: Entry, skipped: int) -> bytes:
        """Return the log record of an entry."""
        uid, time = entry_uid(entry), nanoseconds(entry.time)
        level = "WARN" if isinstance(entry, Gap) or (isinstance(entry, Call) and entry.decision == "deny") else "INFO"
        record = LogRecord(
            time_unix_nano=time,
            observed_time_unix_nano=time,
            severity_number=_LEVELS[level],
            severity_text=level,
            event_name=f"inward.{type(entry).__name__.lower()}",
        )
        record.body.string_value = _text(entry)
        attributes = [*_attributes(entry), attribute("log.record.uid", uid.hex())]
        if skipped:
            attributes.append(attribute("inward.skipped", skipped))
        record.attributes.extend(attributes)
        if isinstance(entry, Call) and (trace := trace_bytes(entry)):
            record.trace_id, record.span_id, record.flags = trace, span_bytes(uid), SAMPLED
        return framed(_LOG_RECORDS, record.SerializeToString())

    def size(self, item: bytes) -> int:
        """Return how many bytes a log record takes."""
        return len(item)

    def body(self, items: Sequence[bytes]) -> bytes:
        """Return an export request."""
        scope = framed(_SCOPE_LOGS, _SCOPE_FRAMED + b"".join(items))
        return framed(_RESOURCE_LOGS, self._resource + scope)

    def rejected(self, answer: bytes) -> tuple[int, str]:
        """Return what an export response says of a partial success."""
        try:
            partial = ExportLogsServiceResponse.FromString(answer).partial_success
        except DecodeError:
            return 0, ""
        return max(0, partial.rejected_log_records), partial.error_message


def _text(entry: Entry) -> str:
    """Return what a person reads: names of the system's own, and codes."""
    if isinstance(entry, Gap):
        return f"a gap in the record: {entry.why}"
    if isinstance(entry, Act):
        return entry.what if entry.about is None else f"{entry.what} {entry.about}"
    became = "denied" if entry.carried_out == "deny" else "allowed"
    if entry.decision == "deny" and entry.carried_out == "allow":
        became = "would be denied"
    what = entry.operation or f"an unknown operation of {entry.callee or 'an unknown service'}"
    return f"{entry.caller or 'an unknown caller'} calls {what}: {became}, {entry.reason}"


def _attributes(entry: Entry) -> Iterator[KeyValue]:
    if isinstance(entry, Call):
        yield from call_attributes(entry)
        if entry.duration_us is not None:
            yield attribute("inward.duration_us", entry.duration_us)
        return
    for name in _OF_GAPS if isinstance(entry, Gap) else _OF_ACTS:
        value = getattr(entry, name)
        if value is not None:
            yield attribute(f"inward.{name}", value)
