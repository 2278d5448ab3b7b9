"""Log records: one an entry, whatever it holds."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber
from tests.receiver import values
from tests.unit.record.export.calls import ANY, FULL

from inward.record.call import Act, Call, Entry, Gap
from inward.record.export.encoding import entry_uid
from inward.record.export.otlp_logs import Logs

LOGS = Logs("shop.internal", {})


def made(entry: Entry, skipped: int = 0) -> LogRecord:
    (record,) = received(LOGS.body([LOGS.item(entry, skipped)]))
    return record


def received(body: bytes) -> list[LogRecord]:
    (resource,) = ExportLogsServiceRequest.FromString(body).resource_logs
    assert values(resource.resource.attributes) == {"service.name": "inward", "inward.trust_domain": "shop.internal"}
    (scope,) = resource.scope_logs
    assert scope.scope.name == "inward"
    return list(scope.log_records)


def test_a_call() -> None:
    record = made(FULL)
    assert record.time_unix_nano == 1795694400_123_000_000
    assert record.event_name == "inward.call"
    assert record.body.string_value == "checkout calls orders:getOrder: allowed, granted"
    assert (record.severity_number, record.severity_text) == (SeverityNumber.SEVERITY_NUMBER_INFO, "INFO")
    assert record.trace_id.hex() == FULL.trace
    assert record.span_id == entry_uid(FULL)[:8]
    said = values(record.attributes)
    assert said["log.record.uid"] == entry_uid(FULL).hex()
    assert said["inward.duration_us"] == 1234
    assert said["inward.policies"] == ["sellers-read"]
    assert "inward.skipped" not in said


@pytest.mark.parametrize(
    ("changed", "level", "text"),
    [
        ({"decision": "deny", "carried_out": "deny", "reason": "no_grant"}, "WARN", "denied, no_grant"),
        ({"decision": "deny", "mode": "observe", "reason": "no_grant"}, "WARN", "would be denied, no_grant"),
        ({"status": 503}, "INFO", "allowed, granted"),
    ],
)
def test_what_is_refused_or_would_be_is_a_warning(changed: dict[str, object], level: str, text: str) -> None:
    record = made(msgspec.structs.replace(FULL, **changed))
    assert record.severity_text == level
    assert record.body.string_value.endswith(text)


def test_a_gap_and_an_act() -> None:
    gap = made(Gap(time=FULL.time, why="its Envoy ended", service="orders", lost_lines=3))
    assert (gap.event_name, gap.severity_text) == ("inward.gap", "WARN")
    assert gap.body.string_value == "a gap in the record: its Envoy ended"
    assert (values(gap.attributes)["inward.service"], values(gap.attributes)["inward.lost_lines"]) == ("orders", 3)
    act = made(Act(time=FULL.time, what="quarantine", about="orders", by="root", detail="odd"))
    assert (act.event_name, act.severity_text, act.body.string_value) == ("inward.act", "INFO", "quarantine orders")
    assert values(act.attributes)["inward.by"] == "root"


def test_what_was_skipped_before_it_is_said() -> None:
    assert values(made(FULL, 12).attributes)["inward.skipped"] == 12


def test_no_text_has_what_a_caller_chose() -> None:
    hostile = msgspec.structs.replace(
        FULL, path="/\x1b[2J{id}", parameters={"id": "\x1b[2J"}, method="\x1b[2J", id="\x1b"
    )
    record = made(hostile)
    assert "\x1b" not in record.body.string_value
    assert values(record.attributes)["url.path"] == "/\x1b[2J\x1b[2J"


def test_a_body_is_one_request_of_one_resource() -> None:
    gap = Gap(time=FULL.time, why="a test")
    items = [LOGS.item(FULL, 0), LOGS.item(gap, 0)]
    body = LOGS.body(items)
    assert received(body) == [made(FULL), made(gap)]
    assert ExportLogsServiceRequest.FromString(body).SerializeToString() == body
    assert 0 < len(body) - sum(map(LOGS.size, items)) < 200


@given(ANY)
def test_any_call_can_be_sent(call: Call) -> None:
    record = made(call)
    said = values(record.attributes)
    assert said["inward.id"] == call.id
    assert said.get("url.path") == call.full_path
    assert len(record.trace_id) in {0, 16}
    assert bool(record.trace_id) == bool(record.span_id)


def test_a_partial_success() -> None:
    answer = ExportLogsServiceResponse()
    assert LOGS.rejected(answer.SerializeToString()) == (0, "")
    answer.partial_success.rejected_log_records = 3
    answer.partial_success.error_message = "too old"
    assert LOGS.rejected(answer.SerializeToString()) == (3, "too old")
    answer.partial_success.rejected_log_records = -3
    assert LOGS.rejected(answer.SerializeToString())[0] == 0
    assert LOGS.rejected(b'{"partialSuccess":{}}') == (0, "")


def test_an_entry_whose_time_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        made(msgspec.structs.replace(FULL, time="yesterday"))
